//! Sends a large state in parts, where the link makes that faster.
//!
//! Usually a state is one PUT over one connection: it takes one request, and on a fast link nothing
//! is faster. A link counts as slow if the shortest round trip of this process's requests was
//! [`SLOW_TRIP`] or longer: over such a distance one connection rarely fills the line, and the gain
//! soon outweighs the two additional requests of an upload in parts. A client that writes has read
//! or locked before, so there is a round trip to judge by; if there is none, the state is one PUT.
//!
//! The store stores nothing until the parts are put together, and that is one request, which
//! carries the condition. If a store ignores conditions there, a conditional write is one PUT. An
//! unconditional write relies on the check before it, which is minutes old when all parts are sent:
//! the check is repeated.

use aws_sdk_s3::types::CompletedPart;
use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use remote_state_core::provider::StatePlace;

use crate::bucket::Bucket;
use crate::client::{Client, Condition, Object, SLOW_TRIP, Stored, unsent};
use crate::error::{Failure, Outcome};
use crate::write::Writing;

/// Shorter states are sent in one request.
const LARGE_BYTES: u64 = 16 << 20;

/// How many parts are under way at once.
const CONNECTIONS: u64 = 8;

/// The target length of a part: long enough for connections to reach their speed, and short enough
/// that one that breaks off costs little.
const PART_BYTES: u64 = 8 << 20;

/// S3's limits, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>. The last part
/// may be shorter.
const LEAST_PART_BYTES: u64 = 5 << 20;
const MOST_PARTS: u64 = 10_000;

/// Returns the length of the parts of a body: all but the last have it, and every connection gets
/// the same number of parts.
fn part_bytes(size_bytes: u64) -> u64 {
    let rounds = size_bytes.div_ceil(CONNECTIONS * PART_BYTES).max(1);
    size_bytes
        .div_ceil(CONNECTIONS * rounds)
        .max(LEAST_PART_BYTES)
        .max(size_bytes.div_ceil(MOST_PARTS))
}

impl Bucket {
    /// Sends a state in one request or in parts, whichever is faster.
    pub(crate) async fn send(
        &self,
        writing: Writing<'_>,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        let Writing { place: StatePlace { key, .. }, payload, .. } = writing;
        let is_decided_at_the_end =
            matches!(condition, Condition::None) || self.dialect.completes_conditionally;
        if payload.size_bytes() >= LARGE_BYTES
            && is_decided_at_the_end
            && self.client.shortest_trip() >= SLOW_TRIP
        {
            match self.client.create_upload(Object::State, key, payload).await {
                Ok(id) => return self.send_in_parts(writing, id, condition).await,
                // The single PUT will show any fault again, with nothing in doubt.
                Err(failure) => {
                    tracing::debug!(error = failure.error.to_string(), "the state is sent at once");
                }
            }
        }
        self.client.put_state(key, payload, condition).await
    }

    async fn send_in_parts(
        &self,
        writing: Writing<'_>,
        id: String,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        let Writing { place: StatePlace { key, .. }, payload, .. } = writing;
        let (client, size_bytes) = (&self.client, payload.size_bytes());
        let upload = Unfinished { client: client.clone(), key: key.clone(), id: Some(id.clone()) };
        let length = part_bytes(size_bytes);
        let parts = stream::iter((0..size_bytes).step_by(length as usize).zip(1..))
            .map(|(start, number)| {
                client.upload_part(key, &id, number, payload, start..size_bytes.min(start + length))
            })
            .buffered(CONNECTIONS as usize)
            .try_collect::<Vec<CompletedPart>>();
        let released = async { payload.released().await.map_err(unsent) };
        let sent = try_join(parts, released).await.map(|(parts, ())| parts);
        let sent = match (sent, condition) {
            (Ok(parts), Condition::None) => match self.look_before_the_end(writing).await {
                Ok(()) => Ok(parts),
                Err(error) => Err(Failure { outcome: Outcome::Refused, error }),
            },
            (sent, _) => sent,
        };
        let completed = match sent {
            Ok(parts) => client.complete_upload(key, &id, parts, size_bytes, condition).await,
            // Parts that were never put together are no state.
            Err(failure) => Err(Failure { outcome: Outcome::Unsent, ..failure }),
        };
        match &completed {
            Ok(_) => upload.finished(),
            Err(_) => upload.abort().await,
        }
        completed
    }
}

/// An upload that has to be aborted unless it is completed.
struct Unfinished {
    client: Client,
    key: String,
    /// `None` if there is nothing to abort any more.
    id: Option<String>,
}

impl Unfinished {
    fn finished(mut self) {
        self.id = None;
    }

    async fn abort(mut self) {
        if let Some(id) = self.id.take() {
            abort(&self.client, &self.key, &id).await;
        }
    }
}

/// Aborts the upload of a dropped write in the background, as far as possible: a caller that drops
/// the write does not wait.
impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (client, key) = (self.client.clone(), std::mem::take(&mut self.key));
            drop(runtime.spawn(async move { abort(&client, &key, &id).await }));
        }
    }
}

async fn abort(client: &Client, key: &str, id: &str) {
    if let Err(failure) = client.abort_upload(key, id).await {
        // The upload does no harm, except that the store charges for keeping the parts.
        tracing::warn!(
            error = failure.error.to_string(),
            bucket = client.bucket(),
            key,
            upload_id = id,
            command = client.abort_command(key, id),
            "an upload in parts could not be given up; the command does, or a rule of the bucket"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_within_the_limits_and_as_many_for_each_connection() {
        const MIB: u64 = 1 << 20;
        assert_eq!(part_bytes(16 * MIB), LEAST_PART_BYTES);
        assert_eq!((100 * MIB).div_ceil(part_bytes(100 * MIB)), 16);
        for size in [LARGE_BYTES, 100 * MIB, 5 << 30, 5 << 40] {
            let length = part_bytes(size);
            assert!(length >= LEAST_PART_BYTES && size.div_ceil(length) <= MOST_PARTS, "{size}");
        }
    }
}
