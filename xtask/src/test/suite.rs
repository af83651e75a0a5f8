//! The suites, and the programs of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::metadata::{Metadata, Package};
use crate::workspace::Workspace;

const UNIT: &str = "unit";
const DOC: &str = "doc";
const CONFORMANCE: &str = "conformance";
/// The package whose test targets run the whole binary; each is a suite.
const END_TO_END: &str = "remote-state-tests";

/// A name, and the programs to run under it.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) label: String,
    pub(crate) command: Command,
    /// The argument that must precede arguments for the tests.
    pub(crate) forwards_arguments_after: Option<&'static str>,
}

/// The selected suites, in the order in which they run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    names: Vec<String>,
    end_to_end: Vec<String>,
}

impl Selection {
    /// # Errors
    /// A suite does not exist; the message lists those that do.
    pub(crate) fn new(metadata: &Metadata, asked: &[String]) -> Result<Self> {
        let mut end_to_end: Vec<String> = metadata
            .package(END_TO_END)
            .map(|package| package.test_targets().map(str::to_owned).collect())
            .unwrap_or_default();
        end_to_end.sort();
        let mut names: Vec<String> = [UNIT, DOC, CONFORMANCE].map(str::to_owned).to_vec();
        names.extend(end_to_end.iter().cloned());
        if let Some(unknown) = asked.iter().find(|name| !names.contains(name)) {
            return Err(format!(
                "there is no suite `{unknown}`: the suites are {}",
                names.join(", ")
            )
            .into());
        }
        if !asked.is_empty() {
            names.retain(|name| asked.contains(name));
            end_to_end.retain(|name| asked.contains(name));
        }
        Ok(Self { names, end_to_end })
    }

    /// Returns whether a suite is selected.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Returns whether any selected suite runs the whole binary.
    pub(crate) fn end_to_end(&self) -> bool {
        !self.end_to_end.is_empty()
    }

    /// Removes the suites that do not run the whole binary.
    ///
    /// # Errors
    /// If none is left.
    pub(crate) fn retain_end_to_end(&mut self) -> Result<()> {
        self.names.retain(|name| self.end_to_end.contains(name));
        if self.names.is_empty() {
            return Err("none of these suites runs on a setup".into());
        }
        Ok(())
    }

    /// Queries the end-to-end suites for the setups that their tests need.
    pub(crate) fn needed_setups(&self, suites: &[Suite]) -> Result<BTreeSet<String>> {
        let mut needed = BTreeSet::new();
        for suite in suites.iter().filter(|suite| self.end_to_end.contains(&suite.name)) {
            for run in &suite.runs {
                let mut ask = Command::new(run.command.get_program());
                let output =
                    ask.env("REMOTE_STATE_TEST_LISTS_SETUPS", "1").stdin(Stdio::null()).output()?;
                if !output.status.success() {
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    return Err(format!(
                        "{} does not say which setups it needs: {said}",
                        run.label
                    )
                    .into());
                }
                needed.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
            }
        }
        Ok(needed)
    }

    /// Builds the programs of the suites once, and returns the suites.
    pub(crate) fn build(&self, workspace: &Workspace) -> Result<Vec<Suite>> {
        let mut programs = self.build_test_binaries(workspace)?;
        let mut suites = Vec::new();
        for name in &self.names {
            let runs = if name == DOC {
                let mut command =
                    workspace.cargo(["test", "--workspace", "--doc", "--no-fail-fast"]);
                command.stdin(Stdio::null());
                vec![Run {
                    label: "cargo test --doc".into(),
                    command,
                    forwards_arguments_after: Some("--"),
                }]
            } else {
                programs.remove(name).unwrap_or_default()
            };
            suites.push(Suite { name: name.clone(), runs });
        }
        Ok(suites)
    }

    fn build_test_binaries(&self, workspace: &Workspace) -> Result<BTreeMap<String, Vec<Run>>> {
        if self.names == [DOC] {
            return Ok(BTreeMap::new());
        }
        let mut cargo = workspace.cargo(["test", "--workspace", "--no-run"]);
        cargo.arg("--message-format=json-render-diagnostics");
        if self.names.iter().all(|name| self.end_to_end.contains(name)) {
            // Select the packages of the whole workspace: another selection would unify features
            // differently and build the dependencies a second time.
            for name in &self.end_to_end {
                cargo.args(["--test", name]);
            }
        } else {
            cargo.args(["--lib", "--bins", "--tests"]);
        }
        let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("the tests do not build".into());
        }
        let mut programs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for binary in test_binaries(&String::from_utf8_lossy(&output.stdout)) {
            let Some(package) = workspace.metadata().package_at(&binary.manifest_path) else {
                continue;
            };
            let label = format!("{} {}", package.name, binary.label());
            let command = command(&binary.executable, package);
            let run = Run { label, command, forwards_arguments_after: None };
            programs.entry(suite_of(&package.name, &binary)).or_default().push(run);
        }
        for runs in programs.values_mut() {
            runs.sort_by(|a, b| a.label.cmp(&b.label));
        }
        Ok(programs)
    }
}

