//! What holds requests back until a test lets them go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// After this long a gate lets requests go, so that a test which fails before it opens the gate
/// ends.
const DEADLINE: Duration = Duration::from_secs(60);

/// A gate that is closed at first. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// Lets the requests go that wait, and all that come.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        let mut state = self.0.subscribe();
        drop(timeout(DEADLINE, state.wait_for(|is_open| *is_open)).await);
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}
