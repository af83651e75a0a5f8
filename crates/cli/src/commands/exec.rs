//! `exec`: a command whose Terraform keeps its state here.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::sync::Arc;

use remote_state::{Error, ErrorKind};
use remote_state_server::{Auth, Server, States};
use secrecy::SecretString;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::args::Exec;
use crate::client;
use crate::commands::require_lock;
use crate::commands::serve::policy;
use crate::exit::Failure;
use crate::session::Session;
use crate::signals::{Audience, Signals};

pub(crate) async fn run(session: &mut Session, args: Exec) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    require_lock(session, "exec")?;
    // Our error says more than what the command would make of a failing server, and says it at once.
    session.store.inspect(&session.workspace).await?;
    drop(session.warn_of_caveat().await);
    let token = crate::random::hex(32)?;
    let states = States::only(Arc::clone(&session.store), session.workspace.clone());
    let server = Server::builder(states)
        .with_auth(Auth::Path(SecretString::from(token.as_str())))
        .with_policy(policy(&args.policy))
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await?;
    // The client's own credentials are for other servers, and stay as they are.
    let address = format!("http://{}/exec/{token}/state/{}", server.local_addr(), session.workspace);
    let mut command = command(session, &args.command)?;
    for name in session.env.names().filter(|name| is_of_another_server(name)) {
        let _: &mut Command = command.env_remove(name);
    }
    for (name, value) in client::variables(&address, false)? {
        let _: &mut Command = command.env(name, value);
    }
    // The workspace is chosen here; Terraform's `http` backend refuses any but `default`.
    let _: &mut Command = command.env_remove("TF_WORKSPACE");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run_until(async {
        // The sender is dropped or used: either way the command has ended.
        drop(stopped.await);
    }));
    let signals = Signals::listen(Audience::of_this_process())?;
    let status = match command.spawn() {
        Ok(child) => wait(child, signals).await,
        Err(error) => Err(cannot_run(&args.command[0], error)),
    };
    drop(stop);
    // Requests in flight are finished: a write that the command has given up on may still matter.
    match serving.await {
        Ok(result) => result?,
        Err(error) => {
            return Err(Error::new(ErrorKind::Unexpected, "serve", "the server ended badly")
                .with_source(error)
                .into());
        }
    }
    code(status?)
}

fn command(session: &Session, words: &[OsString]) -> Result<Command, Failure> {
    let [program, arguments @ ..] = words else {
        return Err(Error::config("no command was given").with_hint("write it after `--`").into());
    };
    let mut command = Command::new(program);
    let _: &mut Command = command.args(arguments).kill_on_drop(true);
    Audience::of_this_process().prepare(&mut command);
    #[cfg(feature = "dev")]
    if let Some(dev) = &session.dev {
        let _: &mut Command = command.envs(dev.client_env.iter().map(|(name, value)| (name, value)));
    }
    #[cfg(not(feature = "dev"))]
    let _ = session;
    Ok(command)
}

/// Whether a variable tells the `http` backend of another server, other than who we are there.
fn is_of_another_server(name: &str) -> bool {
    name.starts_with("TF_HTTP_") && !matches!(name, "TF_HTTP_USERNAME" | "TF_HTTP_PASSWORD")
}

fn cannot_run(program: &OsString, source: std::io::Error) -> Failure {
    let kind =
        if source.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Local };
    Error::new(kind, "exec", format!("cannot run `{}`: {source}", program.to_string_lossy()))
        .with_hint("give the command after `--`, and make sure that it is on the `PATH`")
        .into()
}

/// Waits for the command and passes on the signals that were meant for it.
async fn wait(mut child: Child, mut signals: Signals) -> Result<ExitStatus, Failure> {
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map_err(|source| {
                    Error::new(ErrorKind::Local, "exec", "cannot wait for the command").with_source(source).into()
                });
            }
            signal = signals.next() => signals.pass_on(&child, signal),
        }
    }
}

fn code(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Err(Failure::Child(u8::try_from(128 + signal).unwrap_or(u8::MAX)));
    }
    Err(Failure::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
