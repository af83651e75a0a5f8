//! Interprets the store's answers: one `match` from its codes to [`ErrorKind`].
//!
//! Codes and sentences:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/error-codes-1>.

use std::error::Error as StdError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::advice::KeyValue;
use remote_state_core::config::ResolvedConfig;
pub(crate) use remote_state_core::provider::{Failure, Outcome};
use remote_state_core::{Advice, Error, ErrorKind};
use serde::Deserialize;

use crate::config::keys;

/// The subject of a request, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The operation: `read`, `lock`.
    pub(crate) operation: &'static str,
    /// The object, as a URL.
    pub(crate) object: &'a str,
    pub(crate) bucket: &'a str,
    /// The endpoint.
    pub(crate) store: &'a str,
    /// The source of the credentials.
    pub(crate) credentials: &'a str,
    /// Where these were set.
    pub(crate) config: &'a ResolvedConfig,
}

impl About<'_> {
    /// Returns where the endpoint, or the region that it follows from, was set.
    fn endpoint_origin(&self) -> String {
        let key = match self.config.get(keys::ENDPOINT) {
            None | Some("") => keys::REGION,
            Some(_) => keys::ENDPOINT,
        };
        format!("{} (`{}`)", self.config.origin(key), key.name())
    }

    pub(crate) fn error(&self, kind: ErrorKind, reason: &str) -> Error {
        Error::new(
            kind,
            self.operation,
            format!("cannot {} `{}`: {reason}", self.operation, self.object),
        )
    }

    /// Creates the failure for a missing answer or a broken connection.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let outcome = if error.is_connect() { Outcome::Unsent } else { Outcome::Unknown };
        let told = self
            .error(ErrorKind::Unavailable, &format!("cannot reach {}", self.store))
            .with_context("because", last_reason(error))
            .with_context("set in", self.endpoint_origin())
            .with_advice(Advice::CheckNetwork(vec!["endpoint", "region"]));
        Failure { outcome, error: told }
    }

    /// Creates the failure for an answer that did not arrive in time.
    pub(crate) fn timed_out(&self) -> Failure {
        let error = self
            .error(ErrorKind::Unavailable, &format!("{} does not answer", self.store))
            .with_context("set in", self.endpoint_origin())
            .with_advice(Advice::CheckNetwork(vec!["endpoint", "region"]));
        Failure { outcome: Outcome::Unknown, error }
    }
}

/// Returns the innermost reason of a failed request. The outer ones repeat the URL, which may
/// contain a signature.
pub(crate) fn last_reason(error: &(dyn StdError + 'static)) -> String {
    let mut reason = error;
    while let Some(deeper) = reason.source() {
        reason = deeper;
    }
    match reason.downcast_ref::<reqwest::Error>() {
        Some(_) => "the connection broke".to_owned(),
        None => reason.to_string(),
    }
}

/// An answer that reports an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The service's error code; empty if there is none.
    pub(crate) code: String,
    /// The id by which the vendor's support finds the request.
    pub(crate) request_id: String,
    /// The endpoint of the bucket, if the request went to another one.
    endpoint: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    code: String,
    request_id: String,
    endpoint: String,
}

