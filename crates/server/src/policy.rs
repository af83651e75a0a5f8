//! What clients may do.

/// Choices that the protocol leaves to the operator of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Answer writes and deletions by clients that hold no lock (`terraform apply -lock=false`, or
    /// no lock address) with `428`.
    pub require_lock: bool,
    /// What to do if a write leaves a state without resources and the operation does not exist for
    /// that purpose, and whether clients may delete a state that has resources.
    pub emptied: Emptied,
    /// Accept a lower serial and another lineage. On the wire `terraform state push -force` looks
    /// like any other push, so this is the only way to let one through.
    pub force_write: bool,
}

impl Policy {
    /// Sets whether clients must hold the lock to write.
    #[must_use]
    pub fn with_require_lock(mut self, require_lock: bool) -> Self {
        self.require_lock = require_lock;
        self
    }

    /// Sets what to do about emptied states.
    #[must_use]
    pub fn with_emptied(mut self, emptied: Emptied) -> Self {
        self.emptied = emptied;
        self
    }

    /// Sets whether clients may write any serial and lineage.
    #[must_use]
    pub fn with_force_write(mut self, force_write: bool) -> Self {
        self.force_write = force_write;
        self
    }
}

/// What to do when a client deletes a state that has resources, or replaces it by one that has none
/// with something other than apply, destroy, `state rm` or `state push`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emptied {
    /// Store it.
    Allow,
    /// Store it, and log a warning.
    #[default]
    Warn,
    /// Refuse it with `409`. This also refuses to delete a state that has resources or cannot be
    /// read.
    Deny,
}

impl Emptied {
    /// Returns whether the operation exists to empty a state.
    pub(crate) fn is_expected_of(operation: Option<&str>) -> bool {
        matches!(
            operation,
            Some("OperationTypeApply" | "OperationTypeDestroy" | "state-push" | "state-rm")
        )
    }
}
