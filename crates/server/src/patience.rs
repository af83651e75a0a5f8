//! Waiting for a lock on behalf of clients that do not wait themselves.
//!
//! Terraform before 1.2 gives up at once, whatever `-lock-timeout` says, since its `http` backend
//! does not recognize a held lock. No client limits the time for an answer, so the wait may be of
//! any length if no proxy is in between.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The first pause between two attempts. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long the server waits for a lock that another client holds before it answers.
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

    /// Ends all waiting, now and from now on. Waiting requests are answered with the lock holder.
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
/// They end if the client hangs up. An attempt that has begun is finished all the same.
#[derive(Debug)]
pub(crate) struct Pauses {
    started: Instant,
    timeout: Duration,
    pause: Duration,
    is_over: watch::Receiver<bool>,
}

impl Pauses {
    /// Waits, and returns whether to try again. The last attempt is made when the time is up.
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
    async fn without_a_timeout_and_after_the_end_there_is_no_wait() {
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
