//! Taking one lock and giving it back, whatever answers are lost on the way.
//!
//! An answer that is lost leaves a lock that may be ours, or may be gone, without our knowing. So an answer that does not decide is resolved by
//! reading the lock back and comparing ids. Neither a create nor a delete is repeated behind our back: a refusal could then be our own lock's,
//! and a second delete could hit someone else's. Once an attempt is in doubt, nothing but the lock itself ends the doubt; without it, the
//! outcome is `Unknown`.

use bytes::Bytes;
use remote_state_core::{Error, ErrorKind, LockInfo, LockRecord, LockTarget, Released, Result, Workspace};
use tokio::time::sleep;

use crate::error::{Failure, Outcome};
use crate::lock::{ATTEMPTS, Mechanism, PAUSE};
use crate::store::S3Store;

impl S3Store {
    pub(crate) async fn take(
        &self,
        lock: &dyn Mechanism,
        workspace: &Workspace,
        info: &LockInfo,
    ) -> Result<()> {
        let body = Bytes::from(info.to_json());
        // A store that ignores the condition would overwrite the lock of another client: look first, until it has proven itself.
        if !lock.is_proven() {
            match lock.read("lock", workspace).await? {
                Some(found) if found.record.id() == Some(&info.id) => {
                    return self.prove(lock, workspace, info, body).await;
                }
                Some(found) => return Err(self.held("lock", workspace, found.record)),
                None => {}
            }
        }
        let mut pause = PAUSE;
        let mut last = None;
        // Whether a create of ours may have been carried out although its answer did not say so.
        let mut is_in_doubt = false;
        for _ in 0..ATTEMPTS {
            let Err(failure) = lock.create_once(workspace, body.clone()).await else {
                return self.prove(lock, workspace, info, body).await;
            };
            is_in_doubt |= failure.outcome == Outcome::Unknown;
            let doubtful =
                |error| if is_in_doubt { self.unknown_lock(lock, workspace, info, error) } else { error };
            if matches!(failure.outcome, Outcome::Absent | Outcome::Refused) {
                return Err(doubtful(failure.error));
            }
            match lock.read("lock", workspace).await {
                // The first answer was lost, or this id holds already.
                Ok(Some(found)) if found.record.id() == Some(&info.id) => {
                    return self.prove(lock, workspace, info, body).await;
                }
                Ok(Some(found)) => return Err(self.held("lock", workspace, found.record)),
                // Its holder has left in between, or the request never arrived: a conditional create can be repeated without harm.
                Ok(None) => last = Some(failure),
                // Reading has been retried as often as is configured: the store has gone, or does not let us look.
                Err(error) => return Err(doubtful(error)),
            }
            sleep(pause).await;
            pause *= 2;
        }
        Err(match last {
            Some(Failure { error, .. }) if is_in_doubt => self.unknown_lock(lock, workspace, info, error),
            Some(Failure { outcome: Outcome::Conflict | Outcome::Unsent, error }) => error,
            Some(failure) => {
                let object = lock.object(workspace);
                let message = format!(
                    "cannot lock `{object}`: the store says that the {} exists, and then that it does not",
                    lock.name()
                );
                Error::new(ErrorKind::Unavailable, "lock", message)
                .with_hint("some stores take the delete marker of a versioned bucket for an object; lock in a bucket without versioning there")
                .with_source(failure.error)
            }
            None => Error::new(ErrorKind::Unexpected, "lock", "no attempt was made"),
        })
    }

    /// Makes sure that the store refuses a second create, unless it is known to.
    async fn prove(
        &self,
        lock: &dyn Mechanism,
        workspace: &Workspace,
        info: &LockInfo,
        body: Bytes,
    ) -> Result<()> {
        if lock.is_proven() {
            return Ok(());
        }
        let Err(error) = lock.prove(workspace, body).await else { return Ok(()) };
        // Without proof there is no lock: give back what may be one.
        match self.give_back(lock, workspace, &LockTarget::Id(info.id.clone())).await {
            Ok(_) => Err(error),
            // On a store that ignores conditions another client may have overwritten the lock by now: then it is not ours to delete.
            Err(left) if left.kind() == ErrorKind::LockHeld => Err(error),
            Err(left) if error.kind() == ErrorKind::Unsupported => Err(error
                .with_context("left behind", format!("{}: {left}", lock.object(workspace)))
                .with_hint(format!("remove what was left behind with `remote-state unlock {}`", info.id))),
            Err(_) => Err(self.unknown_lock(lock, workspace, info, error)),
        }
    }

    pub(crate) async fn give_back(
        &self,
        lock: &dyn Mechanism,
        workspace: &Workspace,
        target: &LockTarget,
    ) -> Result<Released> {
        let mut pause = PAUSE;
        let mut last = None;
        // Whether a delete of ours went out whose answer was lost: if the lock is gone then, it was that.
        let mut freed = None;
        for _ in 0..ATTEMPTS {
            let found = match lock.read("unlock", workspace).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(freed.map_or(Released::AlreadyFree, Released::Freed)),
                Err(error) if freed.is_none() => return Err(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            };
            match (&found.record.info, target) {
                (Ok(info), LockTarget::Id(id)) if info.id == *id => {}
                (Err(_), LockTarget::Unreadable) => {}
                // Ours is gone, and the next holder has come: that is no failure.
                _ if freed.is_some() => return Ok(Released::Freed(freed.flatten())),
                (Ok(_), _) => return Err(self.held("unlock", workspace, found.record)),
                (Err(_), LockTarget::Id(_)) => return Err(unreadable(lock, found.record)),
            }
            match lock.remove_once(workspace, &found).await {
                Ok(()) | Err(Failure { outcome: Outcome::Absent, .. }) => {
                    return Ok(Released::Freed(found.record.info.ok()));
                }
                Err(failure) if failure.outcome == Outcome::Refused => return Err(failure.error),
                Err(failure) => {
                    if failure.outcome == Outcome::Unknown {
                        freed = Some(found.record.info.ok());
                    }
                    last = Some(failure.error);
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
        let unknown = Error::new(
            ErrorKind::Unknown,
            "unlock",
            format!("the lock `{}` may or may not have been released", lock.object(workspace)),
        )
        .with_hint("see whether it is still held with `remote-state locks`");
        Err(match last {
            // No delete went out, or the store decided against each.
            Some(error) if freed.is_none() => error,
            Some(source) => unknown.with_source(source),
            None => unknown,
        })
    }

    fn held(&self, operation: &'static str, workspace: &Workspace, holder: LockRecord) -> Error {
        let state = self.layout.location(workspace).state;
        Error::lock_held(operation, format!("state `{state}` is locked"), holder)
    }

    fn unknown_lock(
        &self,
        lock: &dyn Mechanism,
        workspace: &Workspace,
        info: &LockInfo,
        source: Error,
    ) -> Error {
        let location = self.layout.location(workspace);
        Error::new(
            ErrorKind::Unknown,
            "lock",
            format!("the lock of `{}` may or may not have been taken", location.state),
        )
        .with_context("because", &source)
        .with_context("lock", lock.object(workspace))
        .with_context("lock id", &info.id)
        .with_hint("see whether it is held with `remote-state locks` when the store answers again")
        .with_hint(format!("if it is held with this id, release it with `remote-state unlock {}`", info.id))
        .with_source(source)
    }
}

fn unreadable(lock: &dyn Mechanism, holder: LockRecord) -> Error {
    let message =
        format!("the {} `{}` cannot be read, so nobody can say whose it is", lock.name(), holder.object);
    Error::lock_held("unlock", message, holder)
}
