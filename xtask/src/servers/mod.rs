//! The servers for the tests: external programs on the loopback interface, each with a folder of
//! its own and a free port, killed by id.
//!
//! To add a kind, add a module here, a variant of [`Kind`], and an arm in [`start`].

mod ceph;
mod daemon;
mod dynalite;
mod folder;
mod http;
mod minio;
mod moto;
mod s3rver;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use daemon::end_with_us;

use crate::Result;
use crate::servers::daemon::Daemon;
use crate::servers::folder::RunFolder;
use crate::workspace::Workspace;

/// The bucket of a server that is ready, if it has one.
const BUCKET: &str = "tfstate";
/// The lock table of a server that is ready, if it has one.
const TABLE: &str = "tflock";

/// The kinds of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A Ceph cluster with its S3 gateway, from the system's packages.
    Ceph,
    /// A DynamoDB in JavaScript, from npm.
    Dynalite,
    /// The project's own emulator. It runs inside the test, so there is nothing to start.
    Emulator,
    /// MinIO, found or built with Go.
    Minio,
    /// AWS in miniature, in Python, from PyPI.
    Moto,
    /// A store in JavaScript, from npm, that ignores every condition.
    S3rver,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ceph => "ceph",
            Self::Dynalite => "dynalite",
            Self::Emulator => "emulator",
            Self::Minio => "minio",
            Self::Moto => "moto",
            Self::S3rver => "s3rver",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A server, and how to start it. Setups that name the same server share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// Checks signatures and policies. Only moto can also run without.
    #[serde(default)]
    pub(crate) authentication: bool,
    /// Has a key service of its own. Only MinIO can also run without.
    #[serde(default)]
    pub(crate) kms: bool,
    /// Uses TLS, with a new certificate that no other program trusts.
    #[serde(default)]
    pub(crate) tls: bool,
}

/// The facts that a test gets about a server, by name: `endpoint`, `access_key`, `secret_key`, and
/// others that only some servers have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts(BTreeMap<&'static str, String>);

impl Facts {
    fn s3(endpoint: &str, access_key: &str, secret_key: &str) -> Self {
        let mut facts = Self::default();
        facts.set("endpoint", endpoint);
        facts.set("access_key", access_key);
        facts.set("secret_key", secret_key);
        facts
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// A running server. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) facts: Facts,
    /// Ended in this order: clients before the servers that they use. Tests talk to the first.
    daemons: Vec<Daemon>,
    folder: Option<RunFolder>,
}

/// Finds or installs a server, starts it, and waits until it answers.
///
/// # Errors
/// Says why it could not start, as a sentence to follow the name of its kind and a colon.
pub(crate) fn start(workspace: &Workspace, server: &Server) -> Result<Started> {
    let target = workspace.target_dir();
    match server.kind {
        Kind::Ceph => ceph::start(target),
        Kind::Dynalite => dynalite::start(target),
        Kind::Emulator => {
            Ok(Started { facts: Facts::default(), daemons: Vec::new(), folder: None })
        }
        Kind::Minio => minio::start(target, server),
        Kind::Moto => moto::start(target, server),
        Kind::S3rver => s3rver::start(target),
    }
}

impl Started {
    /// Saves the logs outside the server's folder, which is removed, and returns their place;
    /// `None` if there are none.
    pub(crate) fn keep_logs(&self) -> Option<Result<PathBuf>> {
        self.folder.as_ref().map(RunFolder::keep_logs)
    }

    /// Waits until the server ends by itself or by a signal, and says how; `None` if it is not a
    /// separate program.
    pub(crate) fn wait(&mut self) -> Option<Result<String>> {
        let daemon = self.daemons.first_mut()?;
        Some(daemon.wait().map(|status| format!("{status}\n{}", daemon.log_tail())))
    }
}

/// Starts a server in a folder of its own, up to three times if another program takes its port at
/// the last moment. Keeps the logs if it does not start.
fn attempts(
    target_dir: &Path,
    kind: Kind,
    mut once: impl FnMut(&RunFolder) -> Result<(Facts, Vec<Daemon>)>,
) -> Result<Started> {
    let mut left = 3;
    loop {
        left -= 1;
        let folder = RunFolder::new(target_dir, kind.name())?;
        let error = match once(&folder) {
            Ok((facts, daemons)) => return Ok(Started { facts, daemons, folder: Some(folder) }),
            Err(error) => error.to_string(),
        };
        if left == 0 || !is_taken(&error) {
            let logs = folder.keep_logs()?;
            return Err(format!("{error}\nits logs are in {}", logs.display()).into());
        }
    }
}

/// Returns whether the error means that a server did not get its port.
fn is_taken(error: &str) -> bool {
    let error = error.to_lowercase();
    error.contains("address already in use") || error.contains("eaddrinuse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_taken_port_is_tried_again_and_logs_of_failures_are_kept() {
        let target = tempfile::tempdir().expect("a temporary folder");
        for (message, expected) in [
            ("bind: Address already in use", 3),
            ("listen EADDRINUSE 127.0.0.1:1", 3),
            ("no such file", 1),
        ] {
            let mut tried = 0;
            let started = attempts(target.path(), Kind::Moto, |_| {
                tried += 1;
                Err(message.into())
            });
            let error = started.expect_err("it never starts").to_string();
            assert!(error.starts_with(message) && error.contains("its logs are in "), "{error}");
            assert_eq!(tried, expected, "{message}");
        }
    }

    #[test]
    fn a_kind_is_written_as_it_is_named() {
        use Kind::{Ceph, Dynalite, Emulator, Minio, Moto, S3rver};
        for kind in [Ceph, Dynalite, Emulator, Minio, Moto, S3rver] {
            let server: Server = toml::from_str(&format!("kind = '{kind}'")).expect("it is a kind");
            assert_eq!(server.kind, kind);
        }
    }
}
