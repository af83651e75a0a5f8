//! A file to write: it is read in pieces, and never held in memory as a whole.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::ops::{ControlFlow, Range};
#[cfg(unix)]
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
#[cfg(windows)]
use std::os::windows::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};

use super::ContentHash;
use super::pass::{Incoming, Looks, pass};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Md5Sum;

/// How many bytes one piece of a file has; the last one has fewer.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// A file whose bytes must not change until it is stored.
///
/// It was read from end to end already ([`read`](Self::read)), or will be when it is sent
/// ([`open`](Self::open)).
#[derive(Clone)]
pub struct StateFile {
    /// For a file without a name, what messages call it.
    path: PathBuf,
    /// The file itself, if it has no name by which it could be opened.
    unnamed: Option<Arc<File>>,
    identity: Identity,
    /// What must be true of the bytes before they are stored.
    looks: Looks,
    sums: Arc<Mutex<Sums>>,
}

/// The sums of a file's bytes, as far as they were computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) hash: Option<ContentHash>,
    pub(super) md5: Option<Md5Sum>,
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, unnamed: _, identity, looks, sums: _ } = self;
        f.debug_struct("StateFile")
            .field("path", path)
            .field("identity", identity)
            .field("looks", looks)
            .field("sums", &*self.sums())
            .finish()
    }
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
    /// Takes a file that will be read when it is sent. It is sent to its end only if every
    /// [look](Self::with_look) at its bytes agrees.
    ///
    /// Each request reads the file again, so it cannot be a pipe.
    ///
    /// # Errors
    /// `NotFound` or `Local` if the file cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let (_, identity) = open(&path)?;
        Ok(Self { path, unnamed: None, identity, looks: Looks::default(), sums: Arc::default() })
    }

    /// Takes an open file that has no name (any more), as [`open`](Self::open) takes one by its
    /// name. Messages call it `name`.
    ///
    /// # Errors
    /// `Local` if it is not a file, or cannot be read.
    pub fn unnamed(file: File, name: &str) -> Result<Self> {
        let path = PathBuf::from(name);
        let meta = file.metadata().map_err(|source| cannot_read(&path, source))?;
        if !meta.is_file() {
            return Err(cannot_read(&path, io::Error::other("it is not a file")));
        }
        Ok(Self {
            path,
            unnamed: Some(Arc::new(file)),
            identity: Identity::of(&meta),
            looks: Looks::default(),
            sums: Arc::default(),
        })
    }

    /// Adds something that must be true of the bytes. `look` reads all of them, on a thread of its
    /// own, each time the file is read from end to end.
    #[must_use]
    pub fn with_look(
        mut self,
        look: impl Fn(&mut Incoming) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.looks.add(look);
        self.sums = Arc::default();
        self
    }

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
        let file = Self::open(path)?;
        let mut looked = Ok(());
        let _is_whole = file.pass(false, |piece| {
            looked = look(&piece);
            if looked.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        looked.map(|()| file)
    }

    /// Reads the file from end to end, and passes its pieces on. The last piece is passed on only
    /// once all looks agree, and if the file is still the same: a sender never sends the end of
    /// anything else. This blocks.
    ///
    /// Returns whether the file was read to its end; `each` may stop it before.
    ///
    /// # Errors
    /// `NotFound` or `Local` if the file cannot be read, or has changed; the error of a look.
    pub fn pass(
        &self,
        needs_md5: bool,
        each: impl FnMut(Bytes) -> ControlFlow<()>,
    ) -> Result<bool> {
        pass(self, &self.looks, needs_md5, each)
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.identity.size_bytes
    }

    /// Returns the hash of the bytes, if the file was read from end to end.
    pub fn content_hash(&self) -> Option<ContentHash> {
        self.sums().hash
    }

    /// Returns the MD5 of the bytes, if a [pass](Self::pass) has computed it.
    pub fn md5(&self) -> Option<Md5Sum> {
        self.sums().md5
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the sums of a whole pass.
    ///
    /// # Errors
    /// `Local` if an earlier pass read other bytes.
    pub(super) fn note(&self, found: Sums) -> Result<()> {
        let mut sums = self.sums();
        if sums.hash.is_some() && sums.hash != found.hash {
            return Err(self.changed());
        }
        *sums = Sums { hash: found.hash, md5: found.md5.or(sums.md5) };
        Ok(())
    }

    /// Opens the file again, and returns a part of it piece by piece, without any look. This
    /// blocks.
    ///
    /// It yields the last piece only if the file still is the one that was opened first, unchanged,
    /// so a sender never sends the end of mixed contents. A change shows in the length and the time
    /// of the last write, and on Unix in the inode and the time of the inode's last change.
    ///
    /// # Errors
    /// `NotFound` or `Local` if the file cannot be read, or has changed.
    pub fn pieces(&self, range: Range<u64>) -> Result<impl Iterator<Item = Result<Bytes>> + use<>> {
        let mut file = self.reopen()?;
        file.at = range.start;
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

    /// Opens the file again, if it is still the same.
    pub(super) fn reopen(&self) -> Result<Reader> {
        if let Some(file) = &self.unnamed {
            let reader = Reader { file: Arc::clone(file), at: 0 };
            return self.check(&reader).map(|()| reader);
        }
        let (file, identity) = open(&self.path)?;
        if identity == self.identity {
            Ok(Reader { file: Arc::new(file), at: 0 })
        } else {
            Err(self.changed())
        }
    }

    /// Reads the next bytes; there must be some.
    pub(super) fn piece(&self, reader: &mut Reader, left: u64) -> Result<Bytes> {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut piece = BytesMut::zeroed(length);
        reader.read_exact(&mut piece).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => cannot_read(&self.path, source),
        })?;
        Ok(piece.freeze())
    }

    pub(super) fn check(&self, reader: &Reader) -> Result<()> {
        let meta = reader.file.metadata().map_err(|source| cannot_read(&self.path, source))?;
        if Identity::of(&meta) == self.identity { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        let path = self.path.display();
        Error::new(ErrorKind::Local, "write", format!("`{path}` changed while it was being read"))
            .with_hint("write the file whole first, under another name if need be")
    }
}

/// A place in an open file. Several readers of one file do not disturb each other.
#[derive(Debug)]
pub(super) struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Reader {
    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            #[cfg(unix)]
            let read = self.file.read_at(&mut buffer[filled..], self.at);
            #[cfg(windows)]
            let read = self.file.seek_read(&mut buffer[filled..], self.at);
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    filled += length;
                    self.at += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
