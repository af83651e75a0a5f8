//! What a provider brings to be judged.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::{Capabilities, StateStore, Workspace};

/// A store to be judged, and what its setup promises about it.
///
/// The state key must be fresh: no state, lock or version may be there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// The store.
    pub store: Arc<dyn StateStore>,
    /// What the store must be able to do. A behaviour that needs more than this is skipped; a
    /// store that can do less than this fails.
    pub declares: Capabilities,
    /// How to get at locks behind the store's back; without it, unreadable locks cannot be tried.
    pub raw_locks: Option<Arc<dyn RawLocks>>,
    /// How much to do.
    pub scale: Scale,
    /// Locks are listed for workspaces that have a state, and not for others: they cannot be
    /// listed by themselves.
    pub lists_locks_of_states_only: bool,
    guard: Arc<dyn Any + Send + Sync>,
}

impl Debug for dyn RawLocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawLocks")
    }
}

impl Setup {
    /// Brings a store.
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

    /// Sets how to get at locks behind the store's back.
    #[must_use]
    pub fn with_raw_locks(mut self, raw_locks: Arc<dyn RawLocks>) -> Self {
        self.raw_locks = Some(raw_locks);
        self
    }

    /// Sets how much to do.
    #[must_use]
    pub fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Says that locks are listed for workspaces that have a state, and not for others.
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

/// How much the larger behaviours do.
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

/// Locks as other clients leave them: reading and writing a lock object without the store under
/// test.
///
/// # Panics
/// Implementations panic where they fail: they are part of a test.
#[async_trait]
pub trait RawLocks: Send + Sync {
    /// Puts these bytes where the lock of a workspace stands.
    async fn put(&self, workspace: &Workspace, bytes: Bytes);

    /// Returns the bytes that stand where the lock of a workspace does, or `None` if there are
    /// none.
    async fn get(&self, workspace: &Workspace) -> Option<Bytes>;
}

/// What came of a behaviour that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a skip has to be reported"]
pub enum Outcome {
    /// The store kept the promise.
    Kept,
    /// The setup does not have what it takes to try, and never said that it has.
    Skipped(&'static str),
}

impl Outcome {
    /// Says on standard error that a behaviour was skipped, so that no skip looks like a success.
    #[expect(clippy::print_stderr, reason = "this is the voice of a test")]
    pub fn report(self, name: &str) {
        if let Self::Skipped(reason) = self {
            eprintln!("skipped {name}: {reason}");
        }
    }
}
