//! Making an older version of a state the current one again.
//!
//! A restored state is a new write: its serial is one above every serial that its lineage ever had.
//! With its old serial, a plan that was saved for another state of that serial would pass for
//! current and be applied. Only the digits of the serial change.
//!
//! The caller holds the lock from [`plan`] to the end of [`carry_out`].

mod plan;
mod serials;
#[cfg(test)]
mod tests;
mod types;

use remote_state_core::{
    Author, ContentHash, Error, ErrorKind, Outgoing, ReadOptions, Result, StateBytes, StateHeader,
    StateMeta, StateStore, Workspace, WriteOptions,
};

pub use self::plan::{plan, plan_undelete};
pub use self::types::{RestoreOptions, RestorePlan, Stored};

/// The annotation that names the version that was restored.
const RESTORED_FROM: &str = "restored-from";

/// What a restore has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restored {
    /// The version is the current state.
    Written(StateMeta),
    /// It was already; its digest was recorded anew.
    DigestRecorded,
    /// It was already.
    Unchanged,
}

/// Makes the planned state the current one, if the current state still is the one that the plan
/// was made for, and reads it back.
///
/// # Errors
/// `PreconditionFailed` if the state was changed meanwhile, or is another one when it is read back;
/// `DigestMismatch` if the state was written and its digest not recorded; any error of the store.
pub async fn carry_out(
    store: &dyn StateStore,
    workspace: &Workspace,
    plan: &RestorePlan,
    author: &Author,
) -> Result<Restored> {
    if let Some(current) = plan.current.as_ref().filter(|_| plan.is_current) {
        if !plan.needs_digest {
            return Ok(Restored::Unchanged);
        }
        let bytes = current.bytes.clone();
        store.record_digest(workspace, &bytes.into(), &current.meta).await?;
        return Ok(Restored::DigestRecorded);
    }
    let header = StateHeader::parse(&plan.new)?;
    let hash = ContentHash::of(&plan.new);
    let mut annotations = author.annotations(&header, hash);
    if let Some(version) = &plan.chosen.meta.version {
        // An id that is too long for an annotation is left out.
        drop(annotations.set(RESTORED_FROM, version.as_str()));
    }
    let options = WriteOptions::from(plan.mode.clone()).with_annotations(annotations);
    let meta = store.write(workspace, Outgoing::from(plan.new.clone()), &options).await?;
    let written = || format!("the state was written with serial {}", plan.serial);
    match whole(store, workspace, ReadOptions::default().without_waiting()).await {
        Ok(Some(read)) if ContentHash::of(&read.bytes) == hash => Ok(Restored::Written(meta)),
        Ok(_) => {
            let state = store.location(workspace).state;
            let message = format!("`{state}` was written, and is another state by now");
            Err(Error::new(ErrorKind::PreconditionFailed, "restore", message)
                .with_context("note", written()))
        }
        Err(error) => {
            let note = format!("{}; only reading it back failed", written());
            Err(error.with_context("note", note))
        }
    }
}

async fn whole(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: ReadOptions,
) -> Result<Option<StateBytes>> {
    match store.read(workspace, &options).await? {
        Some(read) => read.collect().await.map(Some),
        None => Ok(None),
    }
}
