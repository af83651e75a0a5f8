//! Making an older version of a state the current one again.
//!
//! A restored state is a new write: its serial is one above every serial that its lineage ever had.
//! With its old serial a plan that was saved for another state of that serial would pass for current
//! and be applied. Only the digits of the serial change.
//!
//! The caller holds the lock from [`plan`] to the end of [`carry_out`].

#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use remote_state_core::{
    Advice, Author, ContentHash, Error, ErrorKind, Md5Sum, Outgoing, ReadOptions, RecordedDigest,
    Result, Seal, Serial, StateBytes, StateFormat, StateHeader, StateMeta, StateStore,
    StateVersion, VersionId, Workspace, WriteMode, WriteOptions, with_serial,
};

use crate::StateText;
use crate::diff::{
    Comparison, DiffOptions, OutputChange, ProviderChange, Report, ResourceChange, Summary,
};
use crate::heading::{Depth, read_heading};
use crate::reference::{Reference, options as version_options, resolve};

/// How many headers are read at the same time.
const PARALLEL_READS: usize = 8;

/// The annotation that names the version that was restored.
const RESTORED_FROM: &str = "restored-from";

/// How to restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Write the bytes as they were, with their old serial.
    pub is_verbatim: bool,
    /// Restore although the current state has another lineage, or although older versions cannot be
    /// read.
    pub is_forced: bool,
    /// Restore over a sealed state, so that this place is used again.
    pub is_unsealing: bool,
}

impl RestoreOptions {
    /// Sets whether to write the bytes as they were.
    #[must_use]
    pub fn with_verbatim(mut self, is_verbatim: bool) -> Self {
        self.is_verbatim = is_verbatim;
        self
    }

    /// Sets whether to restore over another lineage, and without having read every version.
    #[must_use]
    pub fn with_force(mut self, is_forced: bool) -> Self {
        self.is_forced = is_forced;
        self
    }

    /// Sets whether to restore over a sealed state.
    #[must_use]
    pub fn with_unseal(mut self, is_unsealing: bool) -> Self {
        self.is_unsealing = is_unsealing;
        self
    }
}

/// A stored state that a restore deals with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stored {
    /// The store's description of it.
    pub meta: StateMeta,
    /// Its header.
    pub header: StateHeader,
    /// What it says if it is sealed.
    pub seal: Option<Seal>,
    bytes: Bytes,
}

/// What a restore would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The version to restore.
    pub chosen: Stored,
    /// The current state; `None` if it was deleted, or if its bytes are no state.
    pub current: Option<Stored>,
    /// The serial of the restored state.
    pub serial: Serial,
    /// Whether the current state already is the chosen one, apart from its serial: nothing is
    /// written then.
    pub is_current: bool,
    /// Whether the current state does not have its recorded digest.
    pub has_wrong_digest: bool,
    /// What changes from the current state to the restored one; `None` if that is not known.
    pub changes: Option<Summary>,
    new: Bytes,
    mode: WriteMode,
}

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

/// Finds out what it means to restore a version.
///
/// # Errors
/// `NotFound` if there is no such version; `PreconditionFailed` if it is of another lineage, or has
/// no serial that can be raised; any error of the store.
pub async fn plan(
    store: &dyn StateStore,
    workspace: &Workspace,
    reference: &Reference,
    options: RestoreOptions,
) -> Result<RestorePlan> {
    let found = resolve(store, workspace, &[reference]).await?.into_iter().next().flatten();
    let chosen = stored(store, workspace, version_options(found)).await?;
    let chosen = chosen.ok_or_else(|| {
        let state = store.location(workspace).state;
        Error::new(ErrorKind::NotFound, "restore", format!("no state is stored at `{state}`"))
    })?;
    let current = whole(store, workspace, ReadOptions::default().ignoring_digest()).await?;
    let mode = mode_over(current.as_ref());
    let current = match current.map(Stored::parse).transpose() {
        // What is no state is replaced, if that was asked for.
        Err(_) if options.is_forced => None,
        current => current?,
    };
    check_seals(store, workspace, current.as_ref(), &chosen, options)?;
    if let Some(current) = &current {
        check_lineage(current, &chosen, options)?;
    }
    let versions: Vec<_> = store.versions(workspace).try_collect().await?;
    let new = if options.is_verbatim {
        chosen.bytes.clone()
    } else {
        let highest = highest_serial(store, workspace, &versions, &chosen, options).await?;
        let of_current = current.as_ref().and_then(|current| of_lineage(&current.header, &chosen));
        raised(&chosen, highest.max(of_current).unwrap_or(chosen.header.serial))?
    };
    finish(store, workspace, chosen, current, (new, mode)).await
}

