//! The parts of the stored state that decide whether another state may follow it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use crate::error::{Error, ErrorKind, Result};
use crate::push::{NewState, PushRules};
use crate::source::{ContentHasher, StateSource};
use crate::state::{HeaderReader, Progress, Seal, StateHeader, mean_the_same};
use crate::store::{ReadOptions, StateMeta, StateStore};
use crate::workspace::Workspace;

/// The most bytes of a stored state to read to the end: reading this much costs less than a new
/// connection to the store.
const CHEAP_REST_BYTES: u64 = 64 << 10;

/// The largest states, in bytes, to compare by meaning, which holds both in memory. Larger ones are
/// equal only if their bytes are.
const LONGEST_MEANING_BYTES: u64 = 64 << 20;

/// How two states are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    Bytes,
    /// The bytes differ, and the meaning does not.
    Meaning,
    None,
}

/// The stored state, as far as it decides whether another one may follow it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) meta: StateMeta,
    is_same: bool,
    /// What it says if it is sealed.
    pub(super) seal: Option<Box<Seal>>,
    /// The error if the state does not match its digest.
    pub(super) mismatch: Option<Error>,
}

/// What was read of a stored state.
pub(super) struct StoredRead {
    pub(super) stored: Stored,
    pub(super) header: Result<StateHeader>,
    /// The rest of the state, if only the digest at its end is left to be checked.
    pub(super) rest: Option<Rest>,
}

/// The bytes of a stored state that were not read yet.
pub(super) struct Rest(BoxStream<'static, Result<Bytes>>);

impl Rest {
    /// Reads to the end.
    pub(super) async fn verify(mut self) -> Result<()> {
        while self.0.try_next().await?.is_some() {}
        Ok(())
    }
}

/// Compares bytes as they arrive.
enum Comparison<'a> {
    InMemory { expected: &'a Bytes, at: usize },
    Hash(ContentHasher),
}

impl Comparison<'_> {
    fn of(source: &StateSource) -> Comparison<'_> {
        match source {
            StateSource::Bytes(expected) => Comparison::InMemory { expected, at: 0 },
            StateSource::File(_) => Comparison::Hash(ContentHasher::default()),
        }
    }

    /// Takes the next bytes, and returns whether the two may still be equal.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::InMemory { expected, at } => {
                let is_same = expected.get(*at..*at + bytes.len()) == Some(bytes);
                *at += bytes.len();
                is_same
            }
            Self::Hash(hasher) => {
                hasher.update(bytes);
                true
            }
        }
    }

    fn finish(self, source: &StateSource) -> bool {
        match self {
            Self::InMemory { expected, at } => at == expected.len(),
            Self::Hash(hasher) => Some(hasher.finish()) == source.content_hash(),
        }
    }
}

impl Stored {
    /// Reads as much of the stored state as the decision needs: usually the beginning, but the
    /// whole state if the store keeps a digest that its entity tag does not confirm. If the two
    /// headers decide by `may_follow`, the rest is left to be read while the new state is sent.
    pub(super) async fn read(
        store: &Arc<dyn StateStore>,
        workspace: &Workspace,
        new: &NewState,
        rules: &PushRules,
        may_follow: impl Fn(&StateHeader) -> bool,
    ) -> Result<Option<StoredRead>> {
        let ignoring = ReadOptions::default().ignoring_digest();
        let (read, mut mismatch) = if rules.repair_digest {
            (store.read(workspace, &ignoring).await?, None)
        } else {
            match store
                .read(workspace, &ReadOptions::default().without_waiting().trusting_etag())
                .await
            {
                Err(error) if error.kind() == ErrorKind::DigestMismatch => {
                    (store.read(workspace, &ignoring).await?, Some(error))
                }
                read => (read?, None),
            }
        };
        let Some(mut read) = read else {
            // A digest is recorded, and the state does not exist.
            return mismatch.map_or(Ok(None), Err);
        };
        let is_verified_at_its_end = store.capabilities().has_digests()
            && !rules.repair_digest
            && mismatch.is_none()
            && !read.meta.is_digest_confirmed
            && !read.meta.is_digest_missing;
        let mut rest = None;
        let may_be_same = read.meta.size_bytes == new.source.size_bytes();
        let mut comparison = may_be_same.then(|| Comparison::of(&new.source));
        let mut reader = Some(HeaderReader::new());
        let mut header = None;
        let mut left = read.meta.size_bytes;
        // A sealed state is short, and short states are read to the end.
        let mut all = (left <= Seal::MOST_BYTES).then(BytesMut::new);
        loop {
            let bytes = match read.body.try_next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::DigestMismatch => {
                    mismatch = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            left = left.saturating_sub(bytes.len() as u64);
            if let Some(all) = &mut all {
                all.extend_from_slice(&bytes);
            }
            if let Some(progress) = reader.as_mut().map(|reader| reader.feed(&bytes)) {
                header = match progress {
                    Ok(Progress::NeedsMore) => None,
                    Ok(Progress::Done) => reader.take().map(HeaderReader::finish),
                    Err(error) => {
                        reader = None;
                        Some(Err(error))
                    }
                };
            }
            if matches!(&header, Some(Ok(header)) if header.serial != new.header.serial) {
                comparison = None;
            }
            if let Some(mut going) = comparison.take()
                && going.feed(&bytes)
            {
                comparison = Some(going);
            }
            let is_decided =
                reader.is_none() && (comparison.is_none() || !matches!(header, Some(Ok(_))));
            if !is_decided || left <= CHEAP_REST_BYTES {
                continue;
            }
            if !is_verified_at_its_end {
                break;
            }
            if matches!(&header, Some(Ok(header)) if may_follow(header)) {
                rest = Some(Rest(read.body));
                break;
            }
        }
        let header = match (header, reader) {
            (Some(header), _) => header,
            (None, reader) => reader.unwrap_or_default().finish(),
        };
        let is_same = match comparison.filter(|_| left == 0) {
            // Only now a file has to be known before it is sent.
            Some(going) => going.finish(&new.source.clone().examined().await?),
            None => false,
        };
        let seal = all.and_then(|all| Seal::of(&all)).map(Box::new);
        let stored = Self { meta: read.meta, is_same, seal, mismatch };
        Ok(Some(StoredRead { stored, header, rest }))
    }

    pub(super) fn is_same_bytes(&self) -> bool {
        self.is_same
    }

    /// Compares the two by meaning if their bytes differ.
    pub(super) async fn equality(
        &self,
        store: &Arc<dyn StateStore>,
        workspace: &Workspace,
        new: &NewState,
    ) -> Result<Equality> {
        if self.is_same {
            return Ok(Equality::Bytes);
        }
        let longest = self.meta.size_bytes.max(new.source.size_bytes());
        if longest > LONGEST_MEANING_BYTES {
            return Ok(Equality::None);
        }
        let read = store.read(workspace, &ReadOptions::default().ignoring_digest()).await?;
        // The state was deleted in between, and the write's condition will fail.
        let Some(stored) = read else { return Ok(Equality::None) };
        let stored = stored.collect().await?.bytes;
        let new = new.source.clone().examined().await?.into_bytes().await?;
        let same = tokio::task::spawn_blocking(move || mean_the_same(&stored, &new)).await;
        let same = same.map_err(|error| {
            Error::new(ErrorKind::Unexpected, "push", "comparing two states broke off")
                .with_source(error)
        })?;
        Ok(if same { Equality::Meaning } else { Equality::None })
    }
}
