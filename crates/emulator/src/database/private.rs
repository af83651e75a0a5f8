//! Files that only one user may read, and a lock between the processes of that user.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

/// How long a process waits before it logs that. A transaction takes a few milliseconds.
const QUIET: Duration = Duration::from_secs(1);

/// How long a process waits before it gives up: a suspended process keeps its lock until it
/// resumes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first pause between two attempts to take the lock, and the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// A held lock, released when dropped.
pub(super) struct FileLock<'a>(&'a File);

impl<'a> FileLock<'a> {
    /// Waits until the lock is free. `store` is the file that it protects.
    ///
    /// # Errors
    /// `TimedOut` if another process keeps it.
    pub(super) fn acquire(file: &'a MutexGuard<'_, File>, store: &Path) -> io::Result<Self> {
        let (begun, mut pause, mut is_told) = (Instant::now(), FIRST_PAUSE, false);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let waited = begun.elapsed();
            if waited >= PATIENCE {
                let message = format!(
                    "another process has held `{}` for more than {} s",
                    store.display(),
                    PATIENCE.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            if waited >= QUIET && !is_told {
                is_told = true;
                tracing::warn!(
                    file = %store.display(),
                    "waiting for another process that holds the embedded store"
                );
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for FileLock<'_> {
    fn drop(&mut self) {
        // If unlocking fails, the lock ends with the process.
        let _unlocked = self.0.unlock();
    }
}

/// Opens a file that only its owner may read: states hold secrets. A file that came with a clone
/// gets the same mode. Links are not followed, since the author of a cloned folder must not choose
/// which file is written.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = open(path, &mut options)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = file.metadata()?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o600);
            file.set_permissions(permissions)?;
        }
    }
    Ok(file)
}

/// Opens a file for reading.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true))
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    refuse_link(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Do not follow a link that was made just now, and do not wait for the other end of a pipe.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{}` is no plain file", path.display()),
        ));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (owner, own) = (found.uid(), rustix::process::geteuid().as_raw());
        if owner != own {
            let message = format!(
                "`{}` belongs to another user (id {owner}, and this one is {own}), who could read \
                 what is stored in it",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
    }
    Ok(file)
}

pub(super) fn refuse_link(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        let message =
            format!("`{}` is a symbolic link, and those are not followed", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}
