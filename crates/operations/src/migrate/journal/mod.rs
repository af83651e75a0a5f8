//! The journal of a migration: a file that says what was begun, so that a run that was stopped can
//! be finished or taken back.
//!
//! It holds one JSON object per line, and neither a secret nor a value of a state. A line is on the
//! disk before the step that it tells of. The journal is a hint, and the stores are the truth: it
//! says which states, locks and hashes to look for there.

mod line;
mod replay;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use remote_state_core::{Error, ErrorKind, Result};
use serde_json::Value;

use self::line::Line;
pub use self::line::{Begin, Entry, Fact, Purpose};
pub use self::replay::{Item, Recorded};
use super::types::{Event, Watch};

/// An open journal, which no other run can open meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    run: String,
    next: u64,
    /// The length of the lines that were written whole.
    length: u64,
    /// Whether a line could not be written: what happened since is not recorded.
    is_broken: bool,
}

impl Inner {
    /// Ends the journal after a line that could not be written. A part of a line would make what
    /// follows it unreadable.
    fn broken(&mut self, path: &Path, error: io::Error) -> Error {
        self.is_broken = true;
        drop(self.file.set_len(self.length));
        failed("write", path, error)
    }
}

impl Journal {
    /// Creates a journal for a run, in a file that only its owner can read.
    ///
    /// # Errors
    /// `Local` if the file exists already or cannot be created.
    pub fn create(path: &Path, run: &str) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let message = format!("the journal `{}` exists already", path.display());
                Error::new(ErrorKind::Local, "record", message)
                    .with_hint("a journal is of one run; name another file")
            }
            _ => failed("create", path, error),
        })?;
        let journal = Self::locked(path, file, run, 0)?;
        // The name of the file has to be on the disk too.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            drop(File::open(folder).and_then(|folder| folder.sync_all()));
        }
        Ok(journal)
    }

    /// Opens the journal of an earlier run, and returns what it says. A last line that was not
    /// written whole is dropped.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Local` if it cannot be read, or another run has it open;
    /// `ConfigInvalid` if it is no journal.
    pub fn open(path: &Path) -> Result<(Self, Recorded)> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| failed("open", path, error))?;
        check_owned(path, &file)?;
        let journal = Self::locked(path, file, "", 0)?;
        let mut inner = journal.inner();
        let (recorded, length) = read(path, &mut inner.file)?;
        let cut = inner.file.set_len(length).and_then(|()| inner.file.seek(SeekFrom::End(0)));
        cut.map_err(|error| failed("write", path, error))?;
        inner.run.clone_from(&recorded.run);
        inner.next = recorded.next;
        inner.length = length;
        drop(inner);
        Ok((journal, recorded))
    }

    /// Reads the journal of an earlier run, which may have it open.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn read(path: &Path) -> Result<Recorded> {
        let mut file = File::open(path).map_err(|error| failed("open", path, error))?;
        check_owned(path, &file)?;
        read(path, &mut file).map(|(recorded, _)| recorded)
    }

    fn locked(path: &Path, file: File, run: &str, next: u64) -> Result<Self> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another run writes the journal `{}`", path.display());
                return Err(Error::new(ErrorKind::Local, "record", message));
            }
            // Some file systems have no locks; a second run then is up to the person.
            Err(TryLockError::Error(_)) => {}
        }
        let inner =
            Mutex::new(Inner { file, run: run.to_owned(), next, length: 0, is_broken: false });
        Ok(Self { path: path.to_owned(), inner })
    }

    /// Returns the file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what happened, and makes sure that it is on the disk if a step depends on it.
    ///
    /// # Errors
    /// `Local` if it cannot be written, or an earlier line could not: a journal with a gap would
    /// mislead the run that reads it.
    pub fn write(&self, entry: &Entry) -> Result<()> {
        let mut inner = self.inner();
        if inner.is_broken {
            let message = format!("the journal `{}` could not be written", self.path.display());
            return Err(Error::new(ErrorKind::Local, "record", message)
                .with_hint("finish the run with a new command, when it can be written"));
        }
        let line = Line {
            v: 1,
            run: inner.run.clone(),
            seq: inner.next,
            at: Timestamp::now(),
            entry: entry.clone(),
        };
        let mut text = serde_json::to_vec(&line).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "record", "an event cannot be written as JSON")
                .with_source(error)
        })?;
        text.push(b'\n');
        let written = inner
            .file
            .write_all(&text)
            .and_then(|()| if entry.is_synced() { inner.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            return Err(inner.broken(&self.path, error));
        }
        inner.next += 1;
        inner.length += text.len() as u64;
        Ok(())
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a watch that records what happens to one state.
    pub fn of_item(&self, number: u64) -> ItemWatch<'_> {
        ItemWatch { journal: self, number }
    }
}

