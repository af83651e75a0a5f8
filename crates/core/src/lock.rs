//! Holding a lock: waiting for it, and releasing it.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use tokio::time::{Instant, sleep};

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::names::LockId;
use crate::push::{HeldLock, NewState, PushError, PushRules, Pushed, push};
use crate::store::{LockRecord, LockTarget, ReadOptions, Released, StateBytes, StateStore};
use crate::workspace::Workspace;

/// How long to wait for a lock that another client holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockWait {
    /// How long to keep trying; zero means one attempt.
    pub timeout: Duration,
}

impl LockWait {
    /// Waits for at most `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

/// The longest pause between two attempts, as in Terraform's own clients.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// A lock that is held until [`release`](Self::release).
///
/// Dropping an unreleased guard leaves the lock held and logs its id: a release needs a request,
/// which a destructor cannot send.
#[derive(Debug)]
#[must_use = "the lock stays held until it is released"]
pub struct LockGuard {
    store: Arc<dyn StateStore>,
    workspace: Workspace,
    info: LockInfo,
    is_released: bool,
}

impl LockGuard {
    /// Returns the stored record.
    pub fn info(&self) -> &LockInfo {
        &self.info
    }

    /// Returns the lock's id.
    pub fn id(&self) -> &LockId {
        &self.info.id
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// As [`StateStore::release`]. The lock may still be held then.
    pub async fn release(mut self) -> Result<Released> {
        let released =
            self.store.release(&self.workspace, &LockTarget::Id(self.info.id.clone())).await;
        // The result reports the outcome: the destructor adds a message only if the release was
        // dropped before its result.
        self.is_released = true;
        released
    }

    /// Leaves the lock held and returns its record, for a later release by its id.
    pub fn keep(mut self) -> LockInfo {
        self.is_released = true;
        self.info.clone()
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.is_released {
            tracing::warn!(
                workspace = self.workspace.as_str(),
                lock_id = self.info.id.as_str(),
                "a lock was dropped without being released; it is still held"
            );
        }
    }
}

/// What to do between two attempts to take a lock that another client holds.
///
/// A waiter that wants to give up breaks here, while no request is under way. Dropping the future
/// of [`StateStoreExt::lock`] instead may interrupt an attempt, and the client may then hold the
/// lock without knowing.
#[async_trait]
pub trait LockWaiting: Send + Sync {
    /// Waits for `pause` or less, and then says whether to try again.
    async fn pause(&self, holder: &LockRecord, pause: Duration) -> ControlFlow<()>;
}

/// Waits as long as necessary and reports nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience;

impl Patience {
    async fn pause_for(self, pause: Duration) -> ControlFlow<()> {
        sleep(pause).await;
        ControlFlow::Continue(())
    }
}

#[async_trait]
impl LockWaiting for Patience {
    async fn pause(&self, _: &LockRecord, pause: Duration) -> ControlFlow<()> {
        self.pause_for(pause).await
    }
}

mod sealed {
    /// Keeps [`StateStoreExt`](super::StateStoreExt) to the stores of this crate's contract, so
    /// that it may get more methods.
    pub trait Sealed {}

    impl Sealed for std::sync::Arc<dyn crate::StateStore> {}
}

/// Convenience methods for every `Arc<dyn StateStore>`: see [`StateStore`]. No other type
/// implements it.
#[async_trait]
pub trait StateStoreExt: sealed::Sealed {
    /// Takes the lock of a workspace, waiting while another client holds it.
    ///
    /// Attempts follow after 1, 2, 4, 8, 16, 16 … seconds, as in Terraform's own clients. `waiting`
    /// receives the holder before each pause, and may give up there.
    ///
    /// # Errors
    /// `LockHeld` with the last holder when the time is up; every other failure at once.
    async fn lock(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        wait: LockWait,
        waiting: &dyn LockWaiting,
    ) -> Result<LockGuard>;

