//! `restore` and `undelete`: make an older version of the state the current one.

use indicatif::DecimalBytes;
use remote_state::{Error, ErrorKind, LockId, StateMeta};
use remote_state_operations::restore::{
    RestoreOptions, RestorePlan, Restored, Stored, carry_out, plan, plan_undelete,
};
use serde_json::{Value, json};

use crate::args::{Restore, RestoreHow, Undelete, operand};
use crate::commands::common::seal_json;
use crate::commands::held::{check_held, check_still_held};
use crate::commands::history::moment;
use crate::exit::Failure;
use crate::session::{Session, interruption};

/// Which version to make the current one.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Restore(&'a Restore),
    Undelete(&'a Undelete),
}

pub(crate) async fn restore(session: &mut Session, args: &Restore) -> Result<(), Failure> {
    run(session, Wanted::Restore(args), &args.how).await
}

pub(crate) async fn undelete(session: &mut Session, args: &Undelete) -> Result<(), Failure> {
    run(session, Wanted::Undelete(args), &args.how).await
}

impl Wanted<'_> {
    fn operation(self) -> &'static str {
        match self {
            Self::Restore(_) => "restore",
            Self::Undelete(_) => "undelete",
        }
    }

    async fn plan(self, session: &Session, how: &RestoreHow) -> Result<RestorePlan, Error> {
        let (store, workspace) = (&*session.store, &session.workspace);
        let options = RestoreOptions::default().with_verbatim(how.verbatim).with_force(how.force);
        match self {
            Self::Restore(args) => {
                let options = options.with_unseal(args.unseal).with_loses_current(args.no_copy);
                plan(store, workspace, &args.reference, options).await
            }
            Self::Undelete(args) => {
                plan_undelete(store, workspace, args.version.as_ref(), options).await
            }
        }
    }
}

async fn run(session: &mut Session, wanted: Wanted<'_>, how: &RestoreHow) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    if how.dry_run {
        let plan = planned(session, wanted, how).await?;
        show(session, &plan, how);
        return answer(session, &plan, None);
    }
    let lock_id = how.lock_id.as_ref().map(LockId::new);
    let info = match &lock_id {
        Some(id) => check_held(session, wanted.operation(), id).await?,
        None => session.lock_info(wanted.operation())?.with_info(&how.reason),
    };
    let work = async {
        // Up to here nothing is written, so an interruption is a refusal: the lock is released.
        let plan = tokio::select! {
            plan = agreed(session, wanted, how) => plan?,
            _ = interruption() => {
                let error = Error::new(ErrorKind::Local, "ask", "interrupted; nothing was changed");
                return Err(error.into());
            }
        };
        let author =
            session.author(&info).with_operation(wanted.operation()).with_reason(&how.reason);
        let done = carry_out(&*session.store, &session.workspace, &plan, &author).await;
        let done = done.map_err(|error| failed(session, wanted, &plan, error))?;
        Ok((plan, done))
    };
    let (plan, done) = match &lock_id {
        Some(id) => {
            let done = session.finish(&session.workspace, id, work).await?;
            let words = matches!(done.1, Restored::Written(_)).then_some("the state was written");
            check_still_held(session, wanted.operation(), id, words).await?;
            done
        }
        None => session.under_lock(&session.workspace, &info, work).await?,
    };
    report(session, &plan, &done);
    answer(session, &plan, Some(&done))
}

async fn planned(
    session: &Session,
    wanted: Wanted<'_>,
    how: &RestoreHow,
) -> Result<RestorePlan, Failure> {
    let planned = wanted.plan(session, how).await.map_err(|error| match (wanted, error.kind()) {
        (_, ErrorKind::NotFound) => {
            error.with_hint(format!("see the versions with {}", session.ui.command("history")))
        }
        (Wanted::Undelete(_), ErrorKind::PreconditionFailed) if error.advice().is_empty() => error
            .with_hint(format!(
                "to replace it by an older version, use {}",
                session.ui.command("restore @1")
            )),
        _ => error,
    });
    Ok(planned?)
}

/// Names the version by its id: by now `@1` may be another one.
fn failed(session: &Session, wanted: Wanted<'_>, plan: &RestorePlan, error: Error) -> Error {
    let Some(version) = &plan.chosen.meta.version else { return error };
    let id = operand(&format!("id:{version}"));
    let command = match wanted {
        Wanted::Restore(_) => format!("restore {id}"),
        Wanted::Undelete(_) => format!("undelete --version {id}"),
    };
    error
        .with_hint(format!("see what is stored now with {}", session.ui.command("history")))
        .with_hint(format!("the version that was meant is {}", session.ui.command(&command)))
}

/// Shows what a restore means.
fn show(session: &Session, plan: &RestorePlan, how: &RestoreHow) {
    let ui = &session.ui;
    ui.note(&format!("version  {}", described(&plan.chosen)));
    match &plan.current {
        Some(current) => ui.note(&format!("current  {}", described(current))),
        None => match &plan.no_state {
            Some(meta) => ui.note(&format!("current  {} that are no state", bytes_of(meta))),
            None => ui.note("current  no state"),
        },
    }
    if plan.is_current {
        return;
    }
    let mut words = format!("restored as serial {}", plan.serial);
    if let Some(changes) = &plan.changes {
        let changed = changes.changed + changes.replaced + changes.tainted + changes.moved;
        words.push_str(&format!(
            "; resources: {} added, {} removed, {changed} changed; outputs: {} changed",
            changes.added, changes.removed, changes.outputs
        ));
    }
    ui.note(&words);
    if let Some(seal) = plan.current.as_ref().and_then(|current| current.seal.as_ref()) {
        ui.warn(&format!(
            "the state was {seal}: if it is in use there, two states track the same resources, and \
             an apply in either changes them for both"
        ));
    }
    if plan.has_wrong_digest {
        ui.warn("the current state does not match its recorded digest");
    }
    if plan.unread > 0 {
        let unread = plan.unread;
        ui.warn(&format!("versions whose serial could not be read: {unread}; one may be higher"));
    }
    if how.verbatim || plan.serial < plan.highest {
        ui.warn(
            "with its old serial, a plan that was saved for another state of that serial can be \
             applied to this one",
        );
    }
    if plan.current.as_ref().is_some_and(Stored::is_encrypted) && !plan.chosen.is_encrypted() {
        ui.warn("the current state is encrypted, and this version is not: its secrets are plain");
    }
    if is_newer(&plan.chosen, plan.current.as_ref()) {
        ui.warn("a newer Terraform wrote it than the current one: older ones refuse to read it");
    }
}

