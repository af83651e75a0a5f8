//! The contract that every provider keeps.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::names::{ClaimId, ETag, LockId, VersionId, Workspace};
use crate::outgoing::Outgoing;
use crate::provider::{Release, ReleaseStep};

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
    /// `mode` names and nothing was written; `Unknown` if it may have been.
    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        mode: &WriteMode,
    ) -> Result<StateMeta>;

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

/// Where a workspace's state and lock are kept, in the words of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateLocation {
    /// The path that native clients write into lock records: `<bucket>/<state key>`.
    pub path: String,
    /// The state object, as a URL such as `s3://bucket/key`.
    pub state: String,
    /// The lock objects, as URLs, in the order in which they are taken. None if no lock is
    /// configured.
    pub locks: Vec<String>,
}

impl StateLocation {
    /// Names a state and its locks.
    pub fn new(path: impl Into<String>, state: impl Into<String>, locks: Vec<String>) -> Self {
        Self { path: path.into(), state: state.into(), locks }
    }
}

/// What a store can do, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Locks are configured.
    pub locking: bool,
    /// What to configure so that locks are taken, as a sentence that could follow "hint:". For
    /// where none are.
    pub lock_hint: Option<&'static str>,
    /// [`WriteMode::Create`] and [`WriteMode::Update`] are decided by the store itself,
    /// atomically. Without this the provider looks before it writes, and the lock alone keeps
    /// others out in between.
    pub conditional_write: bool,
    /// A digest of each state is kept beside it: a state is verified when its body has been read
    /// to the end, and not before.
    pub digests: bool,
    /// The store can list and read older versions, if the bucket keeps them.
    pub versions: bool,
}

impl Capabilities {
    /// Sets whether locks are configured.
    #[must_use]
    pub fn with_locking(mut self, locking: bool) -> Self {
        self.locking = locking;
        self
    }

    /// Sets what to configure so that locks are taken.
    #[must_use]
    pub fn with_lock_hint(mut self, hint: &'static str) -> Self {
        self.lock_hint = Some(hint);
        self
    }

    /// Returns the error for an operation that needs a lock where none is configured.
    pub fn no_lock(&self, operation: &'static str, location: &StateLocation) -> Error {
        let message = format!("no lock is configured for `{}`", location.state);
        let error = Error::new(ErrorKind::ConfigInvalid, operation, message);
        match self.lock_hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Sets whether the store decides write conditions itself.
    #[must_use]
    pub fn with_conditional_write(mut self, conditional_write: bool) -> Self {
        self.conditional_write = conditional_write;
        self
    }

    /// Sets whether states are verified by a digest that is kept beside them.
    #[must_use]
    pub fn with_digests(mut self, digests: bool) -> Self {
        self.digests = digests;
        self
    }

    /// Sets whether older versions can be listed and read.
    #[must_use]
    pub fn with_versions(mut self, versions: bool) -> Self {
        self.versions = versions;
        self
    }
}

/// How to read a state.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Read this version instead of the current one.
    pub version: Option<VersionId>,
    /// Read the state even if it does not match the digest that is recorded for it, where one is.
    pub ignores_digest: bool,
    /// Take a state that does not match its digest for one that never will: do not read both again
    /// for as long as another writer may be between the two. For readers that hold the lock.
    pub does_not_wait: bool,
}

impl ReadOptions {
    /// Reads the state even if it does not match its digest.
    #[must_use]
    pub fn ignoring_digest(mut self) -> Self {
        self.ignores_digest = true;
        self
    }

    /// Does not wait for a state and its digest to agree.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        self.does_not_wait = true;
        self
    }

    /// Reads one stored version instead of the current one.
    #[must_use]
    pub fn with_version(mut self, version: VersionId) -> Self {
        self.version = Some(version);
        self
    }
}

/// When a write may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Only if no state exists.
    Create,
    /// Whatever is there.
    Overwrite,
    /// Only if the stored state still is the one that was read with this entity tag.
    Update(ETag),
}

/// What the store says about a stored state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateMeta {
    /// The entity tag, for [`WriteMode::Update`]. Not a digest of the bytes.
    pub etag: Option<ETag>,
    /// The version's id, on a bucket that keeps versions.
    pub version: Option<VersionId>,
    /// When it was stored, UTC, as the store's clock has it.
    pub modified: Option<Timestamp>,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Digests are kept here, and none is recorded for this state. Only a read that looks at
    /// digests can say so.
    pub is_digest_missing: bool,
}

impl StateMeta {
    /// Describes a state of `size_bytes` bytes.
    pub fn new(size_bytes: u64) -> Self {
        Self { size_bytes, ..Self::default() }
    }

