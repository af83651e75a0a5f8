//! What a request is for.

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Reads the state.
    Read,
    /// Stores a state.
    Write,
    /// Deletes the state.
    Delete,
    /// Takes the lock.
    Lock,
    /// Releases the lock.
    Unlock,
    /// Shows the lock.
    ShowLock,
}
