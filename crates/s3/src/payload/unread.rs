//! A file that is read while it is sent.
//!
//! The head of the request goes before anything is known of the bytes. They follow in the content
//! coding `aws-chunked`, and their CRC-32C behind them. The last piece and the end of the coding go
//! only when the file was read to its end, every look at it agrees, and the writer's decision is
//! yes. Otherwise the connection is closed, and the store has received a body that is cut short,
//! of which it stores nothing.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_checksums::ChecksumAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, select};
use http_body::{Body, Frame, SizeHint};
use remote_state_core::{Error, ErrorKind, Result, StateFile};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::{PIECES_AHEAD, Payload};

/// The trailer with the checksum, and how long its value is in base64.
const TRAILER: &str = "x-amz-checksum-crc32c";
const CHECKSUM_BYTES: u64 = 8;

/// The longest chunk: no store has to buffer a chunk to check it.
const CHUNK_BYTES: u64 = 256 << 10;

/// Returns the headers of a request with such a body.
pub(crate) fn headers(size_bytes: u64) -> [(&'static str, String); 3] {
    [
        ("content-encoding", "aws-chunked".to_owned()),
        ("x-amz-decoded-content-length", size_bytes.to_string()),
        ("x-amz-trailer", TRAILER.to_owned()),
    ]
}

/// Returns the length of the body in its coding.
fn coded_bytes(size_bytes: u64) -> u64 {
    let chunk = |length: u64| format!("{length:x}").len() as u64 + 2 + length + 2;
    let rest = size_bytes % CHUNK_BYTES;
    let last = if rest == 0 { 0 } else { chunk(rest) };
    let end = "0\r\n".len() as u64 + TRAILER.len() as u64 + 1 + CHECKSUM_BYTES + 4;
    size_bytes / CHUNK_BYTES * chunk(CHUNK_BYTES) + last + end
}

/// The writer's decision.
#[derive(Debug, Default)]
enum Decision {
    #[default]
    Pending,
    Yes,
    /// The reason, until it is reported.
    No(Option<Error>),
}

/// Which attempt may send its end, and whether one has.
///
/// A client that gives an attempt up cannot tell whether the connection still takes bytes from it.
/// So the end is handed out under this lock, and only to the attempt that was begun last.
#[derive(Debug, Default)]
struct Ends(Mutex<LastAttempt>);

#[derive(Debug, Default)]
struct LastAttempt {
    number: u64,
    /// The checksum behind the body, once the last piece may have been sent.
    given: Option<String>,
}

impl Ends {
    /// Begins an attempt. The earlier ones may not send their end any more.
    fn begin(&self) -> u64 {
        let mut last = self.lock();
        last.number += 1;
        last.number
    }

    /// Returns whether the attempt may send its end, and records that it does.
    fn give(&self, attempt: u64, checksum: &str) -> bool {
        let mut last = self.lock();
        let is_last = last.number == attempt;
        if is_last {
            last.given = Some(checksum.to_owned());
        }
        is_last
    }

    /// Returns the checksum of the attempt that may have sent its end. No attempt sends one after
    /// this.
    fn close(&self) -> Option<String> {
        let mut last = self.lock();
        last.number += 1;
        last.given.clone()
    }

    fn lock(&self) -> MutexGuard<'_, LastAttempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the end of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was not sent, and will not be.
    Withheld,
    /// It may have been sent, with this checksum behind it.
    Given(String),
}

/// How a file is sent that was not read before.
#[derive(Debug)]
pub(crate) struct Unread {
    needs_md5: bool,
    ends: Arc<Ends>,
    decision: watch::Receiver<Decision>,
    /// The reason of a decision against the write is taken through this.
    decide: watch::Sender<Decision>,
}

/// What the writer decides by.
#[derive(Debug)]
pub(crate) struct Release(watch::Sender<Decision>);

/// Begins to send a file that was not read before.
pub(crate) fn begin(needs_md5: bool) -> (Unread, Release) {
    let (decide, decision) = watch::channel(Decision::Pending);
    let ends = Arc::default();
    (Unread { needs_md5, ends, decision, decide: decide.clone() }, Release(decide))
}

impl Release {
    /// Runs a write, and the decision that it waits for.
    pub(crate) async fn decide_while<T>(
        self,
        decision: impl Future<Output = Result<()>>,
        write: impl Future<Output = T>,
    ) -> T {
        let decide = async {
            let decision = match decision.await {
                Ok(()) => Decision::Yes,
                Err(error) => Decision::No(Some(error)),
            };
            let _before = self.0.send_replace(decision);
        };
        match select(pin!(write), pin!(decide)).await {
            Either::Left((written, _)) => written,
            Either::Right(((), write)) => write.await,
        }
    }
}

/// Waits for the decision.
async fn decided(
    mut decision: watch::Receiver<Decision>,
    decide: watch::Sender<Decision>,
) -> Result<()> {
    let is_made = |decision: &Decision| !matches!(decision, Decision::Pending);
    let refused = || Error::new(ErrorKind::Unexpected, "write", "the writer never decided");
    drop(decision.wait_for(is_made).await.map_err(|_| refused())?);
    let mut verdict = Ok(());
    decide.send_if_modified(|decision| {
        if let Decision::No(reason) = decision {
            verdict = Err(reason.take().unwrap_or_else(refused));
        }
        false
    });
    verdict
}

impl Unread {
    /// Withholds the end of every body from now on, and returns whether it was sent before.
    pub(super) fn close(&self) -> End {
        self.ends.close().map_or(End::Withheld, End::Given)
    }

    /// Returns the body of a request, which can be sent repeatedly.
    pub(super) fn body(&self, payload: &Payload, file: &StateFile) -> ByteStream {
        let (payload, file, needs_md5) = (payload.clone(), file.clone(), self.needs_md5);
        let (decision, decide) = (self.decision.clone(), self.decide.clone());
        let ends = Arc::clone(&self.ends);
        ByteStream::new(SdkBody::retryable(move || {
            SdkBody::from_body_1_x(Coded {
                payload: payload.clone(),
                file: Some(file.clone()),
                needs_md5,
                ends: Arc::clone(&ends),
                attempt: 0,
                last: None,
                left: file.size_bytes(),
                coded_left: coded_bytes(file.size_bytes()),
                incoming: None,
                decided: Mutex::new(decided(decision.clone(), decide.clone()).boxed()),
                frames: VecDeque::new(),
            })
        }))
    }

    /// Reads the file for itself, for a body that is sent in parts, and waits for the decision.
    pub(super) async fn released(&self, file: &StateFile) -> Result<()> {
        let (file, needs_md5) = (file.clone(), self.needs_md5);
        let reading = spawn_blocking(move || file.pass(needs_md5, |_| ControlFlow::Continue(())));
        let _is_whole = reading.await.map_err(super::broke_off)??;
        decided(self.decision.clone(), self.decide.clone()).await
    }
}

/// What the reading thread sends.
enum Read {
    Piece(Bytes),
    /// The file was read to its end; its checksum.
    End(Bytes),
}

/// A file that is being sent. Another thread reads it, a few pieces ahead.
struct Coded {
    payload: Payload,
    /// `None` once the first piece has been requested.
    file: Option<StateFile>,
    needs_md5: bool,
    ends: Arc<Ends>,
    /// The number of this attempt, from its first piece on.
    attempt: u64,
    /// The last piece, until the end may be sent.
    last: Option<Bytes>,
    /// How many bytes of the file have not been received from the thread.
    left: u64,
    coded_left: u64,
    incoming: Option<mpsc::Receiver<Result<Read>>>,
    /// In a lock, since bodies can be shared; nothing shares this one.
    decided: Mutex<BoxFuture<'static, Result<()>>>,
    /// What is ready to be sent.
    frames: VecDeque<Bytes>,
}

impl Coded {
    /// Gets the next frames ready. Nothing comes after the end, or after an error.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(file) = self.file.take() {
            let (sender, incoming) = mpsc::channel(PIECES_AHEAD);
            let needs_md5 = self.needs_md5;
            drop(spawn_blocking(move || read(&file, needs_md5, &sender)));
            self.attempt = self.ends.begin();
            self.incoming = Some(incoming);
        }
        if self.incoming.is_none() {
            return Poll::Ready(Ok(()));
        }
        let more = std::task::ready!(self.poll_received(cx));
        if more.is_err() {
            self.incoming = None;
        }
        Poll::Ready(more)
    }

    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A decision against the write ends the body at once. The last piece waits for it.
        let is_decided = match self.decided.get_mut() {
            Ok(decided) => decided.poll_unpin(cx),
            Err(poisoned) => poisoned.into_inner().poll_unpin(cx),
        };
        match is_decided {
            Poll::Ready(Ok(())) => {
                // A future is not polled again.
                self.decided = Mutex::new(std::future::ready(Ok(())).boxed());
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {}
        }
        let broke_off = || Error::new(ErrorKind::Unexpected, "write", "reading a file broke off");
        while self.left > 0 {
            let Some(incoming) = &mut self.incoming else { return Poll::Ready(Err(broke_off())) };
            let piece = match std::task::ready!(incoming.poll_recv(cx)) {
                Some(Ok(Read::Piece(piece))) => piece,
                Some(Ok(Read::End(_))) | None => return Poll::Ready(Err(broke_off())),
                Some(Err(error)) => return Poll::Ready(Err(error)),
            };
            self.left = self.left.saturating_sub(piece.len() as u64);
            if self.left > 0 {
                self.push_chunk(piece);
                return Poll::Ready(Ok(()));
            }
            self.last = Some(piece);
        }
        if is_decided.is_pending() {
            return Poll::Pending;
        }
        // The checksum is in the channel only if the file was read to its end.
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(Err(broke_off())) };
        let checksum = match std::task::ready!(incoming.poll_recv(cx)) {
            Some(Ok(Read::End(checksum))) => BASE64.encode(checksum),
            Some(Ok(Read::Piece(_))) | None => return Poll::Ready(Err(broke_off())),
            Some(Err(error)) => return Poll::Ready(Err(error)),
        };
        if !self.ends.give(self.attempt, &checksum) {
            let message = "this attempt was given up before its end";
            return Poll::Ready(Err(Error::new(ErrorKind::Unavailable, "write", message)));
        }
        if let Some(last) = self.last.take() {
            self.push_chunk(last);
        }
        self.frames.push_back(format!("0\r\n{TRAILER}:{checksum}\r\n\r\n").into());
        self.incoming = None;
        Poll::Ready(Ok(()))
    }

    fn push_chunk(&mut self, piece: Bytes) {
        self.frames.push_back(format!("{:x}\r\n", piece.len()).into());
        self.frames.push_back(piece);
        self.frames.push_back(Bytes::from_static(b"\r\n"));
    }
}

