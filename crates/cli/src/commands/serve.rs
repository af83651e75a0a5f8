//! `serve`: serves Terraform's `http` backend from the store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use remote_state::{Error, ErrorKind, Workspace};
use remote_state_server::{Auth, BoundServer, Emptied as ServerEmptied, Policy, Server, States};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::args::{Emptied, Names, PolicyArgs, Serve};
use crate::client;
use crate::commands::common::{require_lock, with_warning};
use crate::descriptors;
use crate::exit::{Failure, Interruption};
use crate::session::{Session, interruption};

/// The variable that holds the token if no file does.
const TOKEN_VARIABLE: &str = "REMOTE_STATE_TOKEN";

/// A shorter token, in characters, is easy to guess.
const SHORT_TOKEN: usize = 16;

/// How long shutting down may take before a message appears.
const SILENCE: Duration = Duration::from_millis(200);

pub(crate) async fn run(session: &mut Session, args: Serve) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    if !session.lock_wait.timeout.is_zero() {
        return Err(Error::config(
            "`serve` waits for no lock: each client decides how long it waits",
        )
        .with_context("set in", "--lock-timeout")
        .with_hint("give the option to the client, such as `terraform apply -lock-timeout=5m`")
        .into());
    }
    // Answering LOCK without a real lock would be worse than not serving.
    require_lock(session, "serve")?;
    let states = match args.names {
        Names::Workspaces => States::workspaces(Arc::clone(&session.store)),
        Names::Keys => States::keys(Arc::clone(&session.store)),
    };
    descriptors::raise();
    let server = Server::builder(states)
        .with_auth(auth(session, &args)?)
        .with_policy(policy(&args.policy))
        .with_max_state_bytes(args.max_state)
        .with_max_held_bytes(args.max_memory)
        .with_max_connections(descriptors::connections());
    check_store(session).await?;
    let caveat = session.warn_of_caveat().await;
    // A supervisor that reads the listening message may send a signal at once.
    let interruption = interruption();
    let server = server.bind(args.listen).await.map_err(|error| match error.kind() {
        ErrorKind::Local => error.with_hint(
            "pass another address: `--listen 127.0.0.1:0` listens on a port that is free",
        ),
        _ => error,
    })?;
    let base = format!("http://{}", server.local_addr());
    let example = match args.names {
        Names::Workspaces => format!("{base}/state/{}", Workspace::DEFAULT),
        Names::Keys => format!("{base}/state/STATE-KEY"),
    };
    if session.ui.is_json {
        session
            .ui
            .json(&with_warning(json!({"version": 1, "url": base, "example": example}), caveat))?;
    } else {
        session.ui.line(&base)?;
        session.ui.note(&format!("serving {}; stop with Ctrl-C", session.store));
        for (name, value) in client::variables(&example, false)? {
            session.ui.note(&format!("  {name}={value}"));
        }
    }
    run_until(session, server, interruption).await
}

/// Sends the store one request, so that this command reports a permanent failure before each client
/// meets it.
async fn check_store(session: &Session) -> Result<(), Failure> {
    let Err(error) = session.store.inspect(&session.workspace).await else { return Ok(()) };
    let may_pass = matches!(
        error.kind(),
        ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Unknown
    );
    // A store that hides what is missing refuses to show a lock that is not held. Besides, clients
    // may never use the configured key, and then no account needs the right to read it.
    let is_not_known = error.kind() == ErrorKind::PermissionDenied;
    if !may_pass && !is_not_known {
        return Err(error.into());
    }
    session.ui.warn_error(&error);
    Ok(())
}

/// Serves until the first interruption, then until the requests in flight have ended, or until the
/// second interruption.
async fn run_until(
    session: &Session,
    server: BoundServer,
    interruption: impl Future<Output = Interruption>,
) -> Result<(), Failure> {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = std::pin::pin!(server.run_until(async { drop(stopped.await) }));
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        _ = interruption => {}
    }
    let again = crate::session::interruption();
    drop(stop);
    if let Ok(ended) = timeout(SILENCE, &mut serving).await {
        return Ok(ended?);
    }
    session.ui.note("waiting for requests in flight; once more to stop now");
    tokio::select! {
        ended = serving => Ok(ended?),
        signal = again => {
            session.ui.warn("stopped now: the outcome of the requests in flight is unknown");
            Err(Failure::Interrupted(signal))
        }
    }
}

pub(super) fn policy(args: &PolicyArgs) -> Policy {
    Policy::default()
        .with_require_lock(args.require_lock)
        .with_force_write(args.force_write)
        .with_emptied(match args.emptied {
            Emptied::Allow => ServerEmptied::Allow,
            Emptied::Warn => ServerEmptied::Warn,
            Emptied::Deny => ServerEmptied::Deny,
        })
}

fn auth(session: &Session, args: &Serve) -> Result<Auth, Failure> {
    if args.no_auth {
        return Ok(Auth::none());
    }
    let token = match &args.token_file {
        Some(path) => {
            if is_open_to_others(path) {
                session.ui.warn(&format!(
                    "the token file `{}` can be read or changed by other users of this machine: \
                     `chmod 600` it",
                    path.display()
                ));
            }
            std::fs::read_to_string(path).map_err(|source| {
                let message = format!("cannot read the token file `{}`: {source}", path.display());
                Error::new(ErrorKind::Local, "serve", message).with_source(source)
            })?
        }
        None => session.env.get(TOKEN_VARIABLE).unwrap_or_default().to_owned(),
    };
    let token = token.trim();
    if token.is_empty() {
        return Err(Error::config("a server needs a token that clients present")
            .with_hint(format!("set `{TOKEN_VARIABLE}`, or pass `--token-file FILE`"))
            .with_hint("on a loopback address, `--no-auth` goes without")
            .into());
    }
    if token.chars().count() < SHORT_TOKEN {
        let place =
            args.token_file.as_deref().map_or(TOKEN_VARIABLE.into(), |path| path.to_string_lossy());
        session.ui.warn(&format!(
            "the token in `{place}` has fewer than {SHORT_TOKEN} characters and can be guessed: \
             use one such as `openssl rand -hex 32` prints"
        ));
    }
    Ok(Auth::token(token))
}

/// Returns whether every user may read a file, or another user may change it. A group that may read
/// it has that right on purpose.
fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A pipe, such as a shell's `<(…)`, belongs to this process alone.
        std::fs::metadata(path)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o026 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
