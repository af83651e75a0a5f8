//! The record that `init` leaves in a data directory.

use std::path::{Path, PathBuf};

use crate::advice::Advice;
use crate::config::{Environment, Layer, Origin, Setting, Sourced};
use crate::directory::json;
use crate::directory::source::{Accept, SourceText};
use crate::error::{Error, ErrorKind, Result};
use crate::workspace::Workspace;

/// The data directory of a Terraform directory.
pub(super) struct DataDirectory<'a> {
    directory: &'a Path,
    path: PathBuf,
}

/// The backend that `init` configured.
pub(super) struct Record {
    /// The type.
    pub(super) name: String,
    /// The record.
    pub(super) origin: Origin,
    /// The recorded settings, options included. `init` does not record values from the environment.
    pub(super) layer: Layer,
}

/// Selects a workspace for the clients of a Terraform directory, as `terraform workspace select`
/// does, and returns the file that holds its name, relative to the directory.
///
/// # Errors
/// `Local` if the file cannot be written.
pub fn select_workspace(
    directory: &Path,
    env: &Environment,
    workspace: &Workspace,
) -> Result<PathBuf> {
    DataDirectory::new(directory, env).select_workspace(workspace)
}

impl<'a> DataDirectory<'a> {
    /// Finds the data directory: `TF_DATA_DIR`, else `.terraform`.
    pub(super) fn new(directory: &'a Path, env: &Environment) -> Self {
        Self { directory, path: env.get("TF_DATA_DIR").unwrap_or(".terraform").into() }
    }

    /// Returns the record of `init`, if it ran.
    ///
    /// # Errors
    /// `ConfigInvalid` or `Local` if the record cannot be read.
    pub(super) fn record(&self) -> Result<Option<Record>> {
        let path = self.path.join("terraform.tfstate");
        let Some(source) = SourceText::read(self.directory, path, Accept::RegularFile)? else {
            return Ok(None);
        };
        let advised = |error: Error| {
            error
                .with_hint("run `terraform init` or `tofu init` again")
                .with_advice(Advice::NameBackend)
        };
        let Some(recorded) = json::recorded(&source).map_err(advised)? else {
            return Ok(None);
        };
        let layer = recorded
            .config
            .into_iter()
            .map(|(name, setting)| (name, initialised(setting)))
            .collect();
        Ok(Some(Record { name: recorded.name, origin: recorded_at(recorded.origin), layer }))
    }

    /// Returns the name of the selected workspace and the file that holds it.
    ///
    /// # Errors
    /// `ConfigInvalid` or `Local` if the name cannot be read.
    pub(super) fn selected_workspace(&self) -> Result<Option<Sourced<String>>> {
        let path = self.path.join("environment");
        let Some(source) = SourceText::read(self.directory, path, Accept::RegularFile)? else {
            return Ok(None);
        };
        let name = source.text().trim();
        Ok((!name.is_empty())
            .then(|| Sourced::new(name.to_owned(), Origin::file(&source.path, None))))
    }

    /// Selects a workspace, and returns the file that holds its name.
    fn select_workspace(&self, name: &Workspace) -> Result<PathBuf> {
        let shown = self.path.join("environment");
        let folder = self.directory.join(&self.path);
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("environment"), name.as_str()));
        match written {
            Ok(()) => Ok(shown),
            Err(error) => {
                let message = format!("cannot write `{}`: {error}", shown.display());
                Err(Error::new(ErrorKind::Local, "select workspace", message).with_source(error))
            }
        }
    }

    /// Returns the record's name for a message.
    pub(super) fn shown(&self) -> String {
        self.path.join("terraform.tfstate").display().to_string()
    }
}

fn initialised(setting: Sourced<Setting>) -> Sourced<Setting> {
    let value = match setting.value {
        Setting::Object(members) => Setting::Object(
            members.into_iter().map(|(name, member)| (name, initialised(member))).collect(),
        ),
        other => other,
    };
    Sourced::new(value, recorded_at(setting.origin))
}

fn recorded_at(origin: Origin) -> Origin {
    match origin {
        Origin::File { path, line } => Origin::Initialised { path, line },
        other => other,
    }
}
