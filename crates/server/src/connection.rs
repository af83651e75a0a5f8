//! One connection: HTTP/1.1 with time limits, closed so that the client gets the last answer.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::Service as _;

use crate::slots::{Activity, InFlight, Slot};
use crate::timeouts::{LAST_PATIENCE, Timeouts};

/// How long, and how much of it, the server reads and drops an unread body before it closes the
/// connection.
///
/// Closing at once would reset the connection, and the client might lose the answer. See RFC 9112,
/// section 9.6.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// The longest head of a request, in bytes. Clients send it before they are authenticated.
const LONGEST_HEAD: usize = 64 << 10;

/// Serves one connection until it ends, or, after `stop` turns true, until the request in flight is
/// answered.
///
/// A connection without a request in flight ends at once when `stop` turns true, and after a
/// shorter pause while most connections are in use.
pub(crate) async fn serve(
    stream: TcpStream,
    router: Router,
    timeouts: Timeouts,
    mut stop: watch::Receiver<bool>,
    slot: &Slot,
) {
    let activity = Activity::new();
    let io = TokioIo::new(TimedStream {
        stream,
        limit: timeouts.write,
        stop: stop.clone(),
        blocked: None,
        activity: Arc::clone(&activity),
    });
    let of_requests = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let in_flight = of_requests.begin();
        let answer = Box::pin(router.clone().call(request));
        Box::pin(async move {
            answer.await.map(|response: Response| {
                response.map(|body| Tracked { body, _in_flight: in_flight })
            })
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.head)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut idle_too_long = std::pin::pin!(slot.idle_too_long(&activity, timeouts.crowded_head));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // First, so that data that has arrived counts before the connection is found idle.
            biased;
            result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = result {
                    tracing::debug!(?error, "a connection broke");
                }
                break;
            }
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                if activity.idle_since().is_some() {
                    return;
                }
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut idle_too_long => return,
        }
    }
    let mut stream = connection.into_parts().io.into_inner();
    if stream.shutdown().await.is_ok() {
        let mut rest = stream.take(LINGER_BYTES);
        // The connection is closed in either case.
        drop(timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await);
    }
}

/// The body of an answer. Its request counts as in flight until the body is sent.
#[derive(Debug)]
struct Tracked {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails if the client takes no data for too long.
#[derive(Debug)]
struct TimedStream {
    stream: TcpStream,
    limit: Duration,
    stop: watch::Receiver<bool>,
    /// Since when the client has taken nothing, and the timer for the limit.
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
    activity: Arc<Activity>,
}

impl TimedStream {
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = poll(Pin::new(&mut self.stream), cx) {
            self.blocked = None;
            self.activity.set_blocked(false);
            return Poll::Ready(done);
        }
        self.activity.set_blocked(true);
        let limit = if *self.stop.borrow() { self.limit.min(LAST_PATIENCE) } else { self.limit };
        let (since, deadline) = self.blocked.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + limit)))
        });
        if deadline.deadline() != *since + limit {
            deadline.as_mut().reset(*since + limit);
        }
        ready!(deadline.as_mut().poll(cx));
        self.blocked = None;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.timed(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(cx, |stream, cx| stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.timed(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
