//! What a store can do, and where it keeps things.

use crate::advice::Advice;
use crate::error::{Error, ErrorKind};

/// Where a workspace's state and lock are kept, in the words of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateLocation {
    /// The path that native clients write into lock records: `<bucket>/<state key>`.
    pub path: String,
    /// The state object, as a URL such as `s3://bucket/key`.
    pub state: String,
    /// The lock objects, as URLs, in the order in which they are taken. None if no lock is
    /// configured.
    pub locks: Vec<String>,
}

impl StateLocation {
    /// Names a state and its locks.
    pub fn new(path: impl Into<String>, state: impl Into<String>, locks: Vec<String>) -> Self {
        Self { path: path.into(), state: state.into(), locks }
    }
}

/// What a store can do, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Locks are configured.
    pub locking: bool,
    /// What to configure so that locks are taken, for where none are.
    pub lock_advice: &'static [Advice],
    /// [`WriteMode::Create`](crate::WriteMode::Create) and [`WriteMode::Update`](crate::WriteMode::Update) are decided by the store itself,
    /// atomically. Without this the provider looks before it writes, and the lock alone keeps
    /// others out in between.
    pub conditional_write: bool,
    /// A digest of each state is kept beside it: a state is verified when its body has been read
    /// to the end, and not before.
    pub digests: bool,
    /// The store can list and read older versions, if the bucket keeps them.
    pub versions: bool,
    /// The store keeps the [`Annotations`](crate::Annotations) of a write, and a read returns them.
    pub annotations: bool,
}

impl Capabilities {
    /// Sets whether locks are configured.
    #[must_use]
    pub fn with_locking(mut self, locking: bool) -> Self {
        self.locking = locking;
        self
    }

    /// Sets what to configure so that locks are taken.
    #[must_use]
    pub fn with_lock_advice(mut self, advice: &'static [Advice]) -> Self {
        self.lock_advice = advice;
        self
    }

    /// Returns the error for an operation that needs a lock where none is configured.
    pub fn no_lock(&self, operation: &'static str, location: &StateLocation) -> Error {
        let message = format!("no lock is configured for `{}`", location.state);
        let error = Error::new(ErrorKind::ConfigInvalid, operation, message);
        self.lock_advice.iter().cloned().fold(error, Error::with_advice)
    }

    /// Sets whether the store decides write conditions itself.
    #[must_use]
    pub fn with_conditional_write(mut self, conditional_write: bool) -> Self {
        self.conditional_write = conditional_write;
        self
    }

    /// Sets whether states are verified by a digest that is kept beside them.
    #[must_use]
    pub fn with_digests(mut self, digests: bool) -> Self {
        self.digests = digests;
        self
    }

    /// Sets whether the annotations of a write are kept.
    #[must_use]
    pub fn with_annotations(mut self, annotations: bool) -> Self {
        self.annotations = annotations;
        self
    }

    /// Sets whether older versions can be listed and read.
    #[must_use]
    pub fn with_versions(mut self, versions: bool) -> Self {
        self.versions = versions;
        self
    }
}