    /// Takes the lock of a workspace as [`lock`](Self::lock) does, waits for `work`, and releases
    /// the lock, whether or not the work succeeded.
    ///
    /// # Errors
    /// Those of `lock`; the error of the work. If the work succeeded: `PreconditionFailed` if the
    /// lock was released meanwhile, and the reason if the lock could not be released. If the work
    /// failed and the lock cannot be released, a warning with the lock's id is logged.
    async fn with_lock<T: Send, E: From<Error> + Send>(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        wait: LockWait,
        waiting: &dyn LockWaiting,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E>;

    /// Writes a state if it may follow the stored one. See [`push`](crate::push).
    ///
    /// # Errors
    /// See [`PushError`].
    async fn push(
        &self,
        workspace: &Workspace,
        new: &NewState,
        rules: &PushRules,
        lock: &HeldLock,
    ) -> Result<Pushed, PushError>;

    /// Reads the whole state of a workspace into memory, or returns `None` if none has been
    /// written.
    async fn read_bytes(&self, workspace: &Workspace) -> Result<Option<StateBytes>>;

    /// Lists all workspaces, `default` first, the others in byte order.
    async fn workspace_names(&self) -> Result<Vec<Workspace>>;
}

#[async_trait]
impl StateStoreExt for Arc<dyn StateStore> {
    async fn lock(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        wait: LockWait,
        waiting: &dyn LockWaiting,
    ) -> Result<LockGuard> {
        let info = wait_for(wait, waiting, || self.acquire(workspace, info)).await?;
        Ok(LockGuard {
            store: Self::clone(self),
            workspace: workspace.clone(),
            info,
            is_released: false,
        })
    }

    async fn with_lock<T: Send, E: From<Error> + Send>(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        wait: LockWait,
        waiting: &dyn LockWaiting,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let guard = self.lock(workspace, info, wait, waiting).await?;
        let id = guard.id().clone();
        let worked = work.await;
        match (worked, guard.release().await) {
            (Ok(_), Ok(Released::AlreadyFree)) => Err(Error::new(
                ErrorKind::PreconditionFailed,
                "release",
                "another client released the lock before the work was done",
            )
            .with_context("lock id", id)
            .into()),
            (Ok(_), Err(error)) => Err(error
                .with_context("lock id", id)
                .with_context("note", "the work was done; only the lock could not be released")
                .into()),
            (Ok(value), Ok(Released::Freed(_))) => Ok(value),
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(unreleased)) => {
                tracing::warn!(
                    lock_id = id.as_str(),
                    error = unreleased.to_string(),
                    "a lock could not be released"
                );
                Err(error)
            }
        }
    }

    async fn push(
        &self,
        workspace: &Workspace,
        new: &NewState,
        rules: &PushRules,
        lock: &HeldLock,
    ) -> Result<Pushed, PushError> {
        push(self, workspace, new, rules, lock).await
    }

    async fn read_bytes(&self, workspace: &Workspace) -> Result<Option<StateBytes>> {
        match self.read(workspace, &ReadOptions::default()).await? {
            Some(read) => read.collect().await.map(Some),
            None => Ok(None),
        }
    }

    async fn workspace_names(&self) -> Result<Vec<Workspace>> {
        let mut names: Vec<_> = self.workspaces().try_collect().await?;
        names.retain(|name| !name.is_default());
        names.sort_unstable();
        names.insert(0, Workspace::default());
        Ok(names)
    }
}

async fn wait_for<T, F>(
    wait: LockWait,
    waiting: &dyn LockWaiting,
    mut attempt: impl FnMut() -> F + Send,
) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let started = Instant::now();
    let mut pauses = Pauses::new(wait);
    let mut earlier: Option<Error> = None;
    loop {
        let error = match attempt().await {
            Ok(taken) => return Ok(taken),
            // The error reports what an attempt left in the store, however the wait ends.
            Err(error) => match &earlier {
                Some(earlier) => error.with_leftovers_of(earlier),
                None => error,
            },
        };
        if error.kind() != ErrorKind::LockHeld {
            return Err(error);
        }
        let Some(pause) = pauses.next(started.elapsed()) else {
            return Err(if wait.timeout.is_zero() {
                error.with_advice(Advice::WaitForLock)
            } else {
                error.with_context("waited", format!("{} s", wait.timeout.as_secs()))
            });
        };
        let flow = match error.holder() {
            Some(holder) => waiting.pause(holder, pause).await,
            None => Patience.pause_for(pause).await,
        };
        if flow.is_break() {
            return Err(error);
        }
        earlier = Some(error);
    }
}

/// The pauses between attempts: 1, 2, 4, 8, 16, 16 … seconds, as in Terraform's own clients.
#[derive(Debug)]
struct Pauses {
    timeout: Duration,
    pause: Duration,
}

impl Pauses {
    fn new(wait: LockWait) -> Self {
        Self { timeout: wait.timeout, pause: Duration::from_secs(1) }
    }

