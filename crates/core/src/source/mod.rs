//! What to write: bytes in memory, or a file that is looked at while it is sent, or before.

mod file;
mod pass;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

pub use self::file::StateFile;
pub use self::pass::Incoming;
use crate::error::{Error, ErrorKind, Result};

/// The SHA-256 of a state's bytes: states with the same hash are the same state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Computes the hash of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Writes lower-case hexadecimal digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// Computes a [`ContentHash`] from bytes as they arrive.
#[derive(Clone, Debug, Default)]
pub struct ContentHasher(Sha256);

impl ContentHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all bytes.
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

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
    tokio::task::spawn_blocking(read).await.map_err(|error| {
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
