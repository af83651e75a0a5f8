//! One file for each command.

mod completions;
mod config;
mod exec;
mod inventory;
mod lock;
mod output;
mod pull;
mod push;
mod serve;
mod show;
mod whoami;
mod workspace;

use remote_state::config::Environment;
use remote_state::program::{StandardInput, set_standard_input};
use remote_state::{Error, ErrorKind, StateMeta, Workspace};

use serde_json::Value;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Runs a command to its end.
pub(crate) async fn run(cli: Cli, ui: Ui, env: Environment) -> Result<(), Failure> {
    // These need no store.
    match &cli.command {
        Command::Completions(args) => return completions::run(ui, args),
        Command::Config(args) => return config::run(ui, &env, &cli.global, args),
        _ => {}
    }
    // What comes in a pipe is for the command that `exec` runs; a service has nobody to ask there.
    if matches!(cli.command, Command::Serve(_) | Command::Exec(_)) {
        set_standard_input(StandardInput::Shared);
    }
    let mut session = Session::open(ui, env, &cli.global).await?;
    let result = with_store(&mut session, cli.command).await;
    session.close().await;
    result
}

async fn with_store(session: &mut Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Pull(args) => pull::run(session, &args).await,
        Command::Push(args) => push::run(session, &args).await,
        Command::Output(args) => output::run(session, &args).await,
        Command::List => inventory::list(session).await,
        Command::Show(args) => show::run(session, &args).await,
        Command::Workspace(args) => workspace::run(session, args).await,
        Command::Lock(args) => lock::lock(session, &args).await,
        Command::Unlock(args) => lock::unlock(session, args).await,
        Command::Locks => lock::locks(session).await,
        Command::Serve(args) => serve::run(session, args).await,
        Command::Exec(args) => exec::run(session, args).await,
        Command::Whoami => whoami::run(session).await,
        // Handled above, without a store.
        Command::Completions(_) | Command::Config(_) => Ok(()),
    }
}

/// Adds what was warned of to an answer, if there was something.
fn with_warning(mut answer: Value, warning: Option<String>) -> Value {
    if let Some(warning) = warning {
        answer["warning"] = warning.into();
    }
    answer
}

/// The error for a workspace that has no state.
fn no_state(session: &Session, workspace: &Workspace) -> Failure {
    let location = session.store.location(workspace);
    Error::new(
        ErrorKind::NotFound,
        "read",
        format!("no state has been written to `{}`", location.state),
    )
    .with_context("workspace", workspace)
    .with_hint("see which workspaces have one with `remote-state workspace list`")
    .into()
}

/// The error for an object that is there but cannot be read as a state.
fn not_readable(session: &Session, workspace: &Workspace, meta: &StateMeta, error: Error) -> Error {
    let state = session.store.location(workspace).state;
    let error = if error.kind() == ErrorKind::InvalidState {
        let message = format!("what is stored at `{state}` is {}", error.message());
        Error::new(ErrorKind::InvalidState, error.operation(), message)
    } else {
        error.with_context("state", state)
    };
    let error = error.with_context("size", format!("{} bytes", meta.size_bytes));
    match meta.modified {
        Some(modified) => {
            error.with_context("modified", modified.strftime("%Y-%m-%d %H:%M:%S UTC"))
        }
        None => error,
    }
}

/// The same, with what to do about it.
fn unreadable(session: &Session, meta: &StateMeta, error: Error) -> Failure {
    let is_no_state = error.kind() == ErrorKind::InvalidState;
    let error = not_readable(session, &session.workspace, meta, error);
    if is_no_state { error.with_hint("look at it with `remote-state pull`") } else { error }.into()
}

/// Makes sure that there is a lock to take.
fn require_lock(session: &Session, operation: &'static str) -> Result<(), Failure> {
    let capabilities = session.store.capabilities();
    if capabilities.locking {
        return Ok(());
    }
    Err(capabilities.no_lock(operation, &session.store.location(&session.workspace)).into())
}
