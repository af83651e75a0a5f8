//! Taking one lock and giving it back, whatever answers are lost on the way.
//!
//! An answer that is lost leaves a lock that may be ours, or may be gone, without our knowing. So an answer that does not decide is resolved by
//! reading the lock back and comparing ids. Neither a create nor a delete is repeated behind our back: a refusal could then be our own lock's,
//! and a second delete could hit someone else's. Once an attempt is in doubt, nothing but the lock itself ends the doubt; without it, the
//! outcome is `Unknown`.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::provider::{Attempts, Failure, LockMechanism, Outcome, StateLock};
use crate::shell::operand;
use crate::store::{LockRecord, LockTarget, Released};

/// How a lock came to be ours: what this call did not create is not its to give back, since whoever did may be at work under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This call created it.
    Created,
    /// It stands there with our id, and an earlier call created it or may have.
    Found,
}

impl StateLock<'_> {
    pub(super) async fn take_one(&self, lock: &dyn LockMechanism, info: &LockInfo) -> Result<Taken> {
        let body = Bytes::from(info.to_json());
        // Whether this call has seen that nothing was there.
        let mut was_free = false;
        // A store that ignores the condition would overwrite the lock of another client: look first, until it has proven itself.
        if !lock.is_proven() {
            match lock.read("lock").await? {
                Some(found) if found.record().id() == Some(&info.id) => {
                    return self.prove(lock, info, body, Taken::Found).await;
                }
                Some(found) => return Err(self.held("lock", found.record())),
                None => was_free = true,
            }
        }
        let mut last = None;
        // Whether a create of ours may have been carried out although its answer did not say so.
        let mut is_in_doubt = false;
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let Err(failure) = lock.create_once(body.clone()).await else {
                return self.prove(lock, info, body, Taken::Created).await;
            };
            is_in_doubt |= failure.outcome == Outcome::Unknown;
            let doubtful = |error| if is_in_doubt { self.unknown(lock, info, error) } else { error };
            if matches!(failure.outcome, Outcome::Absent | Outcome::Refused) {
                return Err(doubtful(failure.error));
            }
            match lock.read("lock").await {
                // The first answer was lost, or this id holds already.
                Ok(Some(found)) if found.record().id() == Some(&info.id) => {
                    let taken = if is_in_doubt && was_free { Taken::Created } else { Taken::Found };
                    return self.prove(lock, info, body, taken).await;
                }
                Ok(Some(found)) => {
                    if is_in_doubt && let Err(error) = lock.withdraw(&info.id).await {
                        return Err(self.unknown(lock, info, error));
                    }
                    let held = self.held("lock", found.record());
                    return Err(if is_in_doubt { may_arrive(held, info) } else { held });
                }
                // Its holder has left in between, or the request never arrived: a conditional create can be repeated without harm.
                Ok(None) => {
                    was_free = true;
                    last = Some(failure);
                }
                // Reading has been retried as often as is configured: the store has gone, or does not let us look.
                Err(error) => return Err(doubtful(error)),
            }
        }
        Err(match last {
            Some(Failure { error, .. }) if is_in_doubt => self.unknown(lock, info, error),
            Some(Failure { outcome: Outcome::Conflict | Outcome::Unsent, error }) => error,
            Some(failure) => {
                let (object, name) = (lock.object(), lock.name());
                let message = format!(
                    "cannot lock `{object}`: the store says that the {name} exists, and then that it does not"
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
        lock: &dyn LockMechanism,
        info: &LockInfo,
        body: Bytes,
        taken: Taken,
    ) -> Result<Taken> {
        if lock.is_proven() {
            return Ok(taken);
        }
        let Err(error) = lock.prove(body).await else { return Ok(taken) };
        if taken == Taken::Found {
            return Err(still_held(error, lock, info));
        }
        // Without proof there is no lock: give back what may be one.
        match self.give_one_back(lock, &LockTarget::Id(info.id.clone())).await {
            Ok(_) => Err(error),
            // On a store that ignores conditions another client may have overwritten the lock by now: then it is not ours to delete.
            Err(left) if left.kind() == ErrorKind::LockHeld => Err(error),
            Err(left) if error.kind() == ErrorKind::Unsupported => Err(error.with_leftover(
                "left behind",
                format!("{}: {left}", lock.object()),
                format!("remove what was left behind with `{}`", unlock(info)),
            )),
            Err(_) => Err(self.unknown(lock, info, error)),
        }
    }

    pub(super) async fn give_one_back(
        &self,
        lock: &dyn LockMechanism,
        target: &LockTarget,
    ) -> Result<Released> {
        let mut last = None;
        // Whether a delete of ours went out whose answer was lost: if the lock is gone then, it was that.
        let mut freed = None;
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let found = match lock.find("unlock", target).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(freed.map_or(Released::AlreadyFree, Released::Freed)),
                Err(error) if freed.is_none() => return Err(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            };
            let record = found.record();
            match (&record.info, target) {
                (Ok(info), LockTarget::Id(id)) if info.id == *id => {}
                (Err(_), LockTarget::Unreadable) => {}
                // Ours is gone, and the next holder has come: that is no failure.
                _ if freed.is_some() => return Ok(Released::Freed(freed.flatten())),
                (Ok(_), _) => return Err(self.held("unlock", record)),
                (Err(_), LockTarget::Id(_)) => return Err(unreadable(lock, record)),
            }
            match found.remove_once().await {
                Ok(()) | Err(Failure { outcome: Outcome::Absent, .. }) => {
                    return Ok(Released::Freed(record.info.clone().ok()));
                }
                // What is refused now says nothing of a delete that went out before.
                Err(failure) if failure.outcome == Outcome::Refused => {
                    last = Some(failure.error);
                    break;
                }
                Err(failure) => {
                    if failure.outcome == Outcome::Unknown {
                        freed = Some(record.info.clone().ok());
                    }
                    last = Some(failure.error);
                }
            }
        }
        let unknown = Error::new(
            ErrorKind::Unknown,
            "unlock",
            format!("the lock `{}` may or may not have been released", lock.object()),
        )
        .with_hint("see whether it is still held with `remote-state locks`");
        Err(match last {
            // No delete went out, or the store decided against each.
            Some(error) if freed.is_none() => error,
            Some(source) => unknown.with_source(source),
            None => unknown,
        })
    }

    fn held(&self, operation: &'static str, holder: &LockRecord) -> Error {
        Error::lock_held(operation, format!("state `{}` is locked", self.location.state), holder.clone())
    }

    fn unknown(&self, lock: &dyn LockMechanism, info: &LockInfo, source: Error) -> Error {
        Error::new(
            ErrorKind::Unknown,
            "lock",
            format!("the lock of `{}` may or may not have been taken", self.location.state),
        )
        .with_context("because", &source)
        .with_context("lock", lock.object())
        .with_context("lock id", &info.id)
        .with_hint("see whether it is held with `remote-state locks` when the store answers again")
        .with_hint(format!("if it is held with this id, release it with `{}`", unlock(info)))
        .with_source(source)
    }
}

/// The command that releases a lock.
pub(super) fn unlock(info: &LockInfo) -> String {
    format!("remote-state unlock {}", operand(info.id.as_str()))
}

/// Says that a lock with our id stays where it is, although the call failed.
pub(super) fn still_held(error: Error, lock: &dyn LockMechanism, info: &LockInfo) -> Error {
    error.with_leftover(
        "still held",
        format!("{}, with lock id {}", lock.object(), info.id),
        format!(
            "that lock may be older than this attempt: if nobody is at work under it, release it with `{}`",
            unlock(info)
        ),
    )
}

/// Says that a create of ours may still be carried out, once those who hold the lock have left.
fn may_arrive(held: Error, info: &LockInfo) -> Error {
    held.with_leftover(
        "lock id",
        format!("{} (of this attempt)", info.id),
        format!(
            "an answer to this attempt was lost: should a lock with its id appear later, release it with `{}`",
            unlock(info)
        ),
    )
}

fn unreadable(lock: &dyn LockMechanism, holder: &LockRecord) -> Error {
    let message =
        format!("the {} `{}` cannot be read, so nobody can say whose it is", lock.name(), holder.object);
    Error::lock_held("unlock", message, holder.clone())
}
