//! What a request is for.

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The state is read.
    Read,
    /// A state is stored.
    Write,
    /// The state is deleted.
    Delete,
    /// The lock is taken.
    Lock,
    /// The lock is released.
    Unlock,
    /// The lock is looked at.
    ShowLock,
}
