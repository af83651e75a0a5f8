//! Where buckets live: memory, or a file that several processes share.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, StorageBackend,
    WriteTransaction,
};
use s3s::{S3Error, S3Result, s3_error};

use crate::guard;
use crate::store::{self, Segment, internal};

/// redb's default is a gigabyte; a request here needs the rows it touches and no more.
const CACHE_BYTES: usize = 16 << 20;

/// Where an [`Emulator`](crate::Emulator) keeps its buckets. Clones share the same buckets.
#[derive(Debug, Clone)]
pub struct Storage {
    kind: Arc<Kind>,
    pins: Pins,
}

#[derive(Debug)]
enum Kind {
    Memory(Database),
    File(SharedFile),
}

impl Storage {
    /// Keeps everything in memory, until the last clone is dropped.
    pub fn memory() -> Self {
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(InMemoryBackend::new())
            .expect("an empty database in memory has nothing that could fail to open");
        Self { kind: Arc::new(Kind::Memory(database)), pins: Pins::default() }
    }

    /// Keeps everything in a file, created if missing, that other processes may use at the same time.
    ///
    /// The file is open, under a lock on a sibling file that ends in `.lock`, only while a transaction runs: a fraction of a
    /// millisecond for a small one. So no process waits long for another, and one that is killed takes nothing with it: what was acknowledged has reached the
    /// kernel. It has not been forced to the disk, which a loss of power would need.
    ///
    /// # Errors
    /// If the directory cannot be created, or the file cannot be opened, is a symbolic link, is damaged or is no database of ours.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = SharedFile::new(path.as_ref())?;
        file.check()?;
        file.with(create_tables)?.map_err(io::Error::other)?;
        Ok(Self { kind: Arc::new(Kind::File(file)), pins: Pins::default() })
    }

    /// Runs a transaction that changes something. It is committed if, and only if, `work` returns `Ok`.
    pub(crate) async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> S3Result<R> + Send + 'static,
    ) -> S3Result<R> {
        self.write_as(work).await
    }

    /// Like [`write`](Self::write), for a protocol that has errors of its own.
    pub(crate) async fn write_as<R: Send + 'static, E: From<S3Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let pins = self.pins.clone();
        self.blocking(move |database| {
            let mut txn = database.begin_write().map_err(internal)?;
            // Reopening after a kill then needs no walk over the whole file.
            txn.set_quick_repair(true);
            let result = work(&txn)?;
            store::blobs::sweep(&txn, &pins)?;
            txn.commit().map_err(internal)?;
            Ok(result)
        })
        .await
    }

    /// Runs a transaction that sees one moment and changes nothing.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> S3Result<R> + Send + 'static,
    ) -> S3Result<R> {
        self.read_as(work).await
    }

    /// Like [`read`](Self::read), for a protocol that has errors of its own.
    pub(crate) async fn read_as<R: Send + 'static, E: From<S3Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let kind = Arc::clone(&self.kind);
        let joined = tokio::task::spawn_blocking(move || match &*kind {
            Kind::Memory(database) => work(&database.begin_read().map_err(internal)?),
            Kind::File(file) => file.read(work).map_err(S3Error::internal_error)?,
        });
        joined.await.map_err(|error| s3_error!(error, InternalError))?
    }

    /// Keeps bodies readable, for readers of this process, until the guard is dropped.
    pub(crate) fn pin(&self, segments: &[Segment]) -> Pinned {
        self.pins.pin(segments)
    }

    /// redb blocks, and so does the lock on the file: neither belongs on a thread that drives sockets.
    async fn blocking<R: Send + 'static, E: From<S3Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let kind = Arc::clone(&self.kind);
        let joined = tokio::task::spawn_blocking(move || match &*kind {
            Kind::Memory(database) => work(database),
            Kind::File(file) => file.with(work).map_err(S3Error::internal_error)?,
        });
        joined.await.map_err(|error| s3_error!(error, InternalError))?
    }

    /// Creates the tables of a store in memory; a file has them since it was opened.
    pub(crate) async fn prepare(&self) -> S3Result<()> {
        self.blocking(create_tables).await
    }
}

