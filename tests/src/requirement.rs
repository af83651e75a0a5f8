//! Requirements that a machine may lack.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::setup::Setup;

/// Something that a test needs besides this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// A program that most systems have, such as `make`.
    Command(&'static str),
    /// Another version of Terraform, by its name: `terraform-` and its version.
    Client(&'static str),
    /// `setsid` of util-linux, which gives a command a terminal of its own.
    Setsid,
    /// A running setup, by its name: a folder of `.github/services`.
    Setup(&'static str),
    /// The program `terraform`.
    Terraform,
    /// The program `tofu`.
    Tofu,
}

impl Requirement {
    /// Returns its name, as `cargo xtask test --require` accepts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command(name) => name,
            Self::Client(name) => name,
            Self::Setsid => "setsid",
            Self::Setup(name) => name,
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    /// Returns why it is not available; `None` if it is.
    pub fn why_absent(self) -> Option<String> {
        match self {
            Self::Setup(name) => Setup::named(name).why_absent(),
            Self::Client(name) => self
                .program()
                .is_none()
                .then(|| format!("no {name}: `cargo xtask test --suite clients` fetches it")),
            _ => self.program().is_none().then(|| format!("no `{}` on PATH", self.name())),
        }
    }

    /// Returns the path of the program; `None` if it is not available, or not a program.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::Command(name) => on_path(name),
            Self::Client(name) => client(name),
            Self::Setsid => on_path("setsid"),
            Self::Setup(_) => None,
            Self::Terraform => named("REMOTE_STATE_TEST_TERRAFORM", "terraform"),
            Self::Tofu => named("REMOTE_STATE_TEST_TOFU", "tofu"),
        }
    }
}

/// Looks up a client that `cargo xtask test` fetched.
fn client(name: &str) -> Option<PathBuf> {
    let fetched = std::env::var("REMOTE_STATE_TEST_CLIENTS").ok()?;
    let fetched: serde_json::Value =
        serde_json::from_str(&fetched).expect("an object of programs by version");
    Some(fetched[name.strip_prefix("terraform-")?].as_str()?.into())
}

fn named(variable: &str, program: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Some(path.into()),
        // Under `cargo xtask test` an absent variable means an absent program.
        None if std::env::var_os("REMOTE_STATE_BIN").is_some() => None,
        None => on_path(program),
    }
}

/// Returns the binary under test.
///
/// # Panics
/// If it has not been built.
pub fn remote_state() -> PathBuf {
    if let Some(path) = std::env::var_os("REMOTE_STATE_BIN") {
        return path.into();
    }
    let here = std::env::current_exe().expect("a running program has a path");
    let name = format!("remote-state{}", std::env::consts::EXE_SUFFIX);
    // This is `target/debug/deps/suite-0123456789abcdef`.
    let built = here.parent().and_then(|deps| deps.parent()).map(|profile| profile.join(&name));
    built.filter(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "there is no `{name}` beside {}: `cargo build -p remote-state-cli`, or set \
             REMOTE_STATE_BIN",
            here.display()
        )
    })
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let paths: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}
