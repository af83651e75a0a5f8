//! The contract that every provider keeps.

mod annotations;
mod capabilities;
mod lock;
mod state;

use std::fmt::{Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use self::annotations::Annotations;
pub use self::capabilities::{Capabilities, StateLocation};
pub use self::lock::{LockTarget, Released};
pub use self::state::{
    ReadOptions, StateBytes, StateMeta, StateRead, StateVersion, WriteMode, WriteOptions,
};
use crate::error::Result;
use crate::lock_info::LockInfo;
pub(crate) use crate::lock_info::LockRecord;
use crate::outgoing::Outgoing;
use crate::provider::{Release, ReleaseStep};
use crate::source::StateSource;
use crate::workspace::Workspace;

/// Terraform state, kept by some store under one state key: the states of all its workspaces, their
/// locks and their versions.
///
/// # Atomicity
/// A write is seen whole or not at all. A read yields the bytes of one write, never a mixture of
/// two.
///
/// # Visibility
/// After [`write`](Self::write) returns, every read that starts later yields what was written, or
/// something newer.
///
/// # Exclusion
/// Between a successful [`acquire`](Self::acquire) and the matching [`release`](Self::release), no
/// other `acquire` for that workspace succeeds, whoever asks and through whatever client: the lock
/// is the one that Terraform's own backend for this store uses. It never expires. A store
/// that cannot promise this answers `Unsupported` instead of pretending.
///
/// # What a lost reply means
/// A request whose answer was lost is resolved by looking at the store again. Only where that fails
/// too is the error `Unknown`; it is never reported as "not there" or as "done".
///
/// # Cancellation
/// Dropping a future does not take back a request that is under way: the store may still carry it
/// out, even after a later look found nothing. Reads and listings can be dropped at any time.
/// `write`, `delete`, `acquire` and `release` should be let finish, in a task of their own if their
/// caller may go away; whoever drops one knows as little as after a lost reply.
///
/// # Absence
/// A state is absent only if the store itself said so, for that object, in a bucket that exists.
/// Every other failure is an error.
#[async_trait]
pub trait StateStore: Debug + Display + Send + Sync + 'static {
    /// Returns what this store, as configured, can do.
    fn capabilities(&self) -> Capabilities;

    /// Returns the names under which a workspace's state and lock are kept, for messages and for
    /// [`LockInfo::path`].
    fn location(&self, workspace: &Workspace) -> StateLocation;

    /// Returns a store like this one, in the same bucket and with the same connections, for another
    /// state key.
    ///
    /// # Errors
    /// `ConfigInvalid` if the store cannot keep a state under that key.
    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>>;

    /// Makes sure that the state of a workspace can be kept beside all others: that the store takes
    /// each of the names under which it, its lock and its digest would be, and that none of
    /// them is the lock or the digest of another state. This asks nobody.
    ///
    /// Whoever lets others choose workspaces or state keys asks this first: see
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
    /// `NotFound` for a version that does not exist, and for a bucket that does not.
    /// `DigestMismatch` if the store keeps a digest of the state and this is another; of a large
    /// state that shows only when its body ends.
    async fn read(&self, workspace: &Workspace, options: &ReadOptions)
    -> Result<Option<StateRead>>;

    /// Writes the state of a workspace, bytes as given, and returns once the store has acknowledged
    /// them.
    ///
    /// Nothing is visible in the store before the [decision](Outgoing::with_decision) is there, and
    /// never if it is no.
    ///
    /// This takes no lock and compares no serial: see
    /// [`StateStoreExt::lock`](crate::StateStoreExt::lock) and
    /// [`SuccessionRules`](crate::SuccessionRules).
    ///
    /// # Errors
    /// The decision, if it is no. `PreconditionFailed` if the stored state is not the one that
    /// its mode names and nothing was written; `Unknown` if it may have been.
    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta>;

    /// Records the digest of the stored state, which is known to have these bytes, and does not
    /// write the state. Where no digests are kept, this does nothing. The caller holds the lock.
    ///
    /// # Errors
    /// Why the digest was not recorded, or is not known to be.
    async fn record_digest(&self, workspace: &Workspace, stored: &StateSource) -> Result<()> {
        let _ = (workspace, stored);
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
    /// Acquiring again with the id that already holds succeeds: the answer to the first attempt may
    /// have been lost. A lock that is being released is nobody's own.
    ///
    /// # Errors
    /// `LockHeld` with the holder; `Unsupported` if the store does not exclude; `Unknown` if the
    /// lock may or may not have been taken.
    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo>;

    /// Releases a lock, if it is the one that `target` names. What another release is about to
    /// remove counts as released once it is gone.
    ///
    /// # Errors
    /// `LockHeld` with the holder if the lock is another one; nothing is changed then. `Unknown` if
    /// it may or may not have been released.
    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released>;

    /// Does of a release what can be done at once. A release that has claimed the lock may have to
    /// be waited for: then this says so, and is to be called again with the same `release`
    /// after the pause. [`release`](Self::release) does that in silence.
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

    /// Lists the locks that are held on any workspace. Where locks cannot be listed by themselves,
    /// those of `default` and of workspaces that have a state.
    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>>;

    /// Says what a lock of this store does not keep out, for people who rely on it; nothing if it
    /// keeps everyone out. This may ask the store.
    ///
    /// # Errors
    /// If the store was asked and did not answer.
    async fn lock_caveat(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Describes what can happen here if one lock is released twice at the same time; `None` if
    /// each release removes the lock that it was meant for and no other.
    fn release_caveat(&self) -> Option<String> {
        None
    }

    /// Lists the stored versions of a workspace's state, newest first.
    ///
    /// # Errors
    /// `Unsupported` if the store keeps none. A bucket without versioning yields the current one
    /// alone.
    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>>;
}
