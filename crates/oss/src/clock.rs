//! The service's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use remote_state_core::provider::warn_of_clock;

/// A difference that every service tolerates.
const SKEW: Duration = Duration::from_secs(4 * 60);

/// This machine's clock, corrected by the service's answers. Clones share the correction.
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

    /// Adopts the time of an answer, in HTTP's form. Returns whether the text is such a time.
    pub(crate) fn follow(&self, date: &str) -> bool {
        let Some(theirs) = parse_http_date(date) else { return false };
        self.follow_time(theirs);
        true
    }

    /// Adopts the time of an answer.
    pub(crate) fn follow_time(&self, theirs: Timestamp) {
        let ahead = theirs.duration_since(Timestamp::now()).as_secs();
        self.ahead_seconds.store(ahead, Ordering::Relaxed);
        warn_of_clock(ahead);
    }
}

/// Returns whether the time in a signature is so far from the service's that the service may have
/// refused the request because of it.
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