impl Refusal {
    /// Reads an answer. `header` looks up a header; the body is empty for `HEAD`, and a header then
    /// holds the error.
    pub(crate) fn read<'a>(
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
    ) -> Self {
        let of_header = || BASE64.decode(header("x-oss-err")?).ok();
        let text = if body.is_empty() { of_header().unwrap_or_default() } else { body.to_vec() };
        // Keep nothing else of the body: the service repeats the request in it.
        let body: Body =
            quick_xml::de::from_str(&String::from_utf8_lossy(&text)).unwrap_or_default();
        let request_id = header("x-oss-request-id").map_or(body.request_id, str::to_owned);
        Self { status, code: body.code, request_id, endpoint: body.endpoint }
    }

    /// Interprets the answer.
    pub(crate) fn failure(&self, about: About<'_>) -> Failure {
        let (outcome, error) = self.meaning(about);
        let error = if self.request_id.is_empty() {
            error
        } else {
            error.with_context("request id", &self.request_id)
        };
        Failure { outcome, error }
    }

    fn meaning(&self, about: About<'_>) -> (Outcome, Error) {
        let Self { status, .. } = *self;
        let code = if self.code.is_empty() { code_of_status(status) } else { &self.code };
        match code {
            // "The specified key does not exist."
            "NoSuchKey" => (Outcome::Absent, about.error(ErrorKind::NotFound, "it does not exist")),
            // "The specified version does not exist.": another client has already removed the
            // version that this one was to remove.
            "NoSuchVersion" if about.operation == "unlock" => {
                (Outcome::Absent, about.error(ErrorKind::NotFound, "that version does not exist"))
            }
            // "The specified version does not exist."
            "NoSuchVersion" => {
                (Outcome::Refused, about.error(ErrorKind::NotFound, "that version does not exist"))
            }
            // "The specified method is not allowed against this resource": the service's answer for
            // a version that records a deletion.
            "MethodNotAllowed" if about.operation == "read" => (
                Outcome::Refused,
                about.error(
                    ErrorKind::NotFound,
                    "that version records a deletion, and has no bytes",
                ),
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
                .with_advice(Advice::CheckKeys(vec!["bucket", "region", "endpoint"])),
            ),
            // "You do not have permission to access": without `oss:ListObjects` the service also
            // sends this for missing objects.
            "AccessDenied" | "UserDisable" => (
                Outcome::Refused,
                about.error(ErrorKind::PermissionDenied, "access denied").with_hint(
                    "needed are `oss:ListObjects` on the bucket, and `oss:GetObject`, \
                     `oss:PutObject`, `oss:DeleteObject` on state and lock object",
                ),
            ),
            // "The OSS Access Key Id you provided does not exist in our records." and similar.
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSecurityToken"
            | "SecurityTokenExpired"
            | "SecurityTokenNotSupported" => (
                Outcome::Refused,
                about
                    .error(
                        ErrorKind::CredentialInvalid,
                        &format!("{} does not accept the credentials ({code})", about.store),
                    )
                    .with_context("credentials", about.credentials)
                    .with_advice(Advice::CheckCredentials),
            ),
            // "The difference between the request time and the current time is too large."
            "RequestTimeTooSkewed" => (
                Outcome::Refused,
                about.error(
                    ErrorKind::CredentialInvalid,
                    "this machine's clock and the store's are too far apart",
                ),
            ),
            // "Authorization header is invalid": sent by private clouds that know only V1, and by
            // the service to a request without credentials.
            "InvalidArgument" | "AuthorizationHeaderMalformed" if status == 400 => (
                Outcome::Refused,
                about
                    .error(
                        ErrorKind::Unexpected,
                        &format!("{} does not understand the request ({code})", about.store),
                    )
                    .with_context("credentials", about.credentials)
                    .with_hint(
                        "a private cloud may know no signature but the older: set \
                         `signature_version = \"v1\"`",
                    ),
            ),
            // "The bucket you are attempting to access must be addressed using the specified
            // endpoint."
            "SecondLevelDomainForbidden" | "PermanentRedirect" | "Redirect" => {
                (Outcome::Refused, self.elsewhere(about))
            }
            // "Please send all future requests to this endpoint": the answer for a bucket in
            // another region.
            "AccessDeniedEndpoint" => (Outcome::Refused, self.elsewhere(about)),
            // "The object you specified already exists and can not be overwritten."
            "FileAlreadyExists" => (
                Outcome::ConditionFailed,
                about.error(ErrorKind::PreconditionFailed, "the object exists already"),
            ),
            // "Position is not equal to file length", "The object is not appendable": an append at
            // 0 found an object.
            "PositionNotEqualToLength" | "ObjectNotAppendable" => (
                Outcome::ConditionFailed,
                about.error(ErrorKind::PreconditionFailed, "the object exists already"),
            ),
            // "At least one of the preconditions you specified did not hold."
            "PreconditionFailed" => (
                Outcome::ConditionFailed,
                about.error(ErrorKind::PreconditionFailed, "it is not what it was expected to be"),
            ),
            // "The requested range cannot be satisfied": an object without bytes has no first ones.
            "InvalidRange" => (
                Outcome::ConditionFailed,
                about.error(ErrorKind::PreconditionFailed, "it has no such bytes"),
            ),
            // "The object you specified is immutable": the bucket has a retention policy.
            "FileImmutable" => (
                Outcome::Refused,
                about
                    .error(
                        ErrorKind::PermissionDenied,
                        "a retention policy of the bucket keeps it as it is",
                    )
                    .with_hint(
                        "keep states in a bucket without a retention policy: neither a state nor \
                         a lock object can be replaced or removed in it",
                    ),
            ),
            // "The Content-MD5 you specified did not match what we received."
            "InvalidDigest" => (
                Outcome::Unsent,
                about.error(ErrorKind::Unavailable, "it was damaged on its way to the store"),
            ),
            "TooManyRequests"
            | "QpsLimitExceeded"
            | "DownloadTrafficRateLimitExceeded"
            | "UploadTrafficRateLimitExceeded" => (
                Outcome::Unknown,
                about.error(ErrorKind::RateLimited, "the store asks for fewer requests"),
            ),
            // "Your socket connection to the server was not read from or written to within the
            // timeout period."
            "RequestTimeout" => (
                Outcome::Unknown,
                about.error(ErrorKind::Unavailable, "the store gave up waiting for the request"),
            ),
            "NotImplemented" => (
                Outcome::Refused,
                about.error(
                    ErrorKind::Unsupported,
                    &format!("{} does not support this request", about.store),
                ),
            ),
            _ if status >= 500 => (
                Outcome::Unknown,
                about.error(
                    ErrorKind::Unavailable,
                    &format!("{} failed (status {status}, {code})", about.store),
                ),
            ),
            _ => (
                Outcome::Refused,
                about.error(
                    ErrorKind::Unexpected,
                    &format!("the store refused it (status {status}, {code})"),
                ),
            ),
        }
    }

    fn elsewhere(&self, about: About<'_>) -> Error {
        let error = Error::new(
            ErrorKind::ConfigInvalid,
            about.operation,
            format!("bucket `{}` is not reached through {}", about.bucket, about.store),
        )
        .with_context("set in", about.endpoint_origin());
        let is_host = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        if is_host(&self.endpoint) {
            error.with_advice(Advice::SetKey(
                KeyValue::new("endpoint").with_value(self.endpoint.clone()),
            ))
        } else {
            error.with_hint(
                "set `region` or `endpoint` to that of the bucket; the public service takes the \
                 bucket in the host only",
            )
        }
    }

    /// Returns whether the request may be repeated unchanged, as the vendor's own clients do.
    pub(crate) fn is_passing(&self) -> bool {
        self.status >= 500 || matches!(self.status, 401 | 408 | 429) || self.code == "BadRequest"
    }
}

