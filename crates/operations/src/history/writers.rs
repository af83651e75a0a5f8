//! Who wrote a version.
//!
//! This library stores the author with a state. Native clients do not, but on a bucket with
//! versions their lock file leaves its record behind: from the version with the record to the
//! deletion after it, one client held the lock, and the states that were stored in between are its
//! own. If two spans include the time of a state, the writer is unknown: most stores tell times in
//! whole seconds.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use remote_state_core::{Author, LockInfo, PastLock, Result, StateStore, Workspace};

use super::entry::{HistoryEntry, Writer, WriterSource};

/// The operation of a lock under which no client writes a state.
const PLAN: &str = "OperationTypePlan";

/// Adds the writers of versions without annotations.
///
/// # Errors
/// Any error of the listing of locks.
pub(super) async fn add(
    store: &dyn StateStore,
    workspace: &Workspace,
    entries: &mut [HistoryEntry],
) -> Result<()> {
    let unknown = |entry: &HistoryEntry| !entry.is_deletion && entry.writer.is_none();
    let unknown_of = |entries: &[HistoryEntry]| -> Vec<Timestamp> {
        entries.iter().filter(|entry| unknown(entry)).filter_map(|entry| entry.modified).collect()
    };
    let times = unknown_of(entries);
    let Some(oldest) = times.iter().min() else { return Ok(()) };
    let configured = store.location(workspace).locks;
    let mut held = Vec::new();
    let mut locks = store.past_locks(workspace);
    while let Some(lock) = locks.try_next().await? {
        // The locks before were released even earlier.
        if lock.released.is_some_and(|released| released < *oldest) {
            break;
        }
        // Clients that take other locks may have written since this one was left behind.
        let is_left = lock.released.is_none() && !configured.contains(&lock.record.object);
        if !is_left && times.iter().any(|time| was_held(&lock, *time)) {
            held.push(lock);
        }
    }
    for entry in entries.iter_mut().filter(|entry| unknown(entry)) {
        let holder = entry.modified.and_then(|modified| holder(&held, modified));
        entry.writer = holder.map(|info| Writer {
            author: Author::under(info).with_client(info.version.clone()),
            source: WriterSource::LockFile,
        });
    }
    Ok(())
}

/// Returns the record of the one lock that was held at a time.
fn holder(locks: &[PastLock], time: Timestamp) -> Option<&LockInfo> {
    let mut found = locks.iter().filter(|lock| was_held(lock, time));
    let only = found.next().filter(|_| found.next().is_none())?;
    only.record.info().filter(|info| info.operation != PLAN)
}

fn was_held(lock: &PastLock, time: Timestamp) -> bool {
    lock.taken.is_some_and(|taken| taken <= time)
        && lock.released.is_none_or(|released| time <= released)
}

#[cfg(test)]
mod tests {
    use remote_state_core::{LockContent, LockRecord};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lock(who: &str, operation: &str, taken: i64, released: Option<i64>) -> PastLock {
        let info = LockInfo::new(operation, who, "1.11.4", at(taken)).unwrap();
        let record = LockRecord::new(LockContent::Record(info), "s3://b/k.tflock");
        PastLock::new(record, Some(at(taken)), released.map(at))
    }

    #[test]
    fn a_state_belongs_to_the_lock_during_which_it_was_stored() {
        let locks = [
            lock("c", "OperationTypeApply", 30, None),
            lock("b", "OperationTypeApply", 20, Some(25)),
            lock("a", "OperationTypeApply", 10, Some(15)),
        ];
        let who = |second| holder(&locks, at(second)).map(|info| info.who.as_str());
        for second in [10, 12, 15] {
            assert_eq!(who(second), Some("a"), "{second}");
        }
        assert_eq!(who(20), Some("b"));
        assert_eq!(who(99), Some("c"), "it is still held");
        for second in [9, 16, 27] {
            assert_eq!(who(second), None, "{second}: no lock was held");
        }
    }

    #[test]
    fn where_two_locks_meet_in_one_second_the_writer_is_unknown() {
        let locks = [
            lock("b", "OperationTypeApply", 15, Some(20)),
            lock("a", "OperationTypeApply", 10, Some(15)),
        ];
        assert_eq!(holder(&locks, at(15)), None);
        assert_eq!(holder(&locks, at(14)).unwrap().who, "a");
    }

    /// A state that appears while somebody plans was stored by a client without a lock.
    #[test]
    fn a_plan_writes_no_state() {
        let locks = [lock("a", "OperationTypePlan", 10, Some(15))];
        assert_eq!(holder(&locks, at(12)), None);
    }

    #[test]
    fn a_record_that_cannot_be_read_names_no_writer() {
        let content = LockContent::Unreadable("it is empty".to_owned());
        let record = LockRecord::new(content, "s3://b/k.tflock");
        let locks = [PastLock::new(record, Some(at(10)), Some(at(15)))];
        assert_eq!(holder(&locks, at(12)), None);
    }
}
