//! A store that fails on request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::{
    Capabilities, Error, ErrorKind, LockInfo, LockRecord, LockTarget, Outgoing, ReadOptions,
    RecordedDigest, Released, Result, StateCatalog, StateLocation, StateMeta, StateRead,
    StateSource, StateStore, StateVersion, Workspace, WriteMode, WriteOptions,
};

/// A store around another one, with the [`Faults`] that a test sets.
///
/// Stores that [`with_state_key`](StateStore::with_state_key) makes of it have the same faults.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn StateStore>,
    faults: Faults,
    /// The name under which its objects are known, if it is another one.
    name: Option<&'static str>,
}

/// The switch of a [`FaultyStore`]. Clones switch the same store.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Plan>);

#[derive(Debug, Default)]
struct Plan {
    next: Mutex<VecDeque<Fault>>,
    always: Mutex<Option<ErrorKind>>,
    write_delay: Mutex<Duration>,
    write_modes: Mutex<Vec<WriteMode>>,
    ends_wrong: AtomicBool,
    ignores_conditions: AtomicBool,
    before_write: BeforeWrite,
    calls: AtomicU64,
}

/// What happens before the next write.
#[derive(Default)]
struct BeforeWrite(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl fmt::Debug for BeforeWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeWrite")
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The call fails, and nothing is done.
    Refused(ErrorKind),
    /// The call has no fault.
    None,
    /// The call does its work, and its answer is lost.
    ReplyLost,
}

impl Faults {
    /// Makes the next `calls` calls fail with an error of this kind, without doing anything.
    pub fn fail_next(&self, calls: usize, kind: ErrorKind) {
        lock(&self.0.next).extend(std::iter::repeat_n(Fault::Refused(kind), calls));
    }

    /// Makes the next `calls` calls do their work and then fail with `Unknown`.
    pub fn lose_next_replies(&self, calls: usize) {
        lock(&self.0.next).extend(std::iter::repeat_n(Fault::ReplyLost, calls));
    }

    /// Makes one call do its work and then fail with `Unknown`, after letting `calls` others pass.
    pub fn lose_reply_after(&self, calls: usize) {
        lock(&self.0.next)
            .extend(std::iter::repeat_n(Fault::None, calls).chain([Fault::ReplyLost]));
    }

    /// Lets `calls` calls pass, and makes the next `failing` ones fail with an error of this kind,
    /// without doing anything.
    pub fn fail_after(&self, calls: usize, failing: usize, kind: ErrorKind) {
        lock(&self.0.next).extend(std::iter::repeat_n(Fault::None, calls));
        self.fail_next(failing, kind);
    }

    /// Makes every call fail with an error of this kind, until [`stop`](Self::stop).
    pub fn fail_always(&self, kind: ErrorKind) {
        *lock(&self.0.always) = Some(kind);
    }

    /// Makes every write take this much longer.
    pub fn delay_writes(&self, delay: Duration) {
        *lock(&self.0.write_delay) = delay;
    }

    /// Makes every read that verifies a digest end with a mismatch, as that of a long state can.
    pub fn end_reads_with_mismatch(&self) {
        self.0.ends_wrong.store(true, Ordering::Relaxed);
    }

    /// Makes every write replace what is there, whatever its precondition.
    pub fn ignore_conditions(&self) {
        self.0.ignores_conditions.store(true, Ordering::Relaxed);
    }

    /// Makes something happen before the next write, such as a write of another client.
    pub fn before_next_write(&self, act: impl FnOnce() + Send + 'static) {
        *lock(&self.0.before_write.0) = Some(Box::new(act));
    }

    /// Returns the modes of the writes that have reached the store so far.
    pub fn write_modes(&self) -> Vec<WriteMode> {
        lock(&self.0.write_modes).clone()
    }

    /// Ends all faults.
    pub fn stop(&self) {
        lock(&self.0.next).clear();
        *lock(&self.0.always) = None;
        *lock(&self.0.write_delay) = Duration::ZERO;
        self.0.ends_wrong.store(false, Ordering::Relaxed);
        self.0.ignores_conditions.store(false, Ordering::Relaxed);
        *lock(&self.0.before_write.0) = None;
    }

