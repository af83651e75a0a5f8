//! A fresh folder, a clean environment, and commands that are printed as they run.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Result;
use crate::process::{Captured, Streams, capture, wait_for_exit};
use crate::workspace::Workspace;

/// The surroundings of the demo.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Contains every folder of the demo, and is removed with this value.
    home: TempDir,
    path: OsString,
    steps: usize,
    shown: Vec<String>,
}

impl Stage {
    /// Copies `examples/quickstart` into a fresh folder, and puts the product on the PATH of the
    /// demo's commands.
    pub(crate) fn new(workspace: &Workspace, product: &Path) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("remote-state-demo-").tempdir()?;
        let binaries = product.parent().unwrap_or(product).to_path_buf();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(binaries).chain(std::env::split_paths(&inherited)),
        )?;
        std::fs::write(home.path().join("empty"), "")?;
        let stage = Self { home, path, steps: 0, shown: Vec::new() };
        let quickstart = stage.quickstart();
        std::fs::create_dir(&quickstart)?;
        copy_files(&workspace.root().join("examples/quickstart"), &quickstart)?;
        Ok(stage)
    }

    /// Returns the folder in which the commands run.
    pub(crate) fn quickstart(&self) -> PathBuf {
        self.home.path().join("quickstart")
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts a step of the demo.
    pub(crate) fn step(&mut self, heading: &str) {
        self.steps += 1;
        println!("{}. {heading}\n", self.steps);
    }

    pub(crate) fn say(&self, text: &str) {
        show("   ", text);
    }

    /// Records what the previous commands have shown.
    pub(crate) fn showed(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("   ✓ {what}\n");
        self.shown.push(what);
    }

    /// Runs a command, printing it and its output.
    pub(crate) fn run(&self, line: &Line) -> Result<Ran> {
        println!("   $ {line}");
        let captured = capture(self.command(line), Streams::Separate, |text| show("   ", text))?;
        println!();
        if captured.left_behind {
            return Err(format!("`{line}` ended and left a process behind").into());
        }
        Ok(Ran { line: line.to_string(), captured })
    }

    /// Runs a command without printing it, to wait for a condition.
    pub(crate) fn ask(&self, line: &Line) -> Result<Ran> {
        let captured = capture(self.command(line), Streams::Separate, |_| {})?;
        Ok(Ran { line: line.to_string(), captured })
    }

    /// Starts a command that runs beside others; its output is printed at its end.
    pub(crate) fn start(&self, line: &Line) -> Result<Background> {
        println!("   $ {line} &\n");
        let log = self.folder("background.log");
        let file = File::create(&log)?;
        let child = self
            .command(line)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Background { line: line.to_string(), child, log })
    }

    fn command(&self, line: &Line) -> Command {
        let program = line.words.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command.args(line.words.iter().skip(1)).current_dir(self.quickstart());
        // The user's own accounts, plugins and settings must not take part.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["AWS_", "ALICLOUD_", "TF_", "REMOTE_STATE_"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        let empty = self.home.path().join("empty");
        command
            .env("PATH", &self.path)
            .env("TF_CLI_CONFIG_FILE", &empty)
            .env("TF_CLI_ARGS", "-no-color")
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", &empty)
            .env("AWS_SHARED_CREDENTIALS_FILE", &empty)
            .env("NO_COLOR", "1")
            .envs(line.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Prints what was shown, and checks that nothing is left.
    pub(crate) fn close(self) -> Result<()> {
        println!("What was shown:\n");
        for shown in &self.shown {
            println!("  ✓ {shown}");
        }
        let left = wait_until_deserted(self.home.path());
        let folder = self.home.path().to_path_buf();
        self.home
            .close()
            .map_err(|error| format!("cannot remove {}: {error}", folder.display()))?;
        if !left.is_empty() {
            return Err(
                format!("expected no process left behind, found {}", left.join(", ")).into()
            );
        }
        println!("  ✓ no process and no file is left behind");
        Ok(())
    }
}

/// A command as a user types it: variables, then words.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    variables: Vec<(String, String)>,
    words: Vec<String>,
}

impl Line {
    /// Splits at spaces; no word of the demo contains one.
    pub(crate) fn new(text: &str) -> Self {
        Self { variables: Vec::new(), words: text.split_whitespace().map(str::to_owned).collect() }
    }

