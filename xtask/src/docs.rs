//! `cargo xtask docs`: builds the book of `docs/` with mdbook.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use crate::Result;
use crate::tools::crates::{MDBOOK, install};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use this `mdbook`, instead of building one from crates.io into `target/tools`, which takes
    /// some minutes, once
    #[arg(long, value_name = "PROGRAM")]
    mdbook: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let mdbook = match &args.mdbook {
        Some(mdbook) => mdbook.clone(),
        None => install(workspace, &MDBOOK)?,
    };
    let book = workspace.target_dir().join("book");
    let status = Command::new(&mdbook)
        .arg("build")
        .arg("--dest-dir")
        .arg(&book)
        .arg(workspace.root().join("docs"))
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run {}: {error}", mdbook.display()))?;
    if !status.success() {
        return Err(format!("mdbook failed: {status}").into());
    }
    println!("{}", book.join("index.html").display());
    Ok(ExitCode::SUCCESS)
}
