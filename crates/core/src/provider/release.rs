//! A release of a lock, from its caller's side.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock_info::{LockInfo, LockRecord};
use crate::names::ClaimId;
use crate::store::Released;

/// Longer than any request takes: 5 s to connect, 20 s for the answer, and a margin.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(30);

/// How long a release waits for other releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimWait {
    /// How long a release must have seen one mark before it takes it over.
    pub take_over: Duration,
}

impl Default for ClaimWait {
    fn default() -> Self {
        Self { take_over: TAKE_OVER }
    }
}

impl ClaimWait {
    /// Returns how old a mark may be when a delete is sent under it: most of the time is left for
    /// the answer.
    pub(super) fn fresh(self) -> Duration {
        self.take_over / 3
    }
}

/// One release of a lock, over as many steps as it takes.
///
/// It remembers which claims it has seen and since when, and the result of its own claim, so
/// callers must keep it from one step to the next.
#[derive(Debug, Default)]
pub struct Release {
    /// The progress for each lock object.
    pub(super) watches: HashMap<String, Watch>,
    /// Whether a lock that this process took is released without a look at it.
    pub(super) relies_on_memory: bool,
}

impl Release {
    /// Creates a release that looks at a lock of this process only if its request to the store
    /// finds another lock there.
    ///
    /// It removes no other lock than it is meant for. But for a lock that was gone already it may
    /// say that it was released.
    pub fn from_memory() -> Self {
        Self { relies_on_memory: true, ..Self::default() }
    }
}

/// The result of one step of a release.
#[derive(Clone, Debug)]
pub enum ReleaseStep {
    /// The release is complete.
    Done(Released),
    /// Another step is needed, after a pause.
    Wait(ReleaseWait),
}

/// What a release waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseWait {
    /// The lock that was found: it blocks every client and belongs to no holder.
    pub record: LockRecord,
    /// How long to pause before the next step.
    pub pause: Duration,
    /// The longest time until the release takes the lock over, if nothing changes.
    pub left: Duration,
}

/// The progress of a release with one lock object.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The object is released; this is the record that was found.
    pub(super) done: Option<Released>,
    /// This release's mark, and when it was first requested.
    pub(super) mark: Option<(ClaimId, Instant)>,
    /// When the delete was sent under this release's mark whose result is unknown.
    pub(super) in_doubt: Option<Instant>,
    /// The mark of another release, and since when this release has seen it.
    pub(super) seen: Option<(ClaimId, Instant)>,
    /// The lock to release, once it was found.
    pub(super) met: Option<Option<LockInfo>>,
    /// This release or another one may have begun to delete the lock.
    pub(super) is_going: bool,
    /// The bytes that this release's mark was put on.
    pub(super) original: Option<Vec<u8>>,
    /// The record was unreadable: a readable record that another release put in its place is still
    /// the lock to release.
    pub(super) was_unreadable: bool,
    /// The client may not delete by the id of a version.
    pub(super) needs_claim: bool,
    pub(super) waiting_since: Option<Instant>,
    pub(super) pauses: u32,
}
