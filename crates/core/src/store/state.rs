//! Options and results of reads and writes.

use std::fmt::{self, Debug};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::names::{ETag, VersionId};
use crate::state::Seal;
use crate::store::annotations::Annotations;

/// How to read a state.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Read this version instead of the current one.
    pub version: Option<VersionId>,
    /// Read the state even if it does not match its recorded digest.
    pub ignores_digest: bool,
    /// Report a mismatch with the digest at once, without waiting for another writer that may be
    /// between state and digest. For readers that hold the lock.
    pub does_not_wait: bool,
    /// Accept a state without hashing it if its entity tag is the recorded MD5. For callers that do
    /// not use the bytes.
    pub trusts_etag: bool,
    /// Read this many bytes at most. The description is that of the whole state, and the digest is
    /// not checked.
    pub limit: Option<u64>,
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

    /// Accepts a state whose entity tag is the recorded MD5, without hashing it.
    #[must_use]
    pub fn trusting_etag(mut self) -> Self {
        self.trusts_etag = true;
        self
    }

    /// Reads no more than the first `bytes` bytes.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Reads one stored version instead of the current one.
    #[must_use]
    pub fn with_version(mut self, version: VersionId) -> Self {
        self.version = Some(version);
        self
    }
}

/// The precondition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// No state exists.
    Create,
    /// None: the write replaces any state.
    Overwrite,
    /// The stored state still is the one that was read with this entity tag.
    Update(ETag),
}

/// How to write a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The precondition.
    pub mode: WriteMode,
    /// The annotations to store with the state.
    pub annotations: Annotations,
}

impl WriteOptions {
    /// Sets the annotations to store with the state.
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

/// The store's description of a stored state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateMeta {
    /// The entity tag, for [`WriteMode::Update`]. It is no digest of the bytes.
    pub etag: Option<ETag>,
    /// The version's id, on a bucket that keeps versions.
    pub version: Option<VersionId>,
    /// When it was stored, UTC, by the store's clock.
    pub modified: Option<Timestamp>,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Whether the store keeps digests and has none for this state. Only a read that checks digests
    /// sets this.
    pub is_digest_missing: bool,
    /// Whether the entity tag is the recorded digest, so that the bytes need not be read to verify
    /// it. Only a read that [trusts entity tags](ReadOptions::trusts_etag) sets this.
    pub is_digest_confirmed: bool,
    /// The annotations of its writer. Listings omit them.
    pub annotations: Annotations,
}

impl StateMeta {
    /// Creates the description of a state of `size_bytes` bytes.
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

    /// Sets the annotations of its writer.
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

/// A state that is being read: the store's description, and the bytes as they arrive.
#[non_exhaustive]
pub struct StateRead {
    /// The store's description of it.
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

/// The largest state, in bytes, to read into memory as a whole. The size that a store reports may
/// be wrong.
const LONGEST_IN_MEMORY: u64 = 2 << 30;

impl StateRead {
    /// Creates a read from the store's description of the state and its bytes.
    pub fn new(meta: StateMeta, body: BoxStream<'static, Result<Bytes>>) -> Self {
        Self { meta, body }
    }

    /// Ends the body after `limit` bytes, and the transfer with it.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        let start = (Some(self.body).filter(|_| limit > 0), limit);
        let next = |(body, left): (Option<BoxStream<'static, Result<Bytes>>>, u64)| async move {
            let mut body = body?;
            let chunk = body.next().await?.map(|bytes| {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes.slice(..most)
            });
            let left = left - chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
            // Nothing polls the body after its last byte, so that the transfer ends there.
            Some((chunk, (Some(body).filter(|_| left > 0), left)))
        };
        self.body = stream::unfold(start, next).boxed();
        self
    }

    /// Finds out whether the state is sealed, for readers that want what is in it. A state that is
    /// short enough to be a sealed one is read to its end first.
    ///
    /// # Errors
    /// Any error of the [`body`](Self::body) of a short state.
    pub async fn with_seal(self) -> Result<(Self, Option<Seal>)> {
        if self.meta.size_bytes > Seal::MOST_BYTES {
            return Ok((self, None));
        }
        let StateBytes { meta, bytes } = self.collect().await?;
        let seal = Seal::of(&bytes);
        let body = stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed();
        Ok((Self { meta, body }, seal))
    }

    /// Reads to the end and keeps everything in memory.
    ///
    /// # Errors
    /// Any error of the [`body`](Self::body); `Unsupported` for a state of more than 2 GiB, which
    /// no program writes.
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
        // The size is the store's claim: trust it for the first allocation only within reason.
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
#[non_exhaustive]
pub struct StateBytes {
    /// The store's description of it.
    pub meta: StateMeta,
    /// The bytes, exactly as stored.
    pub bytes: Bytes,
}

impl StateBytes {
    /// Creates a state in memory from the store's description of it and its bytes.
    pub fn new(meta: StateMeta, bytes: Bytes) -> Self {
        Self { meta, bytes }
    }
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
    /// The store's description of it.
    pub meta: StateMeta,
    /// Whether a read without a version yields this one.
    pub is_latest: bool,
    /// Whether it records a deletion of the state, and so has no bytes.
    pub is_delete_marker: bool,
}

impl StateVersion {
    /// Creates a version that holds a state.
    pub fn new(meta: StateMeta, is_latest: bool) -> Self {
        Self { meta, is_latest, is_delete_marker: false }
    }

    /// Creates a version that records a deletion.
    pub fn delete_marker(meta: StateMeta, is_latest: bool) -> Self {
        Self { meta, is_latest, is_delete_marker: true }
    }
}