fn described(state: &Stored) -> String {
    let mut words = match &state.meta.version {
        Some(version) => format!("`{version}`, serial {}", state.header.serial),
        None => format!("serial {}", state.header.serial),
    };
    if let Some(seal) = &state.seal {
        words.push_str(&format!(", sealed: {seal}"));
    } else if let Some(version) = &state.header.terraform_version {
        words.push_str(&format!(", Terraform {version}"));
    }
    if state.is_encrypted() {
        words.push_str(", encrypted by OpenTofu");
    }
    words.push_str(&format!(", {}", bytes_of(&state.meta)));
    if let Some(time) = state.meta.modified {
        words.push_str(&format!(", saved {}", moment(time)));
    }
    words
}

fn bytes_of(meta: &StateMeta) -> String {
    DecimalBytes(meta.size_bytes).to_string()
}

/// Returns whether a state is from a newer Terraform than the current one.
fn is_newer(chosen: &Stored, current: Option<&Stored>) -> bool {
    let numbers = |state: &Stored| -> Option<Vec<u64>> {
        // A sealed state has a sentence there, which is no number.
        let version = state.header.terraform_version.as_deref()?;
        let release = version.split(['-', '+']).next()?;
        release.split('.').map(|number| number.parse().ok()).collect()
    };
    match (numbers(chosen), current.and_then(numbers)) {
        (Some(chosen), Some(current)) => chosen > current,
        _ => false,
    }
}

/// Plans, shows the plan and asks for consent.
async fn agreed(
    session: &Session,
    wanted: Wanted<'_>,
    how: &RestoreHow,
) -> Result<RestorePlan, Failure> {
    let plan = planned(session, wanted, how).await?;
    show(session, &plan, how);
    if plan.is_current {
        return Ok(plan);
    }
    let state = session.store.location(&session.workspace).state;
    let does = match (&plan.current, &plan.no_state) {
        (None, None) => "This stores a state at",
        _ => "This replaces what is stored at",
    };
    let (from, to) = (plan.chosen.header.serial, plan.serial);
    let question = format!("{does} `{state}` by serial {from} as serial {to}.");
    let (ui, is_agreed) = (session.ui.clone(), how.yes);
    match tokio::task::spawn_blocking(move || ui.confirm(&question, is_agreed)).await {
        Ok(answer) => answer.map(|()| plan),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn report(session: &Session, plan: &RestorePlan, done: &Restored) {
    let ui = &session.ui;
    let state = session.store.location(&session.workspace).state;
    match done {
        Restored::DigestRecorded => {
            let digest = "its digest is recorded";
            ui.done(&format!("this version is the state of `{state}` already; {digest}"));
        }
        Restored::Unchanged => {
            ui.done(&format!("this version is the state of `{state}` already; nothing to write"));
        }
        _ => {
            ui.done(&format!(
                "restored serial {} as serial {} to `{state}`",
                plan.chosen.header.serial, plan.serial
            ));
            ui.note(
                "only the state is restored, not what it describes: see what Terraform would \
                 change with `terraform plan`",
            );
            if plan.serial > plan.highest {
                ui.note("plans that were saved before are stale");
            }
        }
    }
}

fn answer(session: &Session, plan: &RestorePlan, done: Option<&Restored>) -> Result<(), Failure> {
    if !session.ui.is_json {
        return Ok(());
    }
    let result = match done {
        None => "planned",
        Some(Restored::DigestRecorded) => "digest_recorded",
        Some(Restored::Unchanged) => "unchanged",
        Some(_) => "restored",
    };
    let meta = match done {
        Some(Restored::Written(meta)) => Some(meta),
        _ => None,
    };
    session.ui.json(&json!({
        "version": 1,
        "state": session.store.location(&session.workspace).state,
        "workspace": session.workspace.as_str(),
        "result": result,
        "from": stored_json(&plan.chosen),
        "current": plan.current.as_ref().map(stored_json),
        "is_current": plan.is_current,
        "serial": plan.serial,
        "id": meta.and_then(|meta| meta.version.as_ref()).map(|id| id.as_str()),
        "changes": plan.changes.as_ref().map(|changes| json!({
            "added": changes.added,
            "removed": changes.removed,
            "moved": changes.moved,
            "changed": changes.changed + changes.replaced + changes.tainted,
            "outputs": changes.outputs,
        })),
    }))
}

fn stored_json(state: &Stored) -> Value {
    json!({
        "id": state.meta.version.as_ref().map(|id| id.as_str()),
        "serial": state.header.serial,
        "lineage": state.header.lineage.as_str(),
        "size": state.meta.size_bytes,
        "sealed": state.seal.as_ref().map(seal_json),
    })
}
