//! `cargo xtask demo`: shows the main job of the command, and checks it.
//!
//! Each step runs the commands that a user would type, shows them with their output, and checks the
//! result. An unexpected result ends the demo with exit code 1.

mod stage;
mod with_terraform;
mod without_terraform;

use std::process::ExitCode;

use crate::Result;
use crate::demo::stage::Stage;
use crate::workspace::{Workspace, on_path};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show only the part that needs no Terraform, even if Terraform is installed
    #[arg(long)]
    without_terraform: bool,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    println!("$ cargo build --release --package remote-state-cli");
    let product = workspace.build_product()?;

    println!();
    let client = ["terraform", "tofu"].into_iter().find(|name| on_path(name).is_some());
    let mut stage = Stage::new(workspace, &product)?;
    let result = match client {
        Some(client) if !args.without_terraform => with_terraform::play(&mut stage, client),
        Some(_) => without_terraform::play(&mut stage, "left out as asked"),
        None => without_terraform::play(&mut stage, "neither `terraform` nor `tofu` is on PATH"),
    };
    // Remove the folder and print the summary even if a step failed.
    let closed = stage.close();
    result.and(closed)?;
    Ok(ExitCode::SUCCESS)
}
