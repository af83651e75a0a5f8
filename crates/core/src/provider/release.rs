//! A release of a lock, as its caller sees it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock_info::{LockInfo, LockRecord};
use crate::names::ClaimId;
use crate::store::Released;

/// Longer than any request takes: 5 s to connect, 20 s to be answered, and some more.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(30);

/// How long a release waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimWait {
    /// How long one mark must have been seen before it is taken over.
    pub take_over: Duration,
}

impl Default for ClaimWait {
    fn default() -> Self {
        Self { take_over: TAKE_OVER }
    }
}

impl ClaimWait {
    /// How old a mark may be under which a delete is sent: then most of the time is left for its
    /// answer.
    pub(super) fn fresh(self) -> Duration {
        self.take_over / 3
    }
}

/// One release of a lock, over as many steps as it takes.
///
/// It remembers which claims it has seen and since when, and what became of its own, so it must be
/// kept from one step to the next.
#[derive(Debug, Default)]
pub struct Release {
    /// By lock object.
    pub(super) watches: HashMap<String, Watch>,
}

/// What came of one step of a release.
#[derive(Clone, Debug)]
pub enum ReleaseStep {
    /// It has come to its end.
    Done(Released),
    /// Another step is needed, after a pause.
    Wait(ReleaseWait),
}

/// What a release waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseWait {
    /// The lock, as it was found: held for everybody, and nobody's own.
    pub record: LockRecord,
    /// How long to pause before the next step.
    pub pause: Duration,
    /// How long it takes at most until the lock is taken over, if nothing changes.
    pub left: Duration,
}

/// What a release knows of one lock object.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// It is released, and what was found.
    pub(super) done: Option<Released>,
    /// Our mark, and when it was first asked for.
    pub(super) mark: Option<(ClaimId, Instant)>,
    /// When a delete was sent, under our mark, of which nobody knows what became.
    pub(super) in_doubt: Option<Instant>,
    /// The mark of another release, and since when we see it.
    pub(super) seen: Option<(ClaimId, Instant)>,
    /// The lock that was meant, once it was found.
    pub(super) met: Option<Option<LockInfo>>,
    /// It may be on its way to be gone, by what we or another release did.
    pub(super) is_going: bool,
    /// The bytes that our mark was put on.
    pub(super) original: Option<Vec<u8>>,
    /// A record that cannot be read was there: what another release makes of it is still what was
    /// meant.
    pub(super) was_unreadable: bool,
    /// Deleting by the id of the version is not permitted.
    pub(super) needs_claim: bool,
    pub(super) waiting_since: Option<Instant>,
    pub(super) pauses: u32,
}
