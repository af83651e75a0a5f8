//! One request, from its head to its answer, with whatever goes wrong in between.

mod keys;
mod oss;
mod tables;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, IF_MATCH,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, HttpResponse, StdError};

use crate::dynamodb::{self, Tables};
use crate::faults::{Faults, IgnoredConditions, Plan, Target};
use crate::identity;
use crate::interleave::interleave;
use crate::oss::Oss;
use crate::quirks::Quirks;
use crate::recorder::{Recorder, Request};
use crate::store::hex;
use crate::sts::{self, Sts};
use crate::tablestore::{self, Tablestore};

/// How long a truncated answer stays open after its last byte, so that the client has that byte
/// before it sees the end.
const LINGER: Duration = Duration::from_millis(20);

/// How much of a refused upload is read and thrown away. Closing on a client that is still sending
/// would destroy the answer on its way.
const DRAIN_BYTES: usize = 64 << 20;

/// Puts the entries of a list of versions in order.
async fn in_order(answer: HttpResponse, are_markers: &[bool]) -> Result<HttpResponse, StdError> {
    let (mut head, body) = answer.into_parts();
    let document = String::from_utf8(BodyExt::collect(body).await?.to_bytes().into())?;
    let ordered = interleave(&document, are_markers)
        .ok_or("the list of versions is not the one that was made")?;
    head.headers.remove(CONTENT_LENGTH);
    Ok(HttpResponse::from_parts(head, Body::from(ordered)))
}

/// Answers requests for one emulator.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) s3: S3Service,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) tables: Tables,
    pub(crate) oss: Oss,
    pub(crate) tablestore: Tablestore,
    pub(crate) sts: Sts,
    pub(crate) quirks: Quirks,
}

/// What the layers above and below the protocol tell each other about one request, carried in its
/// extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    operation: Arc<OnceLock<String>>,
    /// Of each entry of a list of versions, in order, whether it is a delete marker.
    are_markers: Arc<OnceLock<Vec<bool>>>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) quirks: Quirks,
    /// The entity tag in `If-Match` has quotes, of which the protocol layer tells nothing.
    pub(crate) is_match_quoted: bool,
    pub(crate) bare_tags_only: bool,
    pub(crate) ignore_ranges: bool,
}

impl Exchange {
    pub(crate) fn set_operation(&self, name: String) {
        // Set once: a request has one operation.
        let _first = self.operation.set(name);
    }

    pub(crate) fn set_are_markers(&self, are_markers: Vec<bool>) {
        // Set once: an answer has one list.
        let _first = self.are_markers.set(are_markers);
    }
}

impl Endpoint {
    /// Answers a request. An error closes the connection without an answer.
    pub(crate) async fn answer(
        self,
        request: hyper::Request<Incoming>,
    ) -> Result<HttpResponse, StdError> {
        let clock = self.faults.clock();
        let mut answer = self.answer_in_time(request).await?;
        clock.stamp(&mut answer);
        Ok(answer)
    }

    async fn answer_in_time(
        self,
        request: hyper::Request<Incoming>,
    ) -> Result<HttpResponse, StdError> {
        let (head, body) = request.into_parts();
        if let Some(operation) = dynamodb::operation(&head.headers) {
            let operation = operation.to_owned();
            return self.answer_table(head, operation, body).await;
        }
        if sts::is_addressed(&head) {
            return self.answer_keys(head, body).await;
        }
        if crate::oss::is_addressed(&head.headers) {
            return self.answer_oss(head, body).await;
        }
        if tablestore::operation(&head.headers, head.uri.path()).is_some() {
            return self.answer_rows(head, body).await;
        }
        let (bucket, key) = identity::target(&head.uri, &head.headers);
        let plan = self.faults.plan(&Target {
            method: head.method.as_str(),
            operation: None,
            key: key.as_deref(),
            query: head.uri.query().unwrap_or_default(),
            is_conditional: head.headers.contains_key("if-match")
                || head.headers.contains_key("if-none-match"),
            is_update: head.headers.contains_key("if-match"),
            is_chunked: is_chunked(&head),
        });
        let exchange = Exchange {
            ignored: plan.ignored,
            bare_tags_only: plan.bare_tags_only,
            ignore_ranges: plan.ignore_ranges,
            quirks: self.quirks,
            is_match_quoted: head
                .headers
                .get(IF_MATCH)
                .is_some_and(|value| value.as_bytes().starts_with(b"\"")),
            ..Exchange::default()
        };
        let mut record = record(&head, bucket, key);
        let is_head = head.method == Method::HEAD;

        let answer = self.attempt(head, body, &plan, exchange.clone()).await;
        record.operation = exchange.operation.get().cloned();
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        answer.map(|answer| finish(answer, is_head, &plan))
    }

