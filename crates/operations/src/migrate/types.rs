//! What a migration works with.

use std::sync::Arc;

use jiff::Timestamp;
use remote_state_core::{
    Author, ContentHash, ETag, Lineage, LockId, LockWait, Md5Sum, Result, Serial, StateHeader,
    StateMeta, StateStore, VersionId, Workspace,
};

use crate::transfer::{MovePlan, Place, Step};

/// One state of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StateRef {
    /// The store.
    pub store: Arc<dyn StateStore>,
    /// The workspace of the state.
    pub workspace: Workspace,
}

impl StateRef {
    /// Names the state of a workspace.
    pub fn new(store: Arc<dyn StateStore>, workspace: Workspace) -> Self {
        Self { store, workspace }
    }

    /// Returns the URL of the state.
    pub fn url(&self) -> String {
        self.store.location(&self.workspace).state
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place::new(&*self.store, &self.workspace)
    }
}

/// One of the two places of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the state is.
    Source,
    /// Where it goes.
    Target,
}

impl Side {
    /// Returns its name, for records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// The way of one state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Move {
    /// Where the state is.
    pub from: StateRef,
    /// Where it goes.
    pub to: StateRef,
    /// The ids of the locks of an earlier run that did not end; new ones otherwise.
    pub locks: [Option<LockId>; 2],
    /// The SHA-256 of what an earlier run may have written to the target, as hexadecimal digits. If
    /// the source has changed since, such a copy is replaced.
    pub earlier: Vec<String>,
    /// The SHA-256 of what the source has to be, if it has to be one of these.
    pub expected: Option<Vec<String>>,
}

impl Move {
    /// Describes the way of a state.
    pub fn new(from: StateRef, to: StateRef) -> Self {
        Self { from, to, locks: [None, None], earlier: Vec::new(), expected: None }
    }

    /// Sets the ids of the locks of an earlier run, those of the source and of the target.
    #[must_use]
    pub fn with_locks(mut self, locks: [Option<LockId>; 2]) -> Self {
        self.locks = locks;
        self
    }

    /// Sets the hashes of what an earlier run may have written to the target.
    #[must_use]
    pub fn with_earlier(mut self, sha256: Vec<String>) -> Self {
        self.earlier = sha256;
        self
    }

    /// Moves the source only if it has one of these hashes.
    #[must_use]
    pub fn with_expected(mut self, sha256: Vec<String>) -> Self {
        self.expected = Some(sha256);
        self
    }

    /// Returns one of the two places.
    pub fn side(&self, side: Side) -> &StateRef {
        match side {
            Side::Source => &self.from,
            Side::Target => &self.to,
        }
    }
}

/// What becomes of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceMode {
    /// A sealed state replaces it, which stops every client.
    #[default]
    Seal,
    /// It stays, and its lock stays held: clients that take locks are stopped, readers go on.
    Freeze,
    /// It stays in use. The state then exists twice.
    Keep,
    /// It is deleted. Clients then find no state, and plan to create everything.
    Delete,
}

impl SourceMode {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Freeze => "freeze",
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }
}

/// How to migrate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// What becomes of the source.
    pub source: SourceMode,
    /// Migrate a source that does not match its recorded digest.
    pub ignores_digest: bool,
    /// Seal the source although nothing would show what a client that takes no lock writes
    /// meanwhile.
    pub accepts_unfenced: bool,
    /// Delete a source that has resources.
    pub is_forced: bool,
    /// Take a later state of the same lineage at the target for the truth, and close the source: a
    /// migration that is taken back before its source was sealed.
    pub accepts_newer: bool,
    /// How long to wait for each lock.
    pub lock_wait: LockWait,
}

impl MigrateOptions {
    /// Sets whether a later state of the same lineage at the target is the truth.
    #[must_use]
    pub fn with_newer_accepted(mut self, accepts_newer: bool) -> Self {
        self.accepts_newer = accepts_newer;
        self
    }

    /// Sets what becomes of the source.
    #[must_use]
    pub fn with_source(mut self, source: SourceMode) -> Self {
        self.source = source;
        self
    }

    /// Sets whether to migrate a source that does not match its digest.
    #[must_use]
    pub fn with_digest_ignored(mut self, ignores_digest: bool) -> Self {
        self.ignores_digest = ignores_digest;
        self
    }

