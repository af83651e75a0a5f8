//! A connection that can be made slow.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How far ahead of its rate a direction may run: short against what tests measure, long against
/// the precision of timers.
const BURST: Duration = Duration::from_millis(5);

/// A slow link, read by every connection at every step.
#[derive(Debug, Default)]
pub(crate) struct Link {
    latency_micros: AtomicU64,
    /// Zero is no limit.
    bytes_per_second: AtomicU64,
}

impl Link {
    pub(crate) fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_bytes_per_second(&self, limit: Option<u64>) {
        self.bytes_per_second.store(limit.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        Some(self.bytes_per_second.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }
}

/// A TCP connection limited, in each direction, to the current rate of the link.
#[derive(Debug)]
pub(crate) struct SlowStream {
    stream: TcpStream,
    link: Arc<Link>,
    inbound: Pace,
    outbound: Pace,
}

impl SlowStream {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link, inbound: Pace::default(), outbound: Pace::default() }
    }
}

/// One direction's schedule.
#[derive(Debug, Default)]
struct Pace {
    /// When the bytes that have passed so far would have been sent at the rate.
    through: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Waits for the schedule to catch up, then returns how much may pass now; `None` is no limit.
    fn poll_allowance(&mut self, rate: Option<u64>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let Some(rate) = rate else {
            *self = Self::default();
            return Poll::Ready(None);
        };
        if let Some(through) = self.through.filter(|through| *through > Instant::now() + BURST) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(through)));
            ready!(pause.as_mut().poll(cx));
        }
        self.pause = None;
        Poll::Ready(Some(usize::try_from(rate / 100).unwrap_or(usize::MAX).max(512)))
    }

    fn passed(&mut self, bytes: usize, rate: Option<u64>) {
        if let Some(rate) = rate {
            let now = Instant::now();
            let from = self.through.map_or(now, |through| through.max(now));
            self.through = Some(from + Duration::from_secs_f64(bytes as f64 / rate as f64));
        }
    }
}

impl AsyncRead for SlowStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rate = this.link.bytes_per_second();
        let Some(allowance) = ready!(this.inbound.poll_allowance(rate, cx)) else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        // A buffer of its own, because marking a part of the caller's as filled would take unsafe
        // code. The copy costs nothing at such rates.
        let mut window = vec![0; allowance.min(buf.remaining())];
        let mut window = ReadBuf::new(&mut window);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut window))?;
        let bytes = window.filled().len();
        buf.put_slice(window.filled());
        this.inbound.passed(bytes, rate);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SlowStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let rate = this.link.bytes_per_second();
        let allowance = ready!(this.outbound.poll_allowance(rate, cx)).unwrap_or(data.len());
        let bytes =
            ready!(Pin::new(&mut this.stream).poll_write(cx, &data[..data.len().min(allowance)]))?;
        this.outbound.passed(bytes, rate);
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