/// Returns the code for a status, for answers without a code. A bare 404 stays a 404: it does not
/// say that the bucket exists.
fn code_of_status(status: u16) -> &'static str {
    match status {
        301 | 302 | 307 => "Redirect",
        403 => "AccessDenied",
        405 => "MethodNotAllowed",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        501 => "NotImplemented",
        _ => "no code",
    }
}

#[cfg(test)]
mod tests {
    use remote_state_core::config::Origin;

    use super::*;
    use crate::PROVIDER;

    fn config() -> ResolvedConfig {
        let config = ResolvedConfig::from_pairs(&PROVIDER, [("bucket", "b")]).unwrap();
        config.with(keys::BUCKET, "b".to_owned(), Origin::file("main.tf", 3)).with(
            keys::ENDPOINT,
            "oss-cn-beijing.aliyuncs.com".to_owned(),
            Origin::file("main.tf", 5),
        )
    }

    fn about(config: &ResolvedConfig) -> About<'_> {
        About {
            operation: "lock",
            object: "oss://b/k.tflock",
            bucket: "b",
            store: "`https://oss-cn-beijing.aliyuncs.com`",
            credentials: "access key, set in main.tf:7",
            config,
        }
    }

    fn refusal(status: u16, code: &str) -> Refusal {
        let body = format!(
            "<?xml version=\"1.0\" \
             encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>m</Message><RequestId>R1</\
             RequestId><HostId>h</HostId><EC>0026-00000001</EC><StringToSign>GET \
             secret</StringToSign></Error>"
        );
        Refusal::read(status, |_| None, body.as_bytes())
    }

    #[test]
    fn codes_are_told_apart_by_what_they_leave_behind() {
        let config = config();
        for (status, code, outcome, kind) in [
            (404, "NoSuchKey", Outcome::Absent, ErrorKind::NotFound),
            (404, "NoSuchBucket", Outcome::Refused, ErrorKind::NotFound),
            (404, "", Outcome::Refused, ErrorKind::Unexpected),
            (403, "AccessDenied", Outcome::Refused, ErrorKind::PermissionDenied),
            (403, "SignatureDoesNotMatch", Outcome::Refused, ErrorKind::CredentialInvalid),
            (403, "SecurityTokenExpired", Outcome::Refused, ErrorKind::CredentialInvalid),
            (403, "RequestTimeTooSkewed", Outcome::Refused, ErrorKind::CredentialInvalid),
            (409, "FileAlreadyExists", Outcome::ConditionFailed, ErrorKind::PreconditionFailed),
            (
                409,
                "PositionNotEqualToLength",
                Outcome::ConditionFailed,
                ErrorKind::PreconditionFailed,
            ),
            (409, "ObjectNotAppendable", Outcome::ConditionFailed, ErrorKind::PreconditionFailed),
            (409, "FileImmutable", Outcome::Refused, ErrorKind::PermissionDenied),
            (400, "InvalidArgument", Outcome::Refused, ErrorKind::Unexpected),
            (503, "ServiceUnavailable", Outcome::Unknown, ErrorKind::Unavailable),
            (500, "", Outcome::Unknown, ErrorKind::Unavailable),
            (301, "", Outcome::Refused, ErrorKind::ConfigInvalid),
            (418, "SomethingNew", Outcome::Refused, ErrorKind::Unexpected),
        ] {
            let failure = refusal(status, code).failure(about(&config));
            assert_eq!((failure.outcome, failure.error.kind()), (outcome, kind), "{code}");
            assert!(
                !format!("{:?}", failure.error).contains("secret"),
                "nothing else of the body is kept"
            );
        }
    }

    #[test]
    fn an_error_in_a_header_is_read_where_there_is_no_body() {
        let xml = "<Error><Code>NoSuchKey</Code><RequestId>R2</RequestId></Error>";
        let encoded = BASE64.encode(xml);
        let refusal =
            Refusal::read(404, |name| (name == "x-oss-err").then_some(encoded.as_str()), b"");
        assert_eq!((refusal.code.as_str(), refusal.request_id.as_str()), ("NoSuchKey", "R2"));
    }

    #[test]
    fn what_is_no_xml_is_still_an_error() {
        let refusal = Refusal::read(403, |_| None, b"<html>no</html>");
        assert_eq!((refusal.status, refusal.code.as_str()), (403, ""));
        assert!(Refusal::read(502, |_| None, b"\xff\xfe").is_passing());
    }
}