    /// Sets whether to seal although a write of a client without a lock may be lost.
    #[must_use]
    pub fn with_unfenced_accepted(mut self, accepts_unfenced: bool) -> Self {
        self.accepts_unfenced = accepts_unfenced;
        self
    }

    /// Sets whether to delete a source that has resources.
    #[must_use]
    pub fn with_force(mut self, is_forced: bool) -> Self {
        self.is_forced = is_forced;
        self
    }

    /// Sets how long to wait for each lock.
    #[must_use]
    pub fn with_lock_wait(mut self, lock_wait: LockWait) -> Self {
        self.lock_wait = lock_wait;
        self
    }
}

/// The run that migrates, for locks, seals and annotations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it began.
    pub now: Timestamp,
    /// Who runs it, and with what. Its operation, lock and reason are set by the migration.
    pub author: Author,
    /// The version of the program, for lock records.
    pub version: String,
    /// What a lock record says to those who find it: how to finish the run.
    pub info: String,
}

impl Run {
    /// Describes a run.
    pub fn new(id: impl Into<String>, now: Timestamp, author: Author) -> Self {
        Self { id: id.into(), now, author, version: String::new(), info: String::new() }
    }

    /// Sets the version of the program.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets what a lock record says about how to finish the run.
    #[must_use]
    pub fn with_info(mut self, info: impl Into<String>) -> Self {
        self.info = info.into();
        self
    }
}

/// What is known of a state that was read or written, and nothing of its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateFacts {
    /// The entity tag.
    pub etag: Option<ETag>,
    /// The version.
    pub version: Option<VersionId>,
    /// The length in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of the bytes.
    pub sha256: ContentHash,
    /// The MD5 of the bytes.
    pub md5: Md5Sum,
    /// The serial, if the bytes are a state.
    pub serial: Option<Serial>,
    /// The lineage, if the bytes are a state.
    pub lineage: Option<Lineage>,
}

impl StateFacts {
    pub(super) fn of(meta: &StateMeta, bytes: &[u8]) -> Self {
        let header = StateHeader::parse(bytes).ok();
        Self {
            etag: meta.etag.clone(),
            version: meta.version.clone(),
            size_bytes: bytes.len() as u64,
            sha256: ContentHash::of(bytes),
            md5: Md5Sum::of(bytes),
            serial: header.as_ref().map(|header| header.serial),
            lineage: header.map(|header| header.lineage),
        }
    }
}

/// What happens in a migration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A lock is about to be taken.
    Locking {
        /// Where.
        side: Side,
        /// The id of the lock.
        id: &'a LockId,
    },
    /// The lock is held.
    Locked {
        /// Where.
        side: Side,
        /// The id of the lock.
        id: &'a LockId,
    },
    /// A step comes next.
    Doing {
        /// The step.
        step: Step,
    },
    /// The step is done.
    Did {
        /// The step.
        step: Step,
        /// The state that was read or written.
        state: Option<StateFacts>,
    },
    /// Another client has changed the source, and the migration of this state begins again.
    Changed {
        /// The number of the attempt that ended.
        attempt: u32,
    },
    /// The lock is released.
    Released {
        /// Where.
        side: Side,
        /// The id of the lock.
        id: &'a LockId,
    },
}

/// Gets to know what happens in the migration of one state.
pub trait Watch: Send + Sync {
    /// Something happens. Before a step that changes something, an error ends the migration, so
    /// that a record that cannot be written ends what it would have recorded.
    ///
    /// # Errors
    /// The reason why the migration has to end.
    fn event(&self, event: &Event<'_>) -> Result<()>;
}

/// What has become of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// A sealed state is in its place.
    Sealed,
    /// It stays, and this lock is held for good.
    Frozen(LockId),
    /// It stays in use.
    Kept,
    /// It was deleted.
    Deleted,
}

/// What the migration of one state has done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Moved {
    /// What was done; `None` if there was nothing left to do.
    pub plan: Option<MovePlan>,
    /// The store's description of the copy; `None` if an earlier run had done everything.
    pub copy: Option<StateMeta>,
    /// What has become of the source.
    pub source: Left,
}

impl Moved {
    /// Returns the result of a migration that had nothing to do.
    pub fn already(source: Left) -> Self {
        Self { plan: None, copy: None, source }
    }
}
