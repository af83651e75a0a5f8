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
use remote_state_core::{
    Author, Error, ErrorKind, ReadOptions, Result, Seal, SealKind, StateBytes, StateFormat,
    StateHeader, StateMeta, StateStore, Workspace,
};

pub use self::copy::{CopyOptions, CopyPlan, REPLACE_LINEAGE, Target, copy, plan_copy};
use crate::heading::{Depth, Heading, read_heading};
use crate::seal::{Destination, Sealing};

/// How to rename.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenameOptions {
    /// Leave the state under its old name as it is. It then exists twice.
    pub leaves_source: bool,
}

impl RenameOptions {
    /// Sets whether to leave the state under its old name as it is.
    #[must_use]
    pub fn with_source_left(mut self, leaves_source: bool) -> Self {
        self.leaves_source = leaves_source;
        self
    }
}

/// What a rename would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RenamePlan {
    /// An earlier run has done it already.
    #[non_exhaustive]
    Done {
        /// The sealed state under the old name, whose digest is recorded anew.
        sealed: StateBytes,
    },
    /// Copy the state, and seal the source unless it is left as it is.
    #[non_exhaustive]
    Copy {
        /// The copy.
        copy: Box<CopyPlan>,
        /// The sealed state that replaces the source.
        sealing: Option<Box<Sealing>>,
    },
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

/// Finds out what it means to give the state of `from` the name `to`. `run` names this run.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if it is sealed or cannot be, or if
/// the target has another state; any error of the store.
pub async fn plan_rename(
    store: &dyn StateStore,
    (from, to): (&Workspace, &Workspace),
    options: RenameOptions,
    run: &str,
    now: Timestamp,
) -> Result<RenamePlan> {
    check_different(store, "rename", from, to)?;
    let source = match copy::source(store, "rename", from).await {
        Err(error) if error.kind() == ErrorKind::DigestMismatch => {
            // An earlier run may have ended before it recorded the digest of the sealed state.
            match sealed_for(store, from, to).await? {
                Some(sealed) => return Ok(RenamePlan::Done { sealed }),
                None => return Err(error),
            }
        }
        source => source?,
    };
    if let Some(seal) = Seal::of(&source.bytes) {
        if names(&seal, to) && has_the_state(store, to, &source, &seal).await? {
            return Ok(RenamePlan::Done { sealed: source });
        }
        let refusal = seal.refusal("rename", &store.location(from).state);
        return Err(match (names(&seal, to), &seal.before.version) {
            (true, Some(version)) => refusal.with_context(
                "note",
                format!("workspace `{to}` has no later state of it; it was version `{version}`"),
            ),
            (true, None) => {
                refusal.with_context("note", format!("workspace `{to}` has no later state of it"))
            }
            (false, _) => refusal,
        });
    }
    let header = StateHeader::parse(&source.bytes)?;
    let sealing = if options.leaves_source {
        None
    } else {
        let destination = Destination::Workspace(to);
        Some(Box::new(Sealing::of(&source, &header, destination, run, now)?))
    };
    let new = source.bytes.clone();
    let target = copy::target(store, "rename", to, &new, Some(from)).await?;
    let copy = CopyPlan::new((from, to), source, header, target, new);
    Ok(RenamePlan::Copy { copy: Box::new(copy), sealing })
}

