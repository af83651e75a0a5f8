//! The part of `cargo metadata` that the chores read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;

#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) target_dir: PathBuf,
    /// The members of the workspace, by name.
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// The features that `default` enables; empty if there is no such feature.
    pub(crate) default_features: Vec<String>,
    /// All features but `default`, sorted by name.
    pub(crate) features: Vec<String>,
    /// It goes to a registry.
    pub(crate) is_published: bool,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
    pub(crate) optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyKind {
    Build,
    Dev,
    Normal,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, `example`, …
    pub(crate) kinds: Vec<String>,
}

impl Metadata {
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
        let mut packages =
            array(&value, "packages").iter().map(Package::parse).collect::<Result<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { target_dir: text(&value, "target_directory")?.into(), packages })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    pub(crate) fn package_at(&self, manifest_path: &Path) -> Option<&Package> {
        self.packages.iter().find(|package| package.manifest_path == manifest_path)
    }
}

impl Package {
    fn parse(value: &Value) -> Result<Self> {
        let dependencies =
            array(value, "dependencies").iter().map(Dependency::parse).collect::<Result<_>>()?;
        let targets = array(value, "targets")
            .iter()
            .map(|target| {
                Ok(Target { name: text(target, "name")?, kinds: strings(&target["kind"]) })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            name: text(value, "name")?,
            manifest_path: text(value, "manifest_path")?.into(),
            dependencies,
            targets,
            default_features: strings(&value["features"]["default"]),
            features: value["features"]
                .as_object()
                .into_iter()
                .flat_map(|features| features.keys().cloned())
                .filter(|feature| feature != "default")
                .collect(),
            is_published: value["publish"].as_array().is_none_or(|to| !to.is_empty()),
        })
    }

    /// Returns the folder that holds the package.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    pub(crate) fn test_targets(&self) -> impl Iterator<Item = &str> {
        self.targets
            .iter()
            .filter(|target| target.kinds.iter().any(|k| k == "test"))
            .map(|t| t.name.as_str())
    }
}

impl Dependency {
    fn parse(value: &Value) -> Result<Self> {
        let kind = match value["kind"].as_str() {
            None => DependencyKind::Normal,
            Some("dev") => DependencyKind::Dev,
            Some("build") => DependencyKind::Build,
            Some(other) => return Err(format!("unknown kind of dependency `{other}`").into()),
        };
        Ok(Self {
            name: text(value, "name")?,
            kind,
            optional: value["optional"].as_bool().unwrap_or(false),
        })
    }
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn text(value: &Value, key: &str) -> Result<String> {
    let text = value[key].as_str().ok_or_else(|| format!("`cargo metadata` names no `{key}`"))?;
    Ok(text.to_owned())
}
