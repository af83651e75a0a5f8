//! Options of the caller that name the backend.

/// The caller's options, in addition to the directory.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct DirectoryOptions {
    /// The backend's type. If it is set, the directory is not read at all.
    pub backend: Option<String>,
    /// File names and `key=value` pairs, in order; the last one wins.
    pub backend_config: Vec<String>,
    /// The workspace.
    pub workspace: Option<String>,
    /// The program's names for these options.
    pub names: OptionNames,
}

/// A program's names for the options, for messages that say where a value was set.
#[derive(Clone, Copy, Debug)]
pub struct OptionNames {
    /// The name of [`DirectoryOptions::backend`].
    pub backend: &'static str,
    /// The name of [`DirectoryOptions::backend_config`].
    pub backend_config: &'static str,
    /// The name of [`DirectoryOptions::workspace`].
    pub workspace: &'static str,
}

impl Default for OptionNames {
    fn default() -> Self {
        Self {
            backend: "option `backend`",
            backend_config: "option `backend_config`",
            workspace: "option `workspace`",
        }
    }
}

impl DirectoryOptions {
    /// Sets the backend's type.
    #[must_use]
    pub fn with_backend(mut self, backend: impl Into<String>) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// Adds a file or a `key=value` pair.
    #[must_use]
    pub fn with_backend_config(mut self, argument: impl Into<String>) -> Self {
        self.backend_config.push(argument.into());
        self
    }

    /// Sets the program's names for the options.
    #[must_use]
    pub fn with_names(mut self, names: OptionNames) -> Self {
        self.names = names;
        self
    }

    /// Sets the workspace.
    #[must_use]
    pub fn with_workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }
}

/// Omits the values of `backend_config`, which may be secrets.
impl std::fmt::Debug for DirectoryOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self
            .backend_config
            .iter()
            .map(|argument| argument.split('=').next().unwrap_or_default());
        f.debug_struct("DirectoryOptions")
            .field("backend", &self.backend)
            .field("backend_config", &names.collect::<Vec<_>>())
            .field("workspace", &self.workspace)
            .finish()
    }
}
