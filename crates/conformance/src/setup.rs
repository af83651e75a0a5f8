//! The store under test.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::{Capabilities, StateStore, Workspace};

/// A store under test, and what its setup declares.
///
/// The state key must be fresh: no state, lock or version may be there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// The store.
    pub store: Arc<dyn StateStore>,
    /// What the store must be able to do. Behaviours that need more are skipped; a store that can
    /// do less fails.
    pub declares: Capabilities,
    /// Access to lock objects without the store. Without it, the behaviours with unreadable locks
    /// are skipped.
    pub raw_locks: Option<Arc<dyn RawLocks>>,
    /// The amount of work.
    pub scale: Scale,
    /// The store lists only locks of workspaces that have a state, since it cannot list locks by
    /// themselves.
    pub lists_locks_of_states_only: bool,
    guard: Arc<dyn Any + Send + Sync>,
}

impl Debug for dyn RawLocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawLocks")
    }
}

impl Setup {
    /// Describes a store.
    pub fn new(store: Arc<dyn StateStore>, declares: Capabilities) -> Self {
        Self {
            store,
            declares,
            raw_locks: None,
            scale: Scale::default(),
            lists_locks_of_states_only: false,
            guard: Arc::new(()),
        }
    }

    /// Sets the access to lock objects without the store.
    #[must_use]
    pub fn with_raw_locks(mut self, raw_locks: Arc<dyn RawLocks>) -> Self {
        self.raw_locks = Some(raw_locks);
        self
    }

    /// Sets the amount of work.
    #[must_use]
    pub fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Declares that the store lists only locks of workspaces that have a state.
    #[must_use]
    pub fn with_locks_of_states_only(mut self) -> Self {
        self.lists_locks_of_states_only = true;
        self
    }

    /// Keeps something alive as long as the setup: a server in this process, a temporary folder.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Arc::new((self.guard, guard));
        self
    }
}

/// The amount of work of the larger behaviours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scale {
    /// How many tasks race; 100.
    pub racers: usize,
    /// How many workspaces to list; 1,100, which is more than a page of S3.
    pub workspaces: usize,
    /// How long a large state is; 6 MiB, which is more than a part of a multipart upload.
    pub large_bytes: usize,
    /// How long a huge state is; 64 MiB.
    pub huge_bytes: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self { racers: 100, workspaces: 1100, large_bytes: 6 << 20, huge_bytes: 64 << 20 }
    }
}

impl Scale {
    /// Sets how many tasks race.
    #[must_use]
    pub fn with_racers(mut self, racers: usize) -> Self {
        self.racers = racers;
        self
    }

    /// Sets how many workspaces to list.
    #[must_use]
    pub fn with_workspaces(mut self, workspaces: usize) -> Self {
        self.workspaces = workspaces;
        self
    }

    /// Sets how long a large state is, in bytes.
    #[must_use]
    pub fn with_large_bytes(mut self, large_bytes: usize) -> Self {
        self.large_bytes = large_bytes;
        self
    }

    /// Sets how long a huge state is, in bytes.
    #[must_use]
    pub fn with_huge_bytes(mut self, huge_bytes: usize) -> Self {
        self.huge_bytes = huge_bytes;
        self
    }
}

/// Access to lock objects without the store under test, as other clients have it.
///
/// # Panics
/// Implementations panic if they fail, since they are part of a test.
#[async_trait]
pub trait RawLocks: Send + Sync {
    /// Writes these bytes to the lock object of a workspace.
    async fn put(&self, workspace: &Workspace, bytes: Bytes);

    /// Returns the bytes of the lock object of a workspace, or `None` if there is none.
    async fn get(&self, workspace: &Workspace) -> Option<Bytes>;
}

/// The outcome of a behaviour that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a skip has to be reported"]
pub enum Outcome {
    /// The store kept the promise.
    Kept,
    /// The setup lacks what the behaviour needs, and does not declare it.
    Skipped(&'static str),
}

impl Outcome {
    /// Prints on standard error that a behaviour was skipped, so that a skip does not look like a
    /// success.
    #[expect(clippy::print_stderr, reason = "a test reports on standard error")]
    pub fn report(self, name: &str) {
        if let Self::Skipped(reason) = self {
            eprintln!("skipped {name}: {reason}");
        }
    }
}
