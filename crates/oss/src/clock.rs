//! The time as the service has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use remote_state_core::provider::warn_of_clock;

/// What no service takes for a wrong clock.
const SKEW: Duration = Duration::from_secs(4 * 60);

/// This machine's clock, put right by what the service says. Clones share the correction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    ahead_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// The time to sign with.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead_seconds.load(Ordering::Relaxed));
        Timestamp::now().checked_add(ahead).unwrap_or_else(|_| Timestamp::now())
    }

    /// Takes over the time of an answer, in the form that HTTP gives it. Returns whether it is one.
    pub(crate) fn follow(&self, date: &str) -> bool {
        let Some(theirs) = parse_http_date(date) else { return false };
        self.follow_time(theirs);
        true
    }

    /// Takes over the time of an answer.
    pub(crate) fn follow_time(&self, theirs: Timestamp) {
        let ahead = theirs.duration_since(Timestamp::now()).as_secs();
        self.ahead_seconds.store(ahead, Ordering::Relaxed);
        warn_of_clock(ahead);
    }
}

/// Whether the time that a request was signed with is so far from the service's that this may be
/// why it was refused.
pub(crate) fn are_far_apart(signed: Timestamp, theirs: Timestamp) -> bool {
    theirs.duration_since(signed).unsigned_abs() > SKEW
}

/// Reads a time such as `Tue, 02 Jan 2024 03:04:05 GMT`.
pub(crate) fn parse_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_follows_the_service() {
        let clock = Clock::default();
        assert!(!clock.follow("yesterday"));
        let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
        assert!(clock.follow(&crate::sign::http_date(hour_ago)));
        let off = clock.now().duration_since(hour_ago).abs();
        assert!(off < SignedDuration::from_secs(5), "{off:?}");
        let shared = clock.clone();
        assert!(shared.now() < Timestamp::now() - SignedDuration::from_mins(50));
    }
}
