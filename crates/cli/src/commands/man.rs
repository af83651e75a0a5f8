//! `man`: writes the manual pages.

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use remote_state::{Error, ErrorKind};

use crate::args::Cli;
use crate::environment::VARIABLES;
use crate::exit::{ExitCode, Failure};

/// Writes a page for the program and one for each command, below the name of the program.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot write manual pages into `{}`: {error}", folder.display());
        Error::new(ErrorKind::Local, "write manual pages", message).with_source(error)
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write(&command, "remote-state", folder, true).map_err(failed)?;
    Ok(())
}

fn write(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    is_first: bool,
) -> std::io::Result<()> {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set());
    for below in visible {
        write(below, &format!("{name}-{}", below.get_name()), folder, false)?;
    }
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section("1")
        .source(concat!("remote-state ", env!("CARGO_PKG_VERSION")));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if is_first {
        exit_status_and_environment().to_writer(&mut page)?;
    } else {
        see_also().to_writer(&mut page)?;
    }
    std::fs::write(folder.join(format!("{name}.1")), page)
}

/// Returns the synopsis as `--help` has it: the generator's own would list the options of every
/// command on each page.
fn synopsis(command: &clap::Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman(usage.trim_start_matches("Usage: "))]);
    roff
}

fn exit_status_and_environment() -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in ExitCode::ALL {
        roff.control("TP", []).text([bold((code as u8).to_string())]).text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman(
        "Keys of a backend have variables of their own, which `remote-state config keys` lists. \
         Besides these:",
    )]);
    for (name, meaning) in VARIABLES {
        roff.control("TP", []).text([bold(name)]).text([roman(meaning)]);
    }
    roff
}

fn see_also() -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("remote-state"), roman("(1) has the exit status and the environment.")]);
    roff
}
