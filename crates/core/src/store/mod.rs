//! The contract that every provider fulfils.

mod annotations;
mod author;
mod capabilities;
mod catalog;
mod lock;
mod state;

use std::fmt::{Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};

pub use self::annotations::Annotations;
pub use self::author::Author;
pub use self::capabilities::{
    AnnotationStorage, Capabilities, Digests, Locking, StateLocation, Versions, WriteConditions,
};
pub use self::catalog::{CatalogEntry, StateCatalog};
pub use self::lock::{LockTarget, PastLock, Released};
pub use self::state::{
    ReadOptions, StateBytes, StateMeta, StateRead, StateVersion, WriteMode, WriteOptions,
};
use crate::error::Result;
use crate::lock_info::LockInfo;
pub(crate) use crate::lock_info::LockRecord;
use crate::outgoing::Outgoing;
use crate::provider::{RecordedDigest, Release, ReleaseStep};
use crate::source::StateSource;
use crate::workspace::Workspace;

/// Terraform state under one state key of a store: the states of all its workspaces, their locks
/// and their versions.
///
/// # Atomicity
/// Readers see a write as a whole or not at all. A read yields the bytes of one write, never a
/// mixture of two.
///
/// # Visibility
/// After [`write`](Self::write) returns, every read that starts later yields the written state or a
/// newer one.
///
/// # Exclusion
/// Between a successful [`acquire`](Self::acquire) and the matching [`release`](Self::release), no
/// other `acquire` for that workspace succeeds, for any caller of any client: the lock is the one
/// that Terraform's own backend for this store uses. It never expires. A store that cannot promise
/// this returns `Unsupported`.
///
/// # What a lost reply means
/// If the answer to a request is lost, the store is read again to find out the result. Only if that
/// fails too is the error `Unknown`; a lost reply is never reported as "not there" or as "done".
///
/// # Cancellation
/// Dropping a future does not take back a request that is under way: the store may still carry it
/// out, even after a later read found no trace of it. Reads and listings can be dropped at any
/// time. Let `write`, `delete`, `acquire` and `release` finish, in a task of their own if their
/// caller may go away; a caller that drops one knows as little as after a lost reply.
///
/// # Absence
/// A state is absent only if the store itself said so, for that object, in a bucket that exists.
/// Every other failure is an error.
///
/// # Runtime
/// Stores sleep between attempts and hash in the background, so their futures run on a Tokio
/// runtime with time enabled. A listing ends with its first error.
///
/// # Display
/// A store shows itself as the URL of its default workspace's state, without a secret.
#[async_trait]
pub trait StateStore: Debug + Display + Send + Sync + 'static {
    /// Returns what this store, as configured, can do.
    fn capabilities(&self) -> Capabilities;

    /// Returns the names under which the store keeps a workspace's state and lock, for messages and
    /// for [`LockInfo::path`].
    fn location(&self, workspace: &Workspace) -> StateLocation;

    /// Returns a store for another state key in the same bucket, over the same connections.
    ///
    /// # Errors
    /// `ConfigInvalid` if the store cannot keep a state under that key.
    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>>;

    /// Checks that the store can keep the state of a workspace beside all others: that it accepts
    /// the names of the state, its lock and its digest, and that none of them is the lock or the
    /// digest of another state. This sends no request.
    ///
    /// Programs that let others choose workspaces or state keys call this first: see
    /// [`with_state_key`](Self::with_state_key).
    ///
    /// # Errors
    /// `ConfigInvalid` if it cannot.
    fn admit(&self, workspace: &Workspace) -> Result<()> {
        let _ = workspace;
        Ok(())
    }

    /// Opens the state of a workspace for reading, or returns `None` if none has been written. An
    /// object of zero bytes is no state.
    ///
    /// # Errors
    /// `NotFound` if the version or the bucket does not exist. `DigestMismatch` if the store keeps
    /// a digest of the state and it differs; for a large state this error comes at the end of the
    /// body.
    async fn read(&self, workspace: &Workspace, options: &ReadOptions)
    -> Result<Option<StateRead>>;

    /// Writes the state of a workspace, bytes as given, and returns once the store has acknowledged
    /// them.
    ///
    /// Nothing becomes visible in the store before the [decision](Outgoing::with_decision), and
    /// nothing ever does if it is no.
    ///
    /// This takes no lock and compares no serial: see
    /// [`StateStoreExt::lock`](crate::StateStoreExt::lock) and
    /// [`SuccessionRules`](crate::SuccessionRules).
    ///
    /// # Errors
    /// The decision, if it is no. `PreconditionFailed` if the stored state is not the one that the
    /// mode names and nothing was written; `Unknown` if it may have been.
    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta>;

    /// Records the digest of the stored state, which is known to have these bytes, without writing
    /// the state. If the store keeps no digests, this does nothing. The caller holds the lock.
    ///
    /// `meta` is what the read of these bytes returned. If the state has another entity tag by now,
    /// the digest of another writer stays.
    ///
    /// # Errors
    /// `PreconditionFailed` if the state has changed since it was read; the reason why the digest
    /// was not recorded, or may not have been.
    async fn record_digest(
        &self,
        workspace: &Workspace,
        stored: &StateSource,
        meta: &StateMeta,
    ) -> Result<()> {
        let _ = (workspace, stored, meta);
        Ok(())
    }

    /// Returns the recorded digest of a workspace's state, whether the state has it or not; `None`
    /// if none is recorded or the store keeps no digests.
    async fn inspect_digest(&self, workspace: &Workspace) -> Result<Option<RecordedDigest>> {
        let _ = workspace;
        Ok(None)
    }

    /// Deletes the recorded digest of a workspace's state, for a state that was removed without
    /// this store. If the store keeps no digests, this does nothing. The caller holds the lock.
    ///
    /// # Errors
    /// `DigestMismatch` if the digest may still be recorded.
    async fn forget_digest(&self, workspace: &Workspace) -> Result<()> {
        let _ = workspace;
        Ok(())
    }

    /// Deletes the state of a workspace. Deleting one that does not exist succeeds. On a versioned
    /// bucket its versions stay.
    ///
    /// # Errors
    /// `Unknown` if it may or may not have been deleted; deleting it again does no harm.
    async fn delete(&self, workspace: &Workspace) -> Result<()>;

    /// Lists the named workspaces that have a state, in no particular order and without `default`,
    /// which always exists.
    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>>;

    /// Takes the lock of a workspace and returns the record as it was stored, its
    /// [`path`](LockInfo::path) filled in.
    ///
    /// Acquiring again with the id that already holds the lock succeeds, since the answer to the
    /// first attempt may have been lost. A lock that is being released belongs to no holder.
    ///
    /// # Errors
    /// `LockHeld` with the holder; `Unsupported` if the store cannot exclude others; `Unknown` if
    /// the lock may or may not have been taken.
    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo>;

    /// Releases a lock, if it is the one that `target` names. A lock that another release is about
    /// to remove counts as released once it is gone.
    ///
    /// # Errors
    /// `LockHeld` with the holder if the lock is another one; nothing changes then. `Unknown` if
    /// the lock may or may not have been released.
    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released>;

    /// Makes one step of a release. If another release has claimed the lock, the result is a pause:
    /// the caller waits, and then calls this again with the same `release`.
    /// [`release`](Self::release) does so by itself, without reporting the wait.
    ///
    /// # Errors
    /// Those of [`release`](Self::release).
    async fn release_step(
        &self,
        workspace: &Workspace,
        target: &LockTarget,
        _release: &mut Release,
    ) -> Result<ReleaseStep> {
        self.release(workspace, target).await.map(ReleaseStep::Done)
    }

    /// Returns the lock of a workspace, or `None` if it is free.
    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>>;

    /// Lists the locks that are held on any workspace. If the store cannot list locks by
    /// themselves, those of `default` and of workspaces that have a state.
    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>>;

    /// Describes clients that this store's lock cannot exclude, for people who rely on it; `None`
    /// if it excludes all. This may send requests to the store.
    ///
    /// # Errors
    /// The reason if the store was needed and did not answer.
    async fn lock_caveat(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Describes what can go wrong if two clients release one lock at the same time; `None` if each
    /// release removes only the lock that it was meant for.
    fn release_caveat(&self) -> Option<String> {
        None
    }

    /// Lists the stored versions of a workspace's state, newest first.
    ///
    /// # Errors
    /// `Unsupported` if the store keeps no versions. A bucket without versioning yields only the
    /// current one.
    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>>;

    /// Lists the locks that were held on a workspace, the newest first. A bucket without versions
    /// remembers none, and neither does a table; a lock whose release removed its version is
    /// missing.
    fn past_locks(&self, workspace: &Workspace) -> BoxStream<'static, Result<PastLock>> {
        let _ = workspace;
        stream::empty().boxed()
    }

    /// Lists the named workspaces whose state was deleted and has versions that can be brought
    /// back. A bucket without versions has none.
    fn deleted_workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        stream::empty().boxed()
    }

    /// Returns the objects of the bucket, or `None` if the store cannot list them.
    fn catalog(&self) -> Option<Arc<dyn StateCatalog>> {
        None
    }
}