/// Gives a state its new name: copies it, proves the copy, and seals the source if it still is the
/// one that was copied.
///
/// # Errors
/// `PreconditionFailed` if one of the two states was changed meanwhile; `DigestMismatch` if a
/// digest was not recorded; any error of the store. As long as the source is not sealed, the
/// rename can be repeated.
pub async fn rename(
    store: &dyn StateStore,
    from: &Workspace,
    plan: &RenamePlan,
    author: &Author,
) -> Result<Renamed> {
    let (copied, sealing) = match plan {
        RenamePlan::Done { sealed } => {
            let bytes = sealed.bytes.clone();
            store.record_digest(from, &bytes.into(), &sealed.meta).await?;
            return Ok(Renamed::Already);
        }
        RenamePlan::Copy { copy, sealing } => (copy, sealing),
    };
    let (source, target) = (store.location(from).state, store.location(&copied.to).state);
    let both = format!(
        "a copy is at `{target}`, and `{source}` is still in use: use the copy only after the same \
         rename has succeeded"
    );
    let meta = copy(store, copied, author).await.map_err(|error| match error.kind() {
        // The store refused to write the copy.
        ErrorKind::PreconditionFailed if error.context().is_empty() => error,
        _ => error.with_context("note", both.clone()),
    })?;
    let Some(sealing) = sealing else { return Ok(Renamed::Written(meta)) };
    let Err(error) = sealing.carry_out(store, from, &copied.source.meta, author).await else {
        return Ok(Renamed::Written(meta));
    };
    let is_changed = error.kind() == ErrorKind::PreconditionFailed;
    let note = match look(store, from).await {
        Found::Live if is_changed => {
            // The copy may be older than the source: nobody may take it for the state.
            let withdrawn = copy::withdraw(store, copied, &meta).await;
            let message = format!("`{source}` was not sealed: it was changed, or its lock is gone");
            let changed = Error::new(ErrorKind::PreconditionFailed, "rename", message)
                .because(error.message())
                .with_source(error);
            return Err(match withdrawn {
                Ok(()) => changed.with_context("note", "the copy was removed; nothing was renamed"),
                Err(left) => {
                    changed.with_context("note", both).with_context("copy", left.message())
                }
            });
        }
        Found::Live => both,
        Found::Sealed(seal) if names(&seal, &copied.to) => {
            format!("`{target}` has the state; the same rename again goes on from there")
        }
        Found::Sealed(seal) => format!(
            "`{source}` was sealed by somebody else ({seal}), and a copy is at `{target}`: only \
             one of the two may be used"
        ),
        Found::Absent => format!("`{source}` is gone, and the copy at `{target}` is what is left"),
        Found::Unclear => format!(
            "a copy is at `{target}`, and whether `{source}` is sealed is not known: look at both \
             before either is used"
        ),
    };
    Err(error.with_context("note", note))
}

/// Returns whether an encrypted state is about to be replaced by a plain document.
pub fn seals_encrypted(plan: &RenamePlan) -> bool {
    match plan {
        RenamePlan::Copy { copy, sealing } => {
            sealing.is_some() && copy.header.format == StateFormat::Encrypted
        }
        RenamePlan::Done { .. } => false,
    }
}

/// Returns whether a seal says that the state was renamed to this workspace.
fn names(seal: &Seal, workspace: &Workspace) -> bool {
    seal.kind == SealKind::Renamed && seal.to == workspace.as_str()
}

/// Returns the sealed state of a workspace that was renamed, whatever its digest.
async fn sealed_for(
    store: &dyn StateStore,
    from: &Workspace,
    to: &Workspace,
) -> Result<Option<StateBytes>> {
    let Some(read) = store.read(from, &ReadOptions::default().ignoring_digest()).await? else {
        return Ok(None);
    };
    let found = read.collect().await?;
    match Seal::of(&found.bytes).filter(|seal| names(seal, to)) {
        Some(seal) if has_the_state(store, to, &found, &seal).await? => Ok(Some(found)),
        _ => Ok(None),
    }
}

/// Returns whether a workspace has the state that was sealed, or a later one of its lineage.
async fn has_the_state(
    store: &dyn StateStore,
    workspace: &Workspace,
    sealed: &StateBytes,
    seal: &Seal,
) -> Result<bool> {
    let options = ReadOptions::default().ignoring_digest();
    let heading = read_heading(store, workspace, &options, Depth::Whole).await?;
    let Some(Heading { header: Ok(Some(found)), seal: None, .. }) = heading else {
        return Ok(false);
    };
    let lineage = StateHeader::parse(&sealed.bytes)?.lineage;
    Ok(found.lineage == lineage && found.serial >= seal.before.serial)
}

/// What is stored at the source of a rename that could not seal it.
enum Found {
    /// A state that is no seal.
    Live,
    Sealed(Seal),
    /// The store says that nothing is there.
    Absent,
    /// It cannot be read, or is no state.
    Unclear,
}

async fn look(store: &dyn StateStore, workspace: &Workspace) -> Found {
    let options = ReadOptions::default().ignoring_digest();
    let read = match store.read(workspace, &options).await {
        Ok(Some(read)) => read.collect().await,
        Ok(None) => return Found::Absent,
        Err(_) => return Found::Unclear,
    };
    match read {
        Ok(read) => match Seal::of(&read.bytes) {
            Some(seal) => Found::Sealed(seal),
            None if StateHeader::parse(&read.bytes).is_ok() => Found::Live,
            None => Found::Unclear,
        },
        Err(_) => Found::Unclear,
    }
}
