//! Programs for tests that need no administrator: installed once, below `target/tools`.
//!
//! [`python::environment`] and [`node::packages`] each take a folder's name and exact versions, and
//! return the program to run.

pub(crate) mod clients;
pub(crate) mod crates;
pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod python;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;

/// The right to install one tool. Others, in this process or another, wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _locked: File,
}

impl Turn {
    pub(crate) fn take(target_dir: &Path, name: &str) -> Result<Self> {
        let tools = target_dir.join("tools");
        std::fs::create_dir_all(&tools)?;
        let file = File::create(tools.join(format!("{name}.turn")))?;
        file.lock()?;
        Ok(Self { _locked: file })
    }
}

/// Installs into `target/tools/<name>`, unless it is there, and returns the folder.
///
/// An interrupted installation starts again: the file `installed` is written last.
fn installed(
    target_dir: &Path,
    name: &str,
    install: impl FnOnce(&Path, &Log) -> Result<()>,
) -> Result<PathBuf> {
    let tools = target_dir.join("tools");
    let folder = tools.join(name);
    let marker = folder.join("installed");
    if marker.is_file() {
        return Ok(folder);
    }
    let _turn = Turn::take(target_dir, name)?;
    if marker.is_file() {
        return Ok(folder);
    }
    eprintln!("installing {name} into {}: once", tools.display());
    std::fs::create_dir_all(&folder)?;
    install(&folder, &Log { path: tools.join(format!("{name}-install.log")) })?;
    File::create(marker)?;
    Ok(folder)
}

/// The log of an installation.
#[derive(Debug)]
struct Log {
    path: PathBuf,
}

impl Log {
    /// Runs a step that downloads from a registry, up to three times, since registries sometimes
    /// fail.
    fn download(&self, command: &mut Command) -> Result<()> {
        let mut pause = Duration::from_secs(2);
        for _ in 0..2 {
            match self.run(command) {
                Ok(()) => return Ok(()),
                Err(error) => eprintln!("{error}; trying again in {} s", pause.as_secs()),
            }
            std::thread::sleep(pause);
            pause *= 4;
        }
        self.run(command)
    }

    /// Runs a step, which must succeed.
    fn run(&self, command: &mut Command) -> Result<()> {
        let log = File::create(&self.path)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let status = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .map_err(|error| format!("cannot run {program}: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let said = std::fs::read_to_string(&self.path).unwrap_or_default();
        let last =
            said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Err(format!(
            "cannot be installed ({status}): {last}; the whole log is {}",
            self.path.display()
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_not_installed_again_and_what_was_cut_off_is() {
        let target = tempfile::tempdir().expect("a temporary folder");
        let cut_off = installed(target.path(), "tool-1", |_, _| Err("no network".into()));
        assert_eq!(cut_off.expect_err("it is passed on").to_string(), "no network");
        let write = |folder: &Path, _: &Log| Ok(std::fs::write(folder.join("tool"), "it")?);
        let folder = installed(target.path(), "tool-1", write).expect("it can be installed");
        assert!(folder.join("tool").is_file());
        let again = installed(target.path(), "tool-1", |_, _| Err("asked again".into()));
        assert_eq!(again.expect("it is there"), folder);
    }
}
