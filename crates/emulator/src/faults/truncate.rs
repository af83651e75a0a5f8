//! Answers that end early.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use s3s::{Body, HttpResponse, StdError};

/// How long a truncated answer stays open after its last byte, so that the client reads that byte
/// before the end.
const LINGER: Duration = Duration::from_millis(20);

/// Ends the body early, with the `Content-Length` of the whole body.
pub(crate) fn truncate(answer: HttpResponse, after_bytes: u64) -> HttpResponse {
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
