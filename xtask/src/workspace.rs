//! The location of the workspace, and cargo in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::metadata::Metadata;

/// The checkout that this xtask was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    metadata: Metadata,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let root = root();
        let output = cargo_in(&root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "`cargo metadata` failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        let metadata = Metadata::parse(&output.stdout)?;
        Ok(Self { root, metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn target_dir(&self) -> &Path {
        &self.metadata.target_dir
    }

    /// Returns `cargo`, ready for arguments, in the root of the workspace.
    pub(crate) fn cargo<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = cargo_in(&self.root);
        command.args(args);
        command
    }

    /// Builds the command `remote-state` as a user gets it, and returns its path.
    pub(crate) fn build_product(&self) -> Result<PathBuf> {
        self.build(&["--package", "remote-state-cli", "--release"], "remote-state")
    }

    /// Builds the binary `remote-state` together with the tests, so that both use the same build of
    /// their dependencies, and returns its path.
    pub(crate) fn build_product_as_tested(&self) -> Result<PathBuf> {
        self.build(&["--workspace", "--bins", "--tests"], "remote-state")
    }

    /// Builds the binary `remote-state` alone, from the build of dependencies that the tests use,
    /// and returns its path.
    ///
    /// Features unify over what is built: with a test among it, here a small one, they are those of
    /// all tests, and nothing is built twice.
    pub(crate) fn build_product_beside_tests(&self) -> Result<PathBuf> {
        self.build(&["--workspace", "--bins", "--test", "http"], "remote-state")
    }

    /// Builds a program as it is released, which takes minutes, and returns its path.
    pub(crate) fn build_dist(&self, what: &[&str], name: &str) -> Result<PathBuf> {
        self.build(&[what, &["--profile", "dist"]].concat(), name)
    }

    /// Builds the command as a release has it: for a system, with flags for the compiler and with
    /// one date for everything. It takes minutes.
    pub(crate) fn build_release(&self, target: &str, flags: &str, epoch: u64) -> Result<PathBuf> {
        let mut cargo = self.cargo(["build", "--locked", "--package", "remote-state-cli"]);
        cargo.args(["--profile", "dist", "--target", target]);
        cargo.env("RUSTFLAGS", flags).env("SOURCE_DATE_EPOCH", epoch.to_string());
        Self::built(cargo, "remote-state")
    }

    /// Returns the version that all packages share.
    pub(crate) fn version(&self) -> Result<String> {
        let manifest: toml::Value =
            toml::from_str(&std::fs::read_to_string(self.root.join("Cargo.toml"))?)?;
        let version = manifest["workspace"]["package"]["version"].as_str();
        Ok(version.ok_or("the workspace has no version")?.to_owned())
    }

    fn build(&self, what: &[&str], name: &str) -> Result<PathBuf> {
        let mut cargo = self.cargo(["build"]);
        cargo.args(what);
        Self::built(cargo, name)
    }

    /// Runs a build, and returns the program that it made.
    fn built(mut cargo: Command, name: &str) -> Result<PathBuf> {
        cargo
            .arg("--message-format=json-render-diagnostics")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = cargo.output()?;
        if !output.status.success() {
            return Err(format!("`{name}` does not build").into());
        }
        // Use the path that cargo reports: the folder depends on settings, such as a target system.
        let executable = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == name)
            // The unit tests of a program have its name too.
            .filter(|message| message["profile"]["test"] == false)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        executable.ok_or_else(|| format!("cargo built no program named `{name}`").into())
    }
}

/// Returns a program's file name on this system.
pub(crate) fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Finds a program as a shell would.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(exe(name)))
        .find(|candidate| is_program(candidate))
}

pub(crate) fn is_program(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

fn root() -> PathBuf {
    // `cargo run` says where the package is now; the compiled-in path is for a binary that is
    // called directly.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

fn cargo_in(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What `cargo run` says about xtask must not reach the cargo below: build scripts that watch
    // these variables (ring's does) would be rebuilt on every change between `cargo …` and
    // `cargo xtask …`.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
