//! Requirements of tests that a machine may lack: programs, and [setups].

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::servers::Kind;
use crate::setups::{self, Running, Setup};
use crate::tools::clients::{CLIENTS, Installed};
use crate::workspace::{Workspace, on_path};

const BIN: &str = "REMOTE_STATE_BIN";
const SETUPS: &str = "REMOTE_STATE_TEST_SETUPS";
const ONLY: &str = "REMOTE_STATE_TEST_ONLY";
const CLIENTS_FOUND: &str = "REMOTE_STATE_TEST_CLIENTS";
const TERRAFORM: &str = "REMOTE_STATE_TEST_TERRAFORM";
const TOFU: &str = "REMOTE_STATE_TEST_TOFU";

/// All variables of the convention. Clearing them keeps the caller's shell out of the tests.
const ALL: [&str; 6] = [BIN, SETUPS, ONLY, CLIENTS_FOUND, TERRAFORM, TOFU];

/// The name for every client of [`CLIENTS`].
const EVERY_CLIENT: &str = "clients";
/// The prefix of a client's name; its version follows.
const CLIENT: &str = "terraform-";

/// A program that tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Terraform,
    Tofu,
}

impl Program {
    const ALL: [Self; 2] = [Self::Terraform, Self::Tofu];

    fn name(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Terraform => TERRAFORM,
            Self::Tofu => TOFU,
        }
    }
}

/// What a skipped test lacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    Program(Program),
    /// By its name, such as `s3/minio`.
    Setup(String),
    /// By its version, such as `0.12.29`.
    Client(&'static str),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => f.write_str(program.name()),
            Self::Setup(name) => f.write_str(name),
            Self::Client(version) => write!(f, "{CLIENT}{version}"),
        }
    }
}

impl Requirement {
    /// Parses the requirement that a test states, or a word of its name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let program = Program::ALL.into_iter().find(|program| program.name() == text);
        let is_setup = || {
            text.split_once('/')
                .is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty())
        };
        let client = || {
            let version = text.strip_prefix(CLIENT)?;
            CLIENTS
                .iter()
                .find(|client| client.version == version)
                .map(|client| Self::Client(client.version))
        };
        program
            .map(Self::Program)
            .or_else(client)
            .or_else(|| is_setup().then(|| Self::Setup(text.to_owned())))
    }
}

/// A requirement that must not be skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Required {
    /// Every setup whose servers are of such kinds.
    Kind(Kind),
    /// All versions of Terraform.
    Clients,
    One(Requirement),
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Clients => f.write_str(EVERY_CLIENT),
            Self::One(requirement) => requirement.fmt(f),
        }
    }
}

impl Required {
    /// # Errors
    /// The name is no program, setup or kind of server; the message lists those.
    pub(crate) fn parse(name: &str, setups: &[Setup]) -> Result<Self> {
        let requirement = Requirement::parse(name).filter(|parsed| {
            matches!(parsed, Requirement::Program(_) | Requirement::Client(_))
                || setups::named(setups, name).is_some()
        });
        if name == EVERY_CLIENT {
            return Ok(Self::Clients);
        }
        let kinds = setups::kinds(setups);
        let kind = || kinds.iter().copied().find(|kind| kind.name() == name);
        requirement.map(Self::One).or_else(|| kind().map(Self::Kind)).ok_or_else(|| {
            let programs = Program::ALL.map(Program::name).join(", ");
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            let setups: Vec<&str> = setups.iter().map(|setup| setup.name.as_str()).collect();
            let (kinds, setups) = (kinds.join(", "), setups.join(", "));
            format!(
                "nothing is called `{name}`: the programs are {programs}, {EVERY_CLIENT}, the \
                 kinds of servers {kinds}, the setups {setups}"
            )
            .into()
        })
    }
}

/// The requirements that are available, and why others are not.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    absent: Vec<(Program, String)>,
    variables: Vec<(&'static str, OsString)>,
    setups: Running,
    clients: Installed,
}

impl Requirements {
    /// Returns the requirements for suites that need nothing.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Looks for the programs, and takes the running setups. `only` are the setups to which the
    /// tests are limited.
    pub(crate) fn find(
        product: PathBuf,
        setups: Running,
        clients: Installed,
        only: &[String],
    ) -> Self {
        let mut found = Self { setups, clients, ..Self::default() };
        found.variables.push((BIN, product.into()));
        found.variables.push((SETUPS, found.setups.json().to_string().into()));
        if !only.is_empty() {
            found.variables.push((ONLY, only.join(",").into()));
        }
        let clients = found.clients.iter().filter_map(|(version, program)| {
            Some((
                (*version).to_owned(),
                program.as_ref().ok()?.to_string_lossy().into_owned().into(),
            ))
        });
        let clients = serde_json::Value::Object(clients.collect());
        found.variables.push((CLIENTS_FOUND, clients.to_string().into()));
        for program in Program::ALL {
            found.program(program, on_path(program.name()));
        }
        found
    }

    fn program(&mut self, program: Program, path: Option<PathBuf>) {
        match path {
            Some(path) => self.variables.push((program.variable(), path.into())),
            None => {
                self.absent.push((program, format!("not found: no `{}` on PATH", program.name())));
            }
        }
    }

