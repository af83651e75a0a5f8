//! Verifying a state while it streams.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::error::{Error, ErrorKind};
use crate::provider::Md5Hasher;
use crate::provider::digest::mismatch::Mismatch;
use crate::store::StateRead;

/// How many pieces wait for the thread that sums them up.
const PIECES_AHEAD: usize = 8;

/// Passes the bytes on, and ends with an error if they were not those of the digest.
pub(super) fn verified_stream(read: StateRead, recorded: Mismatch) -> StateRead {
    let size_bytes = read.meta.size_bytes;
    // Summing up takes longer than receiving: each on a thread of its own, they take no longer than
    // the slower of the two.
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
                // The thread takes everything until the sender is gone.
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
