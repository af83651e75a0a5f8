//! What to write: bytes in memory, or a file that is looked at while it is sent, or before.

mod file;
mod hash;
mod pass;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};

pub use self::file::StateFile;
pub use self::hash::{ContentHash, ContentHasher};
pub use self::pass::Incoming;
use tokio::task::spawn_blocking;

use crate::error::{Error, ErrorKind, Result};
use crate::provider::{Md5Hasher, Md5Sum};

/// What to write. It can be read again to repeat a request.
#[derive(Clone)]
pub enum StateSource {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file that is streamed, and never held in memory as a whole.
    File(StateFile),
}

impl fmt::Debug for StateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "StateSource::Bytes({} bytes)", bytes.len()),
            Self::File(file) => write!(f, "StateSource::File({file:?})"),
        }
    }
}

impl StateSource {
    /// Returns the length in bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.size_bytes(),
        }
    }

    /// Computes the MD5 sum of the bytes, on a thread of its own.
    ///
    /// # Errors
    /// `Local` if a file cannot be read, or has changed.
    pub async fn md5(self) -> Result<Md5Sum> {
        let summing = spawn_blocking(move || {
            let mut hasher = Md5Hasher::default();
            match self {
                Self::Bytes(bytes) => hasher.update(&bytes),
                Self::File(file) => file
                    .pieces(0..file.size_bytes())?
                    .try_for_each(|piece| piece.map(|piece| hasher.update(&piece)))?,
            }
            Ok(hasher.finish())
        });
        summing.await.map_err(|error| {
            Error::new(ErrorKind::Unexpected, "write", "hashing a state broke off")
                .with_source(error)
        })?
    }

    /// Returns the hash of the bytes. It is computed now for bytes in memory; `None` for a file
    /// that was not read from end to end yet.
    pub fn content_hash(&self) -> Option<ContentHash> {
        match self {
            Self::Bytes(bytes) => Some(ContentHash::of(bytes)),
            Self::File(file) => file.content_hash(),
        }
    }

    /// Reads a file from end to end, unless that was done, so that its hash is known and all
    /// [looks](StateFile::with_look) at it agree.
    ///
    /// # Errors
    /// Those of [`StateFile::pass`].
    pub async fn examined(self) -> Result<Self> {
        match self {
            Self::File(file) if file.content_hash().is_none() => off_thread(move || {
                let _is_whole = file.pass(false, |_| ControlFlow::Continue(()))?;
                Ok(Self::File(file))
            }),
            examined => return Ok(examined),
        }
        .await
    }

    /// Reads all bytes into memory.
    ///
    /// # Errors
    /// `Local` if the file cannot be read, or has changed.
    pub async fn into_bytes(self) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(file) => {
                off_thread(move || {
                    let mut bytes = BytesMut::new();
                    for piece in file.pieces(0..file.size_bytes())? {
                        bytes.extend_from_slice(&piece?);
                    }
                    Ok(bytes.freeze())
                })
                .await
            }
        }
    }
}

async fn off_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(read).await.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "write", "reading a file broke off").with_source(error)
    })?
}

impl From<Bytes> for StateSource {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<StateFile> for StateSource {
    fn from(file: StateFile) -> Self {
        Self::File(file)
    }
}
