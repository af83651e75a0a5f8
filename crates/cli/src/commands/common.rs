//! Output and checks that several commands share.

use remote_state::{Error, ErrorKind, Seal, StateMeta, StateRead, Workspace};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::session::Session;

/// Adds a warning to a JSON answer, if there is one.
pub(super) fn with_warning(mut answer: Value, warning: Option<String>) -> Value {
    if let Some(warning) = warning {
        answer["warning"] = warning.into();
    }
    answer
}

/// Returns what a seal says, as JSON.
pub(super) fn seal_json(seal: &Seal) -> Value {
    json!({"kind": seal.kind.as_str(), "to": seal.to})
}

/// Creates the failure for a workspace without a state.
pub(super) fn no_state(session: &Session, workspace: &Workspace) -> Failure {
    let location = session.store.location(workspace);
    Error::new(
        ErrorKind::NotFound,
        "read",
        format!("no state has been written to `{}`", location.state),
    )
    .with_context("workspace", workspace)
    .with_hint(format!(
        "see which workspaces have one with {}",
        session.ui.command("workspace list")
    ))
    .into()
}

/// Refuses a sealed state, which has nothing in it that could be read.
pub(super) async fn unsealed(session: &Session, read: StateRead) -> Result<StateRead, Failure> {
    match read.with_seal().await? {
        (read, None) => Ok(read),
        (_, Some(seal)) => Err(sealed(session, &session.workspace, "read", &seal).into()),
    }
}

/// Creates the error for an operation that a sealed state stops.
pub(super) fn sealed(
    session: &Session,
    workspace: &Workspace,
    operation: &'static str,
    seal: &Seal,
) -> Error {
    seal.refusal(operation, &session.store.location(workspace).state)
}

/// Creates the failure for an object that exists but is not a readable state.
pub(super) fn not_readable(
    session: &Session,
    workspace: &Workspace,
    meta: &StateMeta,
    error: Error,
) -> Error {
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

/// The same, with hints.
pub(super) fn unreadable(session: &Session, meta: &StateMeta, error: Error) -> Failure {
    let is_no_state = error.kind() == ErrorKind::InvalidState;
    let error = not_readable(session, &session.workspace, meta, error);
    if is_no_state { error.with_hint(look_at_it(session)) } else { error }.into()
}

/// Returns the hint for a state that needs a person's judgement.
pub(super) fn look_at_it(session: &Session) -> String {
    format!("look at it with {}", session.ui.command("pull"))
}

/// Checks that the configuration enables locking.
pub(super) fn require_lock(session: &Session, operation: &'static str) -> Result<(), Failure> {
    let capabilities = session.store.capabilities();
    if capabilities.has_locks() {
        return Ok(());
    }
    Err(capabilities.no_lock(operation, &session.store.location(&session.workspace)).into())
}
