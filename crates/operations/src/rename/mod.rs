//! Giving the state of a workspace another name, and copying it.
//!
//! A renamed state leaves a [sealed](crate::seal) one behind. Otherwise a client that has the old
//! name selected would find no state there, and plan to create everything again.
//!
//! The caller holds the locks of both workspaces from the planning to the end, and takes them in
//! the order of [`lock_order`]: two runs in opposite directions then cannot wait for each other.

mod copy;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use remote_state_core::{Author, Error, ErrorKind, Result, StateMeta, StateStore, Workspace};

pub use self::copy::{CopyOptions, REPLACE_LINEAGE, copy, plan_copy};
use crate::seal::Destination;
use crate::transfer::{self, AtTarget, MovePlan, Place, Route, Rules, Stopped, Unobserved};

/// How to rename.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenameOptions {
    /// Leave the state under its old name as it is. It then exists twice.
    pub leaves_source: bool,
    /// Rename although nothing would show what a client that takes no lock writes meanwhile.
    pub accepts_unfenced: bool,
}

impl RenameOptions {
    /// Sets whether to leave the state under its old name as it is.
    #[must_use]
    pub fn with_source_left(mut self, leaves_source: bool) -> Self {
        self.leaves_source = leaves_source;
        self
    }

    /// Sets whether to rename although a write of a client without a lock may be lost.
    #[must_use]
    pub fn with_unfenced_accepted(mut self, accepts_unfenced: bool) -> Self {
        self.accepts_unfenced = accepts_unfenced;
        self
    }
}

/// A rename: from which workspace to which, and how.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Renaming<'a> {
    from: &'a Workspace,
    to: &'a Workspace,
    options: RenameOptions,
    run: &'a str,
    now: Timestamp,
}

impl<'a> Renaming<'a> {
    /// Describes a rename. `run` names this run.
    pub fn new(
        from: &'a Workspace,
        to: &'a Workspace,
        options: RenameOptions,
        run: &'a str,
        now: Timestamp,
    ) -> Self {
        Self { from, to, options, run, now }
    }

    fn route(&self, store: &'a dyn StateStore) -> Route<'a> {
        Route {
            operation: "rename",
            from: Place::new(store, self.from),
            to: Place::new(store, self.to),
            there: Destination::Workspace(self.to),
            back: Destination::Workspace(self.from),
        }
    }

    fn rules(&self) -> Rules<'a> {
        Rules {
            seals: !self.options.leaves_source,
            ignores_digest: false,
            accepts_unfenced: self.options.accepts_unfenced,
            replaces_way_back: true,
            replaces_unused: false,
            accepts_newer: false,
            resumes_frozen: false,
            earlier: &[],
            expected: None,
            run: self.run,
            now: self.now,
        }
    }
}

/// What a rename has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renamed {
    /// The state has its new name.
    Written(StateMeta),
    /// It had it already.
    Already,
}

/// Why a rename ended early.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unrenamed {
    /// The reason.
    pub error: Error,
    /// Whether the lock of the new name has to stay held: a copy may be there while the old name
    /// is in use, so a client could use either. A rename that is repeated settles it.
    pub keeps_target_locked: bool,
}

/// Returns two workspaces in the order in which their locks are taken.
pub fn lock_order<'a>(
    store: &dyn StateStore,
    one: &'a Workspace,
    other: &'a Workspace,
) -> [&'a Workspace; 2] {
    let state = |workspace| store.location(workspace).state;
    if state(one) <= state(other) { [one, other] } else { [other, one] }
}

/// Checks that two workspaces have different states. This sends no request; call it before the
/// locks are taken.
///
/// # Errors
/// `PreconditionFailed` if they have not; `ConfigInvalid` if the store cannot keep the second one.
pub fn check_different(
    store: &dyn StateStore,
    operation: &'static str,
    from: &Workspace,
    to: &Workspace,
) -> Result<()> {
    if store.location(from).state == store.location(to).state {
        let message = format!("`{from}` and `{to}` are the same workspace");
        return Err(Error::new(ErrorKind::PreconditionFailed, operation, message));
    }
    store.admit(to)
}

/// Finds out what a rename means.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if it is sealed or cannot be, or if
/// the target has another state; any error of the store.
pub async fn plan_rename(store: &dyn StateStore, renaming: &Renaming<'_>) -> Result<MovePlan> {
    check_different(store, "rename", renaming.from, renaming.to)?;
    transfer::plan(renaming.route(store), &renaming.rules(), &Unobserved).await
}

/// Gives a state its new name: copies it, proves the copy, and seals the source if it still is the
/// one that was copied. If another client has changed it, the rename begins again, a few times.
///
/// # Errors
/// `PreconditionFailed` if one of the two states was changed meanwhile; `DigestMismatch` if a
/// digest was not recorded; any error of the store. As long as the source is not sealed, the
/// rename can be repeated.
pub async fn rename(
    store: &dyn StateStore,
    renaming: &Renaming<'_>,
    plan: MovePlan,
    author: &Author,
) -> Result<Renamed, Unrenamed> {
    let (route, rules) = (renaming.route(store), renaming.rules());
    let carried = transfer::carry_out(route, &rules, plan, author, &Unobserved).await;
    let carried = carried.map_err(|Stopped { error, at }| Unrenamed {
        error,
        keeps_target_locked: matches!(at, AtTarget::MayBeThere | AtTarget::Unclear),
    })?;
    Ok(match carried.copy {
        Some(meta) => Renamed::Written(meta),
        None => Renamed::Already,
    })
}