    pub(crate) fn with_variable(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={value} ")?;
        }
        f.write_str(&self.words.join(" "))
    }
}

/// A finished command.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    captured: Captured,
}

impl Ran {
    pub(crate) fn elapsed(&self) -> Duration {
        self.captured.elapsed
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.captured.status.success()
    }

    /// Returns standard output, without the messages.
    pub(crate) fn answer(&self) -> String {
        self.captured.stdout.join("\n").trim().to_owned()
    }

    pub(crate) fn expect_code(&self, code: i32) -> Result<&Self> {
        expect_code(&self.line, self.captured.status, code)?;
        Ok(self)
    }

    pub(crate) fn expect_answer(&self, expected: &str) -> Result<&Self> {
        if self.answer() == expected {
            return Ok(self);
        }
        Err(format!("`{}`: expected the answer `{expected}`, got `{}`", self.line, self.answer())
            .into())
    }

    /// Checks both streams.
    pub(crate) fn expect_mention(&self, expected: &str) -> Result<&Self> {
        if self.captured.lines.iter().any(|line| line.contains(expected)) {
            return Ok(self);
        }
        Err(format!("`{}`: expected its output to mention `{expected}`", self.line).into())
    }

    pub(crate) fn expect_no_mention(&self, unexpected: &str) -> Result<&Self> {
        if self.captured.lines.iter().any(|line| line.contains(unexpected)) {
            return Err(format!(
                "`{}`: expected its output not to mention `{unexpected}`",
                self.line
            )
            .into());
        }
        Ok(self)
    }

    /// Returns both streams.
    pub(crate) fn everything(&self) -> String {
        self.captured.lines.join("\n")
    }

    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.answer()).map_err(|error| {
            format!("`{}`: expected JSON on standard output: {error}", self.line).into()
        })
    }
}

/// A running command.
#[derive(Debug)]
pub(crate) struct Background {
    line: String,
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Waits for the end, prints the output, and checks the exit code.
    pub(crate) fn finish(mut self, code: i32) -> Result<()> {
        let status = self.child.wait()?;
        println!("   [{}] ended:", self.line);
        for text in std::fs::read_to_string(&self.log)?.lines() {
            show("   | ", text);
        }
        println!();
        expect_code(&self.line, status, code)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // The program still runs only after a failed step. If it ends by itself, it also ends its
        // own children, so give it time.
        if wait_for_exit(&mut self.child, Duration::from_secs(30)).is_none() {
            self.child.kill().unwrap_or_default();
            wait_for_exit(&mut self.child, Duration::from_secs(5));
        }
    }
}

/// Prints a line of a program's output, without trailing spaces, so that a transcript can be kept.
fn show(indent: &str, text: &str) {
    println!("{}", format!("{indent}{text}").trim_end_matches(' '));
}

fn expect_code(line: &str, status: ExitStatus, code: i32) -> Result<()> {
    if status.code() == Some(code) {
        return Ok(());
    }
    Err(format!("`{line}`: expected exit code {code}, got {status}").into())
}

/// Copies the files of a folder, not its subfolders: a used example contains `.terraform` and
/// `.remote-state`.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let leftover = name.to_string_lossy().starts_with("terraform.tfstate");
        if entry.file_type()?.is_file() && !leftover {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Returns the programs that still run below a folder after a while, if the system can tell.
fn wait_until_deserted(folder: &Path) -> Vec<String> {
    let started = Instant::now();
    loop {
        let left = inhabitants(folder);
        if left.is_empty() || started.elapsed() > Duration::from_secs(3) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn inhabitants(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            std::fs::read_link(process.path().join("cwd"))
                .is_ok_and(|directory| directory.starts_with(folder))
        })
        .map(|process| {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            format!("{} ({})", name.trim(), process.file_name().display())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_one_would_type_it() {
        let line =
            Line::new("remote-state exec --dev -- terraform apply").with_variable("TF_VAR_v", 2);
        assert_eq!(line.to_string(), "TF_VAR_v=2 remote-state exec --dev -- terraform apply");
        assert_eq!(line.words[0], "remote-state");
    }
}
