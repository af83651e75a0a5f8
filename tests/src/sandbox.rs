//! A clean room: folders of its own, and an environment without anything of the caller's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::command::Cmd;
use crate::requirement::{Requirement, remote_state};

/// A temporary folder to work in, and a home beside it. Dropping this value removes both.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Creates an empty one.
    ///
    /// # Panics
    /// If the folders cannot be created.
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("remote-state-test-")
            .tempdir()
            .expect("a temporary folder");
        for folder in ["home", "tmp", "work"] {
            std::fs::create_dir(root.path().join(folder))
                .expect("a folder can be made in a new one");
        }
        std::fs::write(root.path().join("terraform.rc"), "")
            .expect("a file can be made in a new folder");
        Self { root }
    }

    /// Returns the folder that commands run in.
    pub fn path(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Returns the home of commands.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Returns a folder in the working folder, and creates it if it is missing.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made in the working folder");
        path
    }

    /// Writes a file in the working folder, with the folders above it, and returns its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder can be made in the working folder");
        }
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Reads a file in the working folder.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path().join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the binary under test, in the working folder.
    pub fn remote_state(&self) -> Cmd {
        self.command(remote_state())
    }

    /// Returns `terraform`, in the working folder.
    ///
    /// # Panics
    /// If it is not available: the test should require it.
    pub fn terraform(&self) -> Cmd {
        self.command(Requirement::Terraform.program().expect("the test requires `terraform`"))
    }

    /// Returns any program, in the working folder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Cmd {
        let home = self.home();
        let mut command = Cmd::new(program.as_ref())
            .dir(self.path())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("USER", "tester")
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("TF_CLI_CONFIG_FILE", self.root.path().join("terraform.rc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(path) = std::env::var_os("PATH") {
            command = command.env("PATH", path);
        }
        command
    }
}
