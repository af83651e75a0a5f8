//! What to write: bytes in memory, or a file that is read once to inspect it and once more to send
//! it.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// How many bytes one piece of a file has.
const PIECE_BYTES: usize = 256 << 10;

/// How many pieces may wait for the hashing thread.
const PIECES_AHEAD: usize = 4;

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

    /// Returns the hash of the bytes. It is computed now for bytes in memory.
    pub fn content_hash(&self) -> ContentHash {
        match self {
            Self::Bytes(bytes) => ContentHash::of(bytes),
            Self::File(file) => file.hash,
        }
    }

    /// Reads all bytes into memory.
    ///
    /// # Errors
    /// `Local` if the file cannot be read, or has changed.
    pub async fn into_bytes(self) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(file) => tokio::task::spawn_blocking(move || {
                let mut bytes = BytesMut::new();
                for piece in file.pieces(0..file.size_bytes())? {
                    bytes.extend_from_slice(&piece?);
                }
                Ok(bytes.freeze())
            })
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Unexpected, "write", "reading a file broke off")
                    .with_source(error)
            })?,
        }
    }
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

/// A file that was read from end to end once: its length and hash are known, and must not change.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    identity: Identity,
    hash: ContentHash,
}

/// Properties by which a changed or replaced file differs from the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    size_bytes: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and the time (seconds, nanoseconds) of the inode's last change. No program
    /// can set that time back, unlike the time of the last write.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Identity {
    fn of(meta: &Metadata) -> Self {
        Self {
            size_bytes: meta.len(),
            modified: meta.modified().ok(),
            #[cfg(unix)]
            inode: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl StateFile {
    /// Reads a file to its end, which takes as long as the disk does; `look` receives all of its
    /// bytes in order. Asynchronous callers call this on a thread for blocking work.
    ///
    /// Each request reads the file again, so it cannot be a pipe.
    ///
    /// # Errors
    /// `NotFound` or `Local` if the file cannot be read, or changes meanwhile; the error that
    /// `look` returns.
    pub fn read(
        path: impl Into<PathBuf>,
        mut look: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Self> {
        let path = path.into();
        let (mut file, identity) = open(&path)?;
        let size_bytes = identity.size_bytes;
        let mut unhashed = Self { path, identity, hash: ContentHash([0; 32]) };
        let read = std::thread::scope(|scope| {
            let (sender, pieces) = mpsc::sync_channel::<Bytes>(PIECES_AHEAD);
            // Hashing takes about as long as `look`: in parallel, the two take half of the time.
            let hashing = scope.spawn(move || {
                let mut hasher = ContentHasher::default();
                pieces.iter().for_each(|piece| hasher.update(&piece));
                hasher.finish()
            });
            let mut left = size_bytes;
            while left > 0 {
                let piece = unhashed.piece(&mut file, left)?;
                left -= piece.len() as u64;
                // The thread reads until the sender is dropped.
                drop(sender.send(piece.clone()));
                look(&piece)?;
            }
            drop(sender);
            hashing
                .join()
                .map_err(|_| Error::new(ErrorKind::Unexpected, "write", "hashing a file broke off"))
        });
        unhashed.hash = read?;
        unhashed.check(&file)?;
        Ok(unhashed)
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.identity.size_bytes
    }

    /// Opens the file again, and returns a part of it piece by piece. This blocks.
    ///
    /// It yields the last piece only if the file still is the one that was read first, unchanged,
    /// so a sender never sends the end of mixed contents. A change shows in the length and the time
    /// of the last write, and on Unix in the inode and the time of the inode's last change.
    ///
    /// # Errors
    /// `NotFound` or `Local` if the file cannot be read, or has changed.
    pub fn pieces(&self, range: Range<u64>) -> Result<impl Iterator<Item = Result<Bytes>> + use<>> {
        let (mut file, identity) = open(&self.path)?;
        if identity != self.identity {
            return Err(self.changed());
        }
        file.seek(SeekFrom::Start(range.start))
            .map_err(|source| cannot_read(&self.path, source))?;
        let this = self.clone();
        let mut left = range.end.saturating_sub(range.start);
        Ok(std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let piece = this.piece(&mut file, left).and_then(|piece| {
                left -= piece.len() as u64;
                if left == 0 {
                    this.check(&file)?;
                }
                Ok(piece)
            });
            if piece.is_err() {
                left = 0;
            }
            Some(piece)
        }))
    }

    /// Reads the next bytes; there must be some.
    fn piece(&self, file: &mut File, left: u64) -> Result<Bytes> {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut piece = BytesMut::zeroed(length);
        file.read_exact(&mut piece).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => cannot_read(&self.path, source),
        })?;
        Ok(piece.freeze())
    }

    fn check(&self, file: &File) -> Result<()> {
        let meta = file.metadata().map_err(|source| cannot_read(&self.path, source))?;
        if Identity::of(&meta) == self.identity { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        let path = self.path.display();
        Error::new(ErrorKind::Local, "write", format!("`{path}` changed while it was being read"))
            .with_hint("write the file whole first, under another name if need be")
    }
}

