//! Runs a program once, and measures its time and peak memory.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Result;

/// One run of a program.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) peak_bytes: u64,
}

/// A command line with its environment.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) words: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, OsString)>,
    pub(crate) output: Output,
}

/// The destination of a program's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Discarded: only producing it is measured.
    Null,
    /// A file beside the others.
    File,
}

impl Line {
    pub(crate) fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            variables: Vec::new(),
            output: Output::Null,
        }
    }

    pub(crate) fn with_variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn with_output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Runs it in `folder` through this same program: the system reports the peak of all children
    /// together, so there must be only one.
    pub(crate) fn run(&self, folder: &Path) -> Result<Run> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench").arg("measure").arg("--").args(&self.words).current_dir(folder);
        // The user's own accounts, plugins and settings must not take part.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["AWS_", "TF_", "REMOTE_STATE_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        let answer = match self.output {
            Output::Null => Stdio::null(),
            Output::File => std::fs::File::create(folder.join("answer"))?.into(),
        };
        let ran = command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(answer)
            .stderr(Stdio::piped())
            .output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        let last = said.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(run) if ran.status.success() => Ok(run),
            _ => Err(format!("{} failed: {}", self.words[0].to_string_lossy(), said.trim()).into()),
        }
    }
}

/// `bench measure`: runs one program and prints its measurements as the last line on stderr.
pub(crate) fn child(words: &[OsString]) -> Result<ExitCode> {
    let (program, arguments) = words.split_first().ok_or("there is nothing to measure")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|error| format!("cannot run {}: {error}", program.to_string_lossy()))?;
    let took: Duration = started.elapsed();
    let run = Run { seconds: took.as_secs_f64(), peak_bytes: peak_of_children()? };
    eprintln!("{}", serde_json::to_string(&run)?);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(unix)]
fn peak_of_children() -> Result<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // Linux reports kilobytes, Apple's systems bytes.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    Ok(u64::try_from(usage.max_rss()).unwrap_or(0) * unit)
}

#[cfg(not(unix))]
fn peak_of_children() -> Result<u64> {
    Err("memory is measured on Unix only".into())
}

/// Returns the median: the middle number, or the mean of the two in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len().checked_sub(1)? / 2;
    Some((numbers[middle] + numbers[numbers.len() / 2]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
