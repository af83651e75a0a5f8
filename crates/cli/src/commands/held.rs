//! A lock that another command has taken, such as the one before in a script.

use remote_state::{Error, ErrorKind, LockId, LockInfo, LockRecord};

use crate::exit::Failure;
use crate::session::Session;

/// Returns the record of the lock with this id, if it is held.
pub(super) async fn check_held(
    session: &Session,
    operation: &'static str,
    id: &LockId,
) -> Result<LockInfo, Failure> {
    let state = session.store.location(&session.workspace).state;
    let found = session.store.inspect(&session.workspace).await?;
    let held = found.as_ref().filter(|record| record.is_held_by(id)).and_then(LockRecord::info);
    if let Some(info) = held {
        return Ok(info.clone());
    }
    match found {
        Some(record) if record.id() != Some(id) => Err(Error::lock_held(
            operation,
            format!("state `{state}` is locked with another id"),
            record,
        )
        .into()),
        // A lock that is being released has no holder any more.
        Some(_) | None => Err(Error::new(
            ErrorKind::PreconditionFailed,
            operation,
            format!("the lock `{id}` is not held on `{state}`: someone released it"),
        )
        .with_hint(format!(
            "take a new one with {}, after making sure that no client wrote in between",
            session.ui.command("lock")
        ))
        .into()),
    }
}

/// Checks that the lock was held to the end of what has been done: otherwise other clients may have
/// written at the same time.
pub(super) async fn check_still_held(
    session: &Session,
    operation: &'static str,
    id: &LockId,
    done: Option<&str>,
) -> Result<(), Failure> {
    let Some(done) = done else { return Ok(()) };
    let found = session.store.inspect(&session.workspace).await.map_err(|error| {
        error.with_context(
            "note",
            format!("{done}; whether the lock was held to the end is not known"),
        )
    })?;
    match found {
        Some(record) if record.is_held_by(id) => Ok(()),
        Some(record) if record.id() != Some(id) => {
            let state = session.store.location(&session.workspace).state;
            let message = format!("{done}, but `{state}` is locked with another id by now");
            Err(Error::lock_held(operation, message, record).into())
        }
        Some(_) | None => Err(session.lock_was_broken(&session.workspace, id).into()),
    }
}
