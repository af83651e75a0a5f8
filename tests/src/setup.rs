//! The setups of the end-to-end suites: the folders of `.github/services`, and those that are
//! running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

/// A setup: a server, or several, of a certain kind and configuration.
#[derive(Debug)]
pub struct Setup {
    /// Such as `s3/minio`: the names of its folders.
    pub name: String,
    /// The behaviour that its tests must confirm.
    pub shows: Shows,
    /// Its lock table is on a server of its own; its bucket is that of another setup.
    pub is_about_its_table: bool,
}

/// The behaviour that a setup's tests must confirm. A test fails if the setup lacks a declared
/// property.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Shows {
    /// The `dialect` of its endpoint.
    pub dialect: Option<String>,
    /// What its bucket does with versions.
    #[serde(default)]
    pub bucket: Bucket,
    /// How clients hold locks on it.
    pub locks: Locks,
    /// It checks signatures.
    #[serde(default = "yes")]
    pub authentication: bool,
    /// It honours conditional writes.
    #[serde(default)]
    pub conditional_write: bool,
    /// It keeps earlier versions in a bucket with versioning.
    #[serde(default)]
    pub versions: bool,
    /// It has a lock table.
    #[serde(default)]
    pub table: bool,
    /// Promises that the server itself breaks, by the names of conformance; its README explains
    /// how.
    #[serde(default)]
    pub breaks: Vec<String>,
    /// The encryption that it supports.
    #[serde(default)]
    pub encryption: Vec<Encryption>,
}

fn yes() -> bool {
    true
}

/// The versioning of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bucket {
    /// It keeps no versions.
    #[default]
    Plain,
    /// It keeps them.
    Versioned,
}

/// How clients hold locks on a setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Locks {
    /// By an object whose create succeeds only if there is none.
    ConditionalCreate,
    /// Not at all: clients refuse the store by name.
    Refused,
    /// By the order of an object's versions.
    VersionList,
}

/// The encryption of a setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encryption {
    /// A key of the client's, sent with each request.
    SseC,
    /// A key in the key service, by its name.
    SseKms,
    /// A key of the store's own.
    SseS3,
}

impl Setup {
    /// Returns every setup of a provider.
    pub fn of(provider: &'static str) -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(move |setup| setup.provider() == provider)
    }

    /// Returns every setup with S3.
    pub fn speaking_s3() -> impl Iterator<Item = &'static Self> {
        Self::of("s3").chain(Self::of("spaces"))
    }

    /// Returns the setup with a name.
    ///
    /// # Panics
    /// If there is no such folder.
    #[track_caller]
    pub fn named(name: &str) -> &'static Self {
        ALL.iter().find(|setup| setup.name == name).unwrap_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|setup| setup.name.as_str()).collect();
            panic!("there is no setup `{name}`, only {known:?}")
        })
    }

    /// Returns the first half of its name.
    pub fn provider(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Returns a fact about it since its start, such as `endpoint`; `None` if it has no such fact.
    ///
    /// # Panics
    /// If it was not started: the test should require it.
    #[track_caller]
    pub fn fact(&self, name: &str) -> Option<&'static str> {
        let facts = match self.facts() {
            Ok(facts) => facts,
            Err(reason) => panic!("the test should require `{}`: {reason}", self.name),
        };
        facts.get(name).map(String::as_str)
    }

    /// Like [`fact`](Self::fact), for a fact that it must have.
    ///
    /// # Panics
    /// If it was not started, or has no such fact.
    #[track_caller]
    pub fn told(&self, name: &str) -> &'static str {
        self.fact(name).unwrap_or_else(|| panic!("`{}` should have told its `{name}`", self.name))
    }

    pub(crate) fn why_absent(&self) -> Option<String> {
        self.facts().err()
    }

    fn facts(&self) -> Result<&'static BTreeMap<String, String>, String> {
        let Some(started) = STARTED.as_ref() else {
            return Err(format!(
                "{STARTED_VARIABLE} is not set; `cargo xtask test` starts servers and sets it"
            ));
        };
        let facts = started
            .get(&self.name)
            .ok_or_else(|| format!("{STARTED_VARIABLE} does not name it"))?;
        facts.get("absent").map_or(Ok(facts), |reason| Err(reason.clone()))
    }
}

const STARTED_VARIABLE: &str = "REMOTE_STATE_TEST_SETUPS";

/// The facts about the running setups, by name.
static STARTED: LazyLock<Option<BTreeMap<String, BTreeMap<String, String>>>> =
    LazyLock::new(|| {
        let text = std::env::var(STARTED_VARIABLE).ok()?;
        Some(
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{STARTED_VARIABLE}: {error}")),
        )
    });

static ALL: LazyLock<Vec<Setup>> = LazyLock::new(|| {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/services");
    folders(&services)
        .iter()
        .flat_map(|provider| folders(provider))
        .map(|folder| read(&folder))
        .collect()
});

#[derive(Deserialize)]
struct Description {
    shows: Shows,
    table: Option<toml::Table>,
}

fn read(folder: &Path) -> Setup {
    let file = folder.join("setup.toml");
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let described: Description =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut names = folder.iter().rev().take(2).map(|name| name.to_string_lossy().into_owned());
    let (setup, provider) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    Setup {
        name: format!("{provider}/{setup}"),
        shows: described.shows,
        is_about_its_table: described.table.is_some(),
    }
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