    async fn attempt(
        &self,
        head: Parts,
        body: Incoming,
        plan: &Plan,
        exchange: Exchange,
    ) -> Result<HttpResponse, StdError> {
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        if plan.lose_request {
            return Err("the request is lost, as a fault asks".into());
        }
        if let Some((status, code)) = &plan.answer_without {
            drain(&head, body).await;
            return Ok(error(*status, code, "A fault was asked for.", ""));
        }
        if (plan.refuse_trailers || self.quirks == Quirks::Ceph) && is_chunked(&head) {
            drain(&head, body).await;
            return Ok(error(
                400,
                "XAmzContentSHA256Mismatch",
                "Trailing checksums are not understood here.",
                "",
            ));
        }
        if self.faults.clock().refuses(&head.headers).is_some() {
            drain(&head, body).await;
            let message =
                "The difference between the request time and the server's time is too large.";
            return Ok(error(403, "RequestTimeTooSkewed", message, ""));
        }
        if let Some(answer) = self.refuse_region(&head) {
            drain(&head, body).await;
            return Ok(answer);
        }
        let answer = self.forward(head, body, exchange).await?;
        if plan.lose_reply {
            return Err("the reply is lost, as a fault asks".into());
        }
        match &plan.answer_after {
            Some((status, code)) => Ok(error(*status, code, "A fault was asked for.", "")),
            None => Ok(answer),
        }
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
        let mut answer = self.s3.call(request).await?;
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
        let signed = identity::signed_region(&head.uri, &head.headers)?;
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

/// Makes one header of several: the AWS SDK for Rust adds a line of its own for `aws-chunked`,
/// which the protocol layer takes for an error. A signature covers the joined values either way.
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

fn record(head: &Parts, bucket: Option<String>, key: Option<String>) -> Request {
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .filter(|(name, _)| *name != hyper::header::AUTHORIZATION)
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Request {
        method: head.method.to_string(),
        operation: None,
        path: head.uri.path().to_owned(),
        bucket,
        key,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        status: None,
    }
}

/// The last touches: what HEAD and 304 leave out, the request's id, the truncation.
fn finish(mut answer: HttpResponse, is_head: bool, plan: &Plan) -> HttpResponse {
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    if answer.status() == StatusCode::NOT_MODIFIED || (is_head && failed) {
        *answer.body_mut() = Body::empty();
        answer.headers_mut().remove(CONTENT_TYPE);
        answer.headers_mut().remove(CONTENT_LENGTH);
    }
    if let Ok(id) = HeaderValue::from_str(&next_request_id()) {
        answer.headers_mut().insert("x-amz-request-id", id);
    }
    if plan.misstate_checksum {
        let names = answer.headers_mut().iter_mut();
        for (_, value) in names.filter(|(name, _)| is_checksum(name)) {
            let wrong: String = value.to_str().unwrap_or_default().chars().rev().collect();
            *value = HeaderValue::from_str(&wrong).unwrap_or(HeaderValue::from_static(""));
        }
    }
    if let Some(after_bytes) = plan.truncate_after {
        answer = truncate(answer, after_bytes);
    }
    answer
}

/// Whether a header holds a checksum of the body.
fn is_checksum(name: &hyper::header::HeaderName) -> bool {
    name.as_str().starts_with("x-amz-checksum-") && name != "x-amz-checksum-type"
}

fn next_request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    hex(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).to_uppercase()
}

/// Ends the body early, while its length still promises all of it.
fn truncate(answer: HttpResponse, after_bytes: u64) -> HttpResponse {
    let (mut head, body) = answer.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut left = usize::try_from(after_bytes).unwrap_or(usize::MAX);
    let kept = body.into_data_stream().map(move |piece| {
        let mut piece = piece?;
        piece.truncate(left);
        left -= piece.len();
        Ok::<_, StdError>((Frame::data(piece), left))
    });
    let kept = kept.scan(false, |ended, piece| {
        let goes_on = !std::mem::replace(ended, !matches!(piece, Ok((_, left)) if left > 0));
        std::future::ready(goes_on.then(|| piece.map(|(frame, _)| frame)))
    });
    let end = stream::once(async {
        tokio::time::sleep(LINGER).await;
        Err("the body is cut short, as a fault asks".into())
    });
    HttpResponse::from_parts(head, Body::http_body_unsync(StreamBody::new(kept.chain(end))))
}

/// An error document. `details` is XML of its own.
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

async fn drain(head: &Parts, body: Incoming) {
    // A client that waits for `100 Continue` has not sent its body, and asking for it now would be
    // a promise to use it.
    if !head.headers.contains_key(EXPECT) {
        discard(body).await;
    }
}

async fn discard(mut body: Incoming) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
}

/// What is left of a request's body, and whether any of it was read.
type Left = Arc<Mutex<Option<(Incoming, bool)>>>;

/// A request body that comes back when the protocol layer drops it unread.
struct Returning {
    body: Option<Incoming>,
    was_read: bool,
    slot: Left,
}

impl hyper::body::Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.was_read = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::new, hyper::body::Body::size_hint)
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((body, self.was_read));
        }
    }
}
