//! What is read and written, and how.

use std::fmt::{self, Debug};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::names::{ETag, VersionId};
use crate::store::annotations::Annotations;

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

/// How to write a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// When it may be written.
    pub mode: WriteMode,
    /// What the store keeps beside it.
    pub annotations: Annotations,
}

impl WriteOptions {
    /// Keeps these notes beside the state.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
        self
    }
}

impl From<WriteMode> for WriteOptions {
    fn from(mode: WriteMode) -> Self {
        Self { mode, annotations: Annotations::default() }
    }
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
    /// The notes of its writer. A listing does not have them.
    pub annotations: Annotations,
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

    /// Sets the notes of its writer.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            .with_advice(Advice::StreamState)
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
