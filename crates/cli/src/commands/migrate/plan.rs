//! What a migration would do.

use futures_util::{StreamExt as _, stream};
use indicatif::DecimalBytes;
use remote_state::{Error, ErrorKind, Lineage, Serial, StateFormat, StateStoreExt as _, Workspace};
use remote_state_operations::Pattern;
use remote_state_operations::migrate::journal::Fact;
use remote_state_operations::migrate::{Move, SourceMode, StateRef, plan as plan_one};
use remote_state_operations::transfer::{MovePlan, Target, is_fenced};
use serde_json::{Value, json};

use super::migration::Migration;
use crate::args::SourceMode as Mode;
use crate::commands::rename::agreed;
use crate::exit::Failure;

/// What the migration of one state would do. It holds nothing of the state.
pub(super) struct Planned {
    /// Its number in the journal.
    pub(super) number: u64,
    pub(super) item: Move,
    pub(super) serial: Option<Serial>,
    lineage: Option<Lineage>,
    pub(super) size_bytes: Option<u64>,
    what: &'static str,
    is_done: bool,
    is_fenced: bool,
    is_encrypted: bool,
}

impl Planned {
    fn new(item: Move, plan: &MovePlan, mode: SourceMode) -> Self {
        let MovePlan::Copy { copy, .. } = plan else {
            return Self { what: "moved already", is_done: true, ..Self::unknown(0, item) };
        };
        let is_fenced = is_fenced(&*item.from.store, &copy.source.meta);
        Self {
            number: 0,
            item,
            serial: Some(copy.header.serial),
            lineage: Some(copy.header.lineage.clone()),
            size_bytes: Some(copy.source.meta.size_bytes),
            what: words(mode, &copy.target),
            is_done: false,
            is_fenced,
            is_encrypted: copy.header.format == StateFormat::Encrypted,
        }
    }

    /// Returns an item whose plan is not known.
    pub(super) fn unknown(number: u64, item: Move) -> Self {
        Self {
            number,
            item,
            serial: None,
            lineage: None,
            size_bytes: None,
            what: "",
            is_done: false,
            is_fenced: true,
            is_encrypted: false,
        }
    }

    /// Sets what a journal says of the state.
    pub(super) fn with_recorded(mut self, fact: Option<&Fact>) -> Self {
        if let Some(fact) = fact {
            self.serial = fact.serial.map(Serial);
            self.lineage = fact.lineage.as_deref().map(Lineage::new);
            self.size_bytes = Some(fact.size);
        }
        self
    }

    pub(super) fn workspace(&self) -> &Workspace {
        &self.item.from.workspace
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.workspace().to_string(),
            self.serial.map(|serial| serial.to_string()).unwrap_or_default(),
            self.size_bytes.map(|size| DecimalBytes(size).to_string()).unwrap_or_default(),
            self.item.from.url(),
            self.item.to.url(),
            self.what.to_owned(),
        ]
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "workspace": self.workspace().as_str(),
            "from": self.item.from.url(),
            "to": self.item.to.url(),
            "serial": self.serial,
            "lineage": self.lineage.as_ref().map(Lineage::as_str),
            "size": self.size_bytes,
        })
    }
}

fn words(mode: SourceMode, target: &Target) -> &'static str {
    match (mode, target) {
        (SourceMode::Seal, Target::Same(_)) => "is there; seal",
        (SourceMode::Seal, Target::WayBack(_)) => "copy back over the seal; seal",
        (SourceMode::Seal, Target::Unused(_)) => "copy over an empty state; seal",
        (SourceMode::Seal, _) => "copy; seal",
        (SourceMode::Freeze, _) => "copy; keep the lock",
        (SourceMode::Delete, _) => "copy; delete",
        _ => "copy",
    }
}

const HEAD: [&str; 6] = ["workspace", "serial", "size", "from", "to", "what"];

