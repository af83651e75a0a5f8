//! The text of one file: limited in size, checked, and with known lines.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hcl_edit::expr::Expression;

use crate::config::Origin;
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of a configuration file. People write these files; larger ones are something
/// else.
const MAX_BYTES: u64 = 16 << 20;

/// A file's text.
pub(super) struct SourceText {
    /// The file, as it should be shown.
    pub(super) path: PathBuf,
    text: String,
    /// Where each line ends, to find a position's line without counting from the start.
    line_ends: Vec<usize>,
    /// The values of names in its expressions, if they are to be replaced.
    pub(super) scope: Option<Rc<dyn Names>>,
}

/// The values of names in expressions.
pub(super) trait Names {
    /// Replaces names by their values in an expression at this place.
    fn substitute(&self, expression: Expression, place: &Origin) -> Expression;
}

/// Whether a file may be a pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    /// Any file: the user named it, and a shell's `<(…)` is fine.
    Anything,
    /// A regular file: it was found by its name, and opening a pipe would block for ever.
    RegularFile,
}

impl SourceText {
    /// Creates a source from a text.
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Self { path: path.into(), text, line_ends, scope: None }
    }

    /// Reads a file of the directory; `None` if it does not exist.
    ///
    /// # Errors
    /// `Local` if it cannot be read, `ConfigInvalid` if it is no text or too large.
    pub(super) fn read(
        directory: &Path,
        path: impl Into<PathBuf>,
        accept: Accept,
    ) -> Result<Option<Self>> {
        let path = path.into();
        let unreadable = |error: io::Error| {
            let reason = match error.kind() {
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            Error::new(
                ErrorKind::Local,
                "configure",
                format!("cannot read `{}`: {reason}", path.display()),
            )
            .with_source(error)
        };
        let full = directory.join(&path);
        let metadata = match fs::metadata(&full) {
            Ok(metadata) => metadata,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        if metadata.is_dir() || (accept == Accept::RegularFile && !metadata.is_file()) {
            let kind = if metadata.is_dir() { "a directory" } else { "not a regular file" };
            return Err(Error::config(format!("cannot read `{}`: it is {kind}", path.display())));
        }
        let mut bytes = Vec::new();
        // The size is checked while reading, since a pipe has none and a file may grow.
        let read =
            File::open(&full).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        read.map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            let message = format!(
                "`{}` is larger than {} MiB, too large for a configuration",
                path.display(),
                MAX_BYTES >> 20
            );
            return Err(Error::config(message));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = line_at(error.as_bytes(), error.utf8_error().valid_up_to());
            Error::config(format!("`{}` is not text: invalid UTF-8", path.display()))
                .with_context("found in", Origin::file(&path, line))
        })?;
        if let Some(offset) = text.find('\0') {
            return Err(Error::config(format!(
                "`{}` is not text: it contains a NUL byte",
                path.display()
            ))
            .with_context("found in", Origin::file(&path, line_at(text.as_bytes(), offset))));
        }
        // One byte order mark at the start is not content; any other is.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Some(Self::new(path, text)))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the place of the byte at an offset.
    pub(super) fn origin(&self, offset: usize) -> Origin {
        Origin::file(&self.path, 1 + self.line_ends.partition_point(|end| *end < offset))
    }

    /// Returns the place of a piece that was borrowed from the text.
    pub(super) fn origin_of(&self, piece: &str) -> Origin {
        self.origin((piece.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize))
    }

    /// Creates the error for a text that cannot be parsed. `reason` must not quote the text.
    pub(super) fn unreadable(&self, line: usize, column: usize, reason: &str) -> Error {
        Error::config(format!("cannot parse `{}`: {reason}", self.path.display())).with_context(
            "found in",
            format_args!("{}, column {column}", Origin::file(&self.path, line)),
        )
    }
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count()
}
