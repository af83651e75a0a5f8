//! The ways to misbehave.

use std::time::Duration;

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Does the work, then answers with this status and error code.
    AnswerAfterWork {
        /// For example 500.
        status: u16,
        /// For example `InternalError`.
        code: String,
    },
    /// Answers with this status and error code, and does nothing.
    AnswerWithoutWork {
        /// For example 503.
        status: u16,
        /// For example `SlowDown`.
        code: String,
    },
    /// Waits before doing anything, on top of [`Faults::set_latency`](crate::Faults::set_latency).
    Delay(Duration),
    /// Says of a bucket of OSS that it never kept versions, as it was in the moment before they
    /// were turned on.
    ForgetVersioning,
    /// Takes no notice of `If-Match` and `If-None-Match` on a write, as stores do that do not know
    /// them; nor, on OSS, of `x-oss-forbid-overwrite` and of the position of an append.
    IgnoreConditions,
    /// Takes no notice of `If-Match` on a write to S3, but of `If-None-Match`.
    IgnoreUpdateConditions,
    /// Takes no notice of them on buckets with versioning enabled, as Ceph does.
    IgnoreConditionsOnVersionedBuckets,
    /// Takes no notice of `Range` on a GET, and answers with the whole object, as servers may.
    IgnoreRanges,
    /// Does the work, then closes the connection without an answer.
    LoseReply,
    /// Closes the connection and does nothing.
    LoseRequest,
    /// Takes an entity tag in `If-Match` for a wrong one unless it comes without its quotes, as
    /// Ceph does.
    MeetBareTagsOnly,
    /// Names wrong checksums in answers of S3 and a wrong CRC-64 in those of OSS, which then differ
    /// from the body, as those of one do that was damaged on its way.
    MisstateChecksum,
    /// Answers bodies with trailing checksums (`aws-chunked`) with 400 `XAmzContentSHA256Mismatch`,
    /// as older Ceph does.
    RefuseTrailers,
    /// Lists at most this many entries on a page of OSS, whatever is asked for, as the service may.
    ShortPages {
        /// How many, at least one.
        entries: usize,
    },
    /// Sends this much of the answer to a GET, then closes the connection. `Content-Length` still
    /// promises all of it.
    TruncateBody {
        /// How much is sent.
        after_bytes: u64,
    },
}

impl Misbehaviour {
    /// Answers 500 `InternalError` and does nothing.
    pub fn internal_error() -> Self {
        Self::AnswerWithoutWork { status: 500, code: "InternalError".to_owned() }
    }

    /// Answers 503 `SlowDown` and does nothing.
    pub fn slow_down() -> Self {
        Self::AnswerWithoutWork { status: 503, code: "SlowDown".to_owned() }
    }

    /// Does the work and answers 500 `InternalError`.
    pub fn internal_error_after_work() -> Self {
        Self::AnswerAfterWork { status: 500, code: "InternalError".to_owned() }
    }
}