/// Finds out what it means to bring the state back that was deleted last. Its serial stays as it
/// was, unless an older version has a higher one.
///
/// # Errors
/// `PreconditionFailed` if a state is there; `NotFound` if no version is; any error of the store.
pub async fn plan_undelete(
    store: &dyn StateStore,
    workspace: &Workspace,
    reference: Option<&Reference>,
    options: RestoreOptions,
) -> Result<RestorePlan> {
    let state = store.location(workspace).state;
    if store.read(workspace, &ReadOptions::default().with_limit(1)).await?.is_some() {
        let message = format!("`{state}` is not deleted: a state is stored there");
        return Err(Error::new(ErrorKind::PreconditionFailed, "undelete", message));
    }
    let versions: Vec<_> = store.versions(workspace).try_collect().await?;
    let newest = || versions.iter().find(|it| !it.is_delete_marker && it.meta.size_bytes > 0);
    let version = match reference {
        Some(reference) => {
            resolve(store, workspace, &[reference]).await?.into_iter().next().flatten()
        }
        None => newest().and_then(|version| version.meta.version.clone()),
    };
    let nothing = || {
        let message = format!("no version of `{state}` is left that could be brought back");
        Error::new(ErrorKind::NotFound, "undelete", message)
    };
    let version = version.ok_or_else(nothing)?;
    let chosen = stored(store, workspace, version_options(Some(version))).await?;
    let chosen = chosen.ok_or_else(nothing)?;
    check_seals(store, workspace, None, &chosen, options)?;
    let new = if options.is_verbatim || chosen.header.format == StateFormat::Encrypted {
        chosen.bytes.clone()
    } else {
        match highest_serial(store, workspace, &versions, &chosen, options).await? {
            Some(highest) if highest > chosen.header.serial => raised(&chosen, highest)?,
            _ => chosen.bytes.clone(),
        }
    };
    finish(store, workspace, chosen, None, (new, WriteMode::Create)).await
}

async fn finish(
    store: &dyn StateStore,
    workspace: &Workspace,
    chosen: Stored,
    current: Option<Stored>,
    (new, mode): (Bytes, WriteMode),
) -> Result<RestorePlan> {
    let serial = StateHeader::parse(&new)?.serial;
    let has_wrong_digest = match &current {
        Some(current) => {
            let recorded = store.inspect_digest(workspace).await?;
            let digest = RecordedDigest::Md5(Md5Sum::of(&current.bytes));
            store.capabilities().has_digests() && recorded != Some(digest)
        }
        None => false,
    };
    let is_current = current.as_ref().is_some_and(|current| is_same(current, &chosen));
    let changes = current.as_ref().and_then(|current| changes(current.bytes.clone(), new.clone()));
    Ok(RestorePlan { chosen, current, serial, is_current, has_wrong_digest, changes, new, mode })
}

