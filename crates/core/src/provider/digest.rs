//! The digest of a state: the MD5 of its bytes, recorded in an entry of a table.
//!
//! A client records the digest after each write of the state and deletes it after the state's
//! deletion, so for a moment the two do not match. A reader that comes in that moment waits and
//! reads both again, for as long as native clients do. Like native clients it accepts a state
//! without a recorded digest, or with an entry that holds none: not every client that writes keeps
//! digests.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::provider::{Failure, Md5Sum, Outcome};
use crate::store::{ReadOptions, StateBytes, StateMeta, StateRead};

mod entry;
mod mismatch;
#[cfg(test)]
mod tests;
mod verified;

pub use entry::RecordedDigest;
pub(crate) use entry::{DigestEntry, Recorded};
use mismatch::Mismatch;
use verified::verified_stream;

/// The largest state, in bytes, to verify before the first byte is passed on, and to read again
/// after a mismatch. Larger states are verified while they stream: an error follows their last
/// byte.
const COLLECTED_BYTES: u64 = 8 << 20;

/// What a reader knows of the digest.
enum Known {
    Sum(Mismatch),
    /// No digest is recorded that the state could be compared with.
    Nothing,
    /// The client may not read the table, or the table does not exist.
    Unusable,
}

/// How long a reader waits for a state and its digest to agree.
#[derive(Clone, Copy, Debug)]
pub struct DigestWait {
    /// The pause before both are read again.
    pub pause: Duration,
    /// When to give up: a mismatch after this time is an error.
    pub patience: Duration,
}

impl Default for DigestWait {
    /// Waits as native clients do: every two seconds, for ten.
    fn default() -> Self {
        Self { pause: Duration::from_secs(2), patience: Duration::from_secs(10) }
    }
}

/// The digest of one state: verifies what is read, and records what is written.
#[derive(Debug)]
pub(crate) struct StateDigest<E> {
    entry: E,
    wait: DigestWait,
}

impl<E: DigestEntry> StateDigest<E> {
    /// Creates the digest with its entry, and how long a reader waits for it.
    pub(crate) fn new(entry: E, wait: DigestWait) -> Self {
        Self { entry, wait }
    }

    /// Reads a state that must match its digest, unless `options` name a version, limit the
    /// read or skip the digest. `read` reads the stored state without regard to its digest.
    ///
    /// # Errors
    /// Those of `read`; `DigestMismatch` if the two do not agree in time; the reason if the digest
    /// cannot be read, unless the table does not exist or permission is missing.
    pub(crate) async fn read<F>(
        &self,
        options: &ReadOptions,
        read: impl Fn() -> F,
    ) -> Result<Option<StateRead>>
    where
        F: Future<Output = Result<Option<StateRead>>>,
    {
        if options.version.is_some() || options.limit.is_some() || options.ignores_digest {
            return read().await;
        }
        let started = Instant::now();
        loop {
            // Read both at the same time: a writer may come between the two in either order, and is
            // less likely to if they are close together.
            let (read, recorded) = join(read(), self.recorded()).await;
            let (read, recorded) = (read?, recorded?);
            let recorded = match recorded {
                Known::Sum(recorded) => recorded,
                Known::Nothing => {
                    return Ok(read.map(|mut read| {
                        read.meta.is_digest_missing = true;
                        read
                    }));
                }
                Known::Unusable => return Ok(read),
            };
            let computed = match read {
                None => None,
                Some(mut read) if options.trusts_etag && recorded.is_etag_of(&read.meta) => {
                    read.meta.is_digest_confirmed = true;
                    return Ok(Some(read));
                }
                Some(read) if read.meta.size_bytes > COLLECTED_BYTES => {
                    return Ok(Some(verified_stream(read, recorded)));
                }
                Some(read) => {
                    let StateBytes { meta, bytes } = read.collect().await?;
                    let sum = Md5Sum::of(&bytes);
                    if sum == recorded.sum {
                        return Ok(Some(StateRead {
                            meta,
                            body: stream::iter([Ok(bytes)]).boxed(),
                        }));
                    }
                    Some((sum, meta.size_bytes))
                }
            };
            if options.does_not_wait || started.elapsed() >= self.wait.patience {
                return Err(recorded.error(computed));
            }
            tracing::debug!(state = recorded.state, "the state does not match its digest yet");
            sleep(self.wait.pause).await;
        }
    }

    async fn recorded(&self) -> Result<Known> {
        let recorded = match self.entry.get("read").await {
            Ok(recorded) => recorded,
            // A client that may only read the bucket still gets the state, as with native clients;
            // so does a client without a table.
            Err(failure)
                if matches!(
                    failure.error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::TableMissing
                ) =>
            {
                tracing::warn!(
                    error = failure.error.to_string(),
                    "the state is read without looking at its digest"
                );
                return Ok(Known::Unusable);
            }
            Err(failure) => return Err(failure.error),
        };
        let sum = recorded.sum();
        if sum.is_none() && recorded != Recorded::Nothing {
            tracing::warn!(entry = self.entry.place(), "what is recorded as the digest is none");
        }
        Ok(match sum {
            Some(sum) => Known::Sum(Mismatch::new(&self.entry, sum)),
            None => Known::Nothing,
        })
    }

    /// Records the digest after a write, given the result of the write and the digest of the bytes
    /// that were to be written.
    /// # Errors
    /// The error of the write; `DigestMismatch` if the state was written and the digest may not be
    /// recorded.
    pub(crate) async fn record(
        &self,
        written: Result<StateMeta>,
        sum: Result<Md5Sum>,
    ) -> Result<StateMeta> {
        let meta = written.map_err(|error| match error.kind() {
            ErrorKind::Unknown => error
                .with_hint("if the state was written, its digest was not recorded")
                .with_advice(Advice::RepairDigest),
            _ => error,
        })?;
        if meta.size_bytes == 0 {
            // Zero bytes are no state, and native clients take any digest for that of another
            // state.
            self.forget_after(Deed::Emptied).await?;
        } else {
            self.put(&meta, sum).await?;
        }
        Ok(meta)
    }

