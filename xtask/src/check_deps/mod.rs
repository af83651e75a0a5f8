//! `cargo xtask check-deps`: checks the architecture, as far as manifests, imports and strings show
//! it, and the lengths of lines.
//!
//! The table in `rules` defines the allowed dependencies, and the one in `circles` how many files
//! may import each other in a circle. Change them together with `ARCHITECTURE.md`, never to make a
//! build pass.

mod circles;
mod imports;
mod lines;
mod manifest;
mod rules;
mod words;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use crate::Result;
use crate::check_deps::manifest::Manifest;
use crate::check_deps::rules::TreeRule;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let violations = violations(workspace)?;
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() {
        println!(
            "edges, inherited settings, features, what packages need, imports, strings of \
             libraries and lengths of lines are as they should be"
        );
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Returns each violation as one line.
pub(crate) fn violations(workspace: &Workspace) -> Result<Vec<String>> {
    let mut violations = rules::edges(workspace.metadata());
    for package in &workspace.metadata().packages {
        let manifest = Manifest::parse(&read(&package.manifest_path)?);
        violations.extend(rules::inheritance(&package.name, &manifest));
        let folder = package.manifest_path.parent().unwrap_or(workspace.root());
        violations.extend(rules::published(&package.name, &manifest, folder));
        if folder.starts_with(workspace.root().join("crates")) {
            violations.extend(circles::violations(&package.name, &folder.join("src"))?);
        }
    }
    for package in &workspace.metadata().packages {
        if words::LIBRARIES.contains(&package.name.as_str()) {
            let folder = package.manifest_path.with_file_name("src");
            violations.extend(words::violations(&folder, workspace.root())?);
        }
    }
    for rule in rules::TREES {
        violations.extend(rule.violations(&tree(workspace, rule)?));
    }
    violations.extend(lines::violations(workspace.root())?);
    Ok(violations)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

/// Returns the names of all crates that a set of features pulls in.
fn tree(workspace: &Workspace, rule: &TreeRule) -> Result<BTreeSet<String>> {
    let mut cargo =
        workspace.cargo(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.arg("--package").args(rule.selection).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("`cargo tree -p {}` failed:\n{stderr}", rule.selection.join(" ")).into()
        );
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    Ok(stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}
