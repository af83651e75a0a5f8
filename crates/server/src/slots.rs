//! The number of connections, and whether each is idle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// The connections of one server. Further ones wait in the system's queue, so that enough
/// descriptors are left for the store.
#[derive(Debug)]
pub(crate) struct Slots {
    places: Arc<Semaphore>,
    size: usize,
    is_mostly_taken: watch::Sender<bool>,
}

/// The place of a connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        let size = size.clamp(2, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(size)),
            size,
            is_mostly_taken: watch::Sender::new(false),
        })
    }

    /// Waits for a place.
    pub(crate) async fn enter(self: &Arc<Self>) -> Slot {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        Slot { slots: Arc::clone(self), permit }
    }

    /// Returns whether more than half of the places are taken.
    fn is_mostly_taken(&self) -> bool {
        self.places.available_permits() < self.size / 2
    }

    pub(crate) fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    fn look(&self) {
        self.is_mostly_taken
            .send_if_modified(|known| std::mem::replace(known, self.is_mostly_taken()) != *known);
    }
}

impl Slot {
    /// Counts the connection, once it is accepted.
    pub(crate) fn occupy(&self) {
        self.slots.look();
    }

    /// Returns once the connection has been idle for `limit` while most places are taken.
    pub(crate) async fn idle_too_long(&self, activity: &Activity, limit: Duration) {
        let mut mostly_taken = self.slots.is_mostly_taken.subscribe();
        loop {
            // `wait_for` cannot fail: the sender lives as long as the slot.
            drop(mostly_taken.wait_for(|mostly_taken| *mostly_taken).await);
            match activity.idle_since() {
                Some(since) if since.elapsed() >= limit => return,
                Some(since) => sleep_until(since + limit).await,
                None => sleep(limit).await,
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.slots.look();
    }
}

/// Whether a connection is idle. It is busy from the moment that the head of a request has arrived
/// until the answer is sent.
#[derive(Debug)]
pub(crate) struct Activity {
    requests: Mutex<(usize, Instant)>,
    is_blocked: AtomicBool,
}

/// A request in flight. It ends when dropped.
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
        // A panic cannot leave the counter half changed.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        InFlight(Arc::clone(self))
    }

    /// Sets whether the client does not take the data of an answer.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Returns since when the connection is idle, or `None` if it is busy.
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
