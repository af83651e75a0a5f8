//! Packages of npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::tools::installed;
use crate::workspace::on_path;

/// Node.js, with packages for it.
#[derive(Debug)]
pub(crate) struct Node {
    /// `node` itself.
    pub(crate) program: PathBuf,
    /// The folder `node_modules`.
    pub(crate) folder: PathBuf,
}

/// Installs exact versions of packages, such as `dynalite@4.0.0`, into `target/tools/<name>`. Other
/// packages or versions need another name. Scripts of packages do not run.
///
/// # Errors
/// Says why it failed: no `node`, no `npm`, or the message of `npm`.
pub(crate) fn packages(target_dir: &Path, name: &str, packages: &[&str]) -> Result<Node> {
    let program = on_path("node").ok_or("not found: no `node` on PATH to run it with")?;
    let folder = installed(target_dir, name, |folder, log| {
        let npm = on_path("npm").ok_or("not found: no `npm` on PATH to install it with")?;
        // Without a manifest here npm would look for one in the folders above.
        std::fs::write(folder.join("package.json"), "{}\n")?;
        let install =
            ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--prefix"];
        log.download(Command::new(npm).args(install).arg(folder).args(packages).current_dir(folder))
    })?;
    Ok(Node { program, folder: folder.join("node_modules") })
}
