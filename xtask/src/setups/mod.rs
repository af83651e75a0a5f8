//! What the tests run against: each setup is a folder `.github/services/<provider>/<setup>/`.
//!
//! Its `setup.toml` says in `[server]` which server holds the objects, in `[table]` which one holds
//! the lock table if that is another, and in `[clients]` which programs of the vendor's judge us.
//! What else stands there, `[shows]` above all, is for the tests.

mod running;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

pub(crate) use running::Running;

use crate::Result;
use crate::servers::{Kind, Server};

/// A setup, as its folder describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Such as `s3/minio`.
    pub(crate) name: String,
    description: Description,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Description {
    server: Server,
    table: Option<Server>,
    #[serde(default)]
    clients: Clients,
}

/// Programs that nobody here wrote, in exact versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clients {
    /// Packages of npm, such as `ali-oss@6.23.0`.
    #[serde(default)]
    node: Vec<String>,
    /// Packages of PyPI, such as `oss2==2.19.1`.
    #[serde(default)]
    python: Vec<String>,
}

impl Setup {
    /// Reads all folders.
    ///
    /// # Errors
    /// Names the file that is not understood.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut setups = Vec::new();
        for provider in folders(&root.join(".github").join("services"))? {
            for setup in folders(&provider)? {
                setups.push(Self::read(&setup)?);
            }
        }
        Ok(setups)
    }

    fn read(folder: &Path) -> Result<Self> {
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let provider = folder.parent().map(name).unwrap_or_default();
        let file = folder.join("setup.toml");
        let described =
            |error: &dyn std::error::Error| format!("cannot read {}: {error}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| described(&error))?;
        let description = toml::from_str(&text).map_err(|error| described(&error))?;
        Ok(Self { name: format!("{provider}/{}", name(folder)), description })
    }

    /// The kinds of its servers.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.servers().map(|server| server.kind)
    }

    /// The servers that it consists of.
    fn servers(&self) -> impl Iterator<Item = Server> {
        std::iter::once(self.description.server).chain(self.description.table)
    }
}

/// What `--setup` and `--require` may name beside programs.
pub(crate) fn named<'a>(setups: &'a [Setup], name: &str) -> Option<&'a Setup> {
    setups.iter().find(|setup| setup.name == name)
}

/// Returns the kinds of servers that setups are made of.
pub(crate) fn kinds(setups: &[Setup]) -> BTreeSet<Kind> {
    setups.iter().flat_map(Setup::kinds).collect()
}

fn folders(parent: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(parent)
        .map_err(|error| format!("cannot list {}: {error}", parent.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
