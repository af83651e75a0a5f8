//! A file for each command, or for a few that belong together.

mod common;
mod completions;
mod config;
mod diff;
mod exec;
mod find;
mod held;
mod history;
mod inventory;
mod lock;
mod man;
mod migrate;
mod output;
mod pull;
mod push;
mod reference;
mod rename;
mod restore;
mod serve;
mod show;
mod whoami;
mod workspace;

use remote_state::config::Environment;
use remote_state::program::{StandardInput, set_standard_input};

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Runs a command.
pub(crate) async fn run(cli: Cli, ui: Ui, env: Environment) -> Result<(), Failure> {
    // These commands need no store.
    match &cli.command {
        Command::Completions(args) => return completions::run(&ui, args),
        Command::Man(args) => return man::run(&args.folder),
        Command::Reference => return reference::run(&ui),
        Command::Config(args) => return config::run(&ui, &env, &cli.global, args),
        Command::Diff(args) if diff::needs_no_store(args) => return diff::of_files(&ui, args),
        _ => {}
    }
    if let Command::Migrate(args) = &cli.command {
        return migrate::run(ui, env, &cli.global, args).await;
    }
    // Standard input belongs to the command of `exec`; a service has no user to prompt.
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
        Command::Diff(args) => diff::run(session, &args).await,
        Command::History(args) => history::run(session, &args).await,
        Command::Restore(args) => restore::restore(session, &args).await,
        Command::Undelete(args) => restore::undelete(session, &args).await,
        Command::Find(args) => find::run(session, &args).await,
        Command::Show(args) => show::run(session, &args).await,
        Command::Workspace(args) => workspace::run(session, args).await,
        Command::Lock(args) => lock::lock(session, &args).await,
        Command::Unlock(args) => lock::unlock(session, args).await,
        Command::Locks => lock::locks(session).await,
        Command::Serve(args) => serve::run(session, args).await,
        Command::Exec(args) => exec::run(session, args).await,
        Command::Whoami => whoami::run(session).await,
        // Handled above, without a store.
        Command::Completions(_)
        | Command::Config(_)
        | Command::Man(_)
        | Command::Migrate(_)
        | Command::Reference => Ok(()), // Handled above, without a store or with two.
    }
}
