//! Request bodies: bytes whose length is known beforehand, and that can be sent again.
//!
//! Their hash is known beforehand too, except for a file that is sent while it is read: see
//! [`unread`].

pub(crate) mod unread;

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use remote_state_core::provider::{Md5Hasher, Md5Sum};
use remote_state_core::{
    ContentHash, ContentHasher, Error, ErrorKind, Result, StateFile, StateSource,
};
use tokio::sync::{OnceCell, mpsc};
use tokio::task::spawn_blocking;

use self::unread::{End, Unread};

/// The size up to which bytes in memory are hashed on the same thread: another one would cost more.
const SMALL_BYTES: u64 = 256 << 10;

/// How many pieces of a file wait to be sent.
const PIECES_AHEAD: usize = 2;

/// A body. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Payload(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: StateSource,
    /// `None` for a file that was not read when the body was made.
    hash: Option<ContentHash>,
    md5: OnceCell<Md5Sum>,
    /// How a file is sent that was not read before.
    unread: Option<Unread>,
    /// The metadata that the store keeps with the object.
    metadata: Vec<(String, String)>,
    /// How often reading the file failed while it was being sent, and why.
    broken: Mutex<Option<(u32, Error)>>,
}

impl Payload {
    /// Brings a state, and the metadata that the store keeps with the object. A file is read first,
    /// unless that was done.
    pub(crate) async fn new(
        source: StateSource,
        metadata: impl Iterator<Item = (String, String)>,
    ) -> Result<Self> {
        let source = source.examined().await?;
        let hash = match &source {
            StateSource::Bytes(bytes) if bytes.len() as u64 > SMALL_BYTES => {
                let bytes = bytes.clone();
                Some(spawn_blocking(move || ContentHash::of(&bytes)).await.map_err(broke_off)?)
            }
            other => other.content_hash(),
        };
        Ok(Self::with_hash(source, hash, None, metadata.collect()))
    }

    /// Brings a file that is read while it is sent.
    pub(crate) fn unread(
        file: StateFile,
        unread: Unread,
        metadata: impl Iterator<Item = (String, String)>,
    ) -> Self {
        Self::with_hash(file.into(), None, Some(unread), metadata.collect())
    }

    /// Makes a body of a few bytes.
    pub(crate) fn small(bytes: Bytes) -> Self {
        let hash = ContentHash::of(&bytes);
        Self::with_hash(bytes.into(), Some(hash), None, Vec::new())
    }

    fn with_hash(
        source: StateSource,
        hash: Option<ContentHash>,
        unread: Option<Unread>,
        metadata: Vec<(String, String)>,
    ) -> Self {
        Self(Arc::new(Inner {
            source,
            hash,
            md5: OnceCell::new(),
            unread,
            metadata,
            broken: Mutex::default(),
        }))
    }

    pub(crate) fn metadata(&self) -> &[(String, String)] {
        &self.0.metadata
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.0.source.size_bytes()
    }

    /// Returns the hash. Of a file that is sent while it is read, `None` until it was read to its
    /// end, and so until any request could have been sent to its end.
    pub(crate) fn hash(&self) -> Option<ContentHash> {
        self.0.hash.or_else(|| self.0.source.content_hash())
    }

    /// Returns the hash if it is known before the body is sent.
    pub(crate) fn hash_before(&self) -> Option<ContentHash> {
        self.0.hash
    }

