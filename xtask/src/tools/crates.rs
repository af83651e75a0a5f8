//! Programs from crates.io, at exact versions. Only a maintainer needs them: no test does.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::tools::installed;
use crate::workspace::{Workspace, exe, on_path};

/// A program that `cargo install` builds.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    version: &'static str,
    /// Further arguments of `cargo install`.
    arguments: &'static [&'static str],
}

/// Builds the book. Without its server and its watcher, it builds in half the time.
pub(crate) const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    arguments: &["--no-default-features", "--features", "search"],
};

/// Writes packages for Fedora.
pub(crate) const GENERATE_RPM: Tool =
    Tool { name: "cargo-generate-rpm", version: "0.21.0", arguments: &[] };

/// Returns whether a program is in `target/tools`.
pub(crate) fn is_installed(workspace: &Workspace, tool: &Tool) -> bool {
    let name = format!("{}-{}", tool.name, tool.version);
    workspace.target_dir().join("tools").join(name).join("installed").is_file()
}

/// Builds a program into `target/tools`, unless it is there, and returns its path.
///
/// The build is given the lowest priority: a developer goes on working meanwhile.
pub(crate) fn install(workspace: &Workspace, tool: &Tool) -> Result<PathBuf> {
    let target_dir = workspace.target_dir();
    let name = format!("{}-{}", tool.name, tool.version);
    let folder = installed(target_dir, &name, |folder, log| {
        let cargo = workspace.cargo(["install", "--locked"]);
        let mut command = match on_path("nice") {
            Some(nice) => {
                let mut command = Command::new(nice);
                command.args(["-n", "19"]).arg(cargo.get_program()).args(cargo.get_args());
                command.current_dir(workspace.root());
                command
            }
            None => cargo,
        };
        command
            .args([tool.name, "--version", tool.version, "--root"])
            .arg(folder)
            .args(tool.arguments)
            .env("CARGO_TARGET_DIR", target_dir.join("tools").join("build"));
        log.download(&mut command)
    })?;
    Ok(folder.join("bin").join(exe(tool.name)))
}
