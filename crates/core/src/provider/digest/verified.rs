//! Verifying a state while it streams.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::error::{Error, ErrorKind};
use crate::provider::Md5Hasher;
use crate::provider::digest::mismatch::Mismatch;
use crate::store::StateRead;

/// How many pieces may wait for the hashing thread.
const PIECES_AHEAD: usize = 8;

/// Passes the bytes on, and ends with an error if they do not match the digest.
pub(super) fn verified_stream(read: StateRead, recorded: Mismatch) -> StateRead {
    let size_bytes = read.meta.size_bytes;
    // Hashing takes longer than receiving: with a thread for each, the two together take as long as
    // the slower one.
    let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let summing = spawn_blocking(move || {
        let mut hasher = Md5Hasher::default();
        while let Some(piece) = pieces.blocking_recv() {
            hasher.update(&piece);
        }
        hasher.finish()
    });
    let body = stream::try_unfold(
        (read.body, Some((sender, summing, recorded))),
        move |(mut body, checks)| async move {
            let Some((sender, summing, recorded)) = checks else { return Ok(None) };
            if let Some(bytes) = body.next().await {
                let bytes: Bytes = bytes?;
                // The thread reads until the sender is dropped.
                drop(sender.send(bytes.clone()).await);
                return Ok(Some((bytes, (body, Some((sender, summing, recorded))))));
            }
            drop(sender);
            let sum = summing.await.map_err(|error| {
                Error::new(ErrorKind::Unexpected, "read", "summing up a state broke off")
                    .with_source(error)
            })?;
            if sum == recorded.sum {
                Ok(None)
            } else {
                Err(recorded.error(Some((sum, size_bytes))))
            }
        },
    );
    StateRead { meta: read.meta, body: body.boxed() }
}