    /// Returns how long to pause now, or `None` if the time is up.
    ///
    /// The last pause is shortened, so that the final attempt comes at the deadline and not before
    /// it.
    fn next(&mut self, elapsed: Duration) -> Option<Duration> {
        let left = self.timeout.saturating_sub(elapsed);
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        (!left.is_zero()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::lock_info::LockContent;

    fn held() -> Error {
        Error::lock_held(
            "lock",
            "held",
            LockRecord::new(LockContent::Unreadable("garbage".into()), "s3://b/k.tflock"),
        )
    }

    fn pauses(timeout_secs: u64) -> Vec<u64> {
        let mut pauses = Pauses::new(LockWait::new(Duration::from_secs(timeout_secs)));
        let mut elapsed = Duration::ZERO;
        std::iter::from_fn(|| {
            let pause = pauses.next(elapsed)?;
            elapsed += pause;
            Some(pause.as_secs())
        })
        .collect()
    }

    #[test]
    fn attempts_follow_each_other_as_in_terraform_and_the_last_falls_on_the_deadline() {
        assert_eq!(pauses(60), [1, 2, 4, 8, 16, 16, 13]);
        assert_eq!(pauses(5), [1, 2, 2]);
        assert_eq!(pauses(0), [0_u64; 0]);
    }

    #[tokio::test]
    async fn a_held_lock_is_tried_again_until_it_is_free() {
        let tries = AtomicU32::new(0);
        let got = wait_for(LockWait::new(Duration::from_secs(60)), &Patience, || async {
            if tries.fetch_add(1, Ordering::Relaxed) < 1 { Err(held()) } else { Ok(()) }
        })
        .await;
        assert!(got.is_ok());
    }

    #[tokio::test]
    async fn without_a_timeout_there_is_one_attempt_and_the_holder_is_named() {
        let error = wait_for(LockWait::default(), &Patience, || async { Err::<(), _>(held()) })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld);
        assert!(error.holder().is_some());
    }

    #[tokio::test]
    async fn what_an_attempt_left_behind_is_told_whatever_ends_the_waiting() {
        struct GiveUp(u32, AtomicU32);
        #[async_trait]
        impl LockWaiting for GiveUp {
            async fn pause(&self, _: &LockRecord, _: Duration) -> ControlFlow<()> {
                let pauses = self.1.fetch_add(1, Ordering::Relaxed) + 1;
                if pauses == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
        for give_up_at in [1, 2, 9] {
            let tries = AtomicU32::new(0);
            let waiting = GiveUp(give_up_at, AtomicU32::new(0));
            let error = wait_for(LockWait::new(Duration::from_secs(60)), &waiting, || async {
                Err::<(), _>(match tries.fetch_add(1, Ordering::Relaxed) {
                    0 => held().with_leftover("still held", "s3://b/k.tflock", "release it"),
                    1 => held(),
                    _ => Error::new(ErrorKind::PermissionDenied, "lock", "no"),
                })
            })
            .await
            .unwrap_err();
            assert!(error.has_leftovers(), "{error:?}");
            assert_eq!(
                error.context(),
                [("still held", "s3://b/k.tflock".to_owned())],
                "{give_up_at}"
            );
            assert_eq!(error.hints(), ["release it"]);
        }
    }

    #[tokio::test]
    async fn any_other_failure_ends_the_waiting_at_once() {
        let tries = AtomicU32::new(0);
        let error = wait_for(LockWait::new(Duration::from_secs(60)), &Patience, || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Error::new(ErrorKind::PermissionDenied, "lock", "no"))
        })
        .await
        .unwrap_err();
        assert_eq!((error.kind(), tries.into_inner()), (ErrorKind::PermissionDenied, 1));
    }
}
