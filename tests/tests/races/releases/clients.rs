//! The clients of a race, which take and release a lock.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_conformance::HttpTarget;
use remote_state_core::{ErrorKind, LockId, LockInfo, LockTarget, Released, StateStore, Workspace};
use remote_state_tests::{Cmd, Sandbox};

use crate::lock_info;

/// Takes and releases the lock of one state.
#[async_trait]
pub(crate) trait Client: Send + Sync {
    /// Takes the lock, or returns `None` if another client holds it.
    async fn take(&self) -> Option<LockId>;

    /// Releases a lock, and returns whether the store confirmed it; if not, another lock was there.
    async fn give_back(&self, id: &LockId) -> bool;
}

/// A store in this process, which shares nothing with the others.
#[async_trait]
impl Client for Arc<dyn StateStore> {
    async fn take(&self) -> Option<LockId> {
        match self.acquire(&Workspace::default(), &lock_info("race")).await {
            Ok(info) => Some(info.id),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
                None
            }
        }
    }

    async fn give_back(&self, id: &LockId) -> bool {
        match self.release(&Workspace::default(), &LockTarget::Id(id.clone())).await {
            Ok(released) => released != Released::AlreadyFree,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
                false
            }
        }
    }
}

/// A client of Terraform's `http` protocol.
#[async_trait]
impl Client for HttpTarget {
    async fn take(&self) -> Option<LockId> {
        let info = lock_info("race");
        let answer = self.send("LOCK", "/state/default", Some(Bytes::from(info.to_json()))).await;
        match answer.status {
            200 => Some(info.id),
            423 => None,
            status => panic!("a lock is granted or held, and not {status}: {answer:?}"),
        }
    }

    async fn give_back(&self, id: &LockId) -> bool {
        let info = LockInfo { id: id.clone(), ..lock_info("race") };
        let answer = self.send("UNLOCK", "/state/default", Some(Bytes::from(info.to_json()))).await;
        match answer.status {
            // The server also answers this for a lock that is free. `contend` checks before it
            // releases.
            200 => true,
            409 | 423 => false,
            status => panic!("a lock is given back or another's, and not {status}: {answer:?}"),
        }
    }
}

/// `remote-state lock` and `remote-state unlock`, each a process of its own.
pub(crate) struct Commands<F> {
    /// Returns a command line that names the place.
    pub(crate) flagged: F,
    pub(crate) sandbox: Arc<Sandbox>,
}

impl<F: Fn(&Sandbox) -> Cmd> Commands<F> {
    async fn run(&self, words: &[&str]) -> remote_state_tests::Output {
        let command = (self.flagged)(&self.sandbox).args(words);
        let running = tokio::task::spawn_blocking(move || command.run());
        running.await.expect("the command runs")
    }
}

#[async_trait]
impl<F: Fn(&Sandbox) -> Cmd + Send + Sync> Client for Commands<F> {
    async fn take(&self) -> Option<LockId> {
        let output = self.run(&["lock"]).await;
        match output.status.code() {
            Some(0) => Some(LockId::new(output.stdout().trim())),
            Some(3) => None,
            _ => panic!("a lock is granted or held: {output:?}"),
        }
    }

    async fn give_back(&self, id: &LockId) -> bool {
        let output = self.run(&["unlock", id.as_str()]).await;
        match output.status.code() {
            Some(0) => true,
            // Another lock is held, or none.
            Some(3 | 4) => false,
            _ => panic!("a lock is given back or another's: {output:?}"),
        }
    }
}