fn create_tables(database: &Database) -> S3Result<()> {
    let mut txn = database.begin_write().map_err(internal)?;
    txn.set_quick_repair(true);
    store::create_tables(&txn).map_err(internal)?;
    txn.commit().map_err(internal)
}

/// A database file that is opened for each transaction, because redb lets only one process have it open.
#[derive(Debug)]
struct SharedFile {
    path: PathBuf,
    /// Locked between processes by its file lock, between threads by the mutex.
    lock: Mutex<File>,
}

impl SharedFile {
    fn new(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = open_private(Path::new(&lock_path))?;
        Ok(Self { path: path.to_owned(), lock: Mutex::new(lock) })
    }

    /// Reads the file once and compares all checksums: redb may panic, or worse, over a page that is not what it was.
    fn check(&self) -> io::Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock)?;
        let check = || self.open()?.check_integrity().map_err(io::Error::other);
        // What could be repaired is whole again.
        let _was_whole: bool = guard::catch(check).unwrap_or_else(|panic| Err(self.damaged(&panic)))?;
        Ok(())
    }

    fn with<R>(&self, work: impl FnOnce(&Database) -> R) -> io::Result<R> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock)?;
        // Within, the database is dropped, and so closed, before the lock.
        guard::catch(|| Ok(work(&self.open()?))).unwrap_or_else(|panic| Err(self.damaged(&panic)))
    }

    /// Like [`with`](Self::with), but without the commit by which a database that was opened for writing says that it was closed well.
    fn read<R, E: From<S3Error>>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, E>,
    ) -> io::Result<Result<R, E>> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = FileLock::acquire(&lock)?;
        let read = || {
            let database = match self.open_read_only() {
                // Someone was killed while writing, and only a writer may repair what that left.
                Err(DatabaseError::RepairAborted) => {
                    drop(self.open()?);
                    self.open_read_only()
                }
                opened => opened,
            };
            let database = database.map_err(io::Error::other)?;
            Ok(database.begin_read().map_err(|error| internal(error).into()).and_then(|txn| work(&txn)))
        };
        guard::catch(read).unwrap_or_else(|panic| Err(self.damaged(&panic)))
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
        let backend = FileBackend::new(open_private(&self.path)?).map_err(io::Error::other)?;
        redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Unsynced(backend))
            .map_err(io::Error::other)
    }
}

/// Unlocks however the transaction ends.
struct FileLock<'a>(&'a File);

impl<'a> FileLock<'a> {
    fn acquire(file: &'a MutexGuard<'_, File>) -> io::Result<Self> {
        file.lock()?;
        Ok(Self(file))
    }
}

impl Drop for FileLock<'_> {
    fn drop(&mut self) {
        // An unlock that fails leaves a lock that ends with the process; there is no one to tell.
        let _unlocked = self.0.unlock();
    }
}

/// States hold secrets: their file is for its owner only. And whoever prepared the folder must not choose what is written to.
fn open_private(path: &Path) -> io::Result<File> {
    refuse_link(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Neither follows a link that was made just now, nor waits for the other end of a pipe.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` is no plain file", path.display())))
}

fn refuse_link(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        let message = format!("`{}` is a symbolic link, and those are not followed", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

/// A file whose writes are left to the kernel to put on the disk.
///
/// The kernel has them, in order, even if this process is killed the next moment; waiting for the disk would cost more than all the rest
/// of a request and help only against a loss of power, which a development store does not promise to survive.
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

/// How many readers of this process need each body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pins {
    counts: Arc<Mutex<HashMap<u64, usize>>>,
}

impl Pins {
    pub(crate) fn holds(&self, blob: u64) -> bool {
        self.lock().contains_key(&blob)
    }

    fn pin(&self, segments: &[Segment]) -> Pinned {
        let mut counts = self.lock();
        for segment in segments {
            *counts.entry(segment.blob).or_default() += 1;
        }
        Pinned { pins: self.clone(), blobs: segments.iter().map(|segment| segment.blob).collect() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps bodies from being cleared away while it lives.
#[derive(Debug)]
pub(crate) struct Pinned {
    pins: Pins,
    blobs: Vec<u64>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut counts = self.pins.lock();
        for blob in &self.blobs {
            if let Some(count) = counts.get_mut(blob) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(blob);
                }
            }
        }
    }
}
