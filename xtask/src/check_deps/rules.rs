//! The allowed dependencies between the crates.

use std::collections::BTreeSet;
use std::path::Path;

use crate::check_deps::manifest::Manifest;
use crate::metadata::{DependencyKind, Metadata, Package};

/// The crates of the workspace that one crate may depend on.
struct Edges {
    package: &'static str,
    always: &'static [&'static str],
    /// Only as `optional = true`, behind a feature.
    optional: &'static [&'static str],
    /// Only as dev-dependencies.
    dev: &'static [&'static str],
}

const CORE: &str = "remote-state-core";
const FACADE: &str = "remote-state";

const EDGES: &[Edges] = &[
    // Core names no provider, not even in its tests: its contract for providers is independent of
    // each.
    Edges { package: CORE, always: &[], optional: &[], dev: &[] },
    Edges {
        package: "remote-state-oss",
        always: &[CORE],
        optional: &[],
        dev: &["remote-state-conformance", "remote-state-emulator"],
    },
    Edges {
        package: "remote-state-s3",
        always: &[CORE],
        optional: &[],
        dev: &["remote-state-conformance", "remote-state-emulator"],
    },
    // The one edge between providers: Spaces speaks S3.
    Edges {
        package: "remote-state-spaces",
        always: &[CORE, "remote-state-s3"],
        optional: &[],
        dev: &["remote-state-conformance", "remote-state-emulator"],
    },
    Edges { package: "remote-state-conformance", always: &[CORE], optional: &[], dev: &[] },
    // The emulator tests the providers, so it shares as little as possible with them.
    Edges { package: "remote-state-emulator", always: &[CORE], optional: &[], dev: &[] },
    Edges {
        package: "remote-state-server",
        always: &[CORE],
        optional: &[],
        dev: &["remote-state-conformance", "remote-state-emulator", "remote-state-s3"],
    },
    // What operators do needs a store, and no provider.
    Edges {
        package: "remote-state-operations",
        always: &[CORE],
        optional: &[],
        dev: &["remote-state-conformance"],
    },
    // Providers are features of the facade, all off by default.
    Edges {
        package: FACADE,
        always: &[CORE],
        optional: &["remote-state-oss", "remote-state-s3", "remote-state-spaces"],
        dev: &["remote-state-conformance", "remote-state-emulator", "remote-state-operations"],
    },
    Edges {
        package: "remote-state-cli",
        always: &[CORE, FACADE, "remote-state-operations", "remote-state-server"],
        optional: &["remote-state-emulator"],
        dev: &["remote-state-conformance", "remote-state-emulator", "remote-state-s3"],
    },
    Edges {
        package: "remote-state-tests",
        always: &[
            CORE,
            FACADE,
            "remote-state-conformance",
            "remote-state-emulator",
            "remote-state-fuzz-targets",
            "remote-state-s3",
            "remote-state-server",
        ],
        optional: &[],
        dev: &[],
    },
    Edges {
        package: "remote-state-fuzz-targets",
        always: &[
            CORE,
            "remote-state-conformance",
            "remote-state-operations",
            "remote-state-oss",
            "remote-state-s3",
            "remote-state-server",
        ],
        optional: &[],
        dev: &[],
    },
    // The chores must build even if the product does not, and in seconds.
    Edges { package: "xtask", always: &[], optional: &[], dev: &[] },
];

/// A set of features, and crates that it must not pull in.
pub(crate) struct TreeRule {
    /// The arguments after `cargo tree -p`.
    pub(crate) selection: &'static [&'static str],
    forbidden: &'static [&'static str],
}

