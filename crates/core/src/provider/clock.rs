//! The warning about a clock that differs from a service's clock.

use std::sync::atomic::{AtomicBool, Ordering};

/// Warns that this machine's clock is behind a service's by this many seconds (ahead of it if they
/// are negative), and that the service's time is used. A process warns once: its clients share the
/// clock.
pub fn warn_of_clock(seconds_behind: i64) {
    static HAS_WARNED: AtomicBool = AtomicBool::new(false);
    if !HAS_WARNED.swap(true, Ordering::Relaxed) {
        let (seconds, direction) =
            (seconds_behind.unsigned_abs(), if seconds_behind < 0 { "ahead of" } else { "behind" });
        tracing::warn!(
            "the clock of this machine is {seconds} s {direction} that of the service, whose time \
             is used"
        );
    }
}