    /// Whether this is a file that is read while it is sent.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.unread.is_some()
    }

    /// Withholds the end of the body from now on, and returns whether it was sent before; `None`
    /// for a body whose bytes were known beforehand.
    pub(crate) fn close(&self) -> Option<End> {
        self.0.unread.as_ref().map(Unread::close)
    }

    /// Computes the MD5 sum, once. A file that is sent while it is read was summed up then.
    pub(crate) async fn md5(&self) -> Result<Md5Sum> {
        if let StateSource::File(file) = &self.0.source
            && let Some(md5) = file.md5()
        {
            return Ok(md5);
        }
        self.0
            .md5
            .get_or_try_init(|| self.sum_of(Md5Hasher::default(), 0..self.size_bytes()))
            .await
            .copied()
    }

    /// Computes the MD5 sum of a part.
    pub(crate) async fn md5_of(&self, part: Range<u64>) -> Result<Md5Sum> {
        self.sum_of(Md5Hasher::default(), part).await
    }

    /// Computes the SHA-256 of a part.
    pub(crate) async fn hash_of(&self, part: Range<u64>) -> Result<ContentHash> {
        self.sum_of(ContentHasher::default(), part).await
    }

    async fn sum_of<H: Hasher>(&self, mut hasher: H, part: Range<u64>) -> Result<H::Sum> {
        let file = match self.slice(&part) {
            Ok(bytes) if bytes.len() as u64 <= SMALL_BYTES => {
                hasher.take(&bytes);
                return Ok(hasher.sum());
            }
            Ok(bytes) => {
                let hashing = spawn_blocking(move || {
                    hasher.take(&bytes);
                    hasher.sum()
                });
                return hashing.await.map_err(broke_off);
            }
            Err(file) => file.clone(),
        };
        let hashing = spawn_blocking(move || {
            file.pieces(part)?.try_for_each(|piece| piece.map(|piece| hasher.take(&piece)))?;
            Ok(hasher.sum())
        });
        hashing.await.map_err(broke_off)?
    }

    /// Returns the whole body of one request, which can be sent repeatedly.
    pub(crate) fn whole_body(&self) -> ByteStream {
        match (&self.0.source, &self.0.unread) {
            (StateSource::File(file), Some(unread)) => unread.body(self, file),
            _ => self.body(0..self.size_bytes()),
        }
    }

    /// Returns once all parts of the body may be put together: a file that is sent while it is
    /// read was read to its end by then, and is what it should be.
    ///
    /// # Errors
    /// Why the state must not be stored.
    pub(crate) async fn released(&self) -> Result<()> {
        match (&self.0.source, &self.0.unread) {
            (StateSource::File(file), Some(unread)) => unread.released(file).await,
            _ => Ok(()),
        }
    }

    /// Returns a part, which can be sent repeatedly.
    pub(crate) fn body(&self, part: Range<u64>) -> ByteStream {
        let file = match self.slice(&part) {
            Ok(bytes) => return ByteStream::from(bytes),
            Err(file) => file.clone(),
        };
        let payload = self.clone();
        ByteStream::new(SdkBody::retryable(move || {
            SdkBody::from_body_1_x(Pieces {
                payload: payload.clone(),
                file: Some(file.clone()),
                part: part.clone(),
                left: part.end - part.start,
                incoming: None,
            })
        }))
    }

    /// Returns how many bodies broke off for other reasons than the network, and why the last one
    /// did.
    pub(crate) fn take_broken(&self) -> Option<(u32, Error)> {
        self.0.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records that a body breaks off, and returns an error for the one that sends it.
    fn note_broken(&self, error: Error) -> Error {
        let told = Error::new(error.kind(), error.operation(), error.message());
        let mut broken = self.0.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let times = broken.take().map_or(0, |(times, _)| times);
        *broken = Some((times + 1, error));
        told
    }

    /// Returns a part of the bytes in memory, or the file.
    fn slice(&self, part: &Range<u64>) -> Result<Bytes, &StateFile> {
        match &self.0.source {
            StateSource::File(file) => Err(file),
            StateSource::Bytes(bytes) => {
                let at = |position: u64| {
                    usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len())
                };
                Ok(bytes.slice(at(part.start)..at(part.end)))
            }
        }
    }
}

/// A hash or checksum of a body.
trait Hasher: Send + 'static {
    type Sum: Send + 'static;
    fn take(&mut self, bytes: &[u8]);
    fn sum(self) -> Self::Sum;
}

impl Hasher for Md5Hasher {
    type Sum = Md5Sum;

    fn take(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn sum(self) -> Md5Sum {
        self.finish()
    }
}

impl Hasher for ContentHasher {
    type Sum = ContentHash;

    fn take(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn sum(self) -> ContentHash {
        self.finish()
    }
}

fn broke_off(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "write", "hashing a state broke off").with_source(error)
}

/// A part of a file that is being sent. Another thread reads it, a few pieces ahead.
struct Pieces {
    payload: Payload,
    /// `None` once the first piece has been requested.
    file: Option<StateFile>,
    part: Range<u64>,
    left: u64,
    incoming: Option<mpsc::Receiver<Result<Bytes>>>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(file) = self.file.take() {
            let (sender, incoming) = mpsc::channel(PIECES_AHEAD);
            let part = self.part.clone();
            drop(spawn_blocking(move || read_ahead(&file, part, &sender)));
            self.incoming = Some(incoming);
        }
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        match std::task::ready!(incoming.poll_recv(cx)) {
            Some(Ok(piece)) => {
                self.left -= piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.payload.note_broken(error)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads until the end, or until the receiver is gone.
fn read_ahead(file: &StateFile, part: Range<u64>, sender: &mpsc::Sender<Result<Bytes>>) {
    match file.pieces(part) {
        Ok(mut pieces) => {
            while pieces.next().is_some_and(|piece| sender.blocking_send(piece).is_ok()) {}
        }
        Err(error) => drop(sender.blocking_send(Err(error))),
    }
}
