//! The bytes of an object as they arrive: through one connection, or through several if one is
//! slow.
//!
//! Every read begins as one plain GET, which is enough for most states. While its bytes arrive, the
//! pace of the connection shows. If the rest would take long at that pace, it is fetched in parts
//! over several connections at once, each on the condition that the object is still the one of the
//! first reply. The reader gets the parts in order, and the number of parts under way is limited,
//! so that the memory for them is bounded.
//!
//! The first reply stays open meanwhile, because it is the one stream that is certainly whole. If a
//! store ignores the range or the condition, or the object was overwritten, the parts save no time:
//! the first reply continues where the parts ended.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::{Error, ErrorKind, Result};

use crate::checksum::Recorded;
use crate::client::{Client, Select};

/// The length of a part. It is short, because one part for each connection is held in memory.
const PART_BYTES: u64 = 512 << 10;

/// How many parts are under way at once.
const CONNECTIONS: usize = 16;

/// How many times a part is requested if its transfer breaks off.
const PART_ATTEMPTS: u32 = 3;

/// How many bytes have to arrive before the pace is judged.
const PROBE_BYTES: u64 = 1 << 20;

/// The maximum pace, in bytes per second, at which several connections can help. Above it the two
/// ends are the limit, and several connections would share that.
const FAST: f64 = 80e6;

/// The minimum gain that is worth new connections.
const LEAST_GAIN: Duration = Duration::from_millis(250);

/// What to do about a checksum that differs.
const DAMAGED: &str = "read it again: if it differs every time, the object is damaged in the \
                       store or on the way, and an older version or a backup is what is left";

/// How a reply arrives.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// The time from the request to the head of its reply.
    head: Duration,
    /// The time spent waiting for bytes; the reader's own time does not count.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Whether several connections would fetch the remaining bytes sooner.
    fn is_slow_for(&self, left: u64) -> bool {
        if self.bytes < PROBE_BYTES || left < PART_BYTES * 4 {
            return false;
        }
        let rate = self.bytes as f64 / self.waited.as_secs_f64().max(1e-6);
        let rest = Duration::from_secs_f64((left as f64 / rate).min(1e9));
        // New connections need a few round trips until their first byte.
        rate < FAST && rest > LEAST_GAIN && rest > self.head * 4
    }
}

/// The object that is being read.
#[derive(Debug)]
struct Object {
    client: Client,
    key: String,
    /// For messages.
    url: String,
    version: Option<String>,
    etag: Option<String>,
    size_bytes: u64,
}

/// A reply whose body has not been read yet.
pub(crate) struct Download {
    answer: GetObjectOutput,
    object: Object,
    head: Duration,
}

impl Download {
    /// Takes over the reply to a GET of a whole object, whose head came after `head`.
    pub(crate) fn new(
        client: Client,
        key: String,
        url: String,
        version: Option<String>,
        answer: GetObjectOutput,
        head: Duration,
    ) -> Result<Self> {
        let Some(size_bytes) = answer.content_length.and_then(|size| u64::try_from(size).ok())
        else {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "read",
                format!("cannot read `{url}`: the store does not say how long it is"),
            ));
        };
        let etag = answer.e_tag.clone();
        Ok(Self { answer, object: Object { client, key, url, version, etag, size_bytes }, head })
    }

    pub(crate) fn answer(&self) -> &GetObjectOutput {
        &self.answer
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.object.size_bytes
    }

    /// Returns the bytes, and checks that none is missing at the end and that they match the
    /// checksum that the store recorded.
    pub(crate) fn body(self) -> BoxStream<'static, Result<Bytes>> {
        let recorded = self.object.client.recorded(&self.answer);
        let reader = Reader {
            recorded,
            object: Arc::new(self.object),
            first: self.answer.body,
            taken: 0,
            passed_on: 0,
            parts: None,
            may_split: true,
            pace: Pace { head: self.head, waited: Duration::ZERO, bytes: 0 },
        };
        stream::try_unfold(reader, |mut reader| async move {
            let Some(bytes) = reader.next().await? else { return Ok(None) };
            reader.verify(&bytes)?;
            Ok(Some((bytes, reader)))
        })
        .boxed()
    }
}