    /// Returns everything that is not available, with the reason.
    pub(crate) fn absent(&self) -> impl Iterator<Item = (String, &str)> {
        let programs = self
            .absent
            .iter()
            .map(|(program, reason)| (program.name().to_owned(), reason.as_str()));
        let asked = self.setups.absent().filter(|(_, absence)| absence.kind.is_some());
        let clients = self.clients.iter().filter_map(|(version, program)| {
            Some((format!("{CLIENT}{version}"), program.as_ref().err()?.as_str()))
        });
        programs
            .chain(asked.map(|(name, absence)| (name.to_owned(), absence.reason.as_str())))
            .chain(clients)
    }

    /// Returns why a requirement is not available; `None` if it is.
    pub(crate) fn why_absent(&self, requirement: &Requirement) -> Option<&str> {
        match requirement {
            Requirement::Program(program) => self
                .absent
                .iter()
                .find(|(absent, _)| absent == program)
                .map(|(_, reason)| reason.as_str()),
            Requirement::Setup(name) => {
                self.setups.why_absent(name).map(|absence| absence.summary())
            }
            Requirement::Client(version) => {
                match self.clients.iter().find(|(installed, _)| installed == version) {
                    Some((_, program)) => program.as_ref().err().map(String::as_str),
                    None => Some("not looked for: `--suite clients` does"),
                }
            }
        }
    }

    /// Returns why a required item is not available; `None` if it is.
    pub(crate) fn why_missing(&self, required: &Required) -> Option<&str> {
        match required {
            Required::One(requirement) => self.why_absent(requirement),
            Required::Clients => CLIENTS
                .iter()
                .find_map(|client| self.why_absent(&Requirement::Client(client.version))),
            Required::Kind(kind) => {
                let mut absent = self.setups.absent();
                absent
                    .find(|(_, absence)| absence.kind == Some(*kind))
                    .map(|(_, absence)| absence.reason.as_str())
            }
        }
    }

    /// Returns whether a requirement is required by its own name, or as a setup all of whose
    /// servers are of required kinds.
    pub(crate) fn is_required(
        requirement: &Requirement,
        required: &[Required],
        setups: &[Setup],
    ) -> bool {
        let by_kind = |name: &str| {
            setups::named(setups, name).is_some_and(|setup| {
                setup.kinds().all(|kind| required.contains(&Required::Kind(kind)))
            })
        };
        required.iter().any(|required| *required == Required::One(requirement.clone()))
            || matches!(requirement, Requirement::Setup(name) if by_kind(name))
            || (matches!(requirement, Requirement::Client(_))
                && required.contains(&Required::Clients))
    }

    /// Sets the variables for a test binary.
    pub(crate) fn export(&self, command: &mut Command) {
        for name in ALL {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
    }

    /// Saves the logs from the servers' folders.
    pub(crate) fn keep_logs(&self) {
        self.setups.keep_logs();
    }
}

/// Starts the setups that the suites, or `--require`, need.
pub(crate) fn start_setups(
    workspace: &Workspace,
    setups: &[Setup],
    asked: impl Fn(&Setup) -> bool,
    is_chosen: impl Fn(&Setup) -> bool,
) -> Running {
    let mut running =
        Running::start(workspace, setups.iter().filter(|setup| asked(setup) && is_chosen(setup)));
    for setup in setups {
        running.leave_out(setup, &format!("not chosen: `--setup {}` adds it", setup.name));
    }
    running
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setups::Setup;

    fn setups() -> Vec<Setup> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Setup::all(&root).expect("every folder of a setup is understood")
    }

    #[test]
    fn an_absent_program_is_named_with_its_reason() {
        let mut requirements = Requirements::none();
        requirements.program(Program::Tofu, None);
        requirements.program(Program::Terraform, Some("/bin/terraform".into()));
        let why = |program| requirements.why_absent(&Requirement::Program(program));
        assert_eq!(why(Program::Tofu), Some("not found: no `tofu` on PATH"));
        assert_eq!(why(Program::Terraform), None);
    }

    #[test]
    fn a_test_sees_what_is_there_and_nothing_of_the_callers_shell() {
        let mut requirements = Requirements::none();
        requirements.program(Program::Terraform, Some("/bin/terraform".into()));
        let mut command = Command::new("true");
        requirements.export(&mut command);
        let seen: Vec<_> = command.get_envs().collect();
        assert_eq!(seen.len(), ALL.len());
        for (name, value) in seen {
            assert_eq!(value.is_some(), name == TERRAFORM, "{name:?}");
        }
    }

    #[test]
    fn what_is_required_is_a_program_a_kind_or_a_setup() {
        let setups = setups();
        for name in ["terraform", "clients", "terraform-0.12.29", "minio", "s3/minio"] {
            assert_eq!(Required::parse(name, &setups).expect("it is known").to_string(), name);
        }
        let error = Required::parse("minoi", &setups).expect_err("it is misspelt").to_string();
        assert!(error.contains("`minoi`") && error.contains("s3/minio"), "{error}");
        Required::parse("s3/minoi", &setups).expect_err("it is misspelt");
        Required::parse("terraform-0.12.28", &setups).expect_err("there is no such client");
    }

    #[test]
    fn a_kind_requires_the_setups_that_are_made_of_it_alone() {
        let setups = setups();
        let required = [Required::Kind(Kind::Minio)];
        let is_required = |name: &str, required: &[Required]| {
            Requirements::is_required(&Requirement::Setup(name.to_owned()), required, &setups)
        };
        assert!(is_required("s3/minio", &required));
        assert!(!is_required("s3/moto", &required));
        assert!(!is_required("s3/dynalite", &required), "its bucket is on MinIO, its table is not");
        assert!(is_required(
            "s3/dynalite",
            &[Required::Kind(Kind::Minio), Required::Kind(Kind::Dynalite)]
        ));
    }
}
