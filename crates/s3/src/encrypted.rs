//! What a store answers about an object that is encrypted with a key which has to be sent along (SSE-C).
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use remote_state_core::{Error, ErrorKind};

use crate::error::{About, Failure, Outcome, failure};

/// The key that went with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SentKey<'a> {
    None,
    /// One did, and this is where it was set.
    Some(&'a str),
}

/// Sorts the failure of a request that reads an object.
pub(crate) fn read_failure<E>(about: About<'_>, error: SdkError<E, HttpResponse>, key: SentKey<'_>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (code, sentence) = match &error {
        SdkError::ServiceError(answer) => (answer.err().code(), answer.err().message()),
        _ => (None, None),
    };
    let explained = explain(about, code.unwrap_or_default(), sentence.unwrap_or_default(), key);
    let failure = failure(about, error);
    match explained {
        Some(error) => Failure { outcome: Outcome::Refused, error: error.with_source(failure.error) },
        None => failure,
    }
}

fn explain(about: About<'_>, code: &str, sentence: &str, key: SentKey<'_>) -> Option<Error> {
    // The codes are those of any bad request. What it is about stands in the sentence: "encryption", "encrypted", "SSE".
    let names_encryption = sentence.to_ascii_lowercase().contains("encrypt") || sentence.contains("SSE");
    Some(match (code, key) {
        // "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
        ("InvalidRequest" | "InvalidArgument", SentKey::None) if names_encryption => about
            .error(
                ErrorKind::ConfigInvalid,
                "it is encrypted with a key that has to be sent along (SSE-C), and none is configured",
            )
            .with_hint("set `sse_customer_key`, or the environment variable `AWS_SSE_CUSTOMER_KEY`, and `encrypt = true`"),
        // "The encryption parameters are not applicable to this object."
        ("InvalidRequest", SentKey::Some(origin)) if sentence.contains("not applicable") => about
            .error(ErrorKind::ConfigInvalid, "it is not encrypted with a key that is sent along (SSE-C), but one was sent")
            .with_context("set in", origin)
            .with_hint("leave `sse_customer_key` and `AWS_SSE_CUSTOMER_KEY` out to read it"),
        ("InvalidRequest" | "InvalidArgument", SentKey::Some(origin)) if names_encryption => wrong(about, origin),
        // "Access Denied", as for any other reason. Amazon's sentence names the key, MinIO's does not.
        ("AccessDenied", SentKey::Some(origin)) => {
            wrong(about, origin).with_hint("if the key is right: needed are `s3:GetObject` on state and lock file, and `s3:ListBucket` on the bucket")
        }
        _ => return None,
    })
}

fn wrong(about: About<'_>, origin: &str) -> Error {
    about
        .error(
            ErrorKind::PermissionDenied,
            "access denied: the key that was sent along (SSE-C) may not be the one that it is encrypted with",
        )
        .with_context("key set in", origin)
        .with_hint("set `sse_customer_key`, or the environment variable `AWS_SSE_CUSTOMER_KEY`, to the key that it was written with")
}