struct Reader {
    object: Arc<Object>,
    /// The checksum of the whole object, until the last bytes have been checked against it.
    recorded: Option<Recorded>,
    /// The body of the first reply.
    first: ByteStream,
    /// How many bytes of it were taken.
    taken: u64,
    passed_on: u64,
    parts: Option<BoxStream<'static, Result<Bytes>>>,
    may_split: bool,
    pace: Pace,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(parts) = &mut self.parts {
            match parts.next().await {
                Some(Ok(bytes)) => {
                    self.passed_on += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                None => return Ok(None),
                Some(Err(error)) => {
                    tracing::debug!(
                        error = error.to_string(),
                        object = self.object.url,
                        "the rest is read through one connection"
                    );
                    self.parts = None;
                }
            }
        }
        let size = self.object.size_bytes;
        loop {
            let started = Instant::now();
            let next = self.first.next().await;
            self.pace.waited += started.elapsed();
            let bytes = match next {
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => {
                    let left = size - self.taken;
                    return Err(self
                        .object
                        .broken(&format!("the transfer broke off with {left} bytes to come"))
                        .with_source(error));
                }
                None if self.taken < size => {
                    let left = size - self.taken;
                    return Err(self
                        .object
                        .broken(&format!("the transfer ended with {left} bytes to come")));
                }
                None => return Ok(None),
            };
            let began = self.taken;
            self.taken += bytes.len() as u64;
            self.pace.bytes = self.taken;
            if self.taken > size {
                return Err(self.object.broken("the store sent more bytes than it announced"));
            }
            if self.taken <= self.passed_on {
                continue;
            }
            // Bytes that the parts have already delivered are not passed on twice.
            let new = usize::try_from(self.passed_on.saturating_sub(began)).unwrap_or(bytes.len());
            self.passed_on = self.taken;
            if self.may_split
                && self.object.etag.is_some()
                && self.pace.is_slow_for(size - self.taken)
            {
                self.may_split = false;
                self.parts = Some(self.object.parts(self.taken));
            }
            return Ok(Some(bytes.slice(new..)));
        }
    }
}

impl Reader {
    /// Adds the bytes to the checksum, and fails before the last ones are passed on unless all of
    /// them match the checksum that the store recorded.
    fn verify(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(recorded) = &mut self.recorded {
            recorded.update(bytes);
        }
        if self.passed_on < self.object.size_bytes {
            return Ok(());
        }
        match self.recorded.take().map(Recorded::verify) {
            Some(Err(reason)) => Err(self.object.broken(&reason).with_hint(DAMAGED)),
            _ => Ok(()),
        }
    }
}

impl Object {
    /// Fetches everything from `start` on, in parts of which several are under way at once.
    fn parts(self: &Arc<Self>, start: u64) -> BoxStream<'static, Result<Bytes>> {
        let object = Arc::clone(self);
        let count = (object.size_bytes - start).div_ceil(PART_BYTES);
        stream::iter(0..count)
            .map(move |number| {
                let object = Arc::clone(&object);
                let start = start + number * PART_BYTES;
                async move { object.part(start..object.size_bytes.min(start + PART_BYTES)).await }
            })
            .buffered(CONNECTIONS)
            .boxed()
    }

    async fn part(&self, range: Range<u64>) -> Result<Bytes> {
        let mut attempt = 1;
        loop {
            match self.part_once(range.clone()).await {
                Err(error) if error.is_retryable() && attempt < PART_ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    async fn part_once(&self, range: Range<u64>) -> Result<Bytes> {
        let select = Select {
            version: self.version.as_deref(),
            range: Some(range.clone()),
            if_match: self.etag.as_deref(),
        };
        let mut answer = self.client.get("read", &self.key, &select).await?;
        let expected = format!("bytes {}-{}/{}", range.start, range.end - 1, self.size_bytes);
        if answer.content_range.as_ref() != Some(&expected) || answer.e_tag != self.etag {
            return Err(self
                .broken("the store sent another part than it was asked for")
                .with_retryable(false));
        }
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut part = BytesMut::with_capacity(length);
        while let Some(bytes) = answer.body.next().await {
            let bytes = bytes.map_err(|error| {
                self.broken("the transfer of a part broke off").with_source(error)
            })?;
            if bytes.len() > length - part.len() {
                return Err(self.broken("the store sent more bytes than it announced"));
            }
            part.extend_from_slice(&bytes);
        }
        if part.len() == length {
            Ok(part.freeze())
        } else {
            Err(self.broken("the transfer of a part ended early"))
        }
    }

    fn broken(&self, reason: &str) -> Error {
        Error::new(ErrorKind::Unavailable, "read", format!("cannot read `{}`: {reason}", self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(head_ms: u64, bytes_per_second: f64, bytes: u64) -> Pace {
        Pace {
            head: Duration::from_millis(head_ms),
            waited: Duration::from_secs_f64(bytes as f64 / bytes_per_second),
            bytes,
        }
    }

    #[test]
    fn several_connections_are_for_slow_ones_with_much_left() {
        const MIB: u64 = 1 << 20;
        assert!(pace(30, 25e6, MIB).is_slow_for(99 * MIB));
        assert!(pace(200, 5e6, MIB).is_slow_for(7 * MIB));
        assert!(!pace(1, 500e6, MIB).is_slow_for(99 * MIB), "this machine is no link");
        assert!(!pace(30, 25e6, MIB / 2).is_slow_for(99 * MIB), "too early to tell");
        assert!(!pace(30, 25e6, MIB).is_slow_for(3 * MIB), "it is over before anything is won");
        assert!(
            !pace(500, 25e6, MIB).is_slow_for(20 * MIB),
            "the way is longer than what comes along it"
        );
    }
}
