//! SDK interceptors: payload signing, attempt count, last status.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use remote_state_core::{ContentHash, Error};

use super::Repeat;
use crate::dialect::{BodySignature, Checksum, Dialect};
use crate::error::{Failure, Outcome};
use crate::payload::unread;

/// A body that breaks off on the client's side never arrived whole, so the store has not stored it.
pub(crate) fn unsent(error: Error) -> Failure {
    Failure { outcome: Outcome::Unsent, error }
}

/// Returns the settings of a request with this repetition.
pub(super) fn repeated(repeat: Repeat) -> aws_sdk_s3::config::Builder {
    let settings = aws_sdk_s3::config::Builder::new();
    match repeat {
        Repeat::AsConfigured => settings,
        Repeat::Never => settings.retry_config(RetryConfig::disabled()),
    }
}

/// Counts the attempts at a request, which the SDK does not report.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptCount(Arc<Attempted>);

#[derive(Debug, Default)]
struct Attempted {
    /// The attempts of the current call.
    count: AtomicU32,
    /// Whether an earlier call may have been carried out: it had another attempt besides the one
    /// that was refused because of its time.
    in_doubt: AtomicBool,
}

impl AttemptCount {
    /// Starts counting a further call for the same request.
    pub(crate) fn begin_call(&self) {
        if self.0.count.swap(0, Ordering::Relaxed) > 1 {
            self.0.in_doubt.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the number of attempts of the last call.
    pub(super) fn count(&self) -> u32 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// The SDK reports only the last attempt. That the last one did nothing does not show that the
    /// earlier ones did nothing.
    pub(crate) fn in_view_of(&self, failure: Failure) -> Failure {
        let is_in_doubt = self.count() > 1 || self.0.in_doubt.load(Ordering::Relaxed);
        match failure.outcome {
            Outcome::Refused | Outcome::Unsent if is_in_doubt => {
                Failure { outcome: Outcome::Unknown, ..failure }
            }
            _ => failure,
        }
    }
}

impl Intercept for AttemptCount {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let _: u32 = self.0.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The status of the reply to a deletion that was carried out.
pub(super) const NO_CONTENT: u16 = 204;

/// Records the status of the last reply, which the SDK does not report for a success.
#[derive(Clone, Debug, Default)]
pub(super) struct LastStatus(Arc<AtomicU16>);

impl LastStatus {
    pub(super) fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for LastStatus {
    fn name(&self) -> &'static str {
        "status"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.store(context.response().status().as_u16(), Ordering::Relaxed);
        Ok(())
    }
}

/// Sets what the signature covers instead of the body. By itself the SDK would sign a streamed body
/// as an unsigned payload, which some stores refuse.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[derive(Debug)]
pub(super) enum Signed {
    /// The hash of the body.
    Hash(ContentHash),
    /// The checksum of the body, a header that is signed with the others.
    Checksum,
    /// Nothing: a body of this many bytes is read while it is sent, and its checksum follows it.
    Trailer(u64),
}

impl Signed {
    /// For a body whose hash is known.
    pub(super) fn new(dialect: &Dialect, checksum: Option<Checksum>, hash: ContentHash) -> Self {
        match (dialect.body_signature, checksum) {
            (BodySignature::Checksum, Some(Checksum::Sha256)) => Self::Checksum,
            _ => Self::Hash(hash),
        }
    }
}

impl Intercept for Signed {
    fn name(&self) -> &'static str {
        "signed payload"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Self::Trailer(size_bytes) = self {
            let headers = context.request_mut().headers_mut();
            for (name, value) in unread::headers(*size_bytes) {
                let _before = headers.insert(name, value);
            }
        }
        bag.interceptor_state().store_put(match self {
            Self::Hash(hash) => PayloadSigningOverride::Precomputed(hash.to_string()),
            Self::Checksum => PayloadSigningOverride::UnsignedPayload,
            Self::Trailer(_) => PayloadSigningOverride::StreamingUnsignedPayloadTrailer,
        });
        Ok(())
    }
}
