//! `cargo xtask codegen`: writes the pages and tables of the reference from the tables in the code.
//!
//! The command itself prints those tables as JSON (`remote-state reference`, which is hidden), so
//! that this tool needs none of its dependencies.

mod commands;
mod keys;
mod lists;
mod markdown;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::Result;
use crate::workspace::Workspace;

/// What mends a file that is not as it should be.
const MENDS: &str = "cargo xtask codegen";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a file is not as it would be written
    #[arg(long)]
    check: bool,
    /// Take the tables from this `remote-state`, instead of building one
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => workspace.build_product_beside_tests()?,
    };
    let files = Files::render(workspace.root(), &tables(&binary)?)?;
    if args.check {
        let violations = files.violations();
        for violation in &violations {
            println!("{violation}");
        }
        if !violations.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        println!("the reference and the tables in READMEs are what the code says");
        return Ok(ExitCode::SUCCESS);
    }
    for path in files.write()? {
        println!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line for each file that is not as it would be written, with what mends it.
pub(crate) fn violations(workspace: &Workspace) -> Result<Vec<String>> {
    let binary = workspace.build_product_beside_tests()?;
    Ok(Files::render(workspace.root(), &tables(&binary)?)?.violations())
}

/// Asks the command for its tables.
fn tables(binary: &Path) -> Result<Value> {
    let output = Command::new(binary)
        .arg("reference")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{} reference`: {error}", binary.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`remote-state reference` failed: {said}").into());
    }
    let tables = serde_json::from_slice(&output.stdout);
    Ok(tables.map_err(|error| format!("cannot read what `reference` printed: {error}"))?)
}

/// Files and what should be in them.
#[derive(Debug)]
struct Files {
    root: PathBuf,
    contents: Vec<(PathBuf, String)>,
}

impl Files {
    /// Renders whole pages into `docs/reference`, and tables into the pages of crates.
    fn render(root: &Path, tables: &Value) -> Result<Self> {
        let page = |name: &str, text: String| (PathBuf::from("docs/reference").join(name), text);
        let mut contents = vec![
            page("commands.md", commands::page(&tables["command"])),
            page("exit-codes.md", lists::exit_codes(tables)),
            page("variables.md", lists::variables(tables)),
            page("dialects.md", lists::dialects(tables)),
        ];
        for provider in markdown::array(&tables["providers"]) {
            let name = markdown::text(&provider["name"]);
            contents.push(page(&format!("keys-{name}.md"), keys::page(provider)));
            let readme = PathBuf::from(format!("crates/{name}/README.md"));
            let mut text = read(&root.join(&readme))?;
            text = markdown::with_part(&text, "keys", &keys::table(provider))
                .ok_or_else(|| no_part(&readme, "keys"))?;
            if name == "s3" {
                text = markdown::with_part(&text, "dialects", &lists::dialect_table(tables))
                    .ok_or_else(|| no_part(&readme, "dialects"))?;
            }
            contents.push((readme, text));
        }
        Ok(Self { root: root.to_owned(), contents })
    }

    /// Writes the files that differ, and returns them.
    fn write(&self) -> Result<Vec<&Path>> {
        let mut written = Vec::new();
        for (path, text) in &self.contents {
            let full = self.root.join(path);
            if is_there(&full, text) {
                continue;
            }
            if let Some(folder) = full.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(full, text)?;
            written.push(path.as_path());
        }
        Ok(written)
    }

    fn violations(&self) -> Vec<String> {
        let differs = |(path, text): &&(PathBuf, String)| !is_there(&self.root.join(path), text);
        let files = self.contents.iter().filter(differs);
        files
            .map(|(path, _)| {
                format!("{} is not what the code says; `{MENDS}` writes it anew", path.display())
            })
            .collect()
    }
}

fn is_there(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|found| found == text)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn no_part(path: &Path, name: &str) -> String {
    let (start, end) = markdown::marks(name);
    format!("{} has no lines `{start}` and `{end}`", path.display())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tables() -> Value {
        json!({
            "command": {
                "path": "remote-state", "about": "The program", "long_about": null,
                "usage": "remote-state <COMMAND>", "arguments": [], "commands": [],
            },
            "exit_codes": [{"code": 0, "meaning": "done"}],
            "variables": [{"name": "V", "meaning": "It."}],
            "dialects": [[["dialect", "`aws`"], ["store", "Amazon S3"]]],
            "providers": [{"name": "s3", "title": "S3", "refused": [], "keys": [{
                "name": "bucket", "aliases": ["b"], "type": "string", "environment": ["B"],
                "default": null, "required": true, "secret": false, "deprecated": null,
                "doc": "It | that.",
            }]}],
        })
    }

    #[test]
    fn a_changed_table_is_a_violation_until_it_is_written_anew() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let readme = root.path().join("crates/s3/README.md");
        std::fs::create_dir_all(readme.parent().expect("it has one")).expect("it is ours");
        let (keys, end_of_keys) = markdown::marks("keys");
        let (dialects, end_of_dialects) = markdown::marks("dialects");
        let before = format!("# A\n\n{keys}\n{end_of_keys}\nb\n{dialects}\n{end_of_dialects}\nc\n");
        std::fs::write(&readme, &before).expect("it is ours");
        let files = Files::render(root.path(), &tables()).expect("all parts are there");
        let violations = files.violations();
        assert_eq!(violations.len(), 6, "{violations:?}");
        let mends = "crates/s3/README.md is not what the code says; `cargo xtask codegen` writes \
                     it anew";
        assert!(violations.iter().any(|line| line == mends), "{violations:?}");
        assert_eq!(files.write().expect("it is ours").len(), 6);
        assert_eq!(files.violations(), [""; 0]);
        let text = read(&readme).expect("it was written");
        assert!(text.contains("| `bucket`, older `b` | string | required | `B` | It \\| that. |"));
        assert!(text.starts_with("# A\n") && text.ends_with("\nc\n"), "{text}");
        // What is written once is found to be the same.
        let again = Files::render(root.path(), &tables()).expect("all parts are there");
        assert_eq!(again.write().expect("it is ours"), [""; 0].map(Path::new));
    }

    #[test]
    fn a_page_without_the_place_of_a_table_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("crates/s3")).expect("it is ours");
        std::fs::write(root.path().join("crates/s3/README.md"), "# A\n").expect("it is ours");
        let error = Files::render(root.path(), &tables()).expect_err("there is no place");
        assert!(error.to_string().contains("has no lines `<!-- keys:"), "{error}");
    }
}
