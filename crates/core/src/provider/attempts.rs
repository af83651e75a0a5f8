//! How often to retry a request that the store did not decide.

use std::time::Duration;

use tokio::time::sleep;

const MOST: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Up to six attempts. The pauses between them start at 50 ms and double.
///
/// ```
/// # async fn demo() {
/// let mut attempts = remote_state_core::provider::Attempts::new();
/// while attempts.next().await {
///     // ask the store
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Attempts {
    made: u32,
    pause: Duration,
}

impl Attempts {
    /// Creates the attempts; none is made yet.
    pub fn new() -> Self {
        Self { made: 0, pause: FIRST_PAUSE }
    }

    /// Pauses before every attempt but the first, and returns whether another attempt may be made.
    pub async fn next(&mut self) -> bool {
        if self.made == MOST {
            return false;
        }
        if self.made > 0 {
            sleep(self.pause).await;
            self.pause *= 2;
        }
        self.made += 1;
        true
    }

    /// Returns whether the current attempt is the last one.
    pub fn is_last(&self) -> bool {
        self.made == MOST
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}