pub(crate) const TREES: &[TreeRule] = &[
    TreeRule {
        selection: &["remote-state-cli", "--no-default-features", "--features", "s3"],
        forbidden: &["remote-state-emulator", "s3s", "redb"],
    },
    TreeRule {
        selection: &[FACADE],
        forbidden: &["aws-config", "aws-sdk-s3", "remote-state-oss", "remote-state-s3", "reqwest"],
    },
    // A user of one provider gets no dependency of another.
    TreeRule {
        selection: &[FACADE, "--features", "oss"],
        forbidden: &["aws-config", "aws-sdk-s3", "aws-smithy-types", "remote-state-s3"],
    },
    TreeRule {
        selection: &[FACADE, "--features", "s3"],
        forbidden: &["prost", "remote-state-oss", "remote-state-spaces", "reqwest"],
    },
    TreeRule {
        selection: &[FACADE, "--features", "spaces"],
        forbidden: &["prost", "remote-state-oss", "reqwest"],
    },
    TreeRule {
        selection: &["remote-state-cli", "--no-default-features", "--features", "oss"],
        forbidden: &["aws-config", "aws-sdk-s3", "aws-smithy-types", "remote-state-emulator"],
    },
    TreeRule {
        selection: &[CORE],
        forbidden: &[
            "aws-config",
            "aws-sdk-s3",
            "axum",
            "hyper",
            "quick-xml",
            "reqwest",
            "rustls",
            "s3s",
        ],
    },
    TreeRule { selection: &["remote-state-server"], forbidden: &["aws-sdk-s3", "clap"] },
    TreeRule {
        selection: &["remote-state-operations"],
        forbidden: &["aws-sdk-s3", "axum", "clap", "reqwest"],
    },
    TreeRule {
        selection: &["remote-state-oss"],
        forbidden: &["aws-config", "aws-sdk-s3", "axum", "clap", "s3s"],
    },
    TreeRule { selection: &["remote-state-s3"], forbidden: &["axum", "clap", "reqwest", "s3s"] },
];

impl TreeRule {
    pub(crate) fn violations(&self, tree: &BTreeSet<String>) -> Vec<String> {
        let pulled_in = self.forbidden.iter().filter(|name| tree.contains(**name));
        pulled_in
            .map(|name| {
                format!("`cargo tree -p {}` must not contain `{name}`", self.selection.join(" "))
            })
            .collect()
    }
}

/// Checks the dependencies between crates.
pub(crate) fn edges(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for package in &metadata.packages {
        match EDGES.iter().find(|edges| edges.package == package.name) {
            Some(allowed) => violations.extend(allowed.violations(package, metadata)),
            None => violations.push(format!(
                "{}: has no row in the table of edges, xtask/src/check_deps/rules.rs",
                package.name
            )),
        }
        if package.name == FACADE && !package.default_features.is_empty() {
            violations.push(format!(
                "{FACADE}: its default features must be empty, they are {}",
                package.default_features.join(", ")
            ));
        }
    }
    violations
}

impl Edges {
    fn violations(&self, package: &Package, metadata: &Metadata) -> Vec<String> {
        let mut violations = Vec::new();
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if metadata.package(name).is_none() {
                continue;
            }
            let from = &package.name;
            let violation = match dependency.kind {
                DependencyKind::Dev => (!self.dev.contains(&name) && !self.always.contains(&name))
                    .then(|| {
                        format!("{from}: must not depend on {name}, not even in dev-dependencies")
                    }),
                DependencyKind::Build | DependencyKind::Normal if self.always.contains(&name) => {
                    None
                }
                DependencyKind::Build | DependencyKind::Normal if self.optional.contains(&name) => {
                    (!dependency.optional).then(|| {
                        format!("{from}: may depend on {name} only with `optional = true`")
                    })
                }
                DependencyKind::Build | DependencyKind::Normal if self.dev.contains(&name) => {
                    Some(format!("{from}: may depend on {name} only in dev-dependencies"))
                }
                DependencyKind::Build | DependencyKind::Normal => {
                    Some(format!("{from}: must not depend on {name}"))
                }
            };
            violations.extend(violation);
        }
        violations
    }
}

/// Checks that no package overrides what the workspace decides.
pub(crate) fn inheritance(name: &str, manifest: &Manifest) -> Vec<String> {
    let mut violations = Vec::new();
    for key in ["version", "edition", "rust-version", "license"] {
        if !manifest.inherits("package", key) {
            violations.push(format!("{name}: `package.{key}` must be `{key}.workspace = true`"));
        }
    }
    if manifest.value("lints", "workspace") != Some("true") {
        violations.push(format!("{name}: must have `[lints] workspace = true`"));
    }
    for (section, dependency) in manifest.dependencies() {
        if !manifest.inherits(section, dependency) {
            violations.push(format!(
                "{name}: `{dependency}` in `[{section}]` must be inherited, with `workspace = \
                 true`"
            ));
        }
    }
    violations
}

