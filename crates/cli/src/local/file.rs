//! One state file, its lock, and what stays beside it.
//!
//! Native clients lock the file itself, by `fcntl`, and describe the holder in a file beside it.
//! Closing any descriptor of a file ends the locks of the whole process on it, so a locked file is
//! read and written through the descriptor that has the lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use remote_state::{ContentHash, Error, ErrorKind, LockInfo, LockRecord, Result};

/// Returns the file in which the holder of a lock describes itself.
pub(super) fn info_path(state: &Path) -> PathBuf {
    let name = state.file_name().unwrap_or_default().to_string_lossy();
    state.with_file_name(format!(".{name}.lock.info"))
}

/// Returns the file that keeps what a write has replaced.
pub(super) fn kept_path(state: &Path, bytes: &[u8]) -> PathBuf {
    let name = state.file_name().unwrap_or_default().to_string_lossy();
    let hash = ContentHash::of(bytes).to_string();
    state.with_file_name(format!("{name}.{}.kept", &hash[..16]))
}

/// Opens a file as a lock needs it, which creates it if need be.
pub(super) fn open_to_lock(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(|error| failed("lock", path, error))
}

/// Tries to lock a file. Returns whether no other process has the lock.
#[cfg(unix)]
pub(super) fn try_lock(file: &File, path: &Path) -> Result<bool> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(failed("lock", path, error.into())),
    }
}

/// Tries to lock a file.
#[cfg(not(unix))]
pub(super) fn try_lock(_: &File, _: &Path) -> Result<bool> {
    Err(Error::new(ErrorKind::Unsupported, "lock", "files cannot be locked on this system"))
}

/// Describes the lock that another process has on a file.
pub(super) fn record(state: &Path) -> LockRecord {
    let path = info_path(state);
    let info = fs::read(&path).map_err(|error| error.to_string());
    let info = info.and_then(|json| LockInfo::parse(&json).map_err(|error| error.to_string()));
    LockRecord::new(info, path.display().to_string())
}

/// Reads a file whole; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Bytes>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Reads a locked file whole.
pub(super) fn read_locked(mut file: &File, path: &Path) -> Result<Bytes> {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    read.map_err(|error| failed("read", path, error))?;
    Ok(bytes.into())
}

/// Replaces the bytes of a file in place: a client that waits for its lock has it open already.
pub(super) fn replace(mut file: &File, path: &Path, old: &[u8], new: &[u8]) -> Result<()> {
    if !old.is_empty() && old != new {
        keep(path, old)?;
    }
    let written = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.write_all(new))
        .and_then(|()| file.set_len(new.len() as u64))
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        failed("write", path, error).with_context(
            "note",
            format!("what was there is in `{}`", kept_path(path, old).display()),
        )
    })
}

/// Keeps bytes in a file beside the state, for its owner alone.
fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    let kept = kept_path(path, bytes);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&kept).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| failed("write", &kept, error))
}

pub(super) fn failed(what: &'static str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Local,
    };
    let message = format!("cannot {what} `{}`: {error}", path.display());
    Error::new(kind, what, message).with_source(error)
}
