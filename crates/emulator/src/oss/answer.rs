//! Parts of answers.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use s3s::{Body, HttpResponse};

use super::refusal::Refusal;
use super::xml;

pub(super) fn empty(status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

pub(super) fn xml_answer<T: serde::Serialize>(
    root: &str,
    value: &T,
) -> Result<HttpResponse, Refusal> {
    let mut answer = HttpResponse::new(Body::from(xml::document(root, value)?));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(answer)
}

/// Sets a header, unless HTTP cannot carry its value.
pub(super) fn set(answer: &mut HttpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Formats a time as in documents, such as `2024-01-01T00:00:00.000Z`.
pub(super) fn document_time(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Formats a time as in headers.
pub(super) fn header_time(ms: u64) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}
