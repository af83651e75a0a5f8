//! The body of a request that the protocol layer may leave unread.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use hyper::http::request::Parts;

/// How much of a refused upload the emulator reads and drops. If it closed the connection of a
/// client that is still sending, the client would lose the answer.
const DRAIN_BYTES: usize = 64 << 20;

/// Reads and drops the body of a request that is refused.
pub(super) async fn drain(head: &Parts, body: Incoming) {
    // A client that waits for `100 Continue` has not sent its body, and reading would send that
    // answer.
    if !head.headers.contains_key(EXPECT) {
        discard(body).await;
    }
}

/// Reads and drops what is left of a body.
pub(super) async fn discard(mut body: Incoming) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
}

/// What is left of a request's body, and whether any of it was read.
pub(super) type Left = Arc<Mutex<Option<(Incoming, bool)>>>;

/// A request body that is given back when the protocol layer drops it unread.
pub(super) struct Returning {
    pub(super) body: Option<Incoming>,
    pub(super) was_read: bool,
    pub(super) slot: Left,
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
