//! What a release names, and what it found.

use crate::lock_info::LockInfo;
use crate::names::LockId;

/// Which lock to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockTarget {
    /// The lock with this id, whichever client holds it.
    Id(LockId),
    /// A lock whose record cannot be parsed, so that it has no id.
    Unreadable,
}

/// What a release found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// The lock was held and is free now. The record is `None` if it could not be parsed.
    Freed(Option<LockInfo>),
    /// No lock was held.
    AlreadyFree,
}
