//! The command `remote-state`.

mod advice;
mod args;
mod client;
mod commands;
mod descriptors;
#[cfg(feature = "dev")]
mod dev;
mod environment;
mod exit;
mod foreign;
mod job;
mod local;
mod log;
mod random;
mod session;
mod source;
mod terminal;
mod tfvars;
mod ui;
mod values;
mod waiting;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind as UsageError;
use remote_state::config::Environment;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Cli, Command};
use crate::ui::Ui;

fn main() -> ExitCode {
    environment::without_empty_variables();
    let words = args::with_backend_configs_first(args::with_terraforms_dashes(std::env::args_os()));
    let mut cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            let is_answer =
                matches!(error.kind(), UsageError::DisplayHelp | UsageError::DisplayVersion);
            // If the terminal is closed, there is nowhere to report that.
            drop(error.print());
            return ExitCode::from(if is_answer {
                exit::ExitCode::Done
            } else {
                exit::ExitCode::Usage
            } as u8);
        }
    };
    let ui = Ui::new(&cli.global);
    // Before any thread starts, and before any code reads a relative path.
    if let Err(error) = cli.global.enter_directory() {
        let failure = exit::Failure::from(error);
        failure.report(&ui);
        return ExitCode::from(failure.code());
    }
    // The only place that reads the environment. This program uses no names or values that are not
    // text.
    let env: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if matches!(cli.command, Command::Exec(_)) {
        job::prepare();
    }
    session::prepare();
    start_log(&cli, ui.clone());
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = runtime(&cli.command);
        let outcome = runtime.block_on(commands::run(cli, ui.clone(), env));
        // A thread that still reads standard input is no longer needed.
        runtime.shutdown_background();
        outcome
    }));
    ExitCode::from(match outcome {
        Ok(Ok(())) => exit::ExitCode::Done as u8,
        Ok(Err(failure)) => {
            failure.report(&ui);
            failure.code()
        }
        // The panic message on stderr has said what and where.
        Err(_) => exit::ExitCode::Bug as u8,
    })
}

/// Short commands run on one thread: starting more costs more than it saves.
#[expect(
    clippy::expect_used,
    reason = "without a runtime there is nothing to say and nothing to say it with"
)]
fn runtime(command: &Command) -> tokio::runtime::Runtime {
    let mut builder = match command {
        Command::Serve(_) | Command::Exec(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().expect("the system grants a thread and a poll handle")
}

/// Logs to stderr at the chosen level. Requests of the SDK are logged at `trace` only: at `debug`
/// it prints headers.
///
/// At the level of warnings, the command prints them as its own. `serve` logs them with their time.
fn start_log(cli: &Cli, ui: Ui) {
    let level = match cli.global.verbose {
        _ if cli.global.quiet => LevelFilter::OFF,
        0 | 1 => LevelFilter::WARN,
        2 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Targets match by prefix: this one covers all crates of this project.
    let mut ours = Targets::new().with_target("remote_state", level);
    // `exec` words the refusals of its server itself; a line for each request would repeat them.
    if matches!(cli.command, Command::Exec(_)) && level <= LevelFilter::WARN {
        ours = ours.with_target("remote_state_server::observe", LevelFilter::OFF);
    }
    if level <= LevelFilter::WARN && !matches!(cli.command, Command::Serve(_)) {
        let warnings = log::Warnings::new(ui).with_filter(ours);
        return tracing_subscriber::registry().with(warnings).init();
    }
    let has_colours = cli.global.color == args::Color::Always;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || log::Lines { to: std::io::stderr(), has_colours })
        .with_ansi(has_colours)
        .with_filter(ours);
    tracing_subscriber::registry().with(lines).init();
}
