//! What a store can do, and where it keeps states and locks.

use crate::advice::Advice;
use crate::error::{Error, ErrorKind};

/// Where the store keeps a workspace's state and lock, in the store's own names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateLocation {
    /// The path that native clients write into lock records: `<bucket>/<state key>`.
    pub path: String,
    /// The state object, as a URL such as `s3://bucket/key`.
    pub state: String,
    /// The lock objects, as URLs, in the order in which a client takes them. Empty if no lock is
    /// configured.
    pub locks: Vec<String>,
}

impl StateLocation {
    /// Creates a location from a state and its locks.
    pub fn new(path: impl Into<String>, state: impl Into<String>, locks: Vec<String>) -> Self {
        Self { path: path.into(), state: state.into(), locks }
    }
}

/// What a store can do, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether locks are configured.
    pub locking: bool,
    /// What to configure so that clients take locks, if none are configured.
    pub lock_advice: &'static [Advice],
    /// Whether the store itself checks [`WriteMode::Create`](crate::WriteMode::Create) and
    /// [`WriteMode::Update`](crate::WriteMode::Update), atomically. Otherwise the provider reads
    /// before it writes, and only the lock keeps others out in between.
    pub conditional_write: bool,
    /// Whether the store keeps a digest of each state. It verifies a state only when the body has
    /// been read to the end.
    pub digests: bool,
    /// Whether the store can list and read older versions, if the bucket keeps them.
    pub versions: bool,
    /// Whether the store keeps the [`Annotations`](crate::Annotations) of a write, and a read
    /// returns them.
    pub annotations: bool,
}

impl Capabilities {
    /// Sets whether locks are configured.
    #[must_use]
    pub fn with_locking(mut self, locking: bool) -> Self {
        self.locking = locking;
        self
    }

    /// Sets what to configure so that clients take locks.
    #[must_use]
    pub fn with_lock_advice(mut self, advice: &'static [Advice]) -> Self {
        self.lock_advice = advice;
        self
    }

    /// Returns the error for an operation that needs a lock if none is configured.
    pub fn no_lock(&self, operation: &'static str, location: &StateLocation) -> Error {
        let message = format!("no lock is configured for `{}`", location.state);
        let error = Error::new(ErrorKind::ConfigInvalid, operation, message);
        self.lock_advice.iter().cloned().fold(error, Error::with_advice)
    }

    /// Sets whether the store checks write conditions itself.
    #[must_use]
    pub fn with_conditional_write(mut self, conditional_write: bool) -> Self {
        self.conditional_write = conditional_write;
        self
    }

    /// Sets whether the store keeps digests and verifies states with them.
    #[must_use]
    pub fn with_digests(mut self, digests: bool) -> Self {
        self.digests = digests;
        self
    }

    /// Sets whether the store keeps the annotations of a write.
    #[must_use]
    pub fn with_annotations(mut self, annotations: bool) -> Self {
        self.annotations = annotations;
        self
    }

    /// Sets whether the store can list and read older versions.
    #[must_use]
    pub fn with_versions(mut self, versions: bool) -> Self {
        self.versions = versions;
        self
    }
}
