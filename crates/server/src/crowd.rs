//! How many connections there are, and what each of them is doing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// The connections of one server. More are not accepted: they wait in the system's queue, and the
/// descriptors that are left are the store's.
#[derive(Debug)]
pub(crate) struct Crowd {
    places: Arc<Semaphore>,
    size: usize,
    is_dense: watch::Sender<bool>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    crowd: Arc<Crowd>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Crowd {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        let size = size.clamp(2, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(size)),
            size,
            is_dense: watch::Sender::new(false),
        })
    }

    /// Waits for a place.
    pub(crate) async fn enter(self: &Arc<Self>) -> Slot {
        // It is never closed.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        Slot { crowd: Arc::clone(self), permit }
    }

    /// Returns whether more than half of the places are taken.
    fn is_dense(&self) -> bool {
        self.places.available_permits() < self.size / 2
    }

    pub(crate) fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    fn look(&self) {
        self.is_dense.send_if_modified(|known| std::mem::replace(known, self.is_dense()) != *known);
    }
}

impl Slot {
    /// Says that somebody has come to this place.
    pub(crate) fn settle(&self) {
        self.crowd.look();
    }

    /// Ends once the connection has asked for nothing for `patience`, while most places are taken.
    pub(crate) async fn outstayed(&self, activity: &Activity, patience: Duration) {
        let mut dense = self.crowd.is_dense.subscribe();
        loop {
            // The sender is in the crowd, and lives as long as this does.
            drop(dense.wait_for(|dense| *dense).await);
            match activity.idle_since() {
                Some(since) if since.elapsed() >= patience => return,
                Some(since) => sleep_until(since + patience).await,
                None => sleep(patience).await,
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.crowd.look();
    }
}

/// What a connection is doing: something from the moment that the head of a request has come until
/// the last of its answer has gone.
#[derive(Debug)]
pub(crate) struct Activity {
    requests: Mutex<(usize, Instant)>,
    is_blocked: AtomicBool,
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: Mutex::new((0, Instant::now())),
            is_blocked: AtomicBool::new(false),
        })
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        // Nothing here can panic halfway.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        InFlight(Arc::clone(self))
    }

    /// Remembers whether the other side does not take what is sent.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Returns since when the connection has asked for nothing, if so.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let (requests, since) = *self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        (requests == 0 && !self.is_blocked.load(Ordering::Relaxed)).then_some(since)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut requests = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests = (requests.0 - 1, Instant::now());
    }
}
