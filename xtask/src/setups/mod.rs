//! The setups for the tests: each is a folder `.github/services/<provider>/<setup>/`.
//!
//! In its `setup.toml`, `[server]` names the server for the objects, `[table]` the one for the lock
//! table if that is another, and `[clients]` the vendor's programs that test this project. The
//! tests read the rest, above all `[shows]`.

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

/// Programs from outside this project, in exact versions.
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
    /// Names the file that cannot be parsed.
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

    /// Returns the kinds of its servers.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.servers().map(|server| server.kind)
    }

    /// Returns its servers.
    fn servers(&self) -> impl Iterator<Item = Server> {
        std::iter::once(self.description.server).chain(self.description.table)
    }
}

/// Returns the setup that `--setup` or `--require` names, if it is one.
pub(crate) fn named<'a>(setups: &'a [Setup], name: &str) -> Option<&'a Setup> {
    setups.iter().find(|setup| setup.name == name)
}

/// Returns the kinds of the servers in setups.
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
