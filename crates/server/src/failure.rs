//! Answers to requests that fail, and which error becomes which status.

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use remote_state_core::{Error, ErrorKind, LockRecord};

use crate::action::Action;
use crate::advice::for_operator;
use crate::events::{Event, PolicyChoice};
use crate::record::{UNREADABLE_LOCK_ID, holder_json};

/// How long a client should wait before it tries a failing store again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The answer to a request that fails.
#[derive(Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    message: String,
    /// The record of the lock holder, if another client's lock is the reason.
    holder: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
    closes: bool,
    cause: Option<Error>,
    choice: Option<PolicyChoice>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            message: message.into(),
            holder: None,
            header: None,
            closes: false,
            cause: None,
            choice: None,
        }))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "a token is needed, as the password of HTTP Basic or as a bearer token",
        )
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"remote-state\""))
        .closing()
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "the method is not supported at this address")
            .with_header(ALLOW, HeaderValue::from_static(allow))
            .closing()
    }

    /// The answer while the server holds as much in memory as it may. The server does not read the
    /// body of the request.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this server has no memory left for states; try again",
        )
        .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
        .closing()
    }

    /// The answer if another client holds the lock. Clients show the holder, and need the id.
    pub(crate) fn locked(holder: &LockRecord) -> Self {
        let id = holder.id().map_or(UNREADABLE_LOCK_ID, |id| id.as_str());
        let mut failure = Self::new(StatusCode::LOCKED, format!("the lock `{id}` is held"));
        failure.0.holder = Some(holder_json(holder));
        failure
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Closes the connection after the answer, since the server does not read the request's body.
    pub(crate) fn closing(mut self) -> Self {
        self.0.closes = true;
        self
    }

    /// Names the choice of the policy under which the server would carry out the request.
    pub(crate) fn unless(mut self, choice: PolicyChoice) -> Self {
        self.0.choice = Some(choice);
        self
    }

    /// Returns whether another client's lock is the reason.
    pub(crate) fn is_about_a_lock(&self) -> bool {
        self.0.holder.is_some()
    }

    /// Returns the event for this failure.
    pub(crate) fn event<'a>(&'a self, state: &'a str, action: Action) -> Event<'a> {
        Event::Refused {
            state,
            action,
            is_about_a_lock: self.is_about_a_lock(),
            message: &self.0.message,
            cause: self.0.cause.as_ref(),
            choice: self.0.choice,
        }
    }

    /// Returns the text for the log.
    pub(crate) fn for_log(&self) -> String {
        match &self.0.cause {
            None => self.0.message.clone(),
            // The message in the answer says the same, or less.
            Some(cause) => Self::for_log_of(cause),
        }
    }

    /// Returns the text for the log about an error of the store.
    pub(crate) fn for_log_of(cause: &Error) -> String {
        let mut text = describe(cause);
        for (label, value) in cause.context() {
            text.push_str(&format!("; {label} {value}"));
        }
        // Only the operator, who reads the log, can act on these hints.
        if is_permanent(cause.kind())
            || matches!(cause.kind(), ErrorKind::Unsupported | ErrorKind::DigestMismatch)
        {
            for advice in cause.advice() {
                text.push_str(&format!("; hint: {}", for_operator(advice)));
            }
        }
        text
    }

    /// Turns the failure into an answer. The answer does not contain an error of the store: that is
    /// in the log, under the request's id.
    pub(crate) fn into_response(self) -> Response {
        let Inner { status, message, holder, header, closes, .. } = *self.0;
        let body = match holder {
            Some(holder) => Body::from(holder),
            None => Body::from(serde_json::json!({ "error": message }).to_string()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.extend(header.map(|(name, value)| (Some(name), value)));
        response
    }
}

impl From<Error> for Failure {
    /// Chooses the answer to an error of the store. It is never `404`: clients take that for "no
    /// state yet" and plan to create everything again.
    fn from(error: Error) -> Self {
        let mut failure = match (error.kind(), error.holder()) {
            (ErrorKind::LockHeld, Some(holder)) => Self::locked(holder),
            (ErrorKind::LockHeld | ErrorKind::PreconditionFailed, _) => {
                Self::conflict(error.message())
            }
            // Clients repeat these requests with the same bytes and the same lock id. Repeating is
            // safe: all requests are idempotent.
            (ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Unknown, _) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store gave no usable answer")
                    .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
            // 501 is the one status from 500 on after which clients do not repeat the request.
            (ErrorKind::Unsupported, _) => Self::new(StatusCode::NOT_IMPLEMENTED, error.message()),
            (kind, _) if is_permanent(kind) => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "the store refuses this server, and trying again will not help; the server's log \
                 says why",
            ),
            // The store has already waited for state and digest to agree. Clients would repeat the
            // request seven times, each as slow.
            (ErrorKind::DigestMismatch, _) if error.operation() == "read" => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "the stored state does not match its recorded digest, and trying again will not \
                 help; the server's log says how to repair it",
            ),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store failed; the server's log says why",
            ),
        };
        failure.0.cause = Some(error);
        failure
    }
}