impl Migration<'_> {
    /// Finds out what would be done for each workspace.
    ///
    /// # Errors
    /// If one cannot be moved: then none is.
    pub(super) async fn plan(&self, only: &[String]) -> Result<Vec<Planned>, Failure> {
        let names = self.names(only).await?;
        let mut planned = Vec::new();
        let mut failed = Vec::new();
        let plans = names.into_iter().map(|name| self.plan_one(name));
        let mut plans = stream::iter(plans).buffered(self.jobs);
        while let Some((name, plan)) = plans.next().await {
            match plan {
                Ok(plan) => planned.push(Planned { number: planned.len() as u64, ..plan }),
                // The workspace `default` always exists, and need not have a state.
                Err(error)
                    if error.kind() == ErrorKind::NotFound
                        && name.is_default()
                        && !only.iter().any(|text| text == name.as_str()) => {}
                Err(error) => failed.push(error.with_context("workspace", name)),
            }
        }
        if failed.is_empty() {
            return if planned.is_empty() { Err(self.nothing()) } else { Ok(planned) };
        }
        let others = planned.len();
        let error = self.refused(failed);
        Err(match others {
            0 => error,
            others => error.with_context(
                "note",
                format!("nothing was done; {others} other workspaces could be moved"),
            ),
        }
        .into())
    }

    async fn plan_one(&self, name: Workspace) -> (Workspace, Result<Planned, Error>) {
        let from = StateRef::new(self.session.store.clone(), name.clone());
        let item = Move::new(from, StateRef::new(self.target.store.clone(), name.clone()));
        let plan = plan_one(&item, &self.options, &self.run).await;
        let mode = self.options.source;
        (name, plan.map(|plan| Planned::new(item, &plan, mode)))
    }

    async fn names(&self, only: &[String]) -> Result<Vec<Workspace>, Failure> {
        let mut names = self.session.store.workspace_names().await?;
        if !only.is_empty() {
            let is_pattern = |text: &String| text.contains(['*', '?']);
            let is_there = |text: &String| names.iter().any(|name| text == name.as_str());
            if let Some(text) = only.iter().find(|text| !is_pattern(text) && !is_there(text)) {
                let message = format!("there is no workspace `{}` to move", text.escape_debug());
                return Err(Error::new(ErrorKind::NotFound, "migrate", message).into());
            }
            let patterns: Vec<_> = only.iter().map(|text| (text, Pattern::new(text))).collect();
            names.retain(|name| {
                let is_meant = |(text, pattern): &(&String, Pattern)| {
                    **text == name.as_str() || (is_pattern(text) && pattern.matches(name.as_str()))
                };
                patterns.iter().any(is_meant)
            });
        }
        Ok(names)
    }

    fn nothing(&self) -> Failure {
        let message = "there is no state to move";
        Error::new(ErrorKind::NotFound, "migrate", message)
            .with_context("source", &self.session.store)
            .with_hint(format!(
                "see which workspaces have one with {}",
                self.session.ui.command("workspace list")
            ))
            .into()
    }

    /// Reports all errors but one, which is returned.
    fn refused(&self, failed: Vec<Error>) -> Error {
        let ui = &self.session.ui;
        let mut failed = failed.into_iter().map(explained);
        let mut worst = failed.next();
        for error in failed {
            let is_worse = worst.as_ref().is_some_and(|worst| {
                error.kind() == ErrorKind::PreconditionFailed
                    && worst.kind() != ErrorKind::PreconditionFailed
            });
            let told = if is_worse { worst.replace(error) } else { Some(error) };
            told.inspect(|error| Failure::report_error(ui, error));
        }
        worst.unwrap_or_else(|| Error::new(ErrorKind::Unexpected, "migrate", "nothing failed"))
    }

    pub(super) fn answer_plan(&self, planned: &[Planned]) -> Result<(), Failure> {
        self.warn(planned);
        let ui = &self.session.ui;
        if ui.is_json {
            let items: Vec<_> = planned
                .iter()
                .map(|item| {
                    let mut json = item.json();
                    json["result"] = if item.is_done { "unchanged" } else { "planned" }.into();
                    json
                })
                .collect();
            return ui.json(&json!({"version": 1, "result": "planned", "items": items}));
        }
        ui.table(&HEAD, planned.iter().map(Planned::row).collect())
    }

    pub(super) fn show_plan(&self, planned: &[Planned]) {
        self.session.ui.note_table(&HEAD, planned.iter().map(Planned::row).collect());
        self.warn(planned);
    }

    fn warn(&self, planned: &[Planned]) {
        let ui = &self.session.ui;
        let store = |store: &dyn remote_state::StateStore| store.capabilities().has_locks();
        if !store(&*self.session.store) {
            ui.warn(
                "no lock is configured for the source: what another client writes there meanwhile \
                 may come too late, or over the seal",
            );
        }
        if !store(&*self.target.store) {
            ui.warn(
                "no lock is configured for the target: nothing keeps others from writing there",
            );
        }
        match self.mode {
            Mode::Seal if planned.iter().any(|item| !item.is_fenced) => ui.warn(
                "nothing shows what a client that takes no lock writes while a state is sealed; it \
                 is lost then",
            ),
            Mode::Keep => ui.warn(
                "the old place stays in use: a plan that was saved for it is applied there, and \
                 both track the same resources",
            ),
            Mode::Delete => ui.warn(
                "the old place is left without a state: whoever still uses it plans to create \
                 everything",
            ),
            _ => {}
        }
        if self.mode == Mode::Seal && planned.iter().any(|item| item.is_encrypted) {
            ui.warn(
                "encrypted states get a seal that is not: clients that accept encrypted states \
                 alone are stopped, but print another message",
            );
        }
    }

    pub(super) async fn agree(&self, planned: &[Planned], yes: bool) -> Result<(), Failure> {
        let number = planned.iter().filter(|item| !item.is_done).count();
        if number == 0 {
            return Ok(());
        }
        let states = if number == 1 { "state" } else { "states" };
        let (from, to) = (&self.session.store, &self.target.store);
        let question = match self.mode {
            Mode::Keep => format!("This copies {number} {states} from `{from}` to `{to}`."),
            Mode::Delete => format!("This moves {number} {states} from `{from}` to `{to}`."),
            Mode::Seal | Mode::Freeze => format!(
                "This moves {number} {states} from `{from}` to `{to}`, and stops every client of \
                 the old place."
            ),
        };
        agreed(self.session, question, yes).await
    }
}

/// Adds how to go on after an error of the planning.
pub(super) fn explained(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PreconditionFailed
            if error.operation() == "seal" && error.advice().is_empty() =>
        {
            error.with_hint(
                "to keep its lock instead of sealing it, pass `--source freeze`; to leave it as it \
                 is, `--source keep`",
            )
        }
        _ => error,
    }
}
