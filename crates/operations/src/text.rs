//! The bytes of a state, to be read more than once.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::{Error, ErrorKind, Result, StateRead};

/// A state up to this size stays in memory. A longer one goes to a temporary file.
const IN_MEMORY_BYTES: usize = 2 << 20;

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The bytes of one state, in memory or in a file: a comparison reads them twice.
///
/// A state from a store or a pipe that is longer than 2 MiB goes to a temporary file that has no
/// name and that only its owner could read. It is gone when this value is dropped or the process
/// ends.
pub struct StateText(Inner);

enum Inner {
    Memory(Bytes),
    File(File),
}

/// Hides the bytes.
impl fmt::Debug for StateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateText").finish_non_exhaustive()
    }
}

impl From<Bytes> for StateText {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Memory(bytes))
    }
}

impl StateText {
    /// Reads a state from a store to its end.
    ///
    /// # Errors
    /// Any error of the body; `Local` if there is no room for a temporary file.
    pub async fn from_store(mut read: StateRead) -> Result<Self> {
        let mut spool = Spool::default();
        while let Some(bytes) = read.body.try_next().await? {
            spool.add(&bytes).map_err(no_room)?;
        }
        spool.finish().map_err(no_room)
    }

    /// Reads a state from a pipe to its end.
    ///
    /// # Errors
    /// `Local` if the pipe cannot be read, or there is no room for a temporary file.
    pub fn from_pipe(mut pipe: impl Read) -> Result<Self> {
        let mut spool = Spool::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot_read(error)),
            };
            spool.add(chunk.get(..read).unwrap_or_default()).map_err(no_room)?;
        }
        spool.finish().map_err(no_room)
    }

    /// Takes a state from a file. What is no regular file is read to its end first.
    ///
    /// # Errors
    /// `Local` if the file cannot be read.
    pub fn from_file(file: File) -> Result<Self> {
        if file.metadata().map_err(cannot_read)?.is_file() {
            Ok(Self(Inner::File(file)))
        } else {
            Self::from_pipe(file)
        }
    }

    /// Hands over all bytes in pieces, from the first to the last.
    pub(crate) fn read(&self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut file = match &self.0 {
            Inner::Memory(bytes) => return sink(bytes),
            Inner::File(file) => file,
        };
        let _: u64 = file.seek(SeekFrom::Start(0)).map_err(cannot_read)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => sink(chunk.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot_read(error)),
            }
        }
    }

    /// Returns some of the bytes as text. Invalid UTF-8 is replaced, as clients replace it.
    pub(crate) fn span(&self, span: Range<u64>) -> Result<String> {
        let bytes = match &self.0 {
            Inner::Memory(bytes) => {
                let range = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
                let found = range.and_then(|(start, end)| bytes.get(start..end));
                found.ok_or_else(changed)?.to_vec()
            }
            Inner::File(file) => {
                let mut file = file;
                let _: u64 = file.seek(SeekFrom::Start(span.start)).map_err(cannot_read)?;
                let wanted = span.end.saturating_sub(span.start);
                let mut bytes = Vec::new();
                let read = file.take(wanted).read_to_end(&mut bytes).map_err(cannot_read)?;
                if read as u64 != wanted {
                    return Err(changed());
                }
                bytes
            }
        };
        let text = String::from_utf8(bytes);
        Ok(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Returns all bytes.
    pub(crate) fn whole(&self) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        self.read(&mut |bytes| {
            whole.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(whole)
    }
}

/// Bytes that arrive: in memory at first, then in a file.
#[derive(Default)]
struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.write_all(bytes);
        }
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > IN_MEMORY_BYTES {
            // It has no name, so nobody else opens it, and nothing is left of it.
            let mut file = tempfile::tempfile()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<StateText> {
        Ok(StateText(match self.file {
            Some(mut file) => {
                file.flush()?;
                Inner::File(file)
            }
            None => Inner::Memory(self.memory.into()),
        }))
    }
}

fn no_room(source: io::Error) -> Error {
    let message = format!("the state cannot be kept in a temporary file: {source}");
    Error::new(ErrorKind::Local, "read", message).with_source(source)
}

fn cannot_read(source: io::Error) -> Error {
    let message = format!("the state cannot be read: {source}");
    Error::new(ErrorKind::Local, "read", message).with_source(source)
}

/// Creates the error for a file that is no longer what it was a moment before.
pub(crate) fn changed() -> Error {
    Error::new(ErrorKind::Local, "read", "the state has changed while it was being read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_state_is_read_again_from_a_file() {
        let long = "0123456789".repeat(IN_MEMORY_BYTES / 5);
        for text in ["{\"a\":1}", &long] {
            let state = StateText::from_pipe(text.as_bytes()).unwrap();
            assert_eq!(matches!(state.0, Inner::File(_)), text.len() > IN_MEMORY_BYTES);
            for _ in 0..2 {
                assert_eq!(state.whole().unwrap(), text.as_bytes());
                assert_eq!(state.span(2..5).unwrap(), text[2..5]);
            }
            assert!(state.span(0..text.len() as u64 + 1).is_err());
        }
    }

    #[test]
    fn text_that_is_no_utf_8_is_replaced() {
        let state = StateText::from(Bytes::from_static(b"a\xffb"));
        assert_eq!(state.span(0..3).unwrap(), "a\u{fffd}b");
    }
}