/// Returns whether only the operator can help. After an answer that clients repeat, they would go
/// on for a minute before they show it.
fn is_permanent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConfigInvalid
            | ErrorKind::CredentialInvalid
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::TableMissing
    )
}

fn describe(error: &Error) -> String {
    let mut text = format!("{:?}: {error}", error.kind());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_of_a_store_looks_like_a_missing_state_or_a_redirect() {
        for (kind, status) in [
            (ErrorKind::ConfigInvalid, 501),
            (ErrorKind::CredentialInvalid, 501),
            (ErrorKind::DigestMismatch, 501),
            (ErrorKind::InvalidState, 500),
            (ErrorKind::LockHeld, 409),
            (ErrorKind::Local, 500),
            (ErrorKind::NotFound, 501),
            (ErrorKind::PermissionDenied, 501),
            (ErrorKind::PreconditionFailed, 409),
            (ErrorKind::RateLimited, 503),
            (ErrorKind::TableMissing, 501),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Unexpected, 500),
            (ErrorKind::Unknown, 503),
            (ErrorKind::Unsupported, 501),
        ] {
            let response = Failure::from(Error::new(kind, "read", "hunter2")).into_response();
            assert_eq!(response.status().as_u16(), status, "{kind:?}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{kind:?}");
        }
    }

    /// A client should repeat a write that did not record its digest, since the repetition records
    /// it. It should not repeat a read.
    #[test]
    fn a_write_whose_digest_was_not_recorded_is_repeated_and_a_wrong_digest_is_not() {
        for (operation, status) in [("read", 501), ("write", 500), ("delete", 500)] {
            let cause =
                Error::new(ErrorKind::DigestMismatch, operation, "no match").with_hint("repair it");
            let failure = Failure::from(cause);
            assert!(failure.for_log().ends_with("hint: repair it"), "{}", failure.for_log());
            assert_eq!(failure.into_response().status().as_u16(), status, "{operation}");
        }
    }

    #[test]
    fn the_cause_is_for_the_log_and_not_for_the_client() {
        let cause = Error::new(ErrorKind::PermissionDenied, "read", "AccessDenied on `b`")
            .with_context("asked", "s3://b/k");
        let failure = Failure::from(cause);
        assert!(
            failure.for_log().contains("AccessDenied") && failure.for_log().contains("s3://b/k")
        );
        assert!(!failure.0.message.contains("AccessDenied"));
    }

    #[test]
    fn the_log_has_the_hints_that_only_the_operator_can_follow() {
        for (kind, says) in [
            (ErrorKind::Unsupported, true),
            (ErrorKind::PermissionDenied, true),
            (ErrorKind::LockHeld, false),
        ] {
            let cause = Error::new(kind, "lock", "not here").with_hint("lock through a table");
            let log = Failure::from(cause).for_log();
            assert_eq!(log.ends_with("not here; hint: lock through a table"), says, "{log}");
        }
    }

    #[test]
    fn the_log_says_each_thing_once() {
        for kind in
            [ErrorKind::PermissionDenied, ErrorKind::PreconditionFailed, ErrorKind::Unsupported]
        {
            let failure = Failure::from(Error::new(kind, "write", "the bucket is full"));
            assert_eq!(failure.for_log(), format!("{kind:?}: the bucket is full"));
        }
    }
}
