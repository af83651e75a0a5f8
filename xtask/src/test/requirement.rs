//! Programs that some suites need and that a machine may not have.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;

use crate::minio::{BUCKET, Minio};
use crate::moto::Moto;
use crate::workspace::{Workspace, on_path};

const BIN: &str = "REMOTE_STATE_BIN";
const TERRAFORM: &str = "REMOTE_STATE_TEST_TERRAFORM";
const TOFU: &str = "REMOTE_STATE_TEST_TOFU";
const MINIO: &str = "REMOTE_STATE_TEST_MINIO";
const MINIO_ACCESS_KEY: &str = "REMOTE_STATE_TEST_MINIO_ACCESS_KEY";
const MINIO_SECRET_KEY: &str = "REMOTE_STATE_TEST_MINIO_SECRET_KEY";
const MINIO_BUCKET: &str = "REMOTE_STATE_TEST_MINIO_BUCKET";

const MOTO: &str = "REMOTE_STATE_TEST_MOTO";

/// Every variable of the convention, so that none reaches a test from the caller's shell.
const ALL: [&str; 8] = [BIN, TERRAFORM, TOFU, MINIO, MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_BUCKET, MOTO];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Requirement {
    Minio,
    Moto,
    Terraform,
    Tofu,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minio => "minio",
            Self::Moto => "moto",
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        })
    }
}

/// What is there, what is not and why, and the server that was started.
#[derive(Debug)]
pub(crate) struct Requirements {
    absent: Vec<(Requirement, String)>,
    variables: Vec<(&'static str, OsString)>,
    minio: Option<Minio>,
    /// Runs as long as this value.
    _moto: Option<Moto>,
}

impl Requirements {
    /// For suites that need nothing.
    pub(crate) fn none() -> Self {
        Self { absent: Vec::new(), variables: Vec::new(), minio: None, _moto: None }
    }

    /// Looks for everything, and starts what is a server.
    pub(crate) fn find(workspace: &Workspace, product: PathBuf) -> Self {
        let mut found = Self::none();
        found.variables.push((BIN, product.into()));
        found.program(Requirement::Terraform, TERRAFORM, on_path("terraform"));
        found.program(Requirement::Tofu, TOFU, on_path("tofu"));
        match crate::minio::find(workspace).and_then(|binary| Minio::start(&binary, workspace.target_dir())) {
            Ok(minio) => {
                found.variables.extend([
                    (MINIO, minio.endpoint().into()),
                    (MINIO_ACCESS_KEY, minio.access_key().into()),
                    (MINIO_SECRET_KEY, minio.secret_key().into()),
                    (MINIO_BUCKET, BUCKET.into()),
                ]);
                found.minio = Some(minio);
            }
            Err(error) => found.absent.push((Requirement::Minio, error.to_string())),
        }
        match Moto::start(workspace) {
            Ok(moto) => {
                found.variables.push((MOTO, moto.endpoint().into()));
                found._moto = Some(moto);
            }
            Err(error) => found.absent.push((Requirement::Moto, error.to_string())),
        }
        found
    }

    fn program(&mut self, requirement: Requirement, variable: &'static str, path: Option<PathBuf>) {
        match path {
            Some(path) => self.variables.push((variable, path.into())),
            None => self.absent.push((requirement, format!("not found: no `{requirement}` on PATH"))),
        }
    }

    pub(crate) fn absent(&self) -> &[(Requirement, String)] {
        &self.absent
    }

    /// Returns why a requirement is not there; nothing if it is.
    pub(crate) fn why_absent(&self, requirement: Requirement) -> Option<&str> {
        self.absent.iter().find(|(absent, _)| *absent == requirement).map(|(_, reason)| reason.as_str())
    }

    /// Tells a test binary what is there.
    pub(crate) fn export(&self, command: &mut Command) {
        for name in ALL {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
    }

    /// Saves what would go with the servers' folders.
    pub(crate) fn keep_logs(&self) {
        if let Some(minio) = &self.minio {
            match minio.keep_log() {
                Ok(path) => eprintln!("MinIO's log: {}", path.display()),
                Err(error) => eprintln!("cannot keep MinIO's log: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_program_is_named_with_its_reason() {
        let mut requirements = Requirements::none();
        requirements.program(Requirement::Tofu, TOFU, None);
        requirements.program(Requirement::Terraform, TERRAFORM, Some("/bin/terraform".into()));
        assert_eq!(requirements.why_absent(Requirement::Tofu), Some("not found: no `tofu` on PATH"));
        assert_eq!(requirements.why_absent(Requirement::Terraform), None);
    }

    #[test]
    fn a_test_sees_what_is_there_and_nothing_of_the_callers_shell() {
        let mut requirements = Requirements::none();
        requirements.program(Requirement::Terraform, TERRAFORM, Some("/bin/terraform".into()));
        let mut command = Command::new("true");
        requirements.export(&mut command);
        let seen: Vec<_> = command.get_envs().collect();
        assert_eq!(seen.len(), ALL.len());
        for (name, value) in seen {
            assert_eq!(value.is_some(), name == TERRAFORM, "{name:?}");
        }
    }

    #[test]
    fn names_on_the_command_line_are_the_names_in_reports() {
        for requirement in Requirement::value_variants() {
            let name = requirement.to_possible_value().expect("no variant is hidden");
            assert_eq!(name.get_name(), requirement.to_string());
        }
    }
}
