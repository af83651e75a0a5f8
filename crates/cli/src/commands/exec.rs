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
use crate::commands::config::client_variables;
use crate::commands::require_lock;
use crate::commands::serve::policy;
use crate::exit::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session, args: Exec) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    require_lock(session, "exec")?;
    let token = crate::random::hex(32)?;
    let server = Server::builder(States::workspaces(Arc::clone(&session.store)))
        .with_auth(Auth::Token(SecretString::from(token.as_str())))
        .with_policy(policy(&args.policy))
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await?;
    let address = format!("http://{}/state/{}", server.local_addr(), session.workspace);
    let mut command = command(session, &args.command)?;
    for (name, value) in client_variables(&address, false)? {
        let _: &mut Command = command.env(name, value);
    }
    let _: &mut Command = command.env("TF_HTTP_PASSWORD", token);
    // The workspace is chosen here; Terraform's `http` backend refuses any but `default`.
    let _: &mut Command = command.env_remove("TF_WORKSPACE");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run_until(async {
        // The sender is dropped or used: either way the command has ended.
        drop(stopped.await);
    }));
    let signals = signals::Forwarder::start()?;
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
    #[cfg(feature = "dev")]
    if let Some(dev) = &session.dev {
        let _: &mut Command = command.envs(dev.client_env.iter().map(|(name, value)| (name, value)));
    }
    #[cfg(not(feature = "dev"))]
    let _ = session;
    Ok(command)
}

fn cannot_run(program: &OsString, source: std::io::Error) -> Failure {
    let kind =
        if source.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Local };
    Error::new(kind, "exec", format!("cannot run `{}`: {source}", program.to_string_lossy()))
        .with_hint("give the command after `--`, and make sure that it is on the `PATH`")
        .into()
}

/// Waits for the command and passes on the signals that were meant for it.
async fn wait(mut child: Child, mut signals: signals::Forwarder) -> Result<ExitStatus, Failure> {
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map_err(|source| {
                    Error::new(ErrorKind::Local, "exec", "cannot wait for the command").with_source(source).into()
                });
            }
            signal = signals.next() => signals::forward(&child, signal),
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

/// Passing signals on.
///
/// Ctrl-C on a terminal reaches the command too, because it is in the same process group: passing it on would make it two, which Terraform takes
/// for impatience and gives up the state. A signal that another process sent reaches only us, and is passed on.
#[cfg(unix)]
mod signals {
    use remote_state::{Error, ErrorKind, Result};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::{Cause, Origin};
    use tokio::process::Child;
    use tokio::sync::mpsc;

    pub(super) struct Forwarder(mpsc::UnboundedReceiver<i32>);

    impl Forwarder {
        pub(super) fn start() -> Result<Self> {
            let mut signals =
                SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).map_err(|source| {
                    Error::new(ErrorKind::Local, "exec", "cannot listen for signals").with_source(source)
                })?;
            let (sender, receiver) = mpsc::unbounded_channel();
            // The thread sleeps until the process ends.
            drop(std::thread::spawn(move || {
                for Origin { signal, cause, .. } in signals.forever() {
                    if matches!(cause, Cause::Sent(_)) && sender.send(signal).is_err() {
                        return;
                    }
                }
            }));
            Ok(Self(receiver))
        }

        pub(super) async fn next(&mut self) -> i32 {
            match self.0.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            }
        }
    }

    pub(super) fn forward(child: &Child, signal: i32) {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        let signal = rustix::process::Signal::from_named_raw(signal);
        if let (Some(pid), Some(signal)) = (pid, signal)
            && let Err(error) = rustix::process::kill_process(pid, signal)
        {
            tracing::debug!(%error, "the command ended before the signal reached it");
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use remote_state::Result;
    use tokio::process::Child;

    pub(super) struct Forwarder;

    impl Forwarder {
        pub(super) fn start() -> Result<Self> {
            // Ctrl-C reaches the command by itself; all there is to do is to outlive it.
            drop(tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} }));
            Ok(Self)
        }

        pub(super) async fn next(&mut self) -> i32 {
            std::future::pending().await
        }
    }

    pub(super) fn forward(_: &Child, _: i32) {}
}
