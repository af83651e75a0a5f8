//! Taking one lock, whatever answers are lost. [`claim`](super::claim) gives it back.
//!
//! After a lost answer this client may hold the lock or not, without knowing. It therefore resolves
//! an answer that does not decide by reading the lock back and comparing ids. A lock that is being
//! released belongs to no holder, whatever its id. Lower layers never repeat a create, since the
//! store could then refuse because of this client's own lock. Once an attempt is in doubt, only the
//! lock itself can end the doubt; otherwise the outcome is `Unknown`.

use bytes::Bytes;

use crate::advice::{Advice, LeftLock};
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::provider::{Attempts, Failure, LockMechanism, Outcome, StateLock};
use crate::store::{LockRecord, LockTarget, StateLocation};

/// How this client came to hold the lock. A call gives back only a lock that it created, since the
/// client that created another may be working under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This call created it.
    Created,
    /// It has this id already; an earlier call created it, or may have.
    Found,
}

impl StateLock<'_> {
    pub(super) async fn take_one(
        &self,
        lock: &dyn LockMechanism,
        info: &LockInfo,
    ) -> Result<Taken> {
        let body = Bytes::from(info.to_json());
        // Whether this call has seen the lock free.
        let mut was_free = false;
        // A store that ignores the condition would overwrite another client's lock: read the lock
        // first, until the store is proven.
        if !lock.is_proven() {
            match lock.read("lock").await? {
                Some(found) if found.record().is_held_by(&info.id) => {
                    return self.prove(lock, info, body, Taken::Found).await;
                }
                Some(found) => return Err(held(&self.location, "lock", found.record())),
                None => was_free = true,
            }
        }
        let mut last = None;
        // Whether the store may have carried out a create although its answer did not say so.
        let mut is_in_doubt = false;
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let Err(failure) = lock.create_once(body.clone()).await else {
                return self.prove(lock, info, body, Taken::Created).await;
            };
            is_in_doubt |= failure.outcome == Outcome::Unknown;
            let doubtful =
                |error| if is_in_doubt { self.unknown(lock, info, error) } else { error };
            if matches!(failure.outcome, Outcome::Absent | Outcome::Refused) {
                return Err(doubtful(failure.error));
            }
            match lock.read("lock").await {
                // The first answer was lost, or this id holds the lock already.
                Ok(Some(found)) if found.record().is_held_by(&info.id) => {
                    let taken = if is_in_doubt && was_free { Taken::Created } else { Taken::Found };
                    return self.prove(lock, info, body, taken).await;
                }
                Ok(Some(found)) => {
                    if is_in_doubt && let Err(error) = lock.withdraw(&info.id).await {
                        return Err(self.unknown(lock, info, error));
                    }
                    let held = held(&self.location, "lock", found.record());
                    return Err(if is_in_doubt { may_arrive(held, info) } else { held });
                }
                // The holder has released it in between, or the request never arrived: repeating a
                // conditional create does no harm.
                Ok(None) => {
                    was_free = true;
                    last = Some(failure);
                }
                // Reading was retried as often as configured: the store is unreachable, or refuses
                // the read.
                Err(error) => return Err(doubtful(error)),
            }
        }
        Err(match last {
            Some(Failure { error, .. }) if is_in_doubt => self.unknown(lock, info, error),
            Some(Failure { outcome: Outcome::Conflict | Outcome::Unsent, error }) => error,
            Some(failure) => {
                let (object, name) = (lock.object(), lock.name());
                let message = format!(
                    "cannot lock `{object}`: the store says that the {name} exists, and then that \
                     it does not"
                );
                Error::new(ErrorKind::Unavailable, "lock", message)
                    .with_hint(
                        "some stores take the delete marker of a versioned bucket for an object; \
                         lock in a bucket without versioning there",
                    )
                    .with_source(failure.error)
            }
            None => Error::new(ErrorKind::Unexpected, "lock", "no attempt was made"),
        })
    }

    /// Verifies that the store refuses a second create, unless it is known to.
    async fn prove(
        &self,
        lock: &dyn LockMechanism,
        info: &LockInfo,
        body: Bytes,
        taken: Taken,
    ) -> Result<Taken> {
        let proven = if lock.is_proven() { Ok(()) } else { lock.prove(body.clone()).await };
        let Err(error) = proven else {
            if taken == Taken::Created {
                lock.learn(body).await;
            }
            return Ok(taken);
        };
        if taken == Taken::Found {
            return Err(still_held(error, lock, info));
        }
        // Without proof there is no lock: release the lock that may be held.
        match self.give_one_back(lock, &LockTarget::Id(info.id.clone())).await {
            Ok(()) => Err(error),
            // On a store that ignores conditions another client may have overwritten the lock by
            // now: then this client must not delete it.
            Err(left) if left.kind() == ErrorKind::LockHeld => Err(error),
            Err(left) if error.kind() == ErrorKind::Unsupported => Err(error.with_leftover(
                "left behind",
                format!("{}: {left}", lock.object()),
                Advice::ReleaseLock(info.id.clone(), LeftLock::LeftBehind),
            )),
            Err(_) => Err(self.unknown(lock, info, error)),
        }
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
        .with_advice(Advice::ListLocks)
        .with_advice(Advice::ReleaseLock(info.id.clone(), LeftLock::MayBeHeld))
        .with_source(source)
    }
}

pub(super) fn held(
    location: &StateLocation,
    operation: &'static str,
    holder: &LockRecord,
) -> Error {
    let state = &location.state;
    let message = if holder.is_being_released() {
        format!("state `{state}` is locked: its lock is being released")
    } else {
        format!("state `{state}` is locked")
    };
    Error::lock_held(operation, message, holder.clone())
}

/// Adds to an error that a lock with this id is still held, although the call failed.
pub(super) fn still_held(error: Error, lock: &dyn LockMechanism, info: &LockInfo) -> Error {
    error.with_leftover(
        "still held",
        format!("{}, with lock id {}", lock.object(), info.id),
        Advice::ReleaseLock(info.id.clone(), LeftLock::MayBeOlder),
    )
}

/// Adds to an error that the store may still carry out a create once the holder has released the
/// lock.
fn may_arrive(held: Error, info: &LockInfo) -> Error {
    held.with_leftover(
        "lock id",
        format!("{} (of this attempt)", info.id),
        Advice::ReleaseLock(info.id.clone(), LeftLock::MayArrive),
    )
}
