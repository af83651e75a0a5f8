//! Messages about the requests to the server while the command runs: Terraform shows only their
//! statuses.

use std::ffi::OsString;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remote_state::{Error, ErrorKind, LockId};
use remote_state_server::{Action, Event, PolicyChoice};

use crate::commands::exec::terraform::{is_stateless, is_terraform};
use crate::session::Session;
use crate::ui::Ui;

/// Observes the server.
#[derive(Debug)]
pub(super) struct Witness {
    ui: Ui,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// A client read or wrote the state.
    state: bool,
    /// A client sent any request.
    anything: bool,
    /// The locks that were taken and not released.
    locks: Vec<LockId>,
    /// Why the server refused the last attempt to lock, if it granted no later one.
    refused_lock: Option<Error>,
    /// The last message. Clients repeat what fails.
    told: Option<(Action, String)>,
}

impl Witness {
    pub(super) fn new(ui: Ui) -> Self {
        Self { ui, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event, and prints what Terraform does not show.
    pub(super) fn see(&self, event: &Event<'_>) {
        match event {
            Event::Done { state, action, lock, .. } => {
                let mut seen = self.seen();
                seen.anything = true;
                seen.state |= is_about_the_state(*action);
                seen.told = None;
                match (action, lock) {
                    (Action::Lock, Some(lock)) => {
                        seen.refused_lock = None;
                        seen.locks.push((*lock).clone());
                    }
                    (Action::Unlock, Some(lock)) => seen.locks.retain(|held| held != *lock),
                    // Released by force: any lock.
                    (Action::Unlock, None) => seen.locks.clear(),
                    _ => {}
                }
                drop(seen);
                if *action == Action::Delete {
                    let what =
                        format!("the state of workspace `{state}` was deleted by the command");
                    self.tell_emptied(&what);
                }
            }
            Event::Emptied { state, .. } => {
                self.tell_emptied(&format!(
                    "the state of workspace `{state}` had resources, and was replaced by one \
                     without any"
                ));
            }
            Event::Refused { action, is_about_a_lock, message, cause, choice, .. } => {
                let mut seen = self.seen();
                seen.anything = true;
                seen.state |= is_about_the_state(*action);
                let this = Some((*action, (*message).to_owned()));
                let is_told = seen.told == this;
                seen.told = this;
                if *is_about_a_lock && *action == Action::Lock {
                    seen.refused_lock = Some(refusal(&self.ui, *action, message, *cause, *choice));
                }
                drop(seen);
                if !*is_about_a_lock && !is_told {
                    self.ui.warn_error(&refusal(&self.ui, *action, message, *cause, *choice));
                }
            }
            _ => {}
        }
    }

    fn tell_emptied(&self, what: &str) {
        let error = Error::new(ErrorKind::PreconditionFailed, "exec", what);
        let exec = self.ui.command("exec");
        self.ui.warn_error(
            &error.with_hint(format!("to refuse this, pass `--emptied deny` to {exec}")),
        );
    }

    /// Reports on the state and the lock after the command has ended.
    pub(super) async fn report(&self, session: &Session, words: &[OsString]) {
        let (state, anything, locks, refused_lock) = {
            let mut seen = self.seen();
            (seen.state, seen.anything, seen.locks.clone(), seen.refused_lock.take())
        };
        match refused_lock {
            Some(refused) => self.tell_holder(session, &refused).await,
            None if !state && !is_nothing_to_ask(words) => self.tell_unasked(session, anything),
            None => {}
        }
        if !locks.is_empty() {
            self.tell_left(session, &locks).await;
        }
    }

    /// Names the holder of the refused lock: Terraform shows only the holder's id, beside the
    /// record that Terraform itself would have stored.
    async fn tell_holder(&self, session: &Session, refused: &Error) {
        let state = session.store.location(&session.workspace).state;
        match session.store.inspect(&session.workspace).await {
            Ok(Some(holder)) => {
                let message = format!("the command was refused the lock on `{state}`");
                let error = Error::lock_held("exec", message, holder);
                let exec = self.ui.command("exec");
                let hint = format!("to wait for it, pass `--lock-timeout 5m` to {exec}");
                self.ui.warn_error(&error.with_hint(hint));
            }
            Ok(None) | Err(_) => self.ui.warn_error(refused),
        }
    }

    fn tell_unasked(&self, session: &Session, anything: bool) {
        let message = if anything {
            "the command took the lock here, and never asked for the state: it keeps its state \
             elsewhere"
        } else {
            "the command never asked for the state that is served to it"
        };
        let error = Error::new(ErrorKind::NotFound, "exec", message)
            .with_context("served", session.store.location(&session.workspace).state)
            .with_hint(
                "if it is Terraform, see that the configuration says `backend \"http\" {}`, \
                 without an `address`, and that `init` has run with it",
            )
            .with_hint(format!(
                "Terraform before 0.13.2 needs an `address` in the block: use {} with it",
                self.ui.command("serve")
            ));
        self.ui.warn_error(&error);
    }

    /// Names a lock that the command left: no other program knows that its holder has ended.
    async fn tell_left(&self, session: &Session, locks: &[LockId]) {
        let found = match session.store.inspect(&session.workspace).await {
            Ok(Some(found)) => found.id().cloned().filter(|id| locks.contains(id)),
            Ok(None) => None,
            Err(_) => locks.last().cloned(),
        };
        let Some(id) = found else { return };
        let location = session.store.location(&session.workspace);
        let error = Error::new(
            ErrorKind::LockHeld,
            "exec",
            "the command has ended and left its lock behind",
        )
        .with_context("lock", location.locks.join(" and "))
        .with_context("lock id", &id)
        .with_hint(format!(
            "if it wrote an `errored.tfstate`, store that first: {}",
            self.ui.command(&format!("push --lock-id {id} errored.tfstate"))
        ))
        .with_hint(format!("release it with {}", self.ui.command(&format!("unlock {id}"))));
        self.ui.warn_error(&error);
    }
}

fn refusal(
    ui: &Ui,
    action: Action,
    message: &str,
    cause: Option<&Error>,
    choice: Option<PolicyChoice>,
) -> Error {
    let (kind, reason) = match cause {
        Some(cause) => (cause.kind(), cause.message()),
        None => (ErrorKind::PreconditionFailed, message),
    };
    let mut error = Error::new(kind, "exec", format!("refused to {}: {reason}", words(action)));
    for (label, value) in cause.map(Error::context).unwrap_or_default() {
        error = error.with_context(label, value);
    }
    for advice in cause.map(Error::advice).unwrap_or_default() {
        error = error.with_advice(advice.clone());
    }
    if let Some(hint) = choice.and_then(|choice| flag(ui, choice)) {
        error = error.with_hint(hint);
    }
    error
}

fn is_about_the_state(action: Action) -> bool {
    matches!(action, Action::Read | Action::Write | Action::Delete)
}

/// Returns whether a command reads no state.
fn is_nothing_to_ask(words: &[OsString]) -> bool {
    words.split_first().is_none_or(|(program, rest)| is_terraform(program) && is_stateless(rest))
}

fn words(action: Action) -> &'static str {
    match action {
        Action::Read => "read the state",
        Action::Write => "store the state",
        Action::Delete => "delete the state",
        Action::Lock => "take the lock",
        Action::Unlock => "release the lock",
        _ => "do what was asked",
    }
}

/// Returns the flag for `exec` that grants the same.
fn flag(ui: &Ui, choice: PolicyChoice) -> Option<String> {
    let exec = ui.command("exec");
    match choice {
        PolicyChoice::ForceWrite => {
            Some(format!("to store it all the same, pass `--force-write` to {exec}"))
        }
        PolicyChoice::RequireLock => {
            Some("leave out `--require-lock`, or have the command take its lock".to_owned())
        }
        PolicyChoice::Emptied => Some(format!("to allow it, pass `--emptied allow` to {exec}")),
        _ => None,
    }
}
