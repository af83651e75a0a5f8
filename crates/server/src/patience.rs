//! Waiting for a lock on behalf of a client that would not.
//!
//! Clients before 1.2 give up at once whatever they are told, since a held lock is no lock error in
//! their `http` backend. No client limits the time that an answer may take, so the wait can be as
//! long as whoever runs the server likes, where no proxy is in between.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The first pause between two attempts. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long a request for a lock waits in the server for a lock that someone else holds.
#[derive(Clone, Debug)]
pub struct Patience {
    timeout: Duration,
    is_over: watch::Sender<bool>,
}

impl Patience {
    /// Waits at most this long.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, is_over: watch::Sender::new(false) }
    }

    /// Ends all waiting, now and from now on: who waits is told who holds the lock.
    pub fn end(&self) {
        self.is_over.send_replace(true);
    }

    /// Begins to wait for one lock.
    pub(crate) fn begin(&self) -> Pauses {
        Pauses {
            started: Instant::now(),
            timeout: self.timeout,
            pause: FIRST_PAUSE,
            is_over: self.is_over.subscribe(),
        }
    }
}

/// The pauses between attempts to take one lock.
///
/// They end with the client: only an attempt that has begun is brought to its end without it.
#[derive(Debug)]
pub(crate) struct Pauses {
    started: Instant,
    timeout: Duration,
    pause: Duration,
    is_over: watch::Receiver<bool>,
}

impl Pauses {
    /// Waits, and says whether to try again. The last attempt falls on the end of the time.
    pub(crate) async fn next(&mut self) -> bool {
        let left = self.timeout.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return false;
        }
        let pause = self.pause.min(left);
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        tokio::select! {
            biased;
            _ = self.is_over.wait_for(|is_over| *is_over) => false,
            () = sleep(pause) => true,
        }
    }
}

impl Default for Patience {
    /// Does not wait.
    fn default() -> Self {
        Self::new(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn attempts(pauses: &mut Pauses) -> usize {
        let mut attempts = 1;
        while pauses.next().await {
            attempts += 1;
        }
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_with_its_time_and_the_last_attempt_is_at_its_end() {
        let started = Instant::now();
        // After 0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5 and 20 s.
        assert_eq!(attempts(&mut Patience::new(Duration::from_secs(20)).begin()).await, 9);
        assert_eq!(started.elapsed(), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_unless_told_to_nor_after_the_end() {
        let started = Instant::now();
        assert_eq!(attempts(&mut Patience::default().begin()).await, 1);
        let patience = Patience::new(Duration::from_secs(20));
        let mut waiting = patience.begin();
        let end = async {
            sleep(Duration::from_secs(1)).await;
            patience.end();
        };
        assert_eq!(tokio::join!(attempts(&mut waiting), end).0, 2);
        assert_eq!(attempts(&mut patience.begin()).await, 1);
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    }
}