/// Records what happens to one state.
#[derive(Clone, Copy, Debug)]
pub struct ItemWatch<'a> {
    journal: &'a Journal,
    number: u64,
}

impl Watch for ItemWatch<'_> {
    fn event(&self, event: &Event<'_>) -> Result<()> {
        let n = self.number;
        let entry = match event {
            Event::Locking { side, id } => {
                Entry::Locking { n, side: (*side).into(), id: id.as_str().to_owned() }
            }
            Event::Locked { side, id } => {
                Entry::Locked { n, side: (*side).into(), id: id.as_str().to_owned() }
            }
            Event::Released { side, id } => {
                Entry::Released { n, side: (*side).into(), id: id.as_str().to_owned() }
            }
            Event::Doing { step } => Entry::Doing { n, step: step.as_str().to_owned() },
            Event::Did { step, state } => Entry::Did {
                n,
                step: step.as_str().to_owned(),
                state: state.as_ref().map(Fact::of).map(Box::new),
            },
            Event::Changed { attempt } => Entry::Changed { n, attempt: *attempt },
        };
        self.journal.write(&entry)
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else {
        ErrorKind::Local
    };
    let message = format!("cannot {what} the journal `{}`: {error}", path.display());
    Error::new(kind, "record", message).with_source(error)
}

/// Checks that no other user can have written the file: it says what may be overwritten, and where.
///
/// # Errors
/// `Local` if another user owns it or may write it.
fn check_owned(path: &Path, file: &File) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = file.metadata().map_err(|error| failed("read", path, error))?;
        let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_own || metadata.mode() & 0o022 != 0 {
            let whose = if is_own { "may be written by other users" } else { "is another user's" };
            let message = format!("the journal `{}` {whose}", path.display());
            return Err(Error::new(ErrorKind::Local, "open", message)
                .because("a journal says which states may be overwritten"));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// Reads a journal, and returns how many bytes of it are whole lines.
fn read(path: &Path, file: &mut File) -> Result<(Recorded, u64)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
    let no_journal = |number: usize| {
        let message = format!("`{}` is no journal of a migration", path.display());
        Error::config(message).with_context("line", number)
    };
    let mut recorded = None;
    let mut length = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.last() != Some(&b'\n') {
            break;
        }
        length += line.len() as u64;
        let value: Value = serde_json::from_slice(line).map_err(|_| no_journal(index + 1))?;
        if value["v"] != 1 {
            return Err(no_journal(index + 1)
                .with_hint("a later version of the program may have written it"));
        }
        let line: Line = serde_json::from_value(value).map_err(|_| no_journal(index + 1))?;
        let is_next = line.seq == index as u64;
        match (&mut recorded, line.entry) {
            (None, Entry::Begin(begin)) if is_next => {
                recorded = Some(Recorded::new(line.run, *begin));
            }
            (Some(recorded), entry)
                if is_next && line.run == recorded.run && recorded.admits(&entry) =>
            {
                recorded.add(entry, line.seq);
            }
            (None, _) => return Err(no_journal(index + 1)),
            (Some(_), _) => {
                let message = format!("`{}` is not the journal of one run", path.display());
                return Err(Error::config(message).with_context("line", index + 1));
            }
        }
    }
    recorded.map(|recorded| (recorded, length)).ok_or_else(|| no_journal(1))
}
