//! Packages of PyPI, in virtual environments.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::tools::installed;
use crate::workspace::{exe, on_path};

/// Creates the virtual environment `target/tools/<name>` with exact versions of packages, such as
/// `boto3==1.44.5`, and returns its Python. Other packages or versions need another name.
///
/// # Errors
/// Says why it failed: no `python3`, or the message of `pip`.
pub(crate) fn environment(target_dir: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = installed(target_dir, name, |folder, log| {
        let system =
            on_path("python3").ok_or("not found: no `python3` on PATH to install it with")?;
        log.run(Command::new(&system).args(["-m", "venv", "--clear"]).arg(folder))?;
        let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet"];
        log.download(Command::new(python_in(folder)).args(pip).args(packages))
    })?;
    Ok(python_in(&folder))
}

/// Creates a virtual environment with only `pip`, and returns its Python.
///
/// # Errors
/// As [`environment`].
pub(crate) fn bare(target_dir: &Path) -> Result<PathBuf> {
    let folder = installed(target_dir, "pip", |folder, log| {
        let system =
            on_path("python3").ok_or("not found: no `python3` on PATH to install it with")?;
        log.run(Command::new(&system).args(["-m", "venv", "--clear"]).arg(folder))
    })?;
    Ok(python_in(&folder))
}

fn python_in(folder: &Path) -> PathBuf {
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    folder.join(programs).join(exe("python"))
}