/// Makes the planned state the current one, if the current state still is the one that the plan
/// was made for, and reads it back.
///
/// # Errors
/// `PreconditionFailed` if the state was changed meanwhile; `DigestMismatch` if the state was
/// written and its digest not recorded; `Unexpected` if what is read back is something else; any
/// error of the store.
pub async fn carry_out(
    store: &dyn StateStore,
    workspace: &Workspace,
    plan: &RestorePlan,
    author: &Author,
) -> Result<Restored> {
    if let Some(current) = plan.current.as_ref().filter(|_| plan.is_current) {
        if !plan.has_wrong_digest {
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
    match whole(store, workspace, ReadOptions::default().without_waiting()).await? {
        Some(read) if ContentHash::of(&read.bytes) == hash => Ok(Restored::Written(meta)),
        _ => {
            let state = store.location(workspace).state;
            let message = format!("`{state}` was written, and reads as something else");
            Err(Error::new(ErrorKind::Unexpected, "restore", message)
                .with_hint("look at what is stored before anything else is done with it"))
        }
    }
}

impl Stored {
    fn parse(StateBytes { meta, bytes }: StateBytes) -> Result<Self> {
        let header = StateHeader::parse(&bytes)?;
        Ok(Self { meta, header, seal: Seal::of(&bytes), bytes })
    }
}

async fn stored(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: ReadOptions,
) -> Result<Option<Stored>> {
    whole(store, workspace, options).await?.map(Stored::parse).transpose()
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

/// Returns the precondition of a write that replaces what was read.
fn mode_over(current: Option<&StateBytes>) -> WriteMode {
    match current {
        None => WriteMode::Create,
        Some(current) => current.meta.etag.clone().map_or(WriteMode::Overwrite, WriteMode::Update),
    }
}

/// Checks that nothing is sealed, or that the caller knows that the current state is. A sealed
/// version is no state that could be used again.
fn check_seals(
    store: &dyn StateStore,
    workspace: &Workspace,
    current: Option<&Stored>,
    chosen: &Stored,
    options: RestoreOptions,
) -> Result<()> {
    if let Some(seal) = &chosen.seal {
        let message = format!("the version is no state, but a seal: {seal}");
        return Err(Error::new(ErrorKind::PreconditionFailed, "restore", message)
            .with_hint("choose an older version, which is a state"));
    }
    match current.and_then(|current| current.seal.as_ref()) {
        Some(seal) if !options.is_unsealing => {
            let state = store.location(workspace).state;
            Err(seal.refusal("restore", &state).with_advice(Advice::Unseal))
        }
        _ => Ok(()),
    }
}

fn check_lineage(current: &Stored, chosen: &Stored, options: RestoreOptions) -> Result<()> {
    let (of_current, of_chosen) = (&current.header.lineage, &chosen.header.lineage);
    if of_current == of_chosen || options.is_forced {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PreconditionFailed,
        "restore",
        "the version is that of another state: its lineage is not that of the current one",
    )
    .with_context("current lineage", of_current)
    .with_context("lineage of the version", of_chosen))
}

/// Returns the serial of a state if it has the lineage of the chosen one.
fn of_lineage(header: &StateHeader, chosen: &Stored) -> Option<Serial> {
    (header.lineage == chosen.header.lineage).then_some(header.serial)
}

/// Returns the highest serial that the lineage of the chosen state has among the stored versions.
///
/// # Errors
/// The reason why the header of a version cannot be read: its serial may be the highest.
async fn highest_serial(
    store: &dyn StateStore,
    workspace: &Workspace,
    versions: &[StateVersion],
    chosen: &Stored,
    options: RestoreOptions,
) -> Result<Option<Serial>> {
    let states = versions.iter().filter(|version| !version.is_delete_marker);
    let reads = states.map(|version| serial_of(store, workspace, version, chosen, options));
    let serials: Vec<_> = stream::iter(reads).buffered(PARALLEL_READS).try_collect().await?;
    Ok(serials.into_iter().flatten().max())
}

async fn serial_of(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: &StateVersion,
    chosen: &Stored,
    options: RestoreOptions,
) -> Result<Option<Serial>> {
    let id = version.meta.version.clone();
    let read = version_options(id.clone()).ignoring_digest();
    match read_heading(store, workspace, &read, Depth::Whole).await {
        Ok(Some(heading)) => match heading.header {
            Ok(header) => Ok(header.and_then(|header| of_lineage(&header, chosen))),
            // What is no state has no serial.
            Err(_) => Ok(None),
        },
        Ok(None) => Ok(None),
        // It was removed since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) if options.is_forced => Ok(None),
        Err(error) => Err(error
            .with_context("version", id.as_ref().map_or("", VersionId::as_str))
            .with_context("note", "its serial may be the highest, and has to be known")),
    }
}

/// Returns the chosen state with the next serial.
fn raised(chosen: &Stored, highest: Serial) -> Result<Bytes> {
    let refused = |message: &str| Error::new(ErrorKind::PreconditionFailed, "restore", message);
    if chosen.header.format == StateFormat::Encrypted {
        return Err(refused(
            "the version is encrypted, and its serial is inside, where it cannot be raised",
        ));
    }
    let next = highest.max(chosen.header.serial).0.checked_add(1);
    let next =
        next.ok_or_else(|| refused("the highest serial of this state is the last there is"))?;
    with_serial(&chosen.bytes, Serial(next))
        .map_err(|error| refused("the serial of the version cannot be raised").because(error))
}

/// Returns whether two states are the same but for their serials.
fn is_same(one: &Stored, other: &Stored) -> bool {
    if one.bytes == other.bytes {
        return true;
    }
    let unnumbered = |state: &Stored| with_serial(&state.bytes, Serial(0)).ok();
    let (one, other) = (unnumbered(one), unnumbered(other));
    one.is_some() && one == other
}

/// Counts the instances that differ. A restore does not depend on that, so `None` says enough if
/// one of the states cannot be compared.
fn changes(from: Bytes, to: Bytes) -> Option<Summary> {
    let (from, to) = (StateText::from(from), StateText::from(to));
    let comparison = Comparison::new(&from, &to, &DiffOptions::default()).ok()?;
    if comparison.is_encrypted() { None } else { comparison.run(&mut Counts).ok() }
}

/// The report of a comparison of which only the counts matter.
struct Counts;

impl Report for Counts {
    type Error = Error;

    fn resource(&mut self, _: &ResourceChange) -> Result<()> {
        Ok(())
    }

    fn output(&mut self, _: &OutputChange) -> Result<()> {
        Ok(())
    }

    fn provider(&mut self, _: &ProviderChange) -> Result<()> {
        Ok(())
    }
}
