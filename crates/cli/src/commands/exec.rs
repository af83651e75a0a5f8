//! `exec`: runs a command whose Terraform stores its state through this process.

mod terraform;
mod witness;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use remote_state::program::{StandardInput, set_standard_input};
use remote_state::{Error, ErrorKind, Result};
use remote_state_server::{Auth, BoundServer, Patience, Server, States};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::args::Exec;
use crate::client;
use crate::commands::common::require_lock;
use crate::commands::serve::policy;
use crate::descriptors;
use crate::exit::Failure;
use crate::job::{self, Signals};
use crate::session::Session;

use witness::Witness;

/// How long stopping the server may take before a message appears.
const SILENCE: Duration = Duration::from_millis(200);

pub(crate) async fn run(session: &mut Session, args: Exec) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    require_lock(session, "exec")?;
    if session.backend_is_of_directory {
        terraform::refuse_elsewhere(&session.directory, &args.command, &session.env)?;
    }
    check_store(session).await?;
    drop(session.warn_of_caveat().await);

    let secret = crate::random::hex(32)?;
    let witness = Arc::new(Witness::new(session.ui.clone()));
    let patience = Patience::new(session.lock_wait.timeout);
    let server =
        Server::builder(States::only(Arc::clone(&session.store), session.workspace.clone()))
            .with_auth(Auth::path(secret.as_str()))
            .with_policy(policy(&args.policy))
            .with_patience(patience.clone())
            // The command's result must be stored: a limit would only lose it. The state comes from
            // this machine.
            .with_max_state_bytes(usize::MAX)
            .with_max_connections(descriptors::connections())
            .with_observer({
                let witness = Arc::clone(&witness);
                move |event| witness.see(event)
            })
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await?;
    let command = command(session, &args.command, &server, &secret)?;

    // From here on signals and standard input belong to the command. A credentials program that
    // prompts must not block the server.
    set_standard_input(StandardInput::Taken);
    let mut signals = Signals::listen()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run_until(async {
        // The sender is dropped or used: either way all requests have ended.
        drop(stopped.await);
    }));
    // A client that is about to end must not wait for a lock.
    let audience = terraform::audience(&args.command);
    let ended =
        job::run(command, audience, &mut signals, session.ui.clone(), &|| patience.end()).await;
    patience.end();
    drop(stop);
    finish(session, serving, &mut signals).await?;
    let code = ended.map_err(|error| cannot_run(&args.command, error))?;
    witness.report(session, &args.command).await;
    if code == 0 { Ok(()) } else { Err(Failure::Child(code)) }
}

/// Sends the store one request: this program's error is better than what the command would report
/// about a failing server, and comes at once.
async fn check_store(session: &Session) -> Result<()> {
    match session.store.inspect(&session.workspace).await {
        // A store that hides what is missing refuses to show a lock that is not held. Later
        // requests show whether access is granted.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            tracing::info!(%error, "whether the lock is held is not known");
            Ok(())
        }
        other => other.map(drop),
    }
}

fn command(
    session: &Session,
    words: &[OsString],
    server: &BoundServer,
    secret: &str,
) -> Result<Command, Failure> {
    let [program, arguments @ ..] = words else {
        return Err(Error::config("no command was given").with_hint("write it after `--`").into());
    };
    let mut command = Command::new(program);
    let _: &mut Command = command.args(arguments);
    for name in session.env.names().filter(|name| is_of_another_server(name)) {
        let _: &mut Command = command.env_remove(name);
    }
    // The secret is in the path: the client's own credentials are for other servers, and stay
    // unchanged.
    let address =
        format!("http://{}/exec/{secret}/state/{}", server.local_addr(), session.workspace);
    let _: &mut Command = command.envs(client::variables(&address, false)?);
    // `exec` has already chosen the workspace. Terraform's `http` backend refuses any but
    // `default`, even if the directory selects one; the commands of this program use the served
    // one.
    let _: &mut Command = command
        .env("TF_WORKSPACE", "default")
        .env(remote_state::directory::WORKSPACE_VARIABLE, session.workspace.as_str());
    #[cfg(feature = "dev")]
    if let Some(dev) = &session.dev {
        let _: &mut Command =
            command.envs(dev.client_env.iter().map(|(name, value)| (name, value)));
    }
    Ok(command)
}

/// Returns whether a variable configures the `http` backend for another server, other than its
/// credentials.
fn is_of_another_server(name: &str) -> bool {
    name.starts_with("TF_HTTP_") && !matches!(name, "TF_HTTP_USERNAME" | "TF_HTTP_PASSWORD")
}

fn cannot_run(words: &[OsString], source: std::io::Error) -> Failure {
    let program = words.first().map(|program| program.to_string_lossy()).unwrap_or_default();
    let kind = if source.kind() == std::io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else {
        ErrorKind::Local
    };
    Error::new(kind, "exec", format!("cannot run `{program}`: {source}"))
        .with_hint("give the command after `--`, and make sure that it is on the `PATH`")
        .into()
}

/// Waits for requests in flight: a write that the command has given up on may still matter. A user
/// who interrupts again ends the waiting.
async fn finish(
    session: &Session,
    mut serving: JoinHandle<Result<()>>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let ended = match timeout(SILENCE, &mut serving).await {
        Ok(ended) => ended,
        Err(_) => {
            session.ui.note(
                "the command has ended; waiting for its requests in flight; interrupt to stop now",
            );
            tokio::select! {
                ended = &mut serving => ended,
                _ = signals.next_end() => {
                    let warning = "stopped now: the outcome of the requests in flight is unknown";
                    session.ui.warn(warning);
                    return Ok(());
                }
            }
        }
    };
    ended.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "serve", "the server ended badly").with_source(error)
    })??;
    Ok(())
}
