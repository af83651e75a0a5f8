//! The lock that a command leaves behind on purpose.

use std::sync::atomic::{AtomicBool, Ordering};

use remote_state::Workspace;

/// Whether the lock of a workspace has to stay held after work that failed.
#[derive(Debug)]
pub(crate) struct KeptLock<'a> {
    pub(super) workspace: &'a Workspace,
    is_asked: AtomicBool,
}

impl<'a> KeptLock<'a> {
    pub(crate) fn of(workspace: &'a Workspace) -> Self {
        Self { workspace, is_asked: AtomicBool::new(false) }
    }

    /// Asks that the lock stays held.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }
}
