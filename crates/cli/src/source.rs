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

/// A state whose header is known. One in memory is valid; one in a file is looked at while it is
/// sent.
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
                let (file, header) = begin(ui.commands(), path, &name)?;
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

    /// Checks that clients will be able to read the state: of a file, before its end is sent.
    pub(crate) async fn check(&mut self) -> Result<(), Failure> {
        let StateFormat::Plain { version: 4 } = self.new.header.format else { return Ok(()) };
        let name = self.name.clone();
        match &mut self.new.source {
            StateSource::Bytes(bytes) => {
                let bytes = bytes.clone();
                let checking = spawn_blocking(move || check_readable(io::Cursor::new(bytes)));
                let checked = match checking.await {
                    Ok(checked) => checked,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                };
                checked.map_err(|error| not_readable(&name, &error).into())
            }
            StateSource::File(file) => {
                *file = file.clone().with_look(move |incoming| {
                    check_readable(incoming).map_err(|error| not_readable(&name, &error))
                });
                Ok(())
            }
        }
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
        let (file, header) = begin(commands, &spool, &name)?;
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

/// Reads the header of a file. When the file is sent, its end follows only if all of it is JSON and
/// has this header.
fn begin(
    commands: &Commands,
    path: &Path,
    name: &str,
) -> Result<(StateFile, StateHeader), Failure> {
    let file = StateFile::open(path)?;
    let refused = {
        let (commands, name, path) = (commands.clone(), name.to_owned(), path.to_owned());
        move |error: Error| match error.kind() {
            ErrorKind::InvalidState => not_a_state(&commands, &name, &beginning(&path), &error),
            _ => error,
        }
    };
    let mut reader = HeaderReader::new();
    for piece in file.pieces(0..file.size_bytes())? {
        if reader.feed(&piece?).map_err(&refused)? == Progress::Done {
            break;
        }
    }
    let header = reader.finish().map_err(&refused)?;
    let expected = header.clone();
    let file = file.with_look(move |incoming| {
        let mut reader = HeaderReader::whole();
        while let Some(piece) = incoming.next_piece()? {
            let _: Progress = reader.feed(&piece).map_err(&refused)?;
        }
        // The version of Terraform may stand behind the resources, and decides nothing.
        let mut whole = reader.finish().map_err(&refused)?;
        whole.terraform_version.clone_from(&expected.terraform_version);
        if whole == expected {
            return Ok(());
        }
        let message = "not a clear Terraform state: a member at its end repeats one of its \
                       beginning, with another value";
        Err(refused(Error::new(ErrorKind::InvalidState, "push", message)))
    });
    Ok((file, header))
}

fn not_readable(name: &str, error: &Error) -> Error {
    Error::new(error.kind(), "push", format!("{name}: {}", error.message()))
        .with_context("note", "nothing was written")
        .with_hint("no client could read it; to store it all the same, pass `--force`")
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