impl Body for Coded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.frames.is_empty()
            && let Err(error) = std::task::ready!(self.poll_more(cx))
        {
            return Poll::Ready(Some(Err(self.payload.note_broken(error))));
        }
        let frame = self.frames.pop_front();
        self.coded_left -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.coded_left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.coded_left)
    }
}

/// Reads until the end, or until the receiver is gone.
fn read(file: &StateFile, needs_md5: bool, sender: &mpsc::Sender<Result<Read>>) {
    let mut checksum = ChecksumAlgorithm::Crc32c.into_impl();
    let passed = file.pass(needs_md5, |piece| {
        checksum.update(&piece);
        match sender.blocking_send(Ok(Read::Piece(piece))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    // If the receiver is gone, no one wants the end either.
    match passed {
        Ok(true) => drop(sender.blocking_send(Ok(Read::End(checksum.finalize())))),
        Ok(false) => {}
        Err(error) => drop(sender.blocking_send(Err(error))),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn coded(bytes: &[u8], verdict: Result<()>) -> (Payload, Result<Bytes, Error>) {
        let on_disk = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(on_disk.path(), bytes).unwrap();
        let file = StateFile::open(on_disk.path()).unwrap();
        let (unread, release) = begin(true);
        let payload = Payload::unread(file, unread, std::iter::empty());
        let body = payload.whole_body().into_inner();
        let size = body.content_length();
        let sent = release.decide_while(std::future::ready(verdict), body.collect()).await;
        let sent = sent.map(|sent| sent.to_bytes());
        if let Ok(sent) = &sent {
            assert_eq!(size, Some(sent.len() as u64));
        }
        let sent = sent.map_err(|_| payload.take_broken().unwrap().1);
        (payload, sent)
    }

    #[tokio::test]
    async fn body_is_of_the_length_that_its_head_says() {
        for size in [0, 1, 15, 16, 256 << 10, (256 << 10) + 1, 700_000] {
            let bytes: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
            let (payload, sent) = coded(&bytes, Ok(())).await;
            let sent = sent.unwrap();
            assert!(sent.ends_with(b"\r\n\r\n") && sent.len() > bytes.len(), "{size}");
            assert_eq!(payload.hash(), Some(remote_state_core::ContentHash::of(&bytes)));
        }
    }

    #[tokio::test]
    async fn chunks_and_the_checksum_behind_them_have_their_form() {
        let (_, sent) = coded(b"123456789", Ok(())).await;
        // The check value of CRC-32C, e3069283.
        let expected = "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n";
        assert_eq!(sent.unwrap(), expected);
    }

    #[tokio::test]
    async fn without_a_yes_the_end_is_never_sent() {
        for size in [1, 700_000] {
            let no = Error::new(ErrorKind::PreconditionFailed, "decide", "no");
            let (_, sent) = coded(&vec![b'x'; size], Err(no)).await;
            assert_eq!(sent.unwrap_err().message(), "no");
        }
    }

    /// Returns a file of this size, and a body for it with the first piece taken.
    async fn begun(size: usize) -> (tempfile::NamedTempFile, Payload, Release, SdkBody) {
        let on_disk = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(on_disk.path(), vec![b'x'; size]).unwrap();
        let file = StateFile::open(on_disk.path()).unwrap();
        let (unread, release) = begin(false);
        let payload = Payload::unread(file, unread, std::iter::empty());
        let mut body = payload.whole_body().into_inner();
        assert!(body.frame().await.unwrap().is_ok());
        (on_disk, payload, release, body)
    }

    #[tokio::test]
    async fn an_attempt_that_was_given_up_never_sends_its_end() {
        let (_on_disk, payload, release, body) = begun(700_000).await;
        assert_eq!(payload.close(), Some(End::Withheld));
        let sent = release.decide_while(std::future::ready(Ok(())), body.collect()).await;
        assert!(sent.is_err());
        assert_eq!(payload.close(), Some(End::Withheld));
    }

    #[tokio::test]
    async fn only_the_last_attempt_sends_its_end() {
        let (_on_disk, payload, release, first) = begun(700_000).await;
        let mut second = payload.whole_body().into_inner();
        assert!(second.frame().await.unwrap().is_ok());
        let both = async { (first.collect().await.is_err(), second.collect().await.is_ok()) };
        let (is_first_cut, is_second_whole) =
            release.decide_while(std::future::ready(Ok(())), both).await;
        assert!(is_first_cut && is_second_whole);
        assert!(matches!(payload.close(), Some(End::Given(_))));
    }

    #[tokio::test]
    async fn a_decision_against_the_write_ends_the_body_before_the_rest_is_sent() {
        let (_on_disk, _payload, release, mut body) = begun(4 << 20).await;
        let no = Error::new(ErrorKind::PreconditionFailed, "decide", "no");
        release.decide_while(std::future::ready(Err(no)), tokio::task::yield_now()).await;
        let mut frames = 1;
        while body.frame().await.unwrap().is_ok() {
            frames += 1;
        }
        assert!(frames < 10, "{frames}");
    }
}
