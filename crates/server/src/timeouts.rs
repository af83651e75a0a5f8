//! How long the server waits for its clients.

use std::time::Duration;

/// How long the server waits for a client at most once it begins to stop. A client that goes on
/// gets its answer, and an idle one does not delay the end.
pub(crate) const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How long the server waits for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the head of a request, and for the next request on an open connection; 60 s.
    pub head: Duration,
    /// The same while more than half of the allowed connections are open; 2 s.
    pub crowded_head: Duration,
    /// For the next piece of a request's body; 60 s.
    pub body: Duration,
    /// For the client to take the next piece of an answer; 60 s, and at most 5 s once the server
    /// begins to stop.
    pub write: Duration,
    /// For requests in flight when the server begins to stop; 10 min, since a large state may take
    /// long to store.
    pub stop: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        let crowded_head = Duration::from_secs(2);
        Self { head: minute, crowded_head, body: minute, write: minute, stop: 10 * minute }
    }
}

impl Timeouts {
    /// Sets how long to wait for the head of a request.
    #[must_use]
    pub fn with_head(mut self, head: Duration) -> Self {
        self.head = head;
        self
    }

    /// Sets how long to wait for the head of a request while more than half of the allowed
    /// connections are open.
    #[must_use]
    pub fn with_crowded_head(mut self, crowded_head: Duration) -> Self {
        self.crowded_head = crowded_head;
        self
    }

    /// Sets how long to wait for the next piece of a body.
    #[must_use]
    pub fn with_body(mut self, body: Duration) -> Self {
        self.body = body;
        self
    }

    /// Sets how long to wait for the client to take the next piece of an answer.
    #[must_use]
    pub fn with_write(mut self, write: Duration) -> Self {
        self.write = write;
        self
    }

    /// Sets how long to wait for requests in flight at the end.
    #[must_use]
    pub fn with_stop(mut self, stop: Duration) -> Self {
        self.stop = stop;
        self
    }
}
