//! Bodies of requests, which are checked, and of answers, which are streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders, s3_error};
use tokio::sync::mpsc;

use crate::database::Storage;
use crate::store::{CHUNKS, Checksums, Segment, blobs, internal};

/// How much one transaction reads of a body: enough to make its cost vanish, little enough to hold
/// for each of many readers.
const READ_BYTES: usize = 4 * blobs::CHUNK_BYTES;

/// A complete body that matches the length, digest and checksums that its sender stated.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) size_bytes: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
}

/// The length, digest and checksums that the sender of a body stated.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// From headers; those in trailers are read when the body has ended.
    pub(crate) checksums: Checksums,
    pub(crate) md5: Option<String>,
    pub(crate) length_bytes: Option<u64>,
    pub(crate) trailers: Option<TrailingHeaders>,
    /// The names announced in `x-amz-trailer`.
    pub(crate) trailer_names: Vec<String>,
    /// An algorithm asked for without a value.
    pub(crate) algorithm: Option<String>,
}

/// Reads a body to its end and checks it.
///
/// # Errors
/// `BadDigest`, `XAmzContentSHA256Mismatch`, `InvalidDigest` or `IncompleteBody`, as S3 says it.
pub(crate) async fn receive(
    body: Option<StreamingBlob>,
    mut expected: Expected,
) -> S3Result<Received> {
    let mut hasher = hasher_for(&expected);
    let mut md5 = Md5::new();
    let mut pieces = Vec::new();
    let mut size_bytes = 0;
    if let Some(mut body) = body {
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(refused)?;
            hasher.update(&piece);
            md5.update(&piece);
            size_bytes += piece.len() as u64;
            pieces.push(piece);
        }
    }
    if expected.length_bytes.is_some_and(|length| length != size_bytes) {
        return Err(s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        ));
    }
    if let Some(trailers) = expected.trailers.take().and_then(|trailers| trailers.take()) {
        merge_trailers(&mut expected.checksums, &trailers);
    }
    let md5 = md5.finalize();
    if let Some(claimed) = &expected.md5 {
        let claimed = BASE64.decode(claimed).ok().filter(|digest| digest.len() == 16);
        let claimed = claimed.ok_or_else(|| {
            s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.")
        })?;
        if claimed != md5 {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
    }
    let checksums = from_dto(hasher.finalize());
    compare(&expected.checksums, &checksums)?;
    Ok(Received { pieces, size_bytes, md5, checksums })
}

