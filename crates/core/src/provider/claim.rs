//! Releases that claim the lock first, so that a release removes only the lock it was meant for.
//!
//! A release reads the lock, compares the id, and deletes the lock object. If the store cannot
//! delete on a condition, two releases of one id can both have read the lock before either deletes
//! it; the second then deletes whatever lock is stored by then, which may be the next holder's. On
//! such a store a release first *claims* the lock: it replaces the record by the same record with a
//! mark, on the condition that the stored record still is the one that it read. Only the client
//! that made the mark deletes the lock.
//!
//! Why a release cannot hit another lock: while the mark is stored the object exists, so the store
//! refuses every create. A marked record belongs to no holder: this library refuses to acquire
//! with its id, and to write under it. At most one release can mark the record that it read, since
//! the replacement is conditional and changes the bytes and with them the entity tag. From the mark
//! to its deletion exactly one client deletes, and there is no other lock to hit. Only a second
//! delete under way could break this: one whose answer was lost, or that of a release that another
//! one has taken over. Therefore
//!
//! - a release sends its delete, and must have the answer, before another client can have seen the
//!   mark for [`TAKE_OVER`]; otherwise the delete counts as lost. If the mark is too old before the
//!   delete is sent, the release makes a new mark first;
//! - a release repeats a delete whose answer was lost only after [`TAKE_OVER`] and under a new
//!   mark; until then the old mark keeps every client out;
//! - a release that finds the mark of another one waits until the lock is gone. It takes the lock
//!   over only after it has seen the same mark for [`TAKE_OVER`] by its own clock, again by a
//!   conditional replacement.
//!
//! Two risks remain: a delete that the store carries out more than [`TAKE_OVER`] after its release
//! gave it up, and clients that do not know marks. Such a client may delete without a condition and
//! free the lock under a mark; the release's own delete can then hit the next holder's lock.
//!
//! A release that deletes exactly what it read (by a condition or by the id of a version) needs no
//! claim, and repeats its delete at once.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::names::{ClaimId, LockId};
use crate::provider::release::Watch;
use crate::provider::single::held;
use crate::provider::{
    Attempts, ClaimWait, Failure, FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, Outcome,
    Release, ReleaseStep, ReleaseWait, StateLock, parse_lock_record,
};
use crate::store::{LockRecord, LockTarget, Released, StateStore};
use crate::workspace::Workspace;

/// How many take-over times a release waits before it gives up.
const MOST_TAKE_OVERS: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The member of a lock record that holds the claim. Other clients do not know it and ignore it.
const MARK: &str = "RemoteStateRelease";

/// The most bytes that a mark adds to a record.
const MARK_BYTES: usize = 128;

/// The most bytes of a record with its mark. Reading stops after that many.
pub(super) const LONGEST_LOCK_OBJECT: usize = MAX_LOCK_RECORD_BYTES + MARK_BYTES;

/// Describes the record in a lock object, its claim included.
pub fn read_lock_record(text: &[u8], object: impl Into<String>) -> LockRecord {
    match claim_in(text) {
        None => LockRecord::new(parse_lock_record(text), object),
        Some(claim) => {
            let info = if text.len() > MAX_LOCK_RECORD_BYTES {
                parse_lock_record(&without_mark(text))
            } else {
                parse_lock_record(text)
            };
            LockRecord::new(info, object).with_claim(claim)
        }
    }
}