    /// Returns how many calls have reached the store so far.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Fault> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        (*lock(&self.0.always)).map(Fault::Refused).or_else(|| lock(&self.0.next).pop_front())
    }

    async fn around<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        match self.next() {
            None | Some(Fault::None) => call.await,
            Some(Fault::Refused(kind)) => Err(refused(operation, kind)),
            Some(Fault::ReplyLost) => {
                call.await?;
                Err(Error::new(
                    ErrorKind::Unknown,
                    operation,
                    "the answer was lost, as the test asked",
                ))
            }
        }
    }

    fn around_stream<'a, T: Send + 'a>(
        &self,
        operation: &'static str,
        call: BoxStream<'a, Result<T>>,
    ) -> BoxStream<'a, Result<T>> {
        match self.next() {
            None | Some(Fault::None) => call,
            Some(Fault::Refused(kind)) => stream::iter([Err(refused(operation, kind))]).boxed(),
            Some(Fault::ReplyLost) => {
                stream::iter([Err(refused(operation, ErrorKind::Unknown))]).boxed()
            }
        }
    }
}

fn refused(operation: &'static str, kind: ErrorKind) -> Error {
    Error::new(kind, operation, "the store failed, as the test asked")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic cannot leave the faults half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultyStore {
    /// Wraps a store, and returns it with its switch. It has no faults at first.
    pub fn wrap(inner: Arc<dyn StateStore>) -> (Arc<dyn StateStore>, Faults) {
        let faults = Faults::default();
        (Arc::new(Self { inner, faults: faults.clone(), name: None }), faults)
    }

    /// Returns a store under another name, which has the same objects.
    pub fn alias(inner: Arc<dyn StateStore>, name: &'static str) -> Arc<dyn StateStore> {
        Arc::new(Self { inner, faults: Faults::default(), name: Some(name) })
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl StateStore for FaultyStore {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        let location = self.inner.location(workspace);
        match self.name {
            Some(name) => StateLocation::new(
                location.path,
                format!("memory://{name}/{workspace}"),
                location.locks,
            ),
            None => location,
        }
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        let (inner, faults) = (self.inner.with_state_key(key)?, self.faults.clone());
        Ok(Arc::new(Self { inner, faults, name: self.name }))
    }

    fn admit(&self, workspace: &Workspace) -> Result<()> {
        self.inner.admit(workspace)
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let read = self.faults.around("read", self.inner.read(workspace, options)).await?;
        if options.ignores_digest || !self.faults.0.ends_wrong.load(Ordering::Relaxed) {
            return Ok(read);
        }
        Ok(read.map(|StateRead { meta, body, .. }| {
            let end = stream::iter([Err(refused("read", ErrorKind::DigestMismatch))]);
            StateRead::new(meta, body.chain(end).boxed())
        }))
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        lock(&self.faults.0.write_modes).push(options.mode.clone());
        let delay = *lock(&self.faults.0.write_delay);
        tokio::time::sleep(delay).await;
        let before = lock(&self.faults.0.before_write.0).take();
        if let Some(act) = before {
            act();
        }
        let mut options = options.clone();
        if self.faults.0.ignores_conditions.load(Ordering::Relaxed) {
            options.mode = WriteMode::Overwrite;
        }
        self.faults.around("write", self.inner.write(workspace, outgoing, &options)).await
    }

    async fn record_digest(
        &self,
        workspace: &Workspace,
        stored: &StateSource,
        meta: &StateMeta,
    ) -> Result<()> {
        self.faults.around("record digest", self.inner.record_digest(workspace, stored, meta)).await
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        self.faults.around("delete", self.inner.delete(workspace)).await
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        self.faults.around_stream("list workspaces", self.inner.workspaces())
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        self.faults.around("lock", self.inner.acquire(workspace, info)).await
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        self.faults.around("unlock", self.inner.release(workspace, target)).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        self.faults.around("inspect lock", self.inner.inspect(workspace)).await
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        self.faults.around_stream("list locks", self.inner.locks())
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        self.faults.around_stream("list versions", self.inner.versions(workspace))
    }

    async fn inspect_digest(&self, workspace: &Workspace) -> Result<Option<RecordedDigest>> {
        self.inner.inspect_digest(workspace).await
    }

    async fn forget_digest(&self, workspace: &Workspace) -> Result<()> {
        self.inner.forget_digest(workspace).await
    }

    fn deleted_workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        self.faults.around_stream("list versions", self.inner.deleted_workspaces())
    }

    fn catalog(&self) -> Option<Arc<dyn StateCatalog>> {
        self.inner.catalog()
    }
}
