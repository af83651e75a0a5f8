//! What is linked into the command, and its licences.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;
use crate::dist::run_tool;
use crate::workspace::Workspace;

/// The package of the command.
const COMMAND: &str = "remote-state-cli";

/// A crate that is linked into the command.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: Option<String>,
    /// The SHA-256 of the crate's archive, as the lock file has it.
    pub(super) checksum: Option<String>,
    pub(super) folder: PathBuf,
    pub(super) is_ours: bool,
}

/// Returns all crates that are linked into the command on a system, sorted.
pub(super) fn linked(workspace: &Workspace, target: &str) -> Result<Vec<Linked>> {
    let mut tree = workspace.cargo(["tree", "--package", COMMAND, "--edges", "normal"]);
    tree.args(["--prefix", "none", "--no-dedupe", "--format", "{p}", "--target", target]);
    let tree = run_tool(&mut tree)?;
    let tree = String::from_utf8_lossy(&tree);
    // `serde v1.0.228`, with a folder behind it if it is one of ours.
    let wanted: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let metadata = run_tool(&mut workspace.cargo(["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_slice(&metadata)?;
    let lock = std::fs::read_to_string(workspace.root().join("Cargo.lock"))?;
    let lock: toml::Value = toml::from_str(&lock)?;
    let mut all = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, version) = (text("name"), text("version"));
        if !wanted.contains(&(name, version)) {
            continue;
        }
        all.push(Linked {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: package["license"].as_str().map(|licence| licence.replace('/', " OR ")),
            checksum: checksum(&lock, name, version),
            folder: Path::new(text("manifest_path"))
                .parent()
                .map(Path::to_owned)
                .unwrap_or_default(),
            is_ours: package["source"].is_null(),
        });
    }
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    if all.len() != wanted.len() {
        return Err(format!("of {} crates only {} are known", wanted.len(), all.len()).into());
    }
    Ok(all)
}

fn checksum(lock: &toml::Value, name: &str, version: &str) -> Option<String> {
    let packages = lock.get("package")?.as_array()?;
    let is = |package: &&toml::Value, key: &str, value: &str| {
        package.get(key).and_then(toml::Value::as_str) == Some(value)
    };
    let found = packages
        .iter()
        .find(|package| is(package, "name", name) && is(package, "version", version))?;
    Some(found.get("checksum")?.as_str()?.to_owned())
}

/// Returns a page with the licences of all crates, their texts included.
pub(super) fn page(workspace: &Workspace, target: &str) -> Result<String> {
    let mut page = String::from(
        "# Licences of what is linked into remote-state\n\nEach crate has its source and its \
         authors at <https://crates.io>.\n",
    );
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for one in linked(workspace, target)?.iter().filter(|one| !one.is_ours) {
        let id = format!("{} {}", one.name, one.version);
        page.push_str(&format!(
            "\n- {id}: {}",
            one.licence.as_deref().unwrap_or("see its text below")
        ));
        for text in texts_of(&one.folder)? {
            match texts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, users)) => users.push(id.clone()),
                None => texts.push((text, vec![id.clone()])),
            }
        }
    }
    page.push('\n');
    for (text, users) in texts {
        page.push_str(&format!("\n## {}\n\n~~~text\n{}\n~~~\n", users.join(", "), text.trim_end()));
    }
    Ok(page)
}

/// Returns the texts of a crate's licences and notices.
fn texts_of(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_text = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_text && entry.path().is_file() {
            names.push(entry.path());
        }
    }
    names.sort();
    let read = |path: &PathBuf| -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).replace("\r\n", "\n"))
    };
    names.iter().map(read).collect()
}