/// Fails with `BadDigest` if a claimed checksum differs from the computed one.
pub(crate) fn compare(claimed: &Checksums, computed: &Checksums) -> S3Result<()> {
    let pairs = [
        ("CRC32", &claimed.crc32, &computed.crc32),
        ("CRC32C", &claimed.crc32c, &computed.crc32c),
        ("CRC64NVME", &claimed.crc64nvme, &computed.crc64nvme),
        ("SHA1", &claimed.sha1, &computed.sha1),
        ("SHA256", &claimed.sha256, &computed.sha256),
    ];
    for (name, claimed, computed) in pairs {
        if claimed.is_some() && computed.is_some() && claimed != computed {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
    }
    Ok(())
}

/// A hasher for the algorithms given by name, in either case.
pub(crate) fn hasher_of(algorithms: &[&str]) -> ChecksumHasher {
    let has = |name: &str| algorithms.iter().any(|algorithm| algorithm.eq_ignore_ascii_case(name));
    ChecksumHasher {
        crc32: has("CRC32").then(Default::default),
        crc32c: has("CRC32C").then(Default::default),
        crc64nvme: has("CRC64NVME").then(Default::default),
        sha1: has("SHA1").then(s3s::crypto::Sha1::new),
        sha256: has("SHA256").then(s3s::crypto::Sha256::new),
    }
}

/// Converts what a hasher computed.
pub(crate) fn from_dto(checksum: s3s::dto::Checksum) -> Checksums {
    Checksums {
        crc32: checksum.checksum_crc32,
        crc32c: checksum.checksum_crc32c,
        crc64nvme: checksum.checksum_crc64nvme,
        sha1: checksum.checksum_sha1,
        sha256: checksum.checksum_sha256,
        composite: false,
    }
}

fn hasher_for(expected: &Expected) -> ChecksumHasher {
    let claimed = &expected.checksums;
    let mut algorithms: Vec<&str> = Vec::new();
    algorithms.extend(claimed.crc32.as_ref().map(|_| "CRC32"));
    algorithms.extend(claimed.crc32c.as_ref().map(|_| "CRC32C"));
    algorithms.extend(claimed.crc64nvme.as_ref().map(|_| "CRC64NVME"));
    algorithms.extend(claimed.sha1.as_ref().map(|_| "SHA1"));
    algorithms.extend(claimed.sha256.as_ref().map(|_| "SHA256"));
    algorithms.extend(
        expected.trailer_names.iter().filter_map(|name| name.strip_prefix("x-amz-checksum-")),
    );
    algorithms.extend(expected.algorithm.as_deref());
    hasher_of(&algorithms)
}

fn merge_trailers(checksums: &mut Checksums, trailers: &HeaderMap) {
    let value = |name: &str| {
        trailers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.trim().to_owned())
    };
    let take = |slot: &mut Option<String>, name: &str| *slot = slot.take().or_else(|| value(name));
    take(&mut checksums.crc32, "x-amz-checksum-crc32");
    take(&mut checksums.crc32c, "x-amz-checksum-crc32c");
    take(&mut checksums.crc64nvme, "x-amz-checksum-crc64nvme");
    take(&mut checksums.sha1, "x-amz-checksum-sha1");
    take(&mut checksums.sha256, "x-amz-checksum-sha256");
}

/// Returns the error for a body that cannot be read. The error types of the protocol layer are
/// private, so their text decides.
fn refused(error: StdError) -> S3Error {
    let text = error.to_string();
    let (code, message) = if text.contains("Sha256Mismatch") {
        (
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if text.contains("SignatureMismatch") {
        (S3ErrorCode::SignatureDoesNotMatch, "The signature of a chunk does not match.")
    } else {
        (S3ErrorCode::IncompleteBody, "The request body terminated unexpectedly")
    };
    let mut refusal = S3Error::with_message(code, message);
    if matches!(refusal.code(), S3ErrorCode::Custom(_)) {
        refusal.set_status_code(hyper::StatusCode::BAD_REQUEST);
    }
    refusal.set_source(error);
    refusal
}

/// A stored body that is read a few rows at a time while the client takes them.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pieces: mpsc::Receiver<Result<Bytes, StdError>>,
    left: usize,
}

impl Outgoing {
    /// Starts to read `range` of the segments.
    pub(crate) fn start(
        storage: Storage,
        segments: Vec<Segment>,
        range: std::ops::Range<u64>,
    ) -> Self {
        // One piece is sent, one waits, and one is read.
        let (sender, pieces) = mpsc::channel(1);
        let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let pinned = storage.pin(&segments);
        tokio::spawn(async move {
            let mut position = range.start;
            while position < range.end {
                let (rest, of) = (position..range.end, segments.clone());
                let piece = storage
                    .read(move |txn| {
                        blobs::read(
                            &txn.open_table(CHUNKS).map_err(internal)?,
                            &of,
                            rest,
                            READ_BYTES,
                        )
                    })
                    .await
                    .map_err(|error| Box::new(error) as StdError);
                position = piece.as_ref().map_or(range.end, |piece| position + piece.len() as u64);
                if sender.send(piece).await.is_err() {
                    // The client has hung up.
                    break;
                }
            }
            drop(pinned);
        });
        Self { pieces, left }
    }
}

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.pieces.poll_recv(cx);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            self.left -= piece.len();
        }
        polled
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(self.left)
    }
}
