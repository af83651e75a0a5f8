//! The digest of a state: the MD5 of its bytes, recorded beside it in an entry of a table.
//!
//! It is recorded after each write of the state and deleted after its deletion, so between the two
//! the state does not match it. A reader that comes in that moment waits and reads both again, as
//! long as native clients do. A state without a recorded digest, or with an entry that holds
//! none, is accepted, as they do: not every client that writes keeps one.

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

pub use entry::{DigestEntry, Recorded};
use mismatch::Mismatch;
use verified::verified_stream;

/// States up to this size are verified before their first byte is handed on, and read again if they
/// do not match. Larger ones are verified while they stream: their last byte is followed by the
/// error.
const COLLECTED_BYTES: u64 = 8 << 20;

/// What a reader knows of the digest.
enum Known {
    Sum(Mismatch),
    /// None is recorded that a state could be held against.
    Nothing,
    /// The table may not be read, or is not there.
    Unusable,
}

/// How long to wait for a state and its digest to agree.
#[derive(Clone, Copy, Debug)]
pub struct DigestWait {
    /// How long to wait before both are read again.
    pub pause: Duration,
    /// After how long to give up: what does not match then is an error.
    pub patience: Duration,
}

impl Default for DigestWait {
    /// As native clients: every two seconds, for ten.
    fn default() -> Self {
        Self { pause: Duration::from_secs(2), patience: Duration::from_secs(10) }
    }
}

/// The digest of one state: what is read is held against it, and what is written is recorded.
#[derive(Debug)]
pub struct StateDigest<E> {
    entry: E,
    wait: DigestWait,
}

impl<E: DigestEntry> StateDigest<E> {
    /// Names the entry, and how long a reader waits for it.
    pub fn new(entry: E, wait: DigestWait) -> Self {
        Self { entry, wait }
    }

    /// Reads a state that must match its digest, unless `options` ask for another version than the
    /// current one, or for no look at it. `read` reads what is stored, whatever its digest
    /// says.
    ///
    /// # Errors
    /// Those of `read`; `DigestMismatch` if the two do not agree in time; why the digest could not
    /// be read, except for want of permission or of the table itself.
    pub async fn read<F>(
        &self,
        options: &ReadOptions,
        read: impl Fn() -> F,
    ) -> Result<Option<StateRead>>
    where
        F: Future<Output = Result<Option<StateRead>>>,
    {
        if options.version.is_some() || options.ignores_digest {
            return read().await;
        }
        let started = Instant::now();
        loop {
            // At the same time: a writer may come between the two in either order, and the closer
            // they are the more seldom it does.
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
            // Whoever may only read the bucket reads on, as with native clients; and so does
            // whoever has no table.
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

    /// Records what the state is after a write, given what became of the write and the digest of
    /// what was to be written.
    ///
    /// # Errors
    /// Why the state was not written; `DigestMismatch` if it was and its digest is not known to be
    /// recorded.
    pub async fn record(
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
            // That is no state, and native clients take any digest for that of another one.
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

    /// Records the digest of a state that is stored and is not written.
    ///
    /// # Errors
    /// Why the digest is not known to be recorded.
    pub async fn record_of_stored(&self, sum: Md5Sum) -> Result<()> {
        self.put_sum(sum).await.map_err(|(doubt, error)| {
            let (outcome, digest) = doubt.of_recording();
            error
                .with_context(
                    "note",
                    format!(
                        "the state `{}` is stored already and was not written, but its digest \
                         {outcome}",
                        self.entry.state()
                    ),
                )
                .with_context("digest", format!("{digest}, in {}", self.entry.place()))
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

    /// Forgets the digest of a state that was deleted.
    ///
    /// # Errors
    /// `DigestMismatch` if the digest is not known to be gone.
    pub async fn forget(&self) -> Result<()> {
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

    /// Looks whether the entry is as it was to be. If that cannot be seen either, it is not known
    /// to be.
    async fn sees(
        &self,
        operation: &'static str,
        is_right: impl Fn(&Recorded) -> bool + Send,
    ) -> bool {
        self.entry.get(operation).await.is_ok_and(|found| is_right(&found))
    }
}

/// What left a state without bytes.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Deleted,
    /// A state of no bytes was written, which is none.
    Emptied,
}

/// Whether a request that failed may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    Some,
}

impl Doubt {
    fn of(failure: &Failure) -> Self {
        if failure.outcome == Outcome::Unknown { Self::Some } else { Self::None }
    }

    /// Returns what became of recording a digest, and which one is recorded.
    fn of_recording(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("could not be recorded", "the one before, if any"),
            Self::Some => {
                ("may or may not have been recorded", "the new one, or the one before, if any")
            }
        }
    }
}
