//! `completions`: prints the completion script for a shell.

use clap::CommandFactory as _;

use crate::args::{Cli, Completions};
use crate::exit::Failure;
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui, args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "remote-state", &mut script);
    ui.answer(&script)
}
