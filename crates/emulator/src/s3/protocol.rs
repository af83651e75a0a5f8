//! S3 as one service on the port: the steps before and after the protocol layer.

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, HttpResponse, StdError};

use super::exchange::Exchange;
use super::interleave::interleave;
use super::request_body::{Returning, discard, drain};
use super::{access, address};
use crate::clock::Clock;
use crate::faults::Plan;
use crate::protocol::{Operation, Protocol, Target, Traits};
use crate::quirks::Quirks;

/// Answers requests for S3.
#[derive(Clone)]
pub(crate) struct S3 {
    pub(crate) service: S3Service,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) quirks: Quirks,
    pub(crate) clock: Clock,
}

/// A request whose body has not been read.
#[derive(Debug)]
pub(crate) struct Call {
    head: Parts,
    body: Incoming,
    operation: Operation,
}

impl Protocol for S3 {
    type Call = Call;

    /// Takes every request that no other service takes.
    fn claims(&self, _head: &Parts) -> bool {
        true
    }

    async fn read(&self, head: Parts, body: Incoming) -> Result<Call, StdError> {
        Ok(Call { head, body, operation: Operation::default() })
    }

    fn target(&self, call: &Call) -> Target {
        let (bucket, key) = address::target(&call.head.uri, &call.head.headers);
        let is_update = call.head.headers.contains_key(IF_MATCH);
        let traits = Traits {
            is_conditional: is_update || call.head.headers.contains_key(IF_NONE_MATCH),
            is_update,
            is_chunked: is_chunked(&call.head),
        };
        Target { operation: call.operation.clone(), bucket, key, traits }
    }

    async fn answer(&self, call: Call, plan: &Plan, id: &str) -> Result<HttpResponse, StdError> {
        let is_head = call.head.method == Method::HEAD;
        let answer = match self.refuse(&call.head, plan) {
            Some(refusal) => {
                drain(&call.head, call.body).await;
                refusal
            }
            None => {
                let if_match = call.head.headers.get(IF_MATCH);
                let exchange = Exchange {
                    operation: call.operation,
                    ignored: plan.ignored,
                    bare_tags_only: plan.bare_tags_only,
                    ignore_ranges: plan.ignore_ranges,
                    quirks: self.quirks,
                    is_match_quoted: if_match.is_some_and(|tag| tag.as_bytes().starts_with(b"\"")),
                    ..Exchange::default()
                };
                self.forward(call.head, call.body, exchange).await?
            }
        };
        Ok(finish(answer, is_head, id))
    }

    async fn discard(&self, call: Call) {
        drain(&call.head, call.body).await;
    }

    fn fail(
        &self,
        is_head: bool,
        status: u16,
        code: &str,
        message: &str,
        id: &str,
    ) -> HttpResponse {
        finish(error(status, code, message, ""), is_head, id)
    }

    fn spoil_checksum(&self, answer: &mut HttpResponse) {
        let names = answer.headers_mut().iter_mut();
        for (_, value) in names.filter(|(name, _)| is_checksum(name)) {
            let wrong: String = value.to_str().unwrap_or_default().chars().rev().collect();
            *value = HeaderValue::from_str(&wrong).unwrap_or(HeaderValue::from_static(""));
        }
    }
}

impl S3 {
    /// Refuses what the protocol layer would accept.
    fn refuse(&self, head: &Parts, plan: &Plan) -> Option<HttpResponse> {
        if (plan.refuse_trailers || self.quirks == Quirks::Ceph) && is_chunked(head) {
            let message = "Trailing checksums are not understood here.";
            return Some(error(400, "XAmzContentSHA256Mismatch", message, ""));
        }
        if self.clock.refuses(&head.headers).is_some() {
            let message =
                "The difference between the request time and the server's time is too large.";
            return Some(error(403, "RequestTimeTooSkewed", message, ""));
        }
        self.refuse_region(head)
    }

    /// Hands the request to the protocol layer, and reads what that leaves of the body.
    async fn forward(
        &self,
        mut head: Parts,
        body: Incoming,
        exchange: Exchange,
    ) -> Result<HttpResponse, StdError> {
        join_content_encodings(&mut head.headers);
        let waits_for_leave = head.headers.contains_key(EXPECT);
        let slot = Arc::new(Mutex::new(None));
        let returning = Returning { body: Some(body), was_read: false, slot: Arc::clone(&slot) };
        let mut request = HttpRequest::from_parts(head, Body::http_body(returning));
        let are_markers = Arc::clone(&exchange.are_markers);
        request.extensions_mut().insert(exchange);
        let mut answer = self.service.call(request).await?;
        if let Some(are_markers) = are_markers.get() {
            answer = in_order(answer, are_markers).await?;
        }
        let left = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((body, was_read)) = left
            && (was_read || !waits_for_leave)
        {
            discard(body).await;
        }
        Ok(answer)
    }

    /// Answers a request signed for another region as S3 does.
    fn refuse_region(&self, head: &Parts) -> Option<HttpResponse> {
        let region = self.region.as_deref()?;
        let signed = access::signed_region(&head.uri, &head.headers)?;
        if signed == region {
            return None;
        }
        let message = format!(
            "The authorization header is malformed; the region '{signed}' is wrong; expecting \
             '{region}'"
        );
        let mut answer = error(
            400,
            "AuthorizationHeaderMalformed",
            &message,
            &format!("<Region>{region}</Region>"),
        );
        if let Ok(value) = HeaderValue::from_str(region) {
            answer.headers_mut().insert("x-amz-bucket-region", value);
        }
        Some(answer)
    }
}

/// Puts the entries of a list of versions in order.
async fn in_order(answer: HttpResponse, are_markers: &[bool]) -> Result<HttpResponse, StdError> {
    let (mut head, body) = answer.into_parts();
    let document = String::from_utf8(BodyExt::collect(body).await?.to_bytes().into())?;
    let ordered = interleave(&document, are_markers)
        .ok_or("the list of versions is not the one that was made")?;
    head.headers.remove(CONTENT_LENGTH);
    Ok(HttpResponse::from_parts(head, Body::from(ordered)))
}

/// Joins several headers to one. The AWS SDK for Rust adds a header for `aws-chunked`, and the
/// protocol layer refuses two. The signature covers the joined values in either form.
fn join_content_encodings(headers: &mut HeaderMap) {
    let values: Vec<&[u8]> =
        headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    if values.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&values.join(&b','))
    {
        headers.insert(CONTENT_ENCODING, joined);
    }
}

fn is_chunked(head: &Parts) -> bool {
    head.headers
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"))
}

/// Completes an answer: HEAD and 304 have no body, and every answer has the id of its request.
fn finish(mut answer: HttpResponse, is_head: bool, id: &str) -> HttpResponse {
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    if answer.status() == StatusCode::NOT_MODIFIED || (is_head && failed) {
        *answer.body_mut() = Body::empty();
        answer.headers_mut().remove(CONTENT_TYPE);
        answer.headers_mut().remove(CONTENT_LENGTH);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert("x-amz-request-id", id);
    }
    answer
}

/// Whether a header holds a checksum of the body.
fn is_checksum(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amz-checksum-") && name != "x-amz-checksum-type"
}

/// Returns an error document. `details` is further XML.
fn error(status: u16, code: &str, message: &str, details: &str) -> HttpResponse {
    let text = format!(
        "<?xml version=\"1.0\" \
         encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{details}</\
         Error>"
    );
    let mut answer = HttpResponse::new(Body::from(text));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}