fn claim_in(text: &[u8]) -> Option<ClaimId> {
    // Most records have no mark, and are not parsed twice.
    if text.len() > LONGEST_LOCK_OBJECT || !contains(text, MARK.as_bytes()) {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).ok()?;
    let value = object.get(MARK)?;
    // Any value under this name means that a release has claimed the lock.
    Some(ClaimId::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Returns the stored bytes with a mark before the last brace, in place of an earlier mark. All
/// other bytes stay as they are.
fn with_mark(text: &[u8], claim: &ClaimId) -> Bytes {
    let text = without_mark(text);
    let end = text.iter().rposition(|byte| *byte == b'}').unwrap_or(text.len());
    let (head, tail) = text.split_at(end);
    let mark = format!(",\"{MARK}\":\"{claim}\"");
    [head, mark.as_bytes(), tail].concat().into()
}

/// Returns the stored bytes without their mark. A mark of another form stays: of two members with
/// one name the last counts.
fn without_mark(text: &[u8]) -> Vec<u8> {
    let start = format!(",\"{MARK}\":\"");
    let found = || {
        let end = text.iter().rposition(|byte| *byte == b'}')?;
        let at = text[..end].windows(start.len()).rposition(|window| window == start.as_bytes())?;
        let (value, quote) = text[at + start.len()..end].split_at_checked(36)?;
        let is_ours =
            quote == b"\"" && value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
        is_ours.then_some((at, end))
    };
    match found() {
        Some((at, end)) => [&text[..at], &text[end..]].concat(),
        None => text.to_vec(),
    }
}

/// What to do about a lock that was found.
enum Next {
    /// Delete exactly what was read, or, if the store has no condition for that, whatever is
    /// stored.
    Remove,
    /// Replace the record by itself with this release's mark.
    Claim,
    /// Delete the record that carries this release's mark.
    RemoveClaimed,
    /// Look again later.
    Wait(Duration),
}

impl Watch {
    fn is_ours(&self, record: &LockRecord) -> bool {
        matches!((&self.mark, &record.claim), (Some((ours, _)), Some(found)) if ours == found)
    }

    /// Returns whether the record that was found is the lock that this release is for.
    fn is_meant(&self, record: &LockRecord, target: &LockTarget) -> bool {
        match (record.info(), target) {
            _ if self.is_ours(record) => true,
            (Some(info), LockTarget::Id(id)) => info.id == *id,
            (None, LockTarget::Unreadable) => true,
            (Some(_), LockTarget::Unreadable) => self.was_unreadable && record.claim.is_some(),
            (None, LockTarget::Id(_)) => false,
        }
    }

    /// Returns whether the marked record is gone and a client has taken a new lock with the same
    /// id.
    fn is_another(&self, record: &LockRecord) -> bool {
        self.in_doubt.is_some() && !record.is_being_released()
    }

    fn next(&mut self, found: &dyn FoundLock, wait: ClaimWait) -> Next {
        let record = found.record();
        let can_claim = found.claimable().is_some();
        let Some(claim) = &record.claim else {
            return match found.removes_exactly() && !self.needs_claim {
                true => Next::Remove,
                false if can_claim => Next::Claim,
                false => Next::Remove,
            };
        };
        self.is_going = true;
        let since = if self.is_ours(record) {
            match (self.in_doubt, &self.mark) {
                (Some(sent), _) => sent,
                (None, Some((_, made))) if made.elapsed() < wait.fresh() => {
                    return Next::RemoveClaimed;
                }
                // Other releases may be about to take it over.
                (None, _) => return Next::Claim,
            }
        } else {
            match &self.seen {
                Some((seen, since)) if seen == claim => *since,
                _ => self.seen.insert((claim.clone(), Instant::now())).1,
            }
        };
        let left = wait.take_over.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Next::Wait(left);
        }
        if can_claim && (!found.removes_exactly() || self.needs_claim) {
            Next::Claim
        } else {
            Next::Remove
        }
    }
}

/// Releases a lock step by step, reporting nothing: [`StateStore::release`] for a store that has
/// steps.
///
/// # Errors
/// Those of [`StateStore::release`].
pub(crate) async fn release_in_steps(
    store: &dyn StateStore,
    workspace: &Workspace,
    target: &LockTarget,
) -> Result<Released> {
    let mut release = Release::default();
    loop {
        match store.release_step(workspace, target, &mut release).await? {
            ReleaseStep::Done(released) => return Ok(released),
            ReleaseStep::Wait(wait) => sleep(wait.pause).await,
        }
    }
}

/// The result of one step with one lock object.
enum Step {
    Done(Released),
    Wait(ReleaseWait),
}

impl StateLock<'_> {
    /// Makes one step of a release without waiting, as
    /// [`StateStore::release_step`](crate::StateStore::release_step) promises it.
    ///
    /// # Errors
    /// Those of [`StateStore::release`](crate::StateStore::release).
    pub(crate) async fn release_step(
        &self,
        target: &LockTarget,
        release: &mut Release,
    ) -> Result<ReleaseStep> {
        self.require_any("unlock")?;
        let mut released = Released::AlreadyFree;
        let mut failure: Option<Error> = None;
        let mut others = Vec::new();
        let relies_on_memory = release.relies_on_memory;
        for mechanism in &self.mechanisms {
            let object = mechanism.object();
            let watch = release.watches.entry(object.clone()).or_default();
            let step = match (&watch.done, target) {
                (Some(done), _) => Ok(Step::Done(done.clone())),
                (None, LockTarget::Id(id)) if relies_on_memory => {
                    match self.step_from_memory(&**mechanism, id, target, watch).await {
                        Some(released) => Ok(Step::Done(released)),
                        None => self.step(&**mechanism, target, watch).await,
                    }
                }
                (None, _) => self.step(&**mechanism, target, watch).await,
            };
            if let (Ok(Step::Done(done)), None, LockTarget::Id(id)) = (&step, &watch.done, target) {
                mechanism.released(id, done).await;
            }
            match step {
                Ok(Step::Wait(wait)) => return Ok(ReleaseStep::Wait(wait)),
                Ok(Step::Done(Released::Freed(info))) => {
                    watch.done = Some(Released::Freed(info.clone()));
                    others.push(("released", object));
                    released = match released {
                        Released::Freed(Some(first)) => Released::Freed(Some(first)),
                        _ => Released::Freed(info),
                    };
                }
                Ok(Step::Done(Released::AlreadyFree)) => {
                    watch.done = Some(Released::AlreadyFree);
                    if self.mechanisms.len() > 1 {
                        tracing::warn!(
                            object = object.to_string(),
                            "the {} was free already",
                            mechanism.name()
                        );
                    }
                    others.push(("free already", object));
                }
                // One holder has both locks; the error names that holder once.
                Err(error)
                    if failure.as_ref().is_some_and(|first| is_same_holder(first, &error)) => {}
                Err(error) => match failure.take() {
                    None => failure = Some(error),
                    Some(first) => {
                        failure = Some(first.with_context("also", format!("{object}: {error}")));
                    }
                },
            }
        }
        match failure {
            None => Ok(ReleaseStep::Done(released)),
            Some(error) => Err(others
                .into_iter()
                .fold(error, |error, (label, object)| error.with_context(label, object))),
        }
    }

    /// Gives back the lock that this attempt has taken, without waiting. If the lock cannot be
    /// released at once, the error leaves it to the caller.
    pub(super) async fn give_one_back(
        &self,
        lock: &dyn LockMechanism,
        target: &LockTarget,
    ) -> Result<()> {
        match self.step(lock, target, &mut Watch::default()).await? {
            Step::Done(_) => Ok(()),
            Step::Wait(_) => Err(perhaps_released(lock)),
        }
    }

    /// Releases a lock of this process without a look at it. `None` if a look has to decide: then
    /// the lock is not what this process created, or the outcome is in doubt.
    async fn step_from_memory(
        &self,
        lock: &dyn LockMechanism,
        id: &LockId,
        target: &LockTarget,
        watch: &mut Watch,
    ) -> Option<Released> {
        let found = lock.remembered(id)?;
        let failure = match watch.next(&*found, self.claim_wait) {
            Next::Remove if found.removes_exactly() => found.remove_once().await,
            Next::Claim => self.claim_and_remove(lock, &*found, target, watch).await.ok()?,
            Next::Remove | Next::RemoveClaimed | Next::Wait(_) => return None,
        };
        let info = found.record().info().cloned();
        let outcome = match failure {
            Ok(()) => return Some(Released::Freed(info)),
            Err(failure) => failure.outcome,
        };
        watch.is_going |= outcome == Outcome::Unknown;
        if watch.is_going {
            // It was the lock, or may have been: if it is gone now, that is this release's doing.
            watch.met = Some(info);
        }
        None
    }

    async fn step(
        &self,
        lock: &dyn LockMechanism,
        target: &LockTarget,
        watch: &mut Watch,
    ) -> Result<Step> {
        let mut last = None;
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let found = match lock.find("unlock", target).await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    return Ok(Step::Done(
                        watch.met.take().map_or(Released::AlreadyFree, Released::Freed),
                    ));
                }
                Err(error) if !watch.is_going => return Err(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            };
            let record = found.record();
            if !watch.is_meant(record, target) || watch.is_another(record) {
                return match (watch.met.take(), record.info()) {
                    // The lock is gone, and the next holder has taken a new one: that is no
                    // failure.
                    (Some(info), _) => Ok(Step::Done(Released::Freed(info))),
                    (None, Some(_)) => Err(held(&self.location, "unlock", record)),
                    (None, None) => Err(unreadable(lock, record)),
                };
            }
            watch.was_unreadable |= record.info().is_none();
            watch.met.get_or_insert_with(|| record.info().cloned());
            let failure = match watch.next(&*found, self.claim_wait) {
                Next::Wait(left) => match watch.pause(record, left, self.claim_wait) {
                    Some(wait) => return Ok(Step::Wait(wait)),
                    None => break,
                },
                Next::Remove => match found.remove_once().await {
                    // A marked version may lie on top of the version that it was made of.
                    Ok(()) if found.removes_exactly() && record.is_being_released() => continue,
                    Err(Failure { outcome: Outcome::Refused, error })
                        if found.removes_exactly()
                            && found.claimable().is_some()
                            && !watch.needs_claim =>
                    {
                        tracing::debug!(
                            error = error.to_string(),
                            "the lock is claimed, since its version may not be deleted"
                        );
                        watch.needs_claim = true;
                        self.claim_and_remove(lock, &*found, target, watch).await?
                    }
                    removed => removed,
                },
                Next::Claim => self.claim_and_remove(lock, &*found, target, watch).await?,
                Next::RemoveClaimed => self.remove_claimed(lock, &*found, target, watch).await,
            };
            match failure {
                Ok(()) | Err(Failure { outcome: Outcome::Absent, .. }) => {
                    return Ok(Step::Done(Released::Freed(watch.met.take().flatten())));
                }
                // A refusal now does not decide about a delete that was sent before.
                Err(Failure { outcome: Outcome::Refused, error }) => {
                    last = Some(error);
                    break;
                }
                Err(failure) => {
                    watch.is_going |= failure.outcome == Outcome::Unknown;
                    last = Some(failure.error);
                }
            }
        }
        Err(match last {
            // This release sent no delete, or the store decided against each.
            Some(error) if !watch.is_going => error,
            Some(source) => perhaps_released(lock).with_source(source),
            None => perhaps_released(lock),
        })
    }

    /// Replaces the record that was found by the marked one, and deletes that. The outer error does
    /// not come from the store.
    async fn claim_and_remove(
        &self,
        lock: &dyn LockMechanism,
        found: &dyn FoundLock,
        target: &LockTarget,
        watch: &mut Watch,
    ) -> Result<Result<(), Failure>> {
        let record = found.record();
        // An unmarked record gets the same mark again, since an earlier request with it may still
        // arrive; any other record gets a new mark.
        let claim = match &watch.mark {
            Some((claim, made))
                if !record.is_being_released() && made.elapsed() < self.claim_wait.fresh() =>
            {
                claim.clone()
            }
            _ => {
                let claim = ClaimId::random()?;
                watch.mark = Some((claim.clone(), Instant::now()));
                claim
            }
        };
        let text = found.claimable().unwrap_or_default();
        let marked = match record.info() {
            Some(_) => with_mark(text, &claim),
            None => with_mark(self.stand_in()?.to_json().as_bytes(), &claim),
        };
        if let Err(failure) = found.replace_once(marked).await {
            watch.is_going |= failure.outcome == Outcome::Unknown;
            return Ok(Err(match failure.outcome {
                // The record has changed, or may have: the next look shows which.
                Outcome::Absent | Outcome::Unknown => {
                    Failure { outcome: Outcome::Conflict, ..failure }
                }
                _ => failure,
            }));
        }
        // Earlier deletes were for the mark that this one has replaced.
        watch.in_doubt = None;
        watch.is_going = true;
        watch.original =
            (record.info().is_some() && !record.is_being_released()).then(|| text.to_vec());
        Ok(self.remove_claimed(lock, found, target, watch).await)
    }

    /// Deletes the record that carries this release's mark.
    async fn remove_claimed(
        &self,
        lock: &dyn LockMechanism,
        found: &dyn FoundLock,
        target: &LockTarget,
        watch: &mut Watch,
    ) -> Result<(), Failure> {
        let age = watch.mark.as_ref().map_or(Duration::MAX, |(_, made)| made.elapsed());
        if age >= self.claim_wait.fresh() {
            // Other releases may take it over before the answer comes: make a new mark.
            let error =
                Error::new(ErrorKind::Unavailable, "unlock", "the store answers too slowly");
            return Err(Failure { outcome: Outcome::Conflict, error });
        }
        let sent = Instant::now();
        let removed = timeout(self.claim_wait.take_over - age, found.remove_claimed_once()).await;
        let removed = removed.unwrap_or_else(|_| {
            let error =
                Error::new(ErrorKind::Unavailable, "unlock", "the delete was not answered in time");
            Err(Failure { outcome: Outcome::Unknown, error })
        });
        match &removed {
            Err(Failure { outcome: Outcome::Unknown, .. }) => watch.in_doubt = Some(sent),
            Err(Failure { outcome: Outcome::Refused, .. }) if watch.in_doubt.is_none() => {
                self.take_mark_back(lock, target, watch).await;
            }
            _ => {}
        }
        removed
    }

    /// Restores the holder's record: this release may not delete the lock, and none of its deletes
    /// is under way.
    async fn take_mark_back(
        &self,
        lock: &dyn LockMechanism,
        target: &LockTarget,
        watch: &mut Watch,
    ) {
        let Some(original) = watch.original.take() else { return };
        let found = match lock.find("unlock", target).await {
            Ok(Some(found)) if watch.is_ours(found.record()) => found,
            _ => return,
        };
        match found.replace_once(original.into()).await {
            Ok(()) => watch.is_going = false,
            Err(failure) => {
                let error = failure.error.message();
                tracing::warn!(?error, "the lock stays marked as being released");
            }
        }
    }

    /// Returns a whole record to replace an unreadable one, so that a client can release the lock
    /// by id if this release does not finish.
    fn stand_in(&self) -> Result<LockInfo> {
        Ok(LockInfo {
            id: LockId::random()?,
            operation: "release".to_owned(),
            info: "stands in for a lock record that could not be read and is being removed"
                .to_owned(),
            who: String::new(),
            version: String::new(),
            created: LockInfo::NO_TIME,
            path: self.location.path.clone(),
        })
    }
}

