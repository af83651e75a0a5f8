//! The state to push: from a file, a pipe, or standard input.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use bytes::Bytes;
use remote_state::push::NewState;
use remote_state::{
    Error, ErrorKind, HeaderReader, Progress, StateFile, StateFormat, StateHeader, StateSource,
    check_readable,
};
use tempfile::TempPath;
use tokio::task::spawn_blocking;

use crate::advice::Commands;
use crate::exit::Failure;
use crate::foreign::recognised;
use crate::session::interruption;
use crate::ui::Ui;

/// A state up to this size stays in memory; a longer one is streamed from its file. Input from a
/// pipe goes to a temporary file for that.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// Enough bytes to recognize what is not a state.
const BEGINNING_BYTES: u64 = 4096;

/// A state that was read once: it is valid, and its header is known.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// Its name for messages.
    pub(crate) name: String,
    pub(crate) new: NewState,
    /// The temporary file for input from a pipe. It is removed with this value.
    _spool: Option<TempPath>,
}

impl Pushed {
    /// Reads the file, or standard input for `-`.
    pub(crate) async fn read(ui: &Ui, path: &Path) -> Result<Self, Failure> {
        let is_stdin = path.as_os_str() == "-";
        let name =
            if is_stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
        let input: Box<dyn Read + Send> = if is_stdin {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(|error| cannot_read(&name, error))?;
            let meta = file.metadata().map_err(|error| cannot_read(&name, error))?;
            if meta.is_file() && meta.len() > IN_MEMORY_BYTES {
                let (file, header) = examine(ui.commands(), path, &name)?;
                return Ok(Self { name, new: NewState::new(file, header), _spool: None });
            }
            Box::new(file)
        };
        let commands = ui.commands().clone();
        // An interruption here leaves no copy of a state behind.
        let interruption = interruption();
        tokio::select! {
            read = spawn_blocking(move || Self::read_stream(&commands, name, input)) => match read {
                Ok(read) => read,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            signal = interruption => {
                ui.note("interrupted; nothing was written");
                Err(Failure::Interrupted(signal))
            }
        }
    }

    /// Checks that clients will be able to read the state.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        let StateFormat::Plain { version: 4 } = self.new.header.format else { return Ok(()) };
        let source = self.new.source.clone();
        let checked = spawn_blocking(move || match &source {
            StateSource::Bytes(bytes) => check_readable(io::Cursor::new(bytes)),
            StateSource::File(file) => match File::open(file.path()) {
                Ok(file) => check_readable(file),
                Err(error) => Err(cannot_read("the file", error)),
            },
        });
        let checked = match checked.await {
            Ok(checked) => checked,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        checked.map_err(|error| {
            Error::new(error.kind(), "push", format!("{}: {}", self.name, error.message()))
                .with_context("note", "nothing was written")
                .with_hint("no client could read it; to store it all the same, pass `--force`")
                .into()
        })
    }

    fn read_stream(
        commands: &Commands,
        name: String,
        mut input: impl Read,
    ) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let beginning = input.by_ref().take(IN_MEMORY_BYTES + 1).read_to_end(&mut bytes);
        beginning.map_err(|error| cannot_read(&name, error))?;
        if bytes.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidState,
                "push",
                format!("{name} is not a Terraform state: it is empty"),
            )
            .with_context("note", "nothing was written")
            .with_hint(format!(
                "the command that should have written it may have failed; to drop a state, use {}",
                commands.named("workspace delete")
            ))
            .into());
        }
        if bytes.len() as u64 <= IN_MEMORY_BYTES {
            let header = StateHeader::parse(&bytes)
                .map_err(|error| not_a_state(commands, &name, &bytes, &error))?;
            let new = NewState::new(Bytes::from(bytes), header);
            return Ok(Self { name, new, _spool: None });
        }
        let spool = spool(&bytes, input).map_err(|error| cannot_read(&name, error))?;
        drop(bytes);
        let (file, header) = examine(commands, &spool, &name)?;
        Ok(Self { name, new: NewState::new(file, header), _spool: Some(spool) })
    }
}

/// Copies input from a pipe to a file that only its owner can read.
fn spool(beginning: &[u8], mut rest: impl Read) -> io::Result<TempPath> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(beginning)?;
    let _bytes = io::copy(&mut rest, &mut file)?;
    Ok(file.into_temp_path())
}

/// Reads a whole file in pieces.
fn examine(
    commands: &Commands,
    path: &Path,
    name: &str,
) -> Result<(StateFile, StateHeader), Failure> {
    let mut reader = HeaderReader::whole();
    let file = StateFile::read(path, |bytes| {
        let _: Progress = reader.feed(bytes)?;
        Ok(())
    });
    let refused = |error: Error| match error.kind() {
        ErrorKind::InvalidState => not_a_state(commands, name, &beginning(path), &error),
        _ => error,
    };
    let file = file.map_err(refused)?;
    Ok((file, reader.finish().map_err(refused)?))
}

fn cannot_read(name: &str, source: io::Error) -> Error {
    let kind = if source.kind() == io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else {
        ErrorKind::Local
    };
    Error::new(kind, "push", format!("cannot read {name}: {source}")).with_source(source)
}

/// Reads the bytes that identify a file's kind. An unreadable file yields none.
fn beginning(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        drop(file.take(BEGINNING_BYTES).read_to_end(&mut bytes));
    }
    bytes
}

fn not_a_state(commands: &Commands, name: &str, beginning: &[u8], error: &Error) -> Error {
    match recognised(beginning) {
        Some(foreign) => Error::new(
            ErrorKind::InvalidState,
            "push",
            format!("{name} is not a Terraform state: it is {}", foreign.what),
        )
        .with_hint(foreign.remedy.hint(commands)),
        None => {
            Error::new(ErrorKind::InvalidState, "push", format!("{name} is {}", error.message()))
        }
    }
    .with_context("note", "nothing was written")
}
