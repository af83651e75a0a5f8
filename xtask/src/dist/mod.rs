//! `cargo xtask dist`: makes everything that a release consists of, below `target/packages`.
//!
//! What it makes does not depend on the machine, the folder or the time: files are sorted, owned by
//! root, and dated by `SOURCE_DATE_EPOCH` or else by the last commit. What cannot be made is named
//! in the table at the end with the reason, and is not a failure.

mod archive;
mod checksums;
mod deb;
mod image;
mod licences;
mod rpm;
mod sbom;
mod stage;
mod templates;

pub(crate) use image::timestamp;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tempfile::TempDir;

use crate::Result;
use crate::dist::stage::Stage;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build for this system, such as `x86_64-unknown-linux-musl`; the default is this machine's
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Package this `remote-state`, instead of building one with the profile `dist`, which takes
    /// more than ten minutes
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,
    /// Build no tool, and leave out the packages that need one that is not in `target/tools`
    #[arg(long)]
    no_tools: bool,
    /// Write into this folder instead of `target/packages`
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What the steps work with.
#[derive(Debug)]
struct Release<'a> {
    workspace: &'a Workspace,
    version: String,
    target: String,
    /// Seconds since 1970, for the date of every file.
    epoch: u64,
    /// Where the packages go.
    output: PathBuf,
    /// A folder for what packages are made from, which goes with this value.
    work: TempDir,
    /// Tools may be built.
    builds_tools: bool,
}

/// What became of one package.
#[derive(Debug)]
enum Made {
    Files(Vec<PathBuf>),
    /// Not made, for this reason.
    Not(String),
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let target = match &args.target {
        Some(target) => target.clone(),
        None => host(workspace)?,
    };
    let output = match &args.output {
        Some(output) => std::path::absolute(output)?,
        None => workspace.target_dir().join("packages"),
    };
    let release = Release {
        workspace,
        version: workspace.version()?,
        target,
        epoch: epoch(workspace.root())?,
        output,
        work: tempfile::tempdir_in(workspace.target_dir())?,
        builds_tools: !args.no_tools,
    };
    if release.output.exists() {
        std::fs::remove_dir_all(&release.output)?;
    }
    std::fs::create_dir_all(&release.output)?;
    let binary = match &args.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => build(&release)?,
    };
    let stage = Stage::fill(&release, &binary)?;

    let rows = vec![
        ("archive", archive::make(&release, &stage)),
        (".deb", deb::make(&release, &stage)),
        (".rpm", rpm::make(&release, &stage)),
        ("image", image::make(&release, &stage)),
        ("SBOM", sbom::make(&release)),
        // These two read what was made before.
        ("templates", templates::fill(&release)),
        ("SHA256SUMS", checksums::write(&release)),
    ];
    let mut has_failed = false;
    println!("\n{:<12}  result", "package");
    for (name, made) in rows {
        let result = match made {
            Ok(Made::Files(files)) => {
                let names = files.iter().filter_map(|file| file.file_name());
                let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
                names.join(", ")
            }
            Ok(Made::Not(reason)) => format!("not made: {reason}"),
            Err(error) => {
                has_failed = true;
                format!("FAILED: {error}")
            }
        };
        println!("{name:<12}  {result}");
    }
    println!("\nin {}", release.output.display());
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Builds the command as it is released: without paths of this machine in it.
fn build(release: &Release<'_>) -> Result<PathBuf> {
    let workspace = release.workspace;
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut flags = format!("--remap-path-prefix={}=remote-state", workspace.root().display());
    if let Some(home) = home {
        flags.push_str(&format!(" --remap-path-prefix={}=cargo", home.display()));
    }
    workspace.build_release(&release.target, &flags, release.epoch)
}

/// Returns the triple of this machine.
fn host(workspace: &Workspace) -> Result<String> {
    let output = Command::new("rustc").arg("-vV").current_dir(workspace.root()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}

/// Returns the date of the release.
fn epoch(root: &Path) -> Result<u64> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        let parsed = epoch.parse();
        return Ok(parsed.map_err(|_| "SOURCE_DATE_EPOCH should be a number of seconds")?);
    }
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("set SOURCE_DATE_EPOCH: cannot run git: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.trim().parse().map_err(|_| "set SOURCE_DATE_EPOCH: this is no git checkout")?)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

/// Does nothing: this system has no modes, and no `dpkg-deb` either.
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<()> {
    Ok(())
}

/// Runs a program that must succeed.
fn run_tool(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run `{name}`: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{name}` failed ({}): {}", output.status, said.trim()).into())
}
