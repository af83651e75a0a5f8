//! A database file that several processes share.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, StorageBackend,
};

use super::panics;
use super::private::{FileLock, open_private, open_to_read, refuse_link};
use crate::store::{Error, internal};

/// redb's default is a gigabyte; a request here needs the rows it touches and no more.
pub(super) const CACHE_BYTES: usize = 16 << 20;

/// Returns the system's error if redb passes one on, and redb's own otherwise.
fn system_error(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// A database file that is opened for each transaction, because redb lets only one process have it
/// open.
#[derive(Debug)]
pub(super) struct SharedFile {
    path: PathBuf,
    is_read_only: bool,
    /// Locked between processes by its file lock, between threads by the mutex.
    lock: Mutex<File>,
}

impl SharedFile {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
        {
            std::fs::create_dir_all(directory)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let (lock, is_read_only) = match open_private(Path::new(&lock_path)) {
            Ok(lock) => (lock, false),
            // On a read-only file system no process writes, so a lock on any file suffices.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                let lock = open_to_read(Path::new(&lock_path)).or_else(|_| open_to_read(path));
                (lock.map_err(|_| error)?, true)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), is_read_only, lock: Mutex::new(lock) })
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Reads the whole file and compares all checksums: redb may panic, or worse, on a damaged
    /// page. On a read-only file system this reads only the head.
    pub(super) fn check(&self) -> io::Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock, &self.path)?;
        let check = || {
            if self.is_read_only {
                drop(open_to_read(&self.path)?);
                return self.open_read_only().map(drop).map_err(system_error);
            }
            // `open` has repaired what it could.
            self.open()?.check_integrity().map(drop).map_err(system_error)
        };
        panics::catch(check).unwrap_or_else(|panic| Err(self.damaged(&panic)))
    }

    pub(super) fn with<R>(&self, work: impl FnOnce(&Database) -> R) -> io::Result<R> {
        if self.is_read_only {
            let message =
                format!("`{}` is on a file system that is read-only", self.path.display());
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, message));
        }
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock, &self.path)?;
        // The closure drops the database, which closes it, before the lock is released.
        panics::catch(|| Ok(work(&self.open()?))).unwrap_or_else(|panic| Err(self.damaged(&panic)))
    }

    /// Like [`with`](Self::with), but without the commit by which a database that was opened for
    /// writing says that it was closed well.
    pub(super) fn read<R, E: From<Error>>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, E>,
    ) -> io::Result<Result<R, E>> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock, &self.path)?;
        let read = || {
            let database = match self.open_read_only() {
                // A process was killed while writing, and only a writer may repair the file.
                Err(DatabaseError::RepairAborted) if !self.is_read_only => {
                    drop(self.open()?);
                    self.open_read_only()
                }
                opened => opened,
            };
            let database = database.map_err(system_error)?;
            Ok(database
                .begin_read()
                .map_err(|error| internal(error).into())
                .and_then(|txn| work(&txn)))
        };
        panics::catch(read).unwrap_or_else(|panic| Err(self.damaged(&panic)))
    }

    /// redb checks much of what it reads, and panics about the rest.
    fn damaged(&self, panic: &str) -> io::Error {
        tracing::warn!(panic, file = %self.path.display(), "the store is damaged");
        let message = format!("the store `{}` is damaged", self.path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    }

    fn open_read_only(&self) -> Result<ReadOnlyDatabase, DatabaseError> {
        refuse_link(&self.path)?;
        redb::Builder::new().set_cache_size(CACHE_BYTES).open_read_only(&self.path)
    }

    fn open(&self) -> io::Result<Database> {
        let backend = FileBackend::new(open_private(&self.path)?).map_err(system_error)?;
        redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Unsynced(backend))
            .map_err(system_error)
    }
}

/// A file that is never forced to the disk: the kernel writes it.
///
/// The kernel has the writes, in order, even if this process is killed the next moment. Waiting for
/// the disk would take longer than the rest of a request. It would only help against a loss of
/// power, which a development store need not survive.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
