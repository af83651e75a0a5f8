//! Copying the state of one workspace to another, and proving the copy.

use bytes::Bytes;
use remote_state_core::{
    Author, ContentHash, Error, ErrorKind, Lineage, Outgoing, ReadOptions, Result, Seal,
    StateBytes, StateFormat, StateHeader, StateMeta, StateStore, Workspace, WriteMode,
    WriteOptions, with_lineage,
};

use super::{check_different, names};

/// What it means if the target has a state of the lineage that is to be written.
const SAME_LINEAGE: &str = "it has the same lineage: a rename that was not finished, or a copy; \
                            the one with the higher serial is in use";

/// The operation of an error about a state that cannot get another lineage.
pub const REPLACE_LINEAGE: &str = "replace lineage";

/// How to copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Keep the lineage: clients then take the copy for the same state.
    pub keeps_lineage: bool,
}

impl CopyOptions {
    /// Sets whether to keep the lineage.
    #[must_use]
    pub fn with_lineage_kept(mut self, keeps_lineage: bool) -> Self {
        self.keeps_lineage = keeps_lineage;
        self
    }
}

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
    new: Bytes,
}

impl CopyPlan {
    pub(super) fn new(
        (from, to): (&Workspace, &Workspace),
        source: StateBytes,
        header: StateHeader,
        target: Target,
        new: Bytes,
    ) -> Self {
        let lineage = header.lineage.clone();
        Self { from: from.clone(), to: to.clone(), source, header, target, lineage, new }
    }
}

/// Finds out what it means to copy the state of `from` to `to`.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if it is sealed, if the target has
/// a state, or if an encrypted state would need another lineage; any error of the store.
pub async fn plan_copy(
    store: &dyn StateStore,
    (from, to): (&Workspace, &Workspace),
    options: CopyOptions,
) -> Result<CopyPlan> {
    check_different(store, "copy", from, to)?;
    let source = source(store, "copy", from).await?;
    if let Some(seal) = Seal::of(&source.bytes) {
        return Err(seal.refusal("copy", &store.location(from).state));
    }
    let header = StateHeader::parse(&source.bytes)?;
    let (lineage, new) = if options.keeps_lineage {
        (header.lineage.clone(), source.bytes.clone())
    } else {
        let refused =
            |message: &str| Error::new(ErrorKind::PreconditionFailed, REPLACE_LINEAGE, message);
        if header.format == StateFormat::Encrypted {
            return Err(refused(
                "the state is encrypted, and its lineage is inside, where it cannot be replaced",
            ));
        }
        let lineage = Lineage::random()?;
        let new = with_lineage(&source.bytes, &lineage)
            .map_err(|error| refused("the state cannot get another lineage").because(error))?;
        (lineage, new)
    };
    let target = target(store, "copy", to, &new, None).await?;
    Ok(CopyPlan { lineage, ..CopyPlan::new((from, to), source, header, target, new) })
}

/// Writes the copy, if the target still is as it was planned for, and reads it back.
///
/// # Errors
/// `PreconditionFailed` if the target was changed meanwhile, or what is read back is something
/// else; `DigestMismatch` if the copy was written and its digest not recorded; any error of the
/// store.
pub async fn copy(store: &dyn StateStore, plan: &CopyPlan, author: &Author) -> Result<StateMeta> {
    let hash = ContentHash::of(&plan.new);
    let mode = match &plan.target {
        Target::Same(meta) => {
            store.record_digest(&plan.to, &plan.new.clone().into(), meta).await?;
            prove(store, plan, hash).await?;
            return Ok(meta.clone());
        }
        Target::Absent => WriteMode::Create,
        Target::WayBack(sealed) => over(&sealed.meta),
    };
    let annotations = author.annotations(&StateHeader::parse(&plan.new)?, hash);
    let options = WriteOptions::from(mode).with_annotations(annotations);
    let meta = store.write(&plan.to, Outgoing::from(plan.new.clone()), &options).await?;
    prove(store, plan, hash).await?;
    Ok(meta)
}

