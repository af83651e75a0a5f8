//! Request bodies: bytes or a file, read once for the checksums and then sent unchanged.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use futures_util::stream;
use remote_state_core::provider::{Md5Hasher, Md5Sum};
use remote_state_core::{Error, ErrorKind, Result, StateFile, StateSource};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Up to this size, bytes in memory are hashed on the calling thread: another thread would cost
/// more.
const SMALL_BYTES: usize = 256 << 10;

/// The prefix of the headers for an object's metadata:
/// <https://www.alibabacloud.com/help/en/oss/developer-reference/putobject>.
pub(crate) const METADATA: &str = "x-oss-meta-";

/// The number of pieces of a file that are read ahead.
const PIECES_AHEAD: usize = 2;

/// CRC-64 as the service computes it, over bytes as they arrive.
pub(crate) struct Crc64(Crc);

impl Default for Crc64 {
    fn default() -> Self {
        Self(Crc::new(CrcAlgorithm::Crc64Xz))
    }
}

impl Crc64 {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.finalize()
    }
}

/// A body with its checksums.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    source: StateSource,
    pub(crate) md5: Md5Sum,
    pub(crate) crc64: u64,
    /// The headers of the object's metadata.
    metadata: Vec<(String, String)>,
}

/// Why a file could not be read while it was sent, if so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Arc<Mutex<Option<Error>>>);

impl Broken {
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Payload {
    /// Reads the source for its checksums.
    ///
    /// # Errors
    /// `Local` if a file cannot be read, or has changed.
    pub(crate) async fn new(source: StateSource) -> Result<Self> {
        if let StateSource::Bytes(bytes) = &source
            && bytes.len() <= SMALL_BYTES
        {
            return Ok(Self::from(bytes.clone()));
        }
        let summing = spawn_blocking(move || {
            let mut sums = Sums::default();
            match &source {
                StateSource::Bytes(bytes) => sums.take(bytes),
                StateSource::File(file) => {
                    file.pieces(0..file.size_bytes())?
                        .try_for_each(|piece| piece.map(|piece| sums.take(&piece)))?;
                }
            }
            Ok(sums.of(source))
        });
        summing.await.map_err(|error| {
            Error::new(ErrorKind::Unexpected, "write", "hashing a state broke off")
                .with_source(error)
        })?
    }

    /// Adds metadata for the object, which a `PUT` sends.
    pub(crate) fn with_metadata(
        mut self,
        metadata: impl Iterator<Item = (String, String)>,
    ) -> Self {
        self.metadata =
            metadata.map(|(name, value)| (format!("{METADATA}{name}"), value)).collect();
        self
    }

    pub(crate) fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.source.size_bytes()
    }

    /// Returns a body for one request, and the reason in case it breaks off.
    pub(crate) fn body(&self) -> (reqwest::Body, Broken) {
        let broken = Broken::default();
        let body = match &self.source {
            StateSource::Bytes(bytes) => bytes.clone().into(),
            StateSource::File(file) => stream_of(file.clone(), broken.clone()),
        };
        (body, broken)
    }
}

/// Hashes a small body.
impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        let mut sums = Sums::default();
        sums.take(&bytes);
        sums.of(bytes.into())
    }
}

/// Reads a file on another thread, a few pieces ahead of sending.
fn stream_of(file: StateFile, broken: Broken) -> reqwest::Body {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    drop(spawn_blocking(move || {
        // The thread ends when the receiver is dropped.
        match file.pieces(0..file.size_bytes()) {
            Ok(mut all) => {
                while all.next().is_some_and(|piece| sender.blocking_send(piece).is_ok()) {}
            }
            Err(error) => drop(sender.blocking_send(Err(error))),
        }
    }));
    reqwest::Body::wrap_stream(stream::unfold(
        (pieces, broken),
        |(mut pieces, broken)| async move {
            let piece: Result<Bytes> = pieces.recv().await?;
            let piece = piece.map_err(|error| {
                let told = std::io::Error::other(error.message().to_owned());
                *broken.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                told
            });
            Some((piece, (pieces, broken)))
        },
    ))
}

#[derive(Default)]
struct Sums {
    md5: Md5Hasher,
    crc: Crc64,
}

impl Sums {
    fn take(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc.update(bytes);
    }

    fn of(self, source: StateSource) -> Payload {
        Payload { source, md5: self.md5.finish(), crc64: self.crc.finish(), metadata: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc64_is_that_of_the_service() {
        for (text, crc) in
            [("123456789", 11051210869376104954), ("", 0), ("{}\n", 4208899406445584739)]
        {
            assert_eq!(Payload::from(Bytes::from(text)).crc64, crc, "{text}");
        }
    }

    #[tokio::test]
    async fn a_file_is_summed_up_as_its_bytes_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = StateFile::read(&path, |_| Ok(())).unwrap();
        let of_file = Payload::new(file.clone().into()).await.unwrap();
        let of_bytes = Payload::new(Bytes::from(bytes).into()).await.unwrap();
        assert_eq!((of_file.md5, of_file.crc64), (of_bytes.md5, of_bytes.crc64));
        std::fs::write(&path, "changed").unwrap();
        assert_eq!(Payload::new(file.into()).await.unwrap_err().kind(), ErrorKind::Local);
    }
}
