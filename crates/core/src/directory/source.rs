//! The text of one file, bounded, checked and with its lines known.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hcl_edit::expr::Expression;

use crate::config::Origin;
use crate::error::{Error, ErrorKind, Result};

/// Configuration is written by people; more than this is something else.
const MAX_BYTES: u64 = 16 << 20;

/// A file's text.
pub(super) struct SourceText {
    /// The file, as it should be shown.
    pub(super) path: PathBuf,
    text: String,
    /// Where each line ends, so that a place is found without counting from the start.
    line_ends: Vec<usize>,
    /// What the names in its expressions stand for, where that is to be known.
    pub(super) scope: Option<Rc<dyn Names>>,
}

/// The values of names in expressions.
pub(super) trait Names {
    /// Puts values in the place of names, in an expression at this place.
    fn substitute(&self, expression: Expression, place: &Origin) -> Expression;
}

/// Whether a pipe will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    /// Somebody named this very file: `<(…)` of a shell is fine.
    Anything,
    /// The file was found by its name: opening a pipe would wait for ever.
    RegularFile,
}

impl SourceText {
    /// Wraps a text.
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
        // The size is checked on what is read, since a pipe has none and a file may grow.
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
        // Only one byte order mark, and only at the start, is not content.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Some(Self::new(path, text)))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the place of a byte.
    pub(super) fn origin(&self, offset: usize) -> Origin {
        Origin::file(&self.path, 1 + self.line_ends.partition_point(|end| *end < offset))
    }

    /// Returns the place of a piece of the text that was borrowed from it.
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
