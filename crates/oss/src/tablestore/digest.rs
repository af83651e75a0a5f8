//! The digest row: what the stored state must be. Its `LockID` is `<bucket>/<state key>-md5`, its `Digest` the MD5 of the state's bytes in lower-case
//! hexadecimal.
//!
//! It is written after each write of the state and deleted after its deletion, so between the two the state does not match it. A reader that
//! comes in that moment waits and reads both again, as long as native clients do. A state without a digest row, or with one that is none, is
//! accepted, as they do: not every client that writes keeps one.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use md5::{Digest as _, Md5};
use remote_state_core::provider::{Failure, Outcome};
use remote_state_core::{Error, ErrorKind, ReadOptions, Result, StateBytes, StateRead, Workspace};
use tokio::time::{Instant, sleep};

use crate::payload::Payload;
use crate::sign::hex;
use crate::store::OssStore;
use crate::tablestore::Table;
use crate::tablestore::plain_buffer::Value;

/// What a digest row's id ends with.
const SUFFIX: &str = "-md5";

/// The column that holds the digest.
const DIGEST: &str = "Digest";

/// States up to this size are verified before their first byte is handed on, and read again if they do not match. Larger ones are verified
/// while they stream: their last byte is followed by the error.
const COLLECTED_BYTES: u64 = 8 << 20;

/// How long to wait for a state and its digest to agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DigestWait {
    pub(crate) pause: Duration,
    pub(crate) patience: Duration,
}

impl Default for DigestWait {
    /// As native clients.
    fn default() -> Self {
        Self { pause: Duration::from_secs(2), patience: Duration::from_secs(10) }
    }
}

/// A digest, and where it is kept.
#[derive(Clone, Debug)]
struct Recorded {
    sum: String,
    state: String,
    row: String,
}

impl OssStore {
    /// Reads a state that must match its digest.
    pub(crate) async fn read_verified(
        &self,
        table: &Table,
        workspace: &Workspace,
    ) -> Result<Option<StateRead>> {
        let started = Instant::now();
        let options = ReadOptions::default();
        loop {
            // The state first: whoever writes puts the state before its digest.
            let read = self.read_object(workspace, &options).await?;
            let Some(recorded) = self.recorded_digest(table, workspace).await? else { return Ok(read) };
            let computed = match read {
                None => None,
                Some(read) if read.meta.size_bytes > COLLECTED_BYTES => {
                    return Ok(Some(verified_stream(read, recorded)));
                }
                Some(read) => {
                    let StateBytes { meta, bytes } = read.collect().await?;
                    let sum = hex(&Md5::digest(&bytes));
                    if sum == recorded.sum {
                        return Ok(Some(StateRead { meta, body: stream::iter([Ok(bytes)]).boxed() }));
                    }
                    Some((sum, meta.size_bytes))
                }
            };
            if started.elapsed() >= self.digest_wait.patience {
                return Err(mismatch(&recorded, computed));
            }
            tracing::debug!(state = recorded.state, "the state does not match its digest yet");
            sleep(self.digest_wait.pause).await;
        }
    }

    async fn recorded_digest(&self, table: &Table, workspace: &Workspace) -> Result<Option<Recorded>> {
        let id = self.digest_id(workspace);
        let row = match table.get("read", &id, DIGEST).await {
            Ok(row) => row,
            // Whoever may only read the bucket reads on, as with native clients.
            Err(failure) if failure.error.kind() == ErrorKind::PermissionDenied => {
                tracing::warn!(error = %failure.error, "the state is read without looking at its digest");
                return Ok(None);
            }
            Err(failure) => return Err(failure.error),
        };
        let Some(column) = row else { return Ok(None) };
        let sum = column.as_ref().and_then(sum_in);
        if sum.is_none() {
            tracing::warn!(row = table.url(&id), "the digest row holds no digest");
        }
        let state = self.layout.url(&self.layout.state_key(workspace));
        Ok(sum.map(|sum| Recorded { sum, state, row: table.url(&id) }))
    }

