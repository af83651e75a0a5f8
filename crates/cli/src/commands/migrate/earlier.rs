//! What to do about an earlier run: finish it, take it back, look at it.

use std::path::Path;

use remote_state::config::Environment;
use remote_state::{Error, Workspace};
use remote_state_operations::migrate::journal::{Item, Journal, Recorded};
use remote_state_operations::migrate::{Move, StateRef};

use super::block;
use super::migration::{Migration, is_local, options, run_of};
use super::plan::Planned;
use super::sides::{Side, TO, recorded as recorded_side};
use crate::args::{Global, Migrate, SourceMode};
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Prints the backend block of the new place.
pub(super) fn config(
    ui: &Ui,
    env: &Environment,
    global: &Global,
    args: &Migrate,
    path: &Path,
) -> Result<(), Failure> {
    let recorded = Journal::read(path)?;
    let found = recorded_side(ui, env, global, &recorded.begin.to, &args.to_config, TO)?;
    let block = block::lines(found.provider.spec().scheme, &found.config).join("\n");
    if ui.is_json {
        return ui.json(&serde_json::json!({"version": 1, "backend": block}));
    }
    ui.line(&block)
}

pub(super) async fn run(
    session: &Session,
    env: &Environment,
    global: &Global,
    args: &Migrate,
    recorded: &Recorded,
) -> Result<(), Failure> {
    let ui = &session.ui;
    let found = recorded_side(ui, env, global, &recorded.begin.to, &args.to_config, TO)?;
    let target = Side::open(ui, found)?;
    let said = |name: &str| recorded.begin.options.get(name);
    let is = |name: &str| said(name).is_some_and(|value| *value == true);
    let mode = match said("source").and_then(|value| value.as_str()) {
        Some("freeze") => SourceMode::Freeze,
        Some("keep") => SourceMode::Keep,
        Some("delete") => SourceMode::Delete,
        _ => SourceMode::Seal,
    };
    let options = options(mode, global)
        .with_digest_ignored(args.how.ignore_digest || is("ignore_digest"))
        .with_unfenced_accepted(
            args.how.accept_unfenced || is("accept_unfenced") || is_local(session),
        )
        .with_force(args.how.force || is("force"));
    let path = [&args.earlier.resume, &args.earlier.rollback, &args.earlier.verify];
    let path = path.into_iter().flatten().next().cloned().unwrap_or_default();
    let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    let reason = match &*args.how.reason {
        "" => said("reason").and_then(|value| value.as_str()).unwrap_or_default(),
        reason => reason,
    };
    let run = run_of(session, &recorded.run, &whole, reason);
    let jobs = usize::from(args.jobs);
    let migration = Migration { session, target, options, mode, jobs, run };
    if args.earlier.verify.is_some() {
        return migration.verify(recorded).await;
    }
    // From here on no other run may write it; and it may have been written since it was read.
    let (journal, recorded) = Journal::open(&whole)?;
    if !recorded.is_whole {
        return Err(Error::config("the run of this journal was stopped before it did anything")
            .with_hint("begin a new migration")
            .into());
    }
    if args.earlier.rollback.is_some() {
        migration.bring_back(&recorded, &journal, args).await
    } else {
        migration.resume(&recorded, &journal, args).await
    }
}

impl Migration<'_> {
    /// Finishes what the run of a journal has begun.
    async fn resume(
        &self,
        recorded: &Recorded,
        journal: &Journal,
        args: &Migrate,
    ) -> Result<(), Failure> {
        use remote_state_operations::migrate::journal::{Entry, Purpose};
        if recorded.items.iter().any(|item| item.is_back) || recorded.last == Purpose::Rollback {
            return Err(Error::config("the run of this journal is being taken back")
                .with_hint("finish that with `--rollback`, or begin a new migration")
                .into());
        }
        let mut planned = Vec::new();
        for item in recorded.items.iter().filter(|item| !item.is_moved) {
            planned.push(self.recorded_item(item)?);
        }
        let (left, all) = (planned.len(), recorded.items.len());
        if left == 0 {
            self.session.ui.done(&format!("all {all} states were moved already"));
            return self.finish(&[], None, journal);
        }
        self.session.ui.note(&format!("{left} of {all} states are left to move"));
        journal.write(&Entry::Begin(Box::new(self.begin_entry(Purpose::Resume, args))))?;
        self.carry_out(planned, journal).await
    }

    /// Returns a state of a journal, with what may be left of it.
    fn recorded_item(&self, item: &Item) -> Result<Planned, Failure> {
        let way = self.way(item)?.with_locks(item.locks.clone()).with_earlier(hashes(item));
        Ok(Planned::unknown(item.number, way).with_recorded(item.copies.last()))
    }

    /// Returns the two places of a state of a journal.
    pub(super) fn way(&self, item: &Item) -> Result<Move, Failure> {
        let name = Workspace::new(&*item.workspace)?;
        let way = Move::new(
            StateRef::new(self.session.store.clone(), name.clone()),
            StateRef::new(self.target.store.clone(), name),
        );
        for (recorded, here) in [(&item.source, way.from.url()), (&item.target, way.to.url())] {
            if *recorded != here {
                return Err(Error::config("the journal is of other places")
                    .with_context("journal", recorded)
                    .with_context("configuration", here)
                    .with_hint("give the keys again that the journal does not hold")
                    .into());
            }
        }
        Ok(way)
    }
}

/// Returns the hashes of what an item's run may have written to the target.
pub(super) fn hashes(item: &Item) -> Vec<String> {
    item.copies.iter().chain(&item.proven).map(|fact| fact.sha256.clone()).collect()
}
