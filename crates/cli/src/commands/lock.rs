//! `lock`, `unlock`, `locks`.

use futures_util::TryStreamExt as _;
use remote_state::{
    Error, ErrorKind, LockContent, LockId, LockRecord, LockTarget, Release, ReleaseStep, Released,
    Workspace,
};
use serde_json::{Value, json};

use crate::args::{Lock, Unlock};
use crate::commands::common::{require_lock, with_warning};
use crate::commands::migrate::UNFINISHED;
use crate::exit::{Failure, age, operation_words};
use crate::session::Session;

pub(crate) async fn lock(session: &mut Session, args: &Lock) -> Result<(), Failure> {
    session.may_write()?;
    require_lock(session, "lock")?;
    let info = session.lock_info(&args.operation)?.with_info(&args.info);
    let guard = session.lock(&session.workspace, &info).await?;
    let caveat = session.warn_of_caveat().await;
    let told = if session.ui.is_json {
        let record =
            LockRecord::new(LockContent::Record(guard.info().clone()), lock_object(session));
        session.ui.json(&with_warning(record_json(&session.workspace, &record), caveat))
    } else {
        // Scripts capture the id: print nothing else to stdout.
        session.ui.line(guard.id().as_str())
    };
    let Err(failure) = told else {
        drop(guard.keep());
        return Ok(());
    };
    // Without its id no client could release the lock.
    guard.release().await?;
    Err(match failure {
        Failure::BrokenPipe => Error::new(
            ErrorKind::Local,
            "lock",
            "the id of the lock could not be printed; the lock was released again",
        )
        .into(),
        failure => failure,
    })
}

fn lock_object(session: &Session) -> String {
    session.store.location(&session.workspace).locks.join(" and ")
}

pub(crate) async fn unlock(session: &mut Session, args: Unlock) -> Result<(), Failure> {
    session.may_write()?;
    require_lock(session, "unlock")?;
    let location = session.store.location(&session.workspace);
    let target = match args.id {
        Some(id) => {
            let id = LockId::new(id);
            if !args.force {
                check_is_no_migration(session, &id).await?;
            }
            LockTarget::Id(id)
        }
        None => {
            let lock = location.locks.join("` and `");
            session.ui.confirm(
                &format!("Removing the unreadable lock `{lock}`, also if another client holds it."),
                args.yes,
            )?;
            LockTarget::Unreadable
        }
    };
    let released = release(session, &target).await;
    match released.map_err(|error| not_that_one(error, &location.state, &target))? {
        Released::Freed(_) => {
            if let Some(caveat) = session.store.release_caveat() {
                session.ui.note(&caveat);
            }
            session.ui.done(&format!("released the lock of `{}`", location.state));
        }
        Released::AlreadyFree => {
            return Err(Error::new(
                ErrorKind::NotFound,
                "unlock",
                format!("no lock is held on `{}`", location.state),
            )
            .with_hint(format!(
                "see the locks of all workspaces with {}",
                session.ui.command("locks")
            ))
            .into());
        }
    }
    if session.ui.is_json {
        session.ui.json(&json!({"version": 1, "state": location.state, "released": true}))?;
    }
    Ok(())
}

/// Refuses the lock of a migration that has not ended: the states may be in both places.
async fn check_is_no_migration(session: &Session, id: &LockId) -> Result<(), Failure> {
    // A lock that cannot be looked at is left to the release, which says why.
    let Ok(found) = session.store.inspect(&session.workspace).await else { return Ok(()) };
    let info = found.as_ref().filter(|record| record.id() == Some(id)).and_then(LockRecord::info);
    let Some(info) = info.filter(|info| info.info.starts_with(UNFINISHED)) else { return Ok(()) };
    let state = session.store.location(&session.workspace).state;
    let message = format!("the lock of `{state}` is that of a migration that has not ended");
    Err(Error::new(ErrorKind::PreconditionFailed, "unlock", message)
        .with_context("info", &info.info)
        .with_hint("finish it or take it back; to release the lock all the same, pass `--force`")
        .into())
}

/// Releases a lock, and prints a message if it has to wait for another release.
async fn release(session: &Session, target: &LockTarget) -> Result<Released, Error> {
    let mut release = Release::default();
    let mut told = None;
    loop {
        let wait =
            match session.store.release_step(&session.workspace, target, &mut release).await? {
                ReleaseStep::Done(released) => return Ok(released),
                ReleaseStep::Wait(wait) => wait,
            };
        // Once for each claim: a new claim restarts the time.
        if told != wait.record.claim {
            session.ui.note(&format!(
                "the lock `{}` is being released already; if that does not come to its end, it is \
                 taken over in {} s",
                wait.record.object,
                wait.left.as_secs().max(1)
            ));
            told.clone_from(&wait.record.claim);
        }
        tokio::time::sleep(wait.pause).await;
    }
}

/// Explains how the held lock differs from the one to release.
fn not_that_one(error: Error, state: &str, target: &LockTarget) -> Error {
    let Some(holder) = error.holder().cloned() else { return error };
    let message = match target {
        LockTarget::Id(id) => format!("the lock of `{state}` is not `{id}`; it stays held"),
        LockTarget::Unreadable => format!("the lock of `{state}` can be read; it stays held"),
    };
    Error::lock_held("unlock", message, holder)
}

pub(crate) async fn locks(session: &Session) -> Result<(), Failure> {
    session.may_read();
    if !session.store.capabilities().has_locks() {
        session.ui.warn("no lock is configured for this state");
    }
    let mut held: Vec<(Workspace, LockRecord)> = session.store.locks().try_collect().await?;
    held.sort_by(|a, b| a.0.cmp(&b.0));
    if session.ui.is_json {
        let held: Vec<_> =
            held.iter().map(|(workspace, record)| record_json(workspace, record)).collect();
        return session.ui.json(&json!({"version": 1, "locks": held}));
    }
    if held.is_empty() {
        session.ui.note("no lock is held");
        return Ok(());
    }
    let row = |(workspace, record): &(Workspace, LockRecord)| match &record.content {
        LockContent::Record(info) => vec![
            workspace.to_string(),
            info.id.to_string(),
            info.who.clone(),
            match record.is_being_released() {
                true => "being released".to_owned(),
                false => operation_words(&info.operation),
            },
            age(info),
        ],
        LockContent::Unreadable(reason) => vec![
            workspace.to_string(),
            format!("unreadable: {reason}"),
            String::new(),
            if record.is_being_released() { "being released".to_owned() } else { String::new() },
            String::new(),
        ],
    };
    session.ui.table(
        &["workspace", "lock id", "who", "operation", "taken"],
        held.iter().map(row).collect(),
    )
}

fn record_json(workspace: &Workspace, record: &LockRecord) -> Value {
    match &record.content {
        LockContent::Record(info) => json!({
            "version": 1,
            "workspace": workspace.as_str(),
            "object": record.object,
            "id": info.id,
            "operation": info.operation,
            "info": info.info,
            "who": info.who,
            "client_version": info.version,
            "created": info.created.to_string(),
            "path": info.path,
            "being_released": record.is_being_released(),
        }),
        LockContent::Unreadable(reason) => json!({
            "version": 1,
            "workspace": workspace.as_str(),
            "object": record.object,
            "unreadable": reason,
        }),
    }
}