    /// Records what the state is now.
    pub(crate) async fn record_digest(
        &self,
        table: &Table,
        workspace: &Workspace,
        payload: &Payload,
    ) -> Result<()> {
        if payload.size_bytes() == 0 {
            // That is no state, and native clients take any digest for that of another one.
            return self.forget_digest(table, workspace).await;
        }
        let id = self.digest_id(workspace);
        let sum = hex(&payload.md5);
        let Err(Failure { outcome, error }) = table.put("write", &id, DIGEST, &sum).await else {
            return Ok(());
        };
        let is_in_doubt = outcome == Outcome::Unknown;
        if is_in_doubt
            && let Ok(Some(Some(column))) = table.get("write", &id, DIGEST).await
            && sum_in(&column).as_ref() == Some(&sum)
        {
            return Ok(());
        }
        let state = self.layout.url(&self.layout.state_key(workspace));
        let (verdict, left) = if is_in_doubt {
            ("may or may not have been recorded", "that of this state or of the one before")
        } else {
            ("could not be recorded", "the one before, if any")
        };
        Err(Error::new(
            ErrorKind::DigestMismatch,
            "write",
            format!("the state was written to `{state}`, but its digest {verdict}"),
        )
        .with_context("because", &error)
        .with_context("state", format!("the new one, {} bytes, MD5 {sum}", payload.size_bytes()))
        .with_context("digest", format!("{left}, in {}", table.url(&id)))
        .with_hint("until the digest is recorded, clients with this table refuse the state, and those without it read the new one")
        .with_hint("store the same state again with `remote-state push --repair-digest FILE`, which records the digest")
        .with_retryable(false)
        .with_source(error))
    }

    /// Forgets the digest of a state that was deleted.
    pub(crate) async fn forget_digest(&self, table: &Table, workspace: &Workspace) -> Result<()> {
        let id = self.digest_id(workspace);
        let Err(Failure { outcome, error }) = table.delete("delete", &id).await else { return Ok(()) };
        let is_in_doubt = outcome == Outcome::Unknown;
        if is_in_doubt && let Ok(None) = table.get("delete", &id, DIGEST).await {
            return Ok(());
        }
        let state = self.layout.url(&self.layout.state_key(workspace));
        let verdict = if is_in_doubt { "may or may not have been" } else { "could not be" };
        Err(Error::new(
            ErrorKind::DigestMismatch,
            "delete",
            format!("the state `{state}` was deleted, but its digest {verdict}"),
        )
        .with_context("because", &error)
        .with_context("state", "there is none any more")
        .with_context("digest", format!("that of the deleted state, in {}", table.url(&id)))
        .with_hint("until the digest is gone, clients with this table miss the state that it stands for")
        .with_hint(format!("remove the row `{id}` of table `{}`", table.name()))
        .with_retryable(false)
        .with_source(error))
    }

    fn digest_id(&self, workspace: &Workspace) -> String {
        self.layout.path(workspace) + SUFFIX
    }
}

/// The digest that a column holds, if it does.
fn sum_in(column: &Value) -> Option<String> {
    let text = str::from_utf8(column.text()?).ok()?.to_ascii_lowercase();
    (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// Passes the bytes on, and ends with an error if they were not those of the digest.
fn verified_stream(read: StateRead, recorded: Recorded) -> StateRead {
    let size_bytes = read.meta.size_bytes;
    let body = stream::try_unfold(Some((read.body, Md5::new(), recorded)), move |state| async move {
        let Some((mut body, mut md5, recorded)) = state else { return Ok(None) };
        match body.next().await {
            Some(bytes) => {
                let bytes = bytes?;
                md5.update(&bytes);
                Ok(Some((bytes, Some((body, md5, recorded)))))
            }
            None => {
                let sum = hex(&md5.finalize());
                if sum == recorded.sum { Ok(None) } else { Err(mismatch(&recorded, Some((sum, size_bytes)))) }
            }
        }
    });
    StateRead { meta: read.meta, body: body.boxed() }
}

/// `computed` is the sum and the length of what is stored; none if nothing is.
fn mismatch(recorded: &Recorded, computed: Option<(String, u64)>) -> Error {
    let Recorded { sum, state, row } = recorded;
    let error = Error::new(
        ErrorKind::DigestMismatch,
        "read",
        format!("state `{state}` does not match its recorded digest"),
    )
    .with_context("recorded", format!("{sum}  {row}"));
    let error = match &computed {
        Some((sum, size)) => error.with_context("computed", format!("{sum}  {state}, {size} bytes")),
        None => error.with_context("computed", format!("none: there is no state at {state}")),
    };
    let error = error.with_hint("a write may still be settling; read again in a minute");
    if computed.is_some() {
        error.with_hint("if it persists, look at what is stored, and put the state that is right in order with `remote-state push --repair-digest FILE`")
    } else {
        error.with_hint("if it persists and the state is gone for good, remove the row; else store the state again with `remote-state push --repair-digest FILE`")
    }
}
