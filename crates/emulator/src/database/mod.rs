//! The database of a store: in memory, or in a file that several processes share.

mod file;
mod panics;
mod private;

use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use self::file::{CACHE_BYTES, SharedFile};
use crate::store::{self, Error, Pinned, Pins, Segment, internal, unusable};

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

    /// Keeps everything in a file, created if missing, that other processes may use at the same
    /// time.
    ///
    /// The file is open, under a lock on a sibling file that ends in `.lock`, only while a
    /// transaction runs: a fraction of a millisecond for a small one. So no process waits long for
    /// another. An acknowledged write has reached the kernel, and survives if the process is
    /// killed. It has not been forced to the disk, and may be lost with the power.
    ///
    /// # Errors
    /// If the directory cannot be created, or the file cannot be opened, is a symbolic link,
    /// belongs to another user, is damaged or is no database of this crate. `TimedOut` if another
    /// process holds it for long. A file on a read-only file system can be read.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = SharedFile::new(path.as_ref())?;
        file.check()?;
        if !file.is_read_only() {
            match file.with(create_tables)? {
                // The store can still be read.
                Err(error) if error.is_full() => {}
                made => made.map_err(io::Error::other)?,
            }
        }
        Ok(Self { kind: Arc::new(Kind::File(file)), pins: Pins::default() })
    }

    /// Runs a transaction that changes something. It is committed if, and only if, `work` returns
    /// `Ok`.
    pub(crate) async fn write<R: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let pins = self.pins.clone();
        self.blocking(move |database| {
            let mut txn = database.begin_write().map_err(internal)?;
            // Then reopening after a kill does not read the whole file.
            txn.set_quick_repair(true);
            let result = work(&txn)?;
            store::blobs::sweep(&txn, &pins)?;
            txn.commit().map_err(internal)?;
            Ok(result)
        })
        .await
    }

    /// Runs a transaction that sees one moment and changes nothing.
    pub(crate) async fn read<R: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let kind = Arc::clone(&self.kind);
        let joined = tokio::task::spawn_blocking(move || match &*kind {
            Kind::Memory(database) => work(&database.begin_read().map_err(internal)?),
            Kind::File(file) => file.read(work).map_err(unusable)?,
        });
        joined.await.map_err(|error| Error::Internal(error.into()))?
    }

    /// Keeps bodies readable, for readers of this process, until the guard is dropped.
    pub(crate) fn pin(&self, segments: &[Segment]) -> Pinned {
        self.pins.pin(segments)
    }

    /// redb and the lock on the file block, so they run on a thread for blocking work.
    async fn blocking<R: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E> {
        let kind = Arc::clone(&self.kind);
        let joined = tokio::task::spawn_blocking(move || match &*kind {
            Kind::Memory(database) => work(database),
            Kind::File(file) => file.with(work).map_err(unusable)?,
        });
        joined.await.map_err(|error| Error::Internal(error.into()))?
    }

    /// Creates the tables of a store in memory; a file has them since it was opened.
    pub(crate) async fn prepare(&self) -> store::Result<()> {
        match &*self.kind {
            Kind::Memory(_) => self.blocking(create_tables).await,
            Kind::File(_) => Ok(()),
        }
    }

    /// Returns whether the file system is read-only.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(&*self.kind, Kind::File(file) if file.is_read_only())
    }
}

fn create_tables(database: &Database) -> store::Result<()> {
    let mut txn = database.begin_write().map_err(internal)?;
    txn.set_quick_repair(true);
    store::create_tables(&txn).map_err(internal)?;
    txn.commit().map_err(internal)
}
