//! `-C`: the directory that a command acts in.

use std::path::Path;

use remote_state::{Error, ErrorKind};

use crate::args::Global;

impl Global {
    /// Makes the directory of `-C` the current one, so that relative paths of arguments, of the
    /// environment and of the command of `exec` all begin there, as with `git -C` and
    /// `terraform -chdir`.
    ///
    /// # Errors
    /// `Local` if there is no such directory.
    pub(crate) fn enter_directory(&mut self) -> Result<(), Error> {
        if self.directory.as_os_str() == "." {
            return Ok(());
        }
        let cannot = |source: std::io::Error| {
            let message =
                format!("cannot read the directory `{}`: {source}", self.directory.display());
            Error::new(ErrorKind::Local, "open", message).with_source(source)
        };
        let whole = std::path::absolute(&self.directory).map_err(cannot)?;
        std::env::set_current_dir(&self.directory).map_err(cannot)?;
        self.entered = Some(whole);
        Ok(())
    }

    /// Returns the directory that the command acts in: `.`, or the absolute path of the one that
    /// `-C` names, for messages.
    pub(crate) fn here(&self) -> &Path {
        self.entered.as_deref().unwrap_or(Path::new("."))
    }
}
