//! How a transfer ends early, and what it leaves.

use remote_state_core::{Error, ErrorKind};

/// What a transfer that ended early has left in the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtTarget {
    /// This run changed nothing there. What an earlier run has left may not be known.
    Untouched,
    /// What was there before is there again.
    TakenBack,
    /// The copy may be there, and the source may be in use: the target must not be used.
    MayBeThere,
    /// A later state is there, which is in use. The source is an older copy of it.
    Later,
    /// The copy may be there, and whether the source is sealed is not known.
    Unclear,
    /// The state is there, and the source is sealed.
    Moved,
}

/// Why a transfer ended early.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) error: Error,
    pub(crate) at: AtTarget,
}

impl Stopped {
    pub(crate) fn new(error: Error, at: AtTarget) -> Self {
        Self { error, at }
    }
}

/// Only for what happens before anything is written.
impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { error, at: AtTarget::Untouched }
    }
}

/// Returns whether an error says that the store has refused the request, so that nothing of it can
/// take effect later.
pub(crate) fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PreconditionFailed
            | ErrorKind::PermissionDenied
            | ErrorKind::CredentialInvalid
            | ErrorKind::ConfigInvalid
            | ErrorKind::NotFound
            | ErrorKind::RateLimited
            | ErrorKind::Unsupported
    )
}
