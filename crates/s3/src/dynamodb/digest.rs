//! The digest item: what the stored state must be.
//!
//! ```json
//! {"LockID": {"S": "<bucket>/<state key>-md5"}, "Digest": {"S": "<MD5 of the state's bytes, lower-case hexadecimal>"}}
//! ```
//!
//! It is written after each write of the state and deleted after its deletion, so between the two the state does not match it. A reader that
//! comes in that moment waits and reads both again, as long as native clients do. A state without a digest item, or with one that is none, is
//! accepted, as they do: not every client that writes keeps one.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use md5::{Digest as _, Md5};
use remote_state_core::{Error, ErrorKind, ReadOptions, Result, StateBytes, StateMeta, StateRead, Workspace};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::dynamodb::Table;
use crate::error::{Failure, Outcome};
use crate::payload::Sum;
use crate::store::S3Store;

/// What a digest item's id ends with.
const SUFFIX: &str = "-md5";

/// The attribute that holds the digest.
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
    sum: Sum,
    state: String,
    table: String,
    id: String,
}

impl S3Store {
    /// Reads a state that must match its digest.
    pub(crate) async fn read_verified(
        &self,
        table: &Table,
        workspace: &Workspace,
    ) -> Result<Option<StateRead>> {
        let started = Instant::now();
        let options = ReadOptions::default();
        loop {
            let (read, recorded) =
                tokio::join!(self.read_object(workspace, &options), self.recorded_digest(table, workspace));
            let (read, recorded) = (read?, recorded?);
            let Some(recorded) = recorded else { return Ok(read) };
            let computed = match read {
                None => None,
                Some(read) if read.meta.size_bytes > COLLECTED_BYTES => {
                    return Ok(Some(verified_stream(read, recorded)));
                }
                Some(read) => {
                    let StateBytes { meta, bytes } = read.collect().await?;
                    let sum = sum_of(&bytes);
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
        let item = match table.get("read", &id, DIGEST).await {
            Ok(item) => item,
            // Whoever may only read the bucket reads on, as with native clients.
            Err(failure) if failure.error.kind() == ErrorKind::PermissionDenied => {
                tracing::warn!(error = %failure.error, "the state is read without looking at its digest");
                return Ok(None);
            }
            Err(failure) => return Err(failure.error),
        };
        let sum = match item.as_ref().and_then(|item| item.get(DIGEST)) {
            Some(AttributeValue::S(text)) => parse_sum(text),
            _ => None,
        };
        if sum.is_none() && item.is_some() {
            tracing::warn!(item = table.url(&id), "the digest item holds no digest");
        }
        let state = self.layout.location(workspace).state;
        Ok(sum.map(|sum| Recorded { sum, state, table: table.name().to_owned(), id }))
    }

    /// Records what the state is now.
    pub(crate) async fn record_digest(
        &self,
        table: &Table,
        workspace: &Workspace,
        sum: Result<Sum>,
        meta: &StateMeta,
    ) -> Result<()> {
        if meta.size_bytes == 0 {
            // That is no state, and native clients take any digest for that of another one.
            return self.forget_digest(table, workspace).await;
        }
        let id = self.digest_id(workspace);
        let sum = sum.map(|sum| hex(&sum));
        let (sum, doubt, error) = match sum {
            Ok(sum) => match table.put("write", &id, DIGEST, sum.clone()).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    let doubt = Doubt::of(&failure);
                    if doubt == Doubt::Some && stands(table, "write", &id, Some(&sum)).await {
                        return Ok(());
                    }
                    (format!("MD5 {sum}"), doubt, failure.error)
                }
            },
            Err(error) => ("MD5 not known".to_owned(), Doubt::None, error),
        };
        let (outcome, digest) = match doubt {
            Doubt::None => ("could not be recorded", "the one before, if any"),
            Doubt::Some => ("may or may not have been recorded", "the new one, or the one before, if any"),
        };
        let state = self.layout.location(workspace).state;
        Err(Error::new(
            ErrorKind::DigestMismatch,
            "write",
            format!("the state was written to `{state}`, but its digest {outcome}"),
        )
        .with_context("because", &error)
        .with_context("state", format!("the new one, {} bytes, {sum}", meta.size_bytes))
        .with_context("digest", format!("{digest}, in {}", place(table.name(), &id)))
        .with_hint("until the digest is recorded, clients with this table refuse the state, and those without it read the new one")
        .with_hint("store the same state again with `remote-state push --repair-digest FILE`, which records the digest")
        .with_retryable(false)
        .with_source(error))
    }

    /// Forgets the digest of a state that was deleted.
    pub(crate) async fn forget_digest(&self, table: &Table, workspace: &Workspace) -> Result<()> {
        let id = self.digest_id(workspace);
        let Err(failure) = table.delete("delete", &id).await else { return Ok(()) };
        let doubt = Doubt::of(&failure);
        if doubt == Doubt::Some && stands(table, "delete", &id, None).await {
            return Ok(());
        }
        let outcome = match doubt {
            Doubt::None => "could not be",
            Doubt::Some => "may or may not have been deleted",
        };
        let error = failure.error;
        let state = self.layout.location(workspace).state;
        let key = format!("{{\"LockID\":{{\"S\":\"{id}\"}}}}");
        Err(Error::new(
            ErrorKind::DigestMismatch,
            "delete",
            format!("the state `{state}` was deleted, but its digest {outcome}"),
        )
        .with_context("because", &error)
        .with_context("state", "there is none any more")
        .with_context("digest", format!("that of the deleted state, in {}", place(table.name(), &id)))
        .with_hint("until the digest is gone, clients with this table miss the state that it stands for")
        .with_hint(format!(
            "remove it with `aws dynamodb delete-item --table-name {} --key '{key}'`",
            table.name()
        ))
        .with_retryable(false)
        .with_source(error))
    }

    fn digest_id(&self, workspace: &Workspace) -> String {
        self.layout.location(workspace).path + SUFFIX
    }
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
}

/// Looks whether the item is as it was to be: with this digest, or absent. If that cannot be seen either, it is not known to be.
async fn stands(table: &Table, operation: &'static str, id: &str, sum: Option<&str>) -> bool {
    let Ok(item) = table.get(operation, id, DIGEST).await else { return false };
    match (&item, sum) {
        (None, None) => true,
        (Some(item), Some(sum)) => {
            item.get(DIGEST).and_then(|value| value.as_s().ok()).is_some_and(|s| s == sum)
        }
        _ => false,
    }
}

/// How many pieces wait for the thread that sums them up.
const PIECES_AHEAD: usize = 8;

/// Passes the bytes on, and ends with an error if they were not those of the digest.
fn verified_stream(read: StateRead, recorded: Recorded) -> StateRead {
    let size_bytes = read.meta.size_bytes;
    // Summing up takes longer than receiving: each on a thread of its own, they take no longer than the slower of the two.
    let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let summing = spawn_blocking(move || {
        let mut md5 = Md5::new();
        while let Some(piece) = pieces.blocking_recv() {
            md5.update(&piece);
        }
        Sum::from(md5.finalize())
    });
    let body = stream::try_unfold(
        (read.body, Some((sender, summing, recorded))),
        move |(mut body, checks)| async move {
            let Some((sender, summing, recorded)) = checks else { return Ok(None) };
            if let Some(bytes) = body.next().await {
                let bytes: Bytes = bytes?;
                // The thread takes everything until the sender is gone.
                drop(sender.send(bytes.clone()).await);
                return Ok(Some((bytes, (body, Some((sender, summing, recorded))))));
            }
            drop(sender);
            let sum = summing.await.map_err(|error| {
                Error::new(ErrorKind::Unexpected, "read", "summing up a state broke off").with_source(error)
            })?;
            if sum == recorded.sum { Ok(None) } else { Err(mismatch(&recorded, Some((sum, size_bytes)))) }
        },
    );
    StateRead { meta: read.meta, body: body.boxed() }
}

/// `computed` is the sum and the length of what is stored; none if nothing is.
fn mismatch(recorded: &Recorded, computed: Option<(Sum, u64)>) -> Error {
    let Recorded { sum, state, table, id } = recorded;
    let error = Error::new(
        ErrorKind::DigestMismatch,
        "read",
        format!("state `{state}` does not match its recorded digest"),
    )
    .with_context("recorded", format!("{}  {}", hex(sum), place(table, id)));
    let error = match computed {
        Some((sum, size)) => error.with_context("computed", format!("{}  {state}, {size} bytes", hex(&sum))),
        None => error.with_context("computed", format!("none: there is no state at {state}")),
    };
    let error = error.with_hint("a write may still be settling; read again in a minute");
    if computed.is_some() {
        error.with_hint(format!(
            "if it persists, look at what is stored with `aws s3 cp {state} -`; the state that is right is put in order with `remote-state push --repair-digest FILE`"
        ))
    } else {
        error.with_hint(format!(
            "if it persists and the state is gone for good, remove the item with `aws dynamodb delete-item --table-name {table} --key '{{\"LockID\":{{\"S\":\"{id}\"}}}}'`; else store it again with `remote-state push --repair-digest FILE`"
        ))
    }
}

fn place(table: &str, id: &str) -> String {
    format!("dynamodb:{table}, item `{id}`")
}

fn sum_of(bytes: &[u8]) -> Sum {
    Md5::digest(bytes).into()
}

fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_sum(text: &str) -> Option<Sum> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}
