//! What a store replies about encryption, above all about an object that is encrypted with a key
//! that has to be sent with each request (SSE-C).
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use remote_state_core::config::Origin;
use remote_state_core::{Error, ErrorKind};

use crate::config::keys;
use crate::error::{About, Failure, Outcome, failure};

/// Classifies the failure of a request that reads an object.
pub(crate) fn read_failure<E>(about: About<'_>, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (code, sentence) = match &error {
        SdkError::ServiceError(answer) => (answer.err().code(), answer.err().message()),
        _ => (None, None),
    };
    let explained = explain(about, code.unwrap_or_default(), sentence.unwrap_or_default());
    let failure = failure(about, error);
    match explained {
        Some(error) => {
            Failure { outcome: Outcome::Refused, error: error.with_source(failure.error) }
        }
        None => failure,
    }
}

fn explain(about: About<'_>, code: &str, sentence: &str) -> Option<Error> {
    // A key that is set is sent with each request.
    let key = about.config.origin_if_set(keys::SSE_CUSTOMER_KEY);
    // The codes are those of any bad request, and only the sentence names the cause: "encryption",
    // "encrypted", "SSE". Ceph's sentence about a wrong key: "The calculated MD5 hash of the key
    // did not match the hash that was provided."
    let sentence_is_about = |words: &str| sentence.to_ascii_lowercase().contains(words);
    let names_encryption = sentence_is_about("encrypt")
        || sentence.contains("SSE")
        || sentence_is_about("hash of the key");
    Some(match (code, key) {
        // "The object was stored using a form of Server Side Encryption. The correct parameters
        // must be provided to retrieve the object."
        ("InvalidRequest" | "InvalidArgument", None) if names_encryption => about
            .error(
                ErrorKind::ConfigInvalid,
                "it is encrypted with a key that has to be sent along (SSE-C), and none is \
                 configured",
            )
            .with_hint(
                "set `sse_customer_key`, or the environment variable `AWS_SSE_CUSTOMER_KEY`, and \
                 `encrypt = true`",
            ),
        // "The encryption parameters are not applicable to this object."
        ("InvalidRequest", Some(origin)) if sentence.contains("not applicable") => about
            .error(
                ErrorKind::ConfigInvalid,
                "it is not encrypted with a key that is sent along (SSE-C), but one was sent",
            )
            .with_context("set in", origin)
            .with_hint("leave `sse_customer_key` and `AWS_SSE_CUSTOMER_KEY` out to read it"),
        // "Requests specifying Server Side Encryption with Customer provided keys must be made over
        // a secure connection."
        ("InvalidRequest" | "InvalidArgument", Some(origin))
            if sentence_is_about("secure connection") =>
        {
            about
                .error(
                    ErrorKind::ConfigInvalid,
                    "the store takes a key that is sent along (SSE-C) over HTTPS alone",
                )
                .with_context("key set in", origin)
                .with_hint("write `https://` in `endpoints.s3`")
        }
        ("InvalidRequest" | "InvalidArgument", Some(origin)) if names_encryption => {
            wrong(about, origin)
        }
        // "Access Denied", as for any other reason. Amazon's sentence names the key, MinIO's does
        // not.
        ("AccessDenied", Some(origin)) => wrong(about, origin).with_hint(
            "if the key is right: needed are `s3:GetObject` on state and lock file, and \
             `s3:ListBucket` on the bucket",
        ),
        _ => return None,
    })
}

fn wrong(about: About<'_>, origin: Origin) -> Error {
    about
        .error(
            ErrorKind::PermissionDenied,
            "access denied: the key that was sent along (SSE-C) may not be the one that it is \
             encrypted with",
        )
        .with_context("key set in", origin)
        .with_hint(
            "set `sse_customer_key`, or the environment variable `AWS_SSE_CUSTOMER_KEY`, to the \
             key that it was written with",
        )
}

/// Returns the error for a request that asks for encryption, if the encryption is what failed.
pub(crate) fn unable(about: About<'_>, code: &str) -> Option<Error> {
    match code {
        // "A header you provided implies functionality that is not implemented."
        "NotImplemented" => {
            let origin =
                about.config.get(keys::ENCRYPT).then(|| about.config.origin(keys::ENCRYPT))?;
            let reason = format!("{} cannot encrypt as `encrypt` asks it to", about.store);
            let error = about.error(ErrorKind::Unsupported, &reason).with_context("set in", origin);
            Some(error.with_hint("give the store a key service, or remove `encrypt`"))
        }
        // Amazon's code, and MinIO's:
        // <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html#API_GenerateDataKey_Errors>.
        "KMS.NotFoundException" | "kms:KeyNotFound" => {
            let origin = about.config.origin_if_set(keys::KMS_KEY_ID)?;
            let reason = "the store has no such key as `kms_key_id` names";
            let error =
                about.error(ErrorKind::ConfigInvalid, reason).with_context("set in", origin);
            Some(
                error.with_hint(
                    "check `kms_key_id`, and that the key is in the region of the bucket",
                ),
            )
        }
        _ => None,
    }
}