/// Checks that each published package is self-contained. `folder` is the package's.
pub(crate) fn published(name: &str, manifest: &Manifest, folder: &Path) -> Vec<String> {
    if manifest.value("package", "publish") == Some("false") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        if !folder.join(file).is_file() {
            violations.push(format!("{name}: is published without `{file}`"));
        }
    }
    if manifest.value("package", "description").is_none() {
        violations.push(format!("{name}: is published without `package.description`"));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &str, default: &str) -> String {
        format!(
            r#"{{"name": "{name}", "manifest_path": "/w/{name}/Cargo.toml", "targets": [],
                "dependencies": [{dependencies}], "features": {{"default": [{default}]}}}}"#
        )
    }

    fn check(packages: &[String]) -> Vec<String> {
        let json = format!(r#"{{"target_directory": "/t", "packages": [{}]}}"#, packages.join(","));
        edges(&Metadata::parse(json.as_bytes()).expect("it is what cargo prints"))
    }

    fn on(name: &str, kind: &str, optional: bool) -> String {
        format!(r#"{{"name": "{name}", "kind": {kind}, "optional": {optional}}}"#)
    }

    #[test]
    fn core_names_no_provider_not_even_in_its_tests() {
        let s3 = package("remote-state-s3", "", "");
        let core = package(CORE, &on("remote-state-s3", r#""dev""#, false), "");
        let expected =
            "remote-state-core: must not depend on remote-state-s3, not even in dev-dependencies";
        assert_eq!(check(&[core, s3]), [expected]);
    }

    #[test]
    fn a_provider_is_optional_in_the_facade_and_off_by_default() {
        let s3 = package("remote-state-s3", "", "");
        let good = package(FACADE, &on("remote-state-s3", "null", true), "");
        assert_eq!(check(&[good, s3.clone()]), Vec::<String>::new());
        let bad = package(FACADE, &on("remote-state-s3", "null", false), r#""s3""#);
        assert_eq!(
            check(&[bad, s3]),
            [
                "remote-state: may depend on remote-state-s3 only with `optional = true`",
                "remote-state: its default features must be empty, they are s3",
            ]
        );
    }

    #[test]
    fn a_helper_of_tests_stays_out_of_what_is_shipped() {
        let suite = package("remote-state-conformance", "", "");
        let dev =
            package("remote-state-s3", &on("remote-state-conformance", r#""dev""#, false), "");
        assert_eq!(check(&[dev, suite.clone()]), Vec::<String>::new());
        let normal = package("remote-state-s3", &on("remote-state-conformance", "null", false), "");
        let expected =
            "remote-state-s3: may depend on remote-state-conformance only in dev-dependencies";
        assert_eq!(check(&[normal, suite]), [expected]);
    }

    #[test]
    fn crates_from_elsewhere_are_no_edge() {
        assert_eq!(check(&[package(CORE, &on("serde", "null", false), "")]), Vec::<String>::new());
    }

    #[test]
    fn a_new_member_needs_a_row() {
        let violations = check(&[package("remote-state-azure", "", "")]);
        assert!(violations[0].starts_with("remote-state-azure: has no row"), "{violations:?}");
    }

    #[test]
    fn what_a_feature_pulls_in_is_named() {
        let tree = BTreeSet::from(["remote-state-emulator".to_owned(), "tokio".to_owned()]);
        let expected = "`cargo tree -p remote-state-cli --no-default-features --features s3` must \
                        not contain `remote-state-emulator`";
        assert_eq!(TREES[0].violations(&tree), [expected]);
    }

    #[test]
    fn settings_of_its_own_are_refused() {
        let manifest = Manifest::parse(
            "[package]\nversion = \"9.9.9\"\nedition.workspace = true\nrust-version.workspace = \
             true\nlicense.workspace = true\n[dependencies]\nserde = \"1\"\ntokio.workspace = \
             true\n",
        );
        assert_eq!(
            inheritance("x", &manifest),
            [
                "x: `package.version` must be `version.workspace = true`",
                "x: must have `[lints] workspace = true`",
                "x: `serde` in `[dependencies]` must be inherited, with `workspace = true`",
            ]
        );
    }

    #[test]
    fn a_published_crate_has_its_licences_and_a_description() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let manifest = Manifest::parse("[package]\nname = \"x\"\n");
        assert_eq!(
            published("x", &manifest, folder.path()),
            [
                "x: is published without `LICENSE-APACHE`",
                "x: is published without `LICENSE-MIT`",
                "x: is published without `README.md`",
                "x: is published without `package.description`",
            ]
        );
        for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
            std::fs::write(folder.path().join(file), "").expect("the folder is ours");
        }
        let manifest = Manifest::parse("[package]\ndescription = \"d\"\n");
        assert_eq!(published("x", &manifest, folder.path()), [""; 0]);
        let private = Manifest::parse("[package]\npublish = false\n");
        assert_eq!(published("y", &private, folder.path()), [""; 0]);
    }
}