/// A program that cargo built and would run for `cargo test`.
#[derive(Debug, PartialEq, Eq)]
struct TestBinary {
    manifest_path: PathBuf,
    executable: PathBuf,
    kind: String,
    target: String,
}

impl TestBinary {
    fn label(&self) -> String {
        match self.kind.as_str() {
            "test" => self.target.clone(),
            kind => format!("({kind})"),
        }
    }
}

/// Parses cargo's JSON messages:
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>.
fn test_binaries(messages: &str) -> Vec<TestBinary> {
    messages.lines().filter_map(|line| test_binary(&serde_json::from_str(line).ok()?)).collect()
}

fn test_binary(message: &Value) -> Option<TestBinary> {
    let executable = message["executable"].as_str()?;
    let kind = message["target"]["kind"][0].as_str()?;
    // For integration tests, cargo also builds the package's own binaries, which are no tests.
    if kind != "test" && message["profile"]["test"] != true {
        return None;
    }
    Some(TestBinary {
        manifest_path: message["manifest_path"].as_str()?.into(),
        executable: executable.into(),
        kind: kind.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
    })
}

fn suite_of(package: &str, binary: &TestBinary) -> String {
    match binary.kind.as_str() {
        "test" if package == END_TO_END => binary.target.clone(),
        "test" if binary.target.starts_with(CONFORMANCE) => CONFORMANCE.to_owned(),
        _ => UNIT.to_owned(),
    }
}

/// Runs a test binary as `cargo test` does: in its package's folder, with cargo's variables.
fn command(executable: &Path, package: &Package) -> Command {
    let mut command = Command::new(executable);
    command
        .current_dir(package.dir())
        .env("CARGO_MANIFEST_DIR", package.dir())
        .env("CARGO_MANIFEST_PATH", &package.manifest_path)
        .env("CARGO_PKG_NAME", &package.name);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let json = r#"{"target_directory": "/t", "packages": [{
            "name": "remote-state-tests", "manifest_path": "/w/tests/Cargo.toml",
            "targets": [{"name": "remote_state_tests", "kind": ["lib"]}, {"name": "terraform", "kind": ["test"]},
                        {"name": "cli", "kind": ["test"]}]}]}"#;
        Metadata::parse(json.as_bytes()).expect("it is what cargo prints")
    }

    #[test]
    fn each_test_file_of_the_end_to_end_package_is_a_suite() {
        let selection = Selection::new(&metadata(), &[]).expect("nothing was asked for");
        assert_eq!(selection.names, ["unit", "doc", "conformance", "cli", "terraform"]);
        assert!(selection.end_to_end());
    }

    #[test]
    fn only_what_was_asked_for_runs() {
        let selection = Selection::new(&metadata(), &["unit".into()]).expect("it exists");
        assert_eq!(selection.names, ["unit"]);
        assert!(!selection.end_to_end());
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_known_ones() {
        let error = Selection::new(&metadata(), &["terrafrom".into()])
            .expect_err("it is misspelt")
            .to_string();
        assert_eq!(
            error,
            "there is no suite `terrafrom`: the suites are unit, doc, conformance, cli, terraform"
        );
    }

    #[test]
    fn binaries_that_are_no_tests_are_left_out() {
        let lib = r#"{"reason":"compiler-artifact","manifest_path":"/c/Cargo.toml","target":{"kind":["lib"],"name":"c"},"profile":{"test":true},"executable":"/t/c"}"#;
        let bin = lib.replace("lib", "bin").replace("\"test\":true", "\"test\":false");
        let test =
            lib.replace("lib", "test").replace("\"name\":\"c\"", "\"name\":\"conformance_s3\"");
        let found = test_binaries(&format!("{lib}\n{bin}\n{test}\nnot json\n"));
        assert_eq!(found.iter().map(|b| b.kind.as_str()).collect::<Vec<_>>(), ["lib", "test"]);
        assert_eq!(suite_of("remote-state-s3", &found[0]), "unit");
        assert_eq!(suite_of("remote-state-s3", &found[1]), "conformance");
        assert_eq!(suite_of("remote-state-tests", &found[1]), "conformance_s3");
    }
}
