//! What a store can do, and where it keeps states and locks.

use crate::advice::Advice;
use crate::error::{Error, ErrorKind};
use crate::store::state::StateMeta;

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

/// Whether locks are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locking {
    /// No lock is configured.
    #[default]
    None,
    /// A client that holds the lock excludes all others.
    Exclusive,
}

/// Who checks the precondition of a write: see [`WriteMode`](crate::WriteMode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteConditions {
    /// The provider reads before it writes, and only the lock keeps others out in between.
    #[default]
    ReadFirst,
    /// In a bucket that keeps no versions the store itself, elsewhere as with
    /// [`ReadFirst`](Self::ReadFirst).
    AtomicIfUnversioned,
    /// The store itself, atomically with the write.
    Atomic,
}

/// Whether the store keeps a digest of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Digests {
    /// It keeps none.
    #[default]
    None,
    /// It keeps the MD5 of each state. A state is verified only when its body has been read to the
    /// end.
    Md5,
}

/// Whether the store can list and read older versions, if the bucket keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Versions {
    /// It cannot.
    #[default]
    None,
    /// It can. A write that began after another one had ended is listed as the later one. The order
    /// of concurrent writes is not known.
    InOrder,
    /// It can. The order of the versions is that of the times of the store, so the order of two
    /// versions with the same time is not known.
    ByTime,
}

/// Whether the store keeps the [`Annotations`](crate::Annotations) of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnotationStorage {
    /// They are lost.
    #[default]
    None,
    /// A read of the state returns them.
    WithState,
}

/// What a store can do, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether locks are configured.
    pub locking: Locking,
    /// What to configure so that clients take locks, if none are configured.
    pub lock_advice: &'static [Advice],
    /// Who checks the precondition of a write.
    pub conditions: WriteConditions,
    /// Whether the store keeps a digest of each state.
    pub digests: Digests,
    /// Whether the store can list and read older versions.
    pub versions: Versions,
    /// Whether the store keeps the annotations of a write.
    pub annotations: AnnotationStorage,
}

impl Capabilities {
    /// Sets whether locks are configured.
    #[must_use]
    pub fn with_locking(mut self, locking: Locking) -> Self {
        self.locking = locking;
        self
    }

    /// Sets what to configure so that clients take locks.
    #[must_use]
    pub fn with_lock_advice(mut self, advice: &'static [Advice]) -> Self {
        self.lock_advice = advice;
        self
    }

    /// Sets who checks the precondition of a write.
    #[must_use]
    pub fn with_conditions(mut self, conditions: WriteConditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Sets whether the store keeps digests.
    #[must_use]
    pub fn with_digests(mut self, digests: Digests) -> Self {
        self.digests = digests;
        self
    }

    /// Sets whether the store can list and read older versions.
    #[must_use]
    pub fn with_versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Sets whether the store keeps the annotations of a write.
    #[must_use]
    pub fn with_annotations(mut self, annotations: AnnotationStorage) -> Self {
        self.annotations = annotations;
        self
    }

    /// Returns whether clients can lock a state.
    pub fn has_locks(&self) -> bool {
        self.locking != Locking::None
    }

    /// Returns whether the store checks the precondition of every write itself.
    pub fn writes_conditionally(&self) -> bool {
        self.conditions == WriteConditions::Atomic
    }

    /// Returns whether the store checks the precondition of a write over this state itself, which
    /// may depend on whether its bucket keeps versions.
    pub fn writes_conditionally_over(&self, stored: &StateMeta) -> bool {
        match self.conditions {
            WriteConditions::ReadFirst => false,
            WriteConditions::AtomicIfUnversioned => stored.version.is_none(),
            WriteConditions::Atomic => true,
        }
    }

    /// Returns whether the store keeps digests.
    pub fn has_digests(&self) -> bool {
        self.digests != Digests::None
    }

    /// Returns whether the store can list and read older versions.
    pub fn has_versions(&self) -> bool {
        self.versions != Versions::None
    }

    /// Returns whether the store keeps annotations.
    pub fn has_annotations(&self) -> bool {
        self.annotations != AnnotationStorage::None
    }

    /// Returns the error for an operation that needs a lock if none is configured.
    pub fn no_lock(&self, operation: &'static str, location: &StateLocation) -> Error {
        let message = format!("no lock is configured for `{}`", location.state);
        let error = Error::new(ErrorKind::ConfigInvalid, operation, message);
        self.lock_advice.iter().cloned().fold(error, Error::with_advice)
    }
}
