//! `cargo xtask ci`: runs every step of CI, even after a failure, and prints one report at the end.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::Result;
use crate::report::{Report, Row};
use crate::test;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if this is not available, instead of skipping the tests that need it; repeat or
    /// separate with commas
    ///
    /// The names are those of `cargo xtask test --require`.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    require: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<ExitCode> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let mut doc = workspace.cargo(["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");

    let mut rows = vec![
        cargo("fmt", workspace.cargo(["fmt", "--all", "--", "--check"])),
        cargo("clippy", workspace.cargo(clippy)),
        cargo("doc", doc),
        step("check-deps", || crate::check_deps::violations(workspace)),
        step("codegen", || crate::codegen::violations(workspace)),
    ];
    rows.extend(test::run_suites(workspace, &test::Args::all(args.require))?);

    let report = Report { rows };
    print!("{}", report.render());
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn cargo(name: &str, mut command: Command) -> Row {
    eprintln!("running {name}");
    let started = Instant::now();
    let failures = match command.status() {
        Ok(status) if status.success() => Vec::new(),
        Ok(status) => vec![format!("cargo {}: {status}; see above", arguments(&command))],
        Err(error) => vec![format!("cannot run cargo: {error}")],
    };
    Row::step(name, started.elapsed(), failures)
}

fn step(name: &str, violations: impl FnOnce() -> Result<Vec<String>>) -> Row {
    eprintln!("running {name}");
    let started = Instant::now();
    let failures = violations().unwrap_or_else(|error| vec![error.to_string()]);
    Row::step(name, started.elapsed(), failures)
}

fn arguments(command: &Command) -> String {
    command.get_args().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
