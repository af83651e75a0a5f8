//! `restore` and `undelete`: make an older version of the state the current one.

use indicatif::DecimalBytes;
use remote_state::{Error, ErrorKind, LockId, StateFormat};
use remote_state_operations::restore::{
    RestoreOptions, RestorePlan, Restored, Stored, carry_out, plan, plan_undelete,
};
use serde_json::{Value, json};

use crate::args::{Restore, RestoreHow, Undelete};
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

    async fn plan(self, session: &Session) -> Result<RestorePlan, Error> {
        let (store, workspace) = (&*session.store, &session.workspace);
        match self {
            Self::Restore(args) => {
                let options = RestoreOptions::default()
                    .with_verbatim(args.how.verbatim)
                    .with_force(args.how.force)
                    .with_unseal(args.unseal);
                plan(store, workspace, &args.reference, options).await
            }
            Self::Undelete(args) => {
                let options = RestoreOptions::default()
                    .with_verbatim(args.how.verbatim)
                    .with_force(args.how.force);
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
        let plan = planned(session, wanted, how).await?;
        show(session, &plan, how);
        if !plan.is_current {
            agreed(session, &plan, how).await?;
        }
        let author =
            session.author(&info).with_operation(wanted.operation()).with_reason(&how.reason);
        let done = carry_out(&*session.store, &session.workspace, &plan, &author).await;
        Ok((plan, done.map_err(|error| changed(session, wanted, error))?))
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
    let planned = wanted.plan(session).await.map_err(|error| match (wanted, error.kind()) {
        (_, ErrorKind::NotFound) => {
            error.with_hint(format!("see the versions with {}", session.ui.command("history")))
        }
        (Wanted::Undelete(_), ErrorKind::PreconditionFailed) if error.advice().is_empty() => error
            .with_hint(format!(
                "to replace it by an older version, use {}",
                session.ui.command("restore")
            )),
        (Wanted::Restore(_), ErrorKind::PreconditionFailed)
            if !how.force && error.advice().is_empty() =>
        {
            error.with_hint(
                "to restore over another lineage, pass `--force`; if its serial cannot be raised, \
             `--verbatim` writes the bytes as they were",
            )
        }
        _ => error,
    });
    Ok(planned?)
}

fn changed(session: &Session, wanted: Wanted<'_>, error: Error) -> Error {
    if error.kind() != ErrorKind::PreconditionFailed {
        return error;
    }
    error.with_hint(format!(
        "see what was written meanwhile with {}, and {} again",
        session.ui.command("history"),
        wanted.operation()
    ))
}

/// Shows what a restore means.
fn show(session: &Session, plan: &RestorePlan, how: &RestoreHow) {
    let ui = &session.ui;
    ui.note(&format!("version  {}", described(&plan.chosen)));
    match &plan.current {
        Some(current) => ui.note(&format!("current  {}", described(current))),
        None => ui.note("current  no state"),
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
    if how.verbatim
        && plan.serial <= plan.current.as_ref().map_or(plan.serial, |it| it.header.serial)
    {
        ui.warn(
            "with its old serial, a plan that was saved for another state of that serial can be \
             applied to this one",
        );
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
    if state.header.format == StateFormat::Encrypted {
        words.push_str(", encrypted by OpenTofu");
    }
    words.push_str(&format!(", {}", DecimalBytes(state.meta.size_bytes)));
    if let Some(time) = state.meta.modified {
        words.push_str(&format!(", saved {}", moment(time)));
    }
    words
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

/// Asks for consent. An interruption at the question is a refusal: the lock is released.
async fn agreed(session: &Session, plan: &RestorePlan, how: &RestoreHow) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    let question = match &plan.current {
        Some(_) => format!("This replaces the state `{state}`."),
        None => format!("This stores a state at `{state}`."),
    };
    let (ui, is_agreed) = (session.ui.clone(), how.yes);
    let asked = tokio::task::spawn_blocking(move || ui.confirm(&question, is_agreed));
    tokio::select! {
        asked = asked => match asked {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
        _ = interruption() => {
            Err(Error::new(ErrorKind::Local, "ask", "interrupted; nothing was changed").into())
        }
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
                 change with `terraform plan`; plans that were saved before are stale",
            );
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
        "sealed": state.seal.as_ref().map(|seal| json!({"kind": seal.kind.as_str(), "to": seal.to})),
    })
}
