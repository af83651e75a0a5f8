//! What the command line says about the backend.

/// What was asked for besides what the directory says.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct DirectoryOptions {
    /// The backend's type. If given, the directory is not read at all.
    pub backend: Option<String>,
    /// Files and `key=value` pairs, as typed after `--backend-config`, in order; the last one
    /// wins.
    pub backend_config: Vec<String>,
    /// The workspace.
    pub workspace: Option<String>,
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

    /// Sets the workspace.
    #[must_use]
    pub fn with_workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }
}

/// Leaves out the values of `backend_config`, which may be secrets.
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
