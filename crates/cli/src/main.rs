//! The command `remote-state`.

mod args;
mod commands;
#[cfg(feature = "dev")]
mod dev;
mod exit;
mod random;
mod session;
mod signals;
mod source;
mod ui;
mod values;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind as UsageError;
use remote_state::config::Environment;

use crate::args::{Cli, Command};
use crate::ui::Ui;

fn main() -> ExitCode {
    let words = args::with_backend_configs_first(args::with_terraforms_dashes(std::env::args_os()));
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            let is_answer = matches!(error.kind(), UsageError::DisplayHelp | UsageError::DisplayVersion);
            // Nobody is left to be told that the terminal has gone.
            drop(error.print());
            return ExitCode::from(if is_answer { exit::ExitCode::Done } else { exit::ExitCode::Usage } as u8);
        }
    };
    let ui = Ui::new(&cli.global);
    // The one place where the environment is read. Names and values that are not text cannot be meant for us.
    let env: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    log(&cli);
    let outcome = std::panic::catch_unwind(|| {
        let runtime = runtime(&cli.command);
        let outcome = runtime.block_on(commands::run(cli, ui, env));
        // A thread that still waits for standard input waits for nobody any more.
        runtime.shutdown_background();
        outcome
    });
    ExitCode::from(match outcome {
        Ok(Ok(())) => exit::ExitCode::Done as u8,
        Ok(Err(failure)) => {
            failure.report(&ui);
            failure.code()
        }
        // The panic has said on stderr what and where.
        Err(_) => exit::ExitCode::Bug as u8,
    })
}

/// Short commands live on one thread: starting more costs more than they bring.
#[expect(clippy::expect_used, reason = "without a runtime there is nothing to say and nobody to say it")]
fn runtime(command: &Command) -> tokio::runtime::Runtime {
    let mut builder = match command {
        Command::Serve(_) | Command::Exec(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().expect("the system grants a thread and a poll handle")
}

/// Logs to stderr at the level that was asked for. Requests of the SDK are logged at `trace` only: at `debug` it prints headers.
fn log(cli: &Cli) {
    let filter = match cli.global.verbose {
        0 | 1 => {
            "remote_state=warn,remote_state_core=warn,remote_state_oss=warn,remote_state_s3=warn,remote_state_server=warn"
        }
        2 => {
            "remote_state=info,remote_state_core=info,remote_state_oss=info,remote_state_s3=info,remote_state_server=info"
        }
        _ => {
            "remote_state=debug,remote_state_core=debug,remote_state_oss=debug,remote_state_s3=debug,remote_state_server=debug"
        }
    };
    let filter = if cli.global.quiet { "off" } else { filter };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(cli.global.color == args::Color::Always)
        .init();
}
