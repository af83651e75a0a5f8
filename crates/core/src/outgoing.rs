//! A state to write: the bytes, and the decision that makes them visible.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::error::Result;
use crate::source::{StateFile, StateSource};

/// A state on its way into a store.
///
/// The caller may decide while the store already prepares the write. The store makes nothing
/// visible before the decision, nor if the decision is no.
pub struct Outgoing {
    source: StateSource,
    decision: Option<BoxFuture<'static, Result<()>>>,
}

impl Outgoing {
    /// Creates a state that may be stored at once.
    pub fn new(source: impl Into<StateSource>) -> Self {
        Self { source: source.into(), decision: None }
    }

    /// Sets the decision: `Ok` makes the state visible; with an error the write stores nothing and
    /// returns that error.
    #[must_use]
    pub fn with_decision(
        mut self,
        decision: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Self {
        self.decision = Some(decision.boxed());
        self
    }

    /// Returns the length of the state in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.source.size_bytes()
    }

    /// Returns the bytes and the decision, for a store that sends the bytes while it waits and
    /// holds back their end, or the request that makes them visible.
    ///
    /// A file may not have been read yet: such a store sends what [`StateFile::pass`] hands out, or
    /// calls [`StateSource::examined`] first.
    pub fn into_parts(self) -> (StateSource, BoxFuture<'static, Result<()>>) {
        (self.source, self.decision.unwrap_or_else(|| std::future::ready(Ok(())).boxed()))
    }

    /// Waits for the decision, reads a file that was not read yet, and returns the bytes if they
    /// may be stored.
    ///
    /// # Errors
    /// The decision, if it is no; those of [`StateSource::examined`].
    pub async fn decided(self) -> Result<StateSource> {
        if let Some(decision) = self.decision {
            decision.await?;
        }
        self.source.examined().await
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, decision } = self;
        f.debug_struct("Outgoing")
            .field("source", source)
            .field("waits_for_decision", &decision.is_some())
            .finish()
    }
}

impl From<StateSource> for Outgoing {
    fn from(source: StateSource) -> Self {
        Self::new(source)
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl From<StateFile> for Outgoing {
    fn from(file: StateFile) -> Self {
        Self::new(file)
    }
}