fn open(path: &Path) -> Result<(File, Identity)> {
    let file = File::open(path).map_err(|source| cannot_read(path, source))?;
    let meta = file.metadata().map_err(|source| cannot_read(path, source))?;
    if !meta.is_file() {
        return Err(cannot_read(path, io::Error::other("it is not a file")));
    }
    Ok((file, Identity::of(&meta)))
}

fn cannot_read(path: &Path, source: io::Error) -> Error {
    let kind = if source.kind() == io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else {
        ErrorKind::Local
    };
    Error::new(kind, "write", format!("cannot read `{}`: {source}", path.display()))
        .with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn file_is_known_by_its_bytes_and_read_again_in_parts() {
        let bytes: Vec<u8> = (0..2 * PIECE_BYTES + 10).map(|n| n as u8).collect();
        let on_disk = file(&bytes);
        let mut seen = Vec::new();
        let read = StateFile::read(on_disk.path(), |piece| {
            seen.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert_eq!((seen.as_slice(), read.size_bytes()), (bytes.as_slice(), bytes.len() as u64));
        assert_eq!(StateSource::from(read.clone()).content_hash(), ContentHash::of(&bytes));
        for range in [0..bytes.len(), 5..PIECE_BYTES + 6, bytes.len() - 1..bytes.len(), 7..7] {
            let part: Vec<u8> = read
                .pieces(range.start as u64..range.end as u64)
                .unwrap()
                .flat_map(|piece| piece.unwrap().to_vec())
                .collect();
            assert!(part == bytes[range.clone()], "{range:?}");
        }
    }

    #[test]
    fn end_of_a_file_that_changed_is_never_handed_out() {
        let on_disk = file(&vec![1; 2 * PIECE_BYTES]);
        let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
        let size = read.size_bytes();
        let mut pieces = read.pieces(0..size).unwrap();
        assert!(pieces.next().unwrap().is_ok());
        // File systems have coarse clocks: a write of the same length must be detected too.
        let later = SystemTime::now() + std::time::Duration::from_secs(1);
        std::fs::write(on_disk.path(), vec![2; 2 * PIECE_BYTES]).unwrap();
        File::options().append(true).open(on_disk.path()).unwrap().set_modified(later).unwrap();
        assert_eq!(pieces.next().unwrap().unwrap_err().kind(), ErrorKind::Local);
        assert!(pieces.next().is_none());
        assert!(read.pieces(0..size).is_err(), "nor is it begun again");
        std::fs::write(on_disk.path(), b"short").unwrap();
        assert!(read.pieces(0..size).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn file_that_takes_the_place_of_another_with_its_length_and_time_is_not_that_file() {
        let on_disk = file(b"one state");
        let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
        let time = std::fs::metadata(on_disk.path()).unwrap().modified().unwrap();
        let other = tempfile::NamedTempFile::new_in(on_disk.path().parent().unwrap()).unwrap();
        std::fs::write(other.path(), b"new state").unwrap();
        other.as_file().set_modified(time).unwrap();
        std::fs::rename(other.path(), on_disk.path()).unwrap();
        assert!(read.pieces(0..read.size_bytes()).is_err(), "same length, same time, other bytes");
    }

    #[cfg(unix)]
    #[test]
    fn file_that_was_written_in_place_and_given_its_old_time_again_has_changed() {
        let on_disk = file(b"one state");
        let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
        let time = std::fs::metadata(on_disk.path()).unwrap().modified().unwrap();
        // File systems have coarse clocks, and no program can set this time.
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::write(on_disk.path(), b"new state").unwrap();
        File::options().append(true).open(on_disk.path()).unwrap().set_modified(time).unwrap();
        assert!(read.pieces(0..read.size_bytes()).is_err());
    }

    #[test]
    fn what_is_looked_at_may_end_the_reading() {
        let on_disk = file(&vec![0; 20 * PIECE_BYTES]);
        let refused = Error::new(ErrorKind::InvalidState, "test", "no");
        let mut refused = Some(refused);
        let error =
            StateFile::read(on_disk.path(), |_| refused.take().map_or(Ok(()), Err)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert_eq!(
            StateFile::read("/no/such/file", |_| Ok(())).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
