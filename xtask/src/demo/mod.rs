//! stub

use std::process::ExitCode;

use crate::Result;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the part that needs no Terraform, even where there is one
    #[arg(long)]
    without_terraform: bool,
}

pub(crate) fn run(_: &Workspace, args: &Args) -> Result<ExitCode> {
    Err(format!("not yet: {}", args.without_terraform).into())
}
