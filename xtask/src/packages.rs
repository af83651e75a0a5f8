//! `cargo xtask list-packages`: what the job `alone` of CI builds.
//!
//! Features unify over a workspace, so a crate that forgets one of its own fails only when it is
//! built alone. The features of the facade are the providers; the command has the same.

use crate::metadata::{Metadata, Package};

/// The facade, whose features are the providers and one for all of them.
const FACADE: &str = "remote-state";

/// The feature of the facade that enables all providers.
const ALL: &str = "full";

/// Returns the arguments of `cargo test --package`, as a JSON list.
pub(crate) fn to_json(metadata: &Metadata) -> serde_json::Value {
    let providers = providers(metadata);
    let published = metadata.packages.iter().filter(|package| package.is_published);
    published.flat_map(|package| builds(package, &providers)).collect()
}

/// Returns the features of the facade that are a provider each.
fn providers(metadata: &Metadata) -> Vec<&str> {
    let features = metadata.package(FACADE).map_or(&[][..], |facade| &facade.features);
    features.iter().map(String::as_str).filter(|feature| *feature != ALL).collect()
}

fn builds(package: &Package, providers: &[&str]) -> Vec<String> {
    let name = &package.name;
    let mut builds = vec![name.clone()];
    if !providers.iter().all(|provider| package.features.iter().any(|found| found == provider))
        || providers.is_empty()
    {
        return builds;
    }
    let bare = if package.default_features.is_empty() {
        name.clone()
    } else {
        let bare = format!("{name} --no-default-features");
        builds.push(bare.clone());
        bare
    };
    builds.extend(providers.iter().map(|provider| format!("{bare} --features {provider}")));
    if package.features.iter().any(|feature| feature == ALL) {
        builds.push(format!("{bare} --features {ALL}"));
    }
    builds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_published_package_and_each_provider_by_itself_is_built_alone() {
        let package = |name: &str, publish: &str, features: &str| {
            format!(
                r#"{{"name": "{name}", "manifest_path": "/w/Cargo.toml", "targets": [],
                    "dependencies": [], "publish": {publish}, "features": {{{features}}}}}"#
            )
        };
        let packages = [
            package("remote-state", "null", r#""default": [], "full": [], "oss": [], "s3": []"#),
            package(
                "remote-state-cli",
                "null",
                r#""default": ["oss"], "dev": [], "oss": [], "s3": []"#,
            ),
            package("remote-state-core", "null", r#""tls": []"#),
            package("remote-state-tests", "[]", ""),
        ];
        let json = format!(r#"{{"target_directory": "/t", "packages": [{}]}}"#, packages.join(","));
        let metadata = Metadata::parse(json.as_bytes()).expect("it is what cargo prints");
        assert_eq!(
            to_json(&metadata),
            serde_json::json!([
                "remote-state",
                "remote-state --features oss",
                "remote-state --features s3",
                "remote-state --features full",
                "remote-state-cli",
                "remote-state-cli --no-default-features",
                "remote-state-cli --no-default-features --features oss",
                "remote-state-cli --no-default-features --features s3",
                "remote-state-core",
            ])
        );
    }
}
