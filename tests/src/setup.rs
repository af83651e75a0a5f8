//! What the end-to-end suites run against: the folders of `.github/services`, and what has been
//! started of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

/// A setup: a server, or several, of a certain kind and in a certain shape.
#[derive(Debug)]
pub struct Setup {
    /// Such as `s3/minio`: the names of its folders.
    pub name: String,
    /// What it must show.
    pub shows: Shows,
    /// Its lock table is on a server of its own; its bucket is that of another setup.
    pub is_about_its_table: bool,
}

/// What a setup must show. What is declared here and missing there fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Shows {
    /// The `dialect` that its endpoint is spoken to in.
    pub dialect: Option<String>,
    /// What its bucket does with versions.
    #[serde(default)]
    pub bucket: Bucket,
    /// How locks are held on it.
    pub locks: Locks,
    /// It looks at signatures.
    #[serde(default = "yes")]
    pub authentication: bool,
    /// Writes that depend on what is there are kept.
    #[serde(default)]
    pub conditional_write: bool,
    /// It keeps earlier versions in a bucket that is told to.
    #[serde(default)]
    pub versions: bool,
    /// It has a lock table.
    #[serde(default)]
    pub table: bool,
    /// Promises that the server itself breaks, by the names of conformance; its README says how.
    #[serde(default)]
    pub breaks: Vec<String>,
    /// What it encrypts with.
    #[serde(default)]
    pub encryption: Vec<Encryption>,
}

fn yes() -> bool {
    true
}

/// What a bucket does with versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bucket {
    /// It forgets them.
    #[default]
    Plain,
    /// It keeps them.
    Versioned,
}

/// How locks are held on a setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Locks {
    /// By an object that is created if, and only if, nothing is there.
    ConditionalCreate,
    /// Not at all, and that is said by name.
    Refused,
    /// By the order of an object's versions.
    VersionList,
}

/// What a setup encrypts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encryption {
    /// A key of the client's, which is sent along.
    SseC,
    /// A key of the key service's, by its name.
    SseKms,
    /// A key of the store's own.
    SseS3,
}

impl Setup {
    /// Every setup of a provider.
    pub fn of(provider: &'static str) -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(move |setup| setup.provider() == provider)
    }

    /// Every setup that speaks S3.
    pub fn speaking_s3() -> impl Iterator<Item = &'static Self> {
        Self::of("s3").chain(Self::of("spaces"))
    }

    /// The setup with a name.
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

    /// The first half of its name.
    pub fn provider(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Something that is known of it since it was started, such as `endpoint`; nothing if it has no
    /// such thing.
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

    /// As [`fact`](Self::fact), for what it must have.
    ///
    /// # Panics
    /// If it was not started, or has no such thing.
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

/// What is known of the setups that run, by name.
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