    async fn put(&self, meta: &StateMeta, sum: Result<Md5Sum>) -> Result<()> {
        let (sum, doubt, error) = match sum {
            Ok(sum) => match self.put_sum(sum).await {
                Ok(()) => return Ok(()),
                Err((doubt, error)) => (format!("MD5 {sum}"), doubt, error),
            },
            Err(error) => ("MD5 not known".to_owned(), Doubt::None, error),
        };
        let (outcome, digest) = doubt.of_recording();
        let (state, place) = (self.entry.state(), self.entry.place());
        Err(Error::new(
            ErrorKind::DigestMismatch,
            "write",
            format!("the state was written to `{state}`, but its digest {outcome}"),
        )
        .with_context("because", &error)
        .with_context("state", format!("the new one, {} bytes, {sum}", meta.size_bytes))
        .with_context("digest", format!("{digest}, in {place}"))
        .with_hint(
            "until the digest is recorded, clients with this table refuse the state, and those \
             without it read the new one",
        )
        .with_advice(Advice::RepairDigest)
        .with_retryable(false)
        .with_source(error))
    }

    /// Records the digest of a stored state without writing the state.
    ///
    /// # Errors
    /// The reason why the digest may not be recorded.
    pub(crate) async fn record_of_stored(&self, sum: Md5Sum) -> Result<()> {
        self.put_sum(sum).await.map_err(|(doubt, error)| {
            let (outcome, digest) = doubt.of_recording();
            let note = format!(
                "the state `{}` is stored already and was not written, but its digest {outcome}",
                self.entry.state()
            );
            let error = match doubt {
                Doubt::None => error.with_context("note", note),
                Doubt::Some => Error::new(ErrorKind::Unknown, "write", note)
                    .with_context("because", &error)
                    .with_advice(Advice::RepairDigest)
                    .with_source(error),
            };
            error.with_context("digest", format!("{digest}, in {}", self.entry.place()))
        })
    }

    async fn put_sum(&self, sum: Md5Sum) -> Result<(), (Doubt, Error)> {
        let Err(failure) = self.entry.put("write", &sum.to_string()).await else { return Ok(()) };
        let doubt = Doubt::of(&failure);
        if doubt == Doubt::Some && self.sees("write", |found| found.sum() == Some(sum)).await {
            return Ok(());
        }
        Err((doubt, failure.error))
    }

    /// Returns what is recorded, whether the state has this digest or not.
    ///
    /// # Errors
    /// The reason if that cannot be read.
    pub(crate) async fn inspect(&self) -> Result<Option<RecordedDigest>> {
        let recorded = self.entry.get("read the digest").await?;
        Ok(match (recorded.sum(), recorded) {
            (Some(sum), _) => Some(RecordedDigest::Md5(sum)),
            (None, Recorded::Nothing) => None,
            (None, Recorded::Text(_) | Recorded::NoText) => Some(RecordedDigest::Unreadable),
        })
    }

    /// Deletes the digest of a state that was deleted.
    ///
    /// # Errors
    /// `DigestMismatch` if the digest may still be recorded.
    pub(crate) async fn forget(&self) -> Result<()> {
        self.forget_after(Deed::Deleted).await
    }

    async fn forget_after(&self, deed: Deed) -> Result<()> {
        let (operation, done, before) = match deed {
            Deed::Deleted => ("delete", "was deleted", "the deleted state"),
            Deed::Emptied => ("write", "was written without a byte", "the state before"),
        };
        let Err(failure) = self.entry.delete(operation).await else { return Ok(()) };
        let doubt = Doubt::of(&failure);
        if doubt == Doubt::Some && self.sees(operation, |found| *found == Recorded::Nothing).await {
            return Ok(());
        }
        let outcome = match doubt {
            Doubt::None => "could not be deleted",
            Doubt::Some => "may or may not have been deleted",
        };
        let (state, place) = (self.entry.state(), self.entry.place());
        Err(Error::new(
            ErrorKind::DigestMismatch,
            operation,
            format!("the state `{state}` {done}, but its digest {outcome}"),
        )
        .with_context("because", &failure.error)
        .with_context("state", "there is none any more")
        .with_context("digest", format!("that of {before}, in {place}"))
        .with_hint(
            "until the digest is gone, clients with this table miss the state that it stands for",
        )
        .with_hint(self.entry.how_to_remove())
        .with_retryable(false)
        .with_source(failure.error))
    }

    /// Checks whether the entry is as it should be. If the entry cannot be read, the result is
    /// unknown.
    async fn sees(
        &self,
        operation: &'static str,
        is_right: impl Fn(&Recorded) -> bool + Send,
    ) -> bool {
        self.entry.get(operation).await.is_ok_and(|found| is_right(&found))
    }
}

/// Why a state has no bytes.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Deleted,
    /// A state of zero bytes was written, which is no state.
    Emptied,
}

/// Whether a failed request may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    Some,
}

impl Doubt {
    fn of(failure: &Failure) -> Self {
        if failure.outcome == Outcome::Unknown { Self::Some } else { Self::None }
    }

    /// Returns the result of recording a digest, and the digest that is recorded.
    fn of_recording(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("could not be recorded", "the one before, if any"),
            Self::Some => {
                ("may or may not have been recorded", "the new one, or the one before, if any")
            }
        }
    }
}