impl Watch {
    /// Returns what to wait for, or `None` if this release has waited long enough.
    fn pause(
        &mut self,
        record: &LockRecord,
        left: Duration,
        wait: ClaimWait,
    ) -> Option<ReleaseWait> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= wait.take_over * MOST_TAKE_OVERS {
            return None;
        }
        let pause = (FIRST_PAUSE * 2_u32.pow(self.pauses.min(8))).min(LONGEST_PAUSE);
        self.pauses += 1;
        Some(ReleaseWait { record: record.clone(), pause: pause.min(left), left })
    }
}

fn perhaps_released(lock: &dyn LockMechanism) -> Error {
    Error::new(
        ErrorKind::Unknown,
        "unlock",
        format!("the lock `{}` may or may not have been released", lock.object()),
    )
    .with_advice(Advice::ListLocks)
}

fn unreadable(lock: &dyn LockMechanism, holder: &LockRecord) -> Error {
    let message =
        format!("the {} `{}` cannot be read, so its holder is unknown", lock.name(), holder.object);
    Error::lock_held("unlock", message, holder.clone())
}

fn is_same_holder(first: &Error, second: &Error) -> bool {
    let id = |error: &Error| error.holder().and_then(|holder| holder.id().cloned());
    id(first).is_some() && id(first) == id(second)
}

#[cfg(test)]
mod tests;