/// Reads the copy back, its digest included.
async fn prove(store: &dyn StateStore, plan: &CopyPlan, hash: ContentHash) -> Result<()> {
    let read = store.read(&plan.to, &ReadOptions::default().without_waiting()).await?;
    let is_there = match read {
        Some(read) => ContentHash::of(&read.collect().await?.bytes) == hash,
        None => false,
    };
    if is_there {
        return Ok(());
    }
    let state = store.location(&plan.to).state;
    let message = format!("`{state}` was written, and reads as something else");
    Err(Error::new(ErrorKind::PreconditionFailed, "copy", message)
        .with_context("note", format!("`{}` is as it was", store.location(&plan.from).state))
        .with_hint("look at what is stored before anything else is done with it"))
}

/// Puts back what was at the target before the copy was written there with this description.
///
/// # Errors
/// `PreconditionFailed` if the copy was there before, or is another state by now: then it stays.
pub(super) async fn withdraw(
    store: &dyn StateStore,
    plan: &CopyPlan,
    written: &StateMeta,
) -> Result<()> {
    match &plan.target {
        // It is not of this run, and somebody may work with it.
        Target::Same(_) => Err(left("it was there before")),
        Target::Absent => {
            let options = ReadOptions::default().ignoring_digest();
            let found = match store.read(&plan.to, &options).await? {
                Some(read) => read.collect().await?,
                None => return Ok(()),
            };
            if found.bytes != plan.new || found.meta.etag != written.etag {
                return Err(left("it is another state by now"));
            }
            store.delete(&plan.to).await
        }
        Target::WayBack(sealed) => {
            let options = over(written).into();
            store.write(&plan.to, Outgoing::from(sealed.bytes.clone()), &options).await.map(drop)
        }
    }
}

fn left(reason: &str) -> Error {
    Error::new(ErrorKind::PreconditionFailed, "rename", format!("it stays: {reason}"))
}

/// Returns the precondition of a write that replaces what has this description.
fn over(meta: &StateMeta) -> WriteMode {
    meta.etag.clone().map_or(WriteMode::Overwrite, WriteMode::Update)
}

/// Reads the state to copy whole, and holds it against its digest.
pub(super) async fn source(
    store: &dyn StateStore,
    operation: &'static str,
    from: &Workspace,
) -> Result<StateBytes> {
    match store.read(from, &ReadOptions::default().without_waiting()).await? {
        Some(read) => read.collect().await,
        None => {
            let state = store.location(from).state;
            let message = format!("there is no state of workspace `{from}`");
            Err(Error::new(ErrorKind::NotFound, operation, message).with_context("state", state))
        }
    }
}

/// Finds out what is at the target of a copy with these bytes. `way_back` is the workspace from
/// which a state may come back over its seal.
///
/// # Errors
/// `PreconditionFailed` if another state is there; any error of the store.
pub(super) async fn target(
    store: &dyn StateStore,
    operation: &'static str,
    to: &Workspace,
    new: &Bytes,
    way_back: Option<&Workspace>,
) -> Result<Target> {
    let options = ReadOptions::default().ignoring_digest();
    let Some(read) = store.read(to, &options).await? else { return Ok(Target::Absent) };
    let state = store.location(to).state;
    let exists = Error::new(
        ErrorKind::PreconditionFailed,
        operation,
        format!("workspace `{to}` has a state already"),
    )
    .with_context("state", &state);
    // What is longer or shorter is another state.
    if read.meta.size_bytes != new.len() as u64 && read.meta.size_bytes > Seal::MOST_BYTES {
        return Err(exists);
    }
    let found = read.collect().await?;
    if found.bytes == *new {
        return Ok(Target::Same(found.meta));
    }
    match Seal::of(&found.bytes) {
        Some(seal) if way_back.is_some_and(|from| names(&seal, from)) => Ok(Target::WayBack(found)),
        Some(seal) => Err(exists.with_context("note", format!("it is sealed: {seal}"))),
        None => Err(match StateHeader::parse(&found.bytes) {
            Ok(header) => {
                let is_of_it =
                    StateHeader::parse(new).is_ok_and(|new| new.lineage == header.lineage);
                let exists = exists
                    .with_context("serial", header.serial)
                    .with_context("lineage", &header.lineage);
                if is_of_it {
                    // A later state of the same lineage is the last thing to delete.
                    exists
                        .with_context("note", SAME_LINEAGE)
                        .with_hint("compare the two before anything is deleted")
                } else {
                    exists
                }
            }
            Err(_) => exists,
        }),
    }
}
