//! What the server lets a client do beyond what the protocol settles.

/// Choices that the protocol leaves to whoever runs the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Refuse writes and deletions by clients that hold no lock (`terraform apply -lock=false`, or
    /// no lock address) with `428`.
    pub require_lock: bool,
    /// What to do about a write that leaves a state without resources where that is not the
    /// operation's purpose, and whether a state that has some may be deleted.
    pub emptied: Emptied,
    /// Accept a lower serial and another lineage. On the wire `terraform state push -force` looks
    /// like any other push, so this is the only way to let one through.
    pub force_write: bool,
}

impl Policy {
    /// Sets whether writing takes a lock.
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

    /// Sets whether serial and lineage may go anywhere.
    #[must_use]
    pub fn with_force_write(mut self, force_write: bool) -> Self {
        self.force_write = force_write;
        self
    }
}

/// What to do when a state that has resources is replaced by one that has none, by something other
/// than apply, destroy, `state rm` or `state push`, or is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emptied {
    /// Store it.
    Allow,
    /// Store it, and log a warning.
    #[default]
    Warn,
    /// Refuse it with `409`; and so the deletion of a state that has resources or cannot be read.
    Deny,
}

impl Emptied {
    /// Returns whether emptying a state is what the operation is for.
    pub(crate) fn is_expected_of(operation: Option<&str>) -> bool {
        matches!(
            operation,
            Some("OperationTypeApply" | "OperationTypeDestroy" | "state-push" | "state-rm")
        )
    }
}
