//! What a release names, and what it found.

use jiff::Timestamp;

use crate::lock_info::{LockInfo, LockRecord};
use crate::names::LockId;

/// Which lock to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockTarget {
    /// The lock with this id, whichever client holds it.
    Id(LockId),
    /// A lock whose record cannot be parsed, so that it has no id.
    Unreadable,
}

/// A lock that was held in the past, as a bucket with versions remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastLock {
    /// The lock.
    pub record: LockRecord,
    /// When it was stored, UTC, by the store's clock.
    pub taken: Option<Timestamp>,
    /// When the lock object changed next: the lock was released then. `None` if it is still held,
    /// or if the store does not say.
    pub released: Option<Timestamp>,
}

impl PastLock {
    /// Creates a lock that was held from `taken` to `released`.
    pub fn new(record: LockRecord, taken: Option<Timestamp>, released: Option<Timestamp>) -> Self {
        Self { record, taken, released }
    }
}

/// What a release found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// The lock was held and is free now. The record is `None` if it could not be parsed.
    Freed(Option<LockInfo>),
    /// No lock was held.
    AlreadyFree,
}
