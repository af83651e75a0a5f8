//! Writing a copy, proving it, and taking it back.

use bytes::Bytes;
use remote_state_core::{
    Author, ContentHash, Error, ErrorKind, Lineage, Outgoing, ReadOptions, Result, StateBytes,
    StateHeader, StateMeta, Workspace, WriteMode, WriteOptions,
};

use super::outcome::is_refusal;
use super::route::{Place, Step, Steps};
use crate::seal::uncover_copy;

/// What is stored at the target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// Nothing.
    Absent,
    /// The copy, from an earlier run.
    Same(StateMeta),
    /// A sealed state that says that the state went to where it comes back from.
    WayBack(StateBytes),
    /// A state without resources and outputs, such as an `init` in the new place makes.
    Unused(StateBytes),
    /// The copy of an earlier run, since which the source has changed.
    Earlier(StateBytes),
    /// A later state of the same lineage, which is in use: nothing has to be copied.
    Newer(StateBytes),
}

/// What a copy would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopyPlan {
    /// The workspace of the state.
    pub from: Workspace,
    /// The workspace of the copy.
    pub to: Workspace,
    /// The state.
    pub source: StateBytes,
    /// Its header.
    pub header: StateHeader,
    /// What is stored at the target.
    pub target: Target,
    /// The lineage of the copy.
    pub lineage: Lineage,
    pub(crate) new: Bytes,
}

impl CopyPlan {
    pub(crate) fn new(
        (from, to): (&Workspace, &Workspace),
        source: StateBytes,
        header: StateHeader,
        target: Target,
        new: Bytes,
    ) -> Self {
        let lineage = header.lineage.clone();
        Self { from: from.clone(), to: to.clone(), source, header, target, lineage, new }
    }

    /// Returns the hash of the copy.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.new)
    }
}

/// Why there is no proven copy.
#[derive(Debug)]
pub(crate) struct NoCopy {
    pub(crate) error: Error,
    pub(crate) written: Written,
}

/// Whether an attempt has written the copy.
#[derive(Debug)]
pub(crate) enum Written {
    No,
    /// The outcome is not known, and it may be written later still.
    Maybe,
    /// It has, and this is the store's description, if that is known.
    Yes(Option<StateMeta>),
}

impl From<Error> for NoCopy {
    fn from(error: Error) -> Self {
        Self { error, written: Written::No }
    }
}

/// Writes the copy, if the target still is as it was planned for, and reads it back.
///
/// # Errors
/// `PreconditionFailed` if the target was changed meanwhile, or what is read back is something
/// else; `DigestMismatch` if the copy was written and its digest not recorded; any error of the
/// store.
pub(crate) async fn copy(
    to: Place<'_>,
    plan: &CopyPlan,
    author: &Author,
    steps: &dyn Steps,
) -> Result<StateMeta, NoCopy> {
    let hash = plan.hash();
    let mode = match &plan.target {
        Target::Same(meta) => {
            let stored = StateBytes::new(meta.clone(), plan.new.clone());
            to.record_digest(&stored).await?;
            prove(to, plan, hash, steps).await?;
            return Ok(meta.clone());
        }
        // What is there is the truth and needs no proof.
        Target::Newer(found) => return Ok(found.meta.clone()),
        Target::Absent => WriteMode::Create,
        Target::WayBack(found) | Target::Unused(found) | Target::Earlier(found) => {
            over(&found.meta)
        }
    };
    let annotations = author.annotations(&StateHeader::parse(&plan.new)?, hash);
    let options = WriteOptions::from(mode).with_annotations(annotations);
    steps.doing(Step::Write)?;
    let outgoing = Outgoing::from(plan.new.clone());
    let meta = to.store.write(to.workspace, outgoing, &options).await.map_err(|error| {
        let written = match error.kind() {
            // The digest is recorded after the state.
            ErrorKind::DigestMismatch => Written::Yes(None),
            _ if is_refusal(&error) => Written::No,
            _ => Written::Maybe,
        };
        NoCopy { error, written }
    })?;
    let written = |error| NoCopy { error, written: Written::Yes(Some(meta.clone())) };
    let found = match &plan.target {
        Target::WayBack(found) | Target::Unused(found) | Target::Earlier(found) => {
            Some(&found.meta)
        }
        _ => None,
    };
    let uncovered = uncover_copy(to.store, to.workspace, found, &meta, &plan.new).await;
    uncovered.map_err(|error| {
        let is_put_back = error.kind() == ErrorKind::PreconditionFailed;
        NoCopy { error, written: if is_put_back { Written::No } else { Written::Maybe } }
    })?;
    steps.did(Step::Write, Some((&meta, &plan.new))).map_err(written)?;
    prove(to, plan, hash, steps).await.map_err(written)?;
    Ok(meta)
}

/// Reads the copy back, its digest included.
async fn prove(to: Place<'_>, plan: &CopyPlan, hash: ContentHash, steps: &dyn Steps) -> Result<()> {
    steps.doing(Step::Prove)?;
    let read = to.read(&ReadOptions::default().without_waiting()).await?;
    match read {
        Some(read) if ContentHash::of(&read.bytes) == hash => {
            steps.did(Step::Prove, Some((&read.meta, &read.bytes)))
        }
        _ => {
            let message = format!("`{}` was written, and reads as something else", to.url());
            let error = Error::new(ErrorKind::PreconditionFailed, "copy", message)
                .with_context("note", format!("the state of `{}` is as it was", plan.from))
                .with_hint("look at what is stored before anything else is done with it");
            Err(error)
        }
    }
}

/// Puts back what was at the target before the copy was written there, with this description if
/// that is known.
///
/// # Errors
/// `PreconditionFailed` if the copy was there before, or is another state by now: then it stays.
pub(crate) async fn withdraw(
    to: Place<'_>,
    plan: &CopyPlan,
    written: Option<&StateMeta>,
) -> Result<()> {
    let before = match &plan.target {
        // It is not of this run, and another client may work with it.
        Target::Same(_) => return Err(left("it was there before")),
        Target::Newer(_) => return Ok(()),
        Target::Earlier(_) => {
            return Err(left("what was there before an earlier run is not known"));
        }
        Target::Absent => None,
        Target::WayBack(found) | Target::Unused(found) => Some(found),
    };
    let Some(found) = to.look().await? else {
        return match before {
            None => Ok(()),
            Some(_) => Err(left("it is gone by now")),
        };
    };
    let is_own = match written.and_then(|meta| meta.etag.as_ref()) {
        Some(etag) => found.meta.etag.as_ref() == Some(etag),
        None => found.bytes == plan.new,
    };
    if !is_own {
        return Err(left("it is another state by now"));
    }
    match before {
        None => to.store.delete(to.workspace).await,
        Some(before) => {
            let options = over(&found.meta).into();
            let bytes = before.bytes.clone();
            to.store.write(to.workspace, Outgoing::from(bytes), &options).await.map(drop)
        }
    }
}

fn left(reason: &str) -> Error {
    Error::new(ErrorKind::PreconditionFailed, "withdraw", format!("it stays: {reason}"))
}

/// Returns the precondition of a write that replaces what has this description.
pub(crate) fn over(meta: &StateMeta) -> WriteMode {
    meta.etag.clone().map_or(WriteMode::Overwrite, WriteMode::Update)
}