    /// Sets the entity tag.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<ETag>) -> Self {
        self.etag = etag;
        self
    }

    /// Sets the version id.
    #[must_use]
    pub fn with_version(mut self, version: Option<VersionId>) -> Self {
        self.version = version;
        self
    }

    /// Sets the time of the write.
    #[must_use]
    pub fn with_modified(mut self, modified: Option<Timestamp>) -> Self {
        self.modified = modified;
        self
    }
}

/// A state that is being read: what the store says about it, and its bytes as they arrive.
pub struct StateRead {
    /// What the store says about it.
    pub meta: StateMeta,
    /// The bytes, exactly as stored. An error in the middle means that the rest is missing;
    /// dropping the stream ends the transfer.
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl Debug for StateRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateRead").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// How long a state may be that is read into memory as a whole, in bytes. A store may claim
/// anything.
const LONGEST_IN_MEMORY: u64 = 2 << 30;

impl StateRead {
    /// Reads to the end and keeps everything in memory.
    ///
    /// # Errors
    /// Whatever ends the [`body`](Self::body) before its end; `Unsupported` for a state of more
    /// than 2 GiB, which no program writes.
    pub async fn collect(mut self) -> Result<StateBytes> {
        let too_long = || {
            Error::new(
                ErrorKind::Unsupported,
                "read",
                format!("the state is longer than {LONGEST_IN_MEMORY} bytes"),
            )
            .with_hint("stream it into a file with `remote-state pull -o FILE`")
        };
        if self.meta.size_bytes > LONGEST_IN_MEMORY {
            return Err(too_long());
        }
        // The size is the store's claim: believe it for the first allocation only within reason.
        let mut bytes = BytesMut::with_capacity(
            usize::try_from(self.meta.size_bytes).unwrap_or(0).min(1 << 24),
        );
        while let Some(chunk) = self.body.try_next().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > LONGEST_IN_MEMORY {
                return Err(too_long());
            }
        }
        Ok(StateBytes { meta: self.meta, bytes: bytes.freeze() })
    }
}

/// A whole state in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct StateBytes {
    /// What the store says about it.
    pub meta: StateMeta,
    /// The bytes, exactly as stored.
    pub bytes: Bytes,
}

impl Debug for StateBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateBytes").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// One stored version of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateVersion {
    /// What the store says about it.
    pub meta: StateMeta,
    /// It is what a read without a version yields.
    pub is_latest: bool,
    /// It records that the state was deleted, and has no bytes.
    pub is_delete_marker: bool,
}

impl StateVersion {
    /// Describes a version that holds a state.
    pub fn new(meta: StateMeta, is_latest: bool) -> Self {
        Self { meta, is_latest, is_delete_marker: false }
    }

    /// Describes a version that records a deletion.
    pub fn delete_marker(meta: StateMeta, is_latest: bool) -> Self {
        Self { meta, is_latest, is_delete_marker: true }
    }
}

/// A lock as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockRecord {
    /// The record, or why what stands there cannot be read as one.
    pub info: Result<LockInfo, String>,
    /// The lock object, as a URL.
    pub object: String,
    /// The release that has claimed it and is about to remove it. Such a lock is held for
    /// everybody, and nobody's own.
    pub claim: Option<ClaimId>,
}

impl LockRecord {
    /// Describes a lock that was found at `object`.
    pub fn new(info: Result<LockInfo, String>, object: impl Into<String>) -> Self {
        Self { info, object: object.into(), claim: None }
    }

    /// Sets the release that has claimed it.
    #[must_use]
    pub fn with_claim(mut self, claim: ClaimId) -> Self {
        self.claim = Some(claim);
        self
    }

    /// Whether a release has claimed it: it keeps everyone out, and nobody may go by it any more.
    pub fn is_being_released(&self) -> bool {
        self.claim.is_some()
    }

    /// Whether whoever has this id holds the lock, and may go by it.
    pub fn is_held_by(&self, id: &LockId) -> bool {
        !self.is_being_released() && self.id() == Some(id)
    }

    /// Returns the id, if the record could be read.
    pub fn id(&self) -> Option<&LockId> {
        self.info.as_ref().ok().map(|info| &info.id)
    }
}

/// Which lock to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockTarget {
    /// The lock with this id, whoever holds it.
    Id(LockId),
    /// A lock whose record cannot be read, so that it has no id to name.
    Unreadable,
}

/// What a release found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// The lock was held and is free now. The record is `None` if it could not be read.
    Freed(Option<LockInfo>),
    /// No lock was held.
    AlreadyFree,
}
