//! The ways to misbehave.

use std::time::Duration;

use crate::gate::Gate;

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
    /// Waits before doing anything, in addition to
    /// [`Faults::set_latency`](crate::Faults::set_latency).
    Delay(Duration),
    /// Waits before doing anything until the gate is open.
    Hold(Gate),
    /// Reports a bucket of OSS as one that never kept versions, as it was just before versioning
    /// was enabled.
    ForgetVersioning,
    /// Ignores `If-Match` and `If-None-Match` on a write, as stores do that do not support them. On
    /// OSS, also ignores `x-oss-forbid-overwrite` and the position of an append.
    IgnoreConditions,
    /// Ignores `If-Match` on a write to S3, and heeds `If-None-Match`.
    IgnoreUpdateConditions,
    /// Ignores both on buckets with versioning enabled, as Ceph does.
    IgnoreConditionsOnVersionedBuckets,
    /// Ignores `Range` on a GET, and answers with the whole object, as servers may.
    IgnoreRanges,
    /// Does the work, then closes the connection without an answer.
    LoseReply,
    /// Closes the connection and does nothing.
    LoseRequest,
    /// Finds `If-Match` met only if the entity tag has no quotes, as Ceph does.
    MeetBareTagsOnly,
    /// Writes wrong checksums into answers of S3 and a wrong CRC-64 into those of OSS, as if the
    /// body was damaged in transit.
    MisstateChecksum,
    /// Answers bodies with trailing checksums (`aws-chunked`) with 400 `XAmzContentSHA256Mismatch`,
    /// as older Ceph does.
    RefuseTrailers,
    /// Lists at most this many entries on a page of OSS, also if the request allows more, as the
    /// service may.
    ShortPages {
        /// The number of entries, at least one.
        entries: usize,
    },
    /// Sends this much of the answer to a GET, then closes the connection. `Content-Length` still
    /// promises all of it.
    TruncateBody {
        /// The number of bytes that are sent.
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
