//! What it means to restore a version.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::{
    Advice, Error, ErrorKind, Md5Sum, ReadOptions, RecordedDigest, Result, Serial, StateHeader,
    StateStore, StateVersion, VersionId, Workspace, WriteMode,
};

use super::serials::{Serials, of_lineage, raised, serials};
use super::types::{RestoreOptions, RestorePlan, Stored};
use super::whole;
use crate::StateText;
use crate::diff::{
    Comparison, DiffOptions, OutputChange, ProviderChange, Report, ResourceChange, Summary,
};
use crate::reference::{Reference, options as version_options, resolve};
use remote_state_core::with_serial;

/// Finds out what it means to restore a version.
///
/// # Errors
/// `NotFound` if there is no such version; `PreconditionFailed` if it is of another lineage, if it
/// has no serial that can be raised, or if the replaced state would be lost; any error of the
/// store.
pub async fn plan(
    store: &dyn StateStore,
    workspace: &Workspace,
    reference: &Reference,
    options: RestoreOptions,
) -> Result<RestorePlan> {
    let versions: Vec<_> = match store.versions(workspace).try_collect().await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Vec::new(),
        versions => versions?,
    };
    let found = resolve(store, workspace, &[reference]).await?.into_iter().next().flatten();
    let chosen = chosen(store, workspace, found).await?.ok_or_else(|| {
        let state = store.location(workspace).state;
        Error::new(ErrorKind::NotFound, "restore", format!("no state is stored at `{state}`"))
    })?;
    let stored = whole(store, workspace, ReadOptions::default().ignoring_digest()).await?;
    if stored.is_none() {
        check_is_gone(store, workspace, &versions)?;
    }
    let (meta, mode) = match &stored {
        None => (None, WriteMode::Create),
        Some(current) => {
            let etag = current.meta.etag.clone();
            (Some(current.meta.clone()), etag.map_or(WriteMode::Overwrite, WriteMode::Update))
        }
    };
    let (current, no_state) = match stored.map(Stored::parse).transpose() {
        Ok(current) => (current, None),
        // What is no state is replaced, if that was asked for.
        Err(_) if options.is_forced => (None, meta),
        Err(error) => {
            let message = "the current object is no state";
            return Err(refused(message).because(error.message()).with_advice(Advice::Force));
        }
    };
    check_seals(store, workspace, current.as_ref(), &chosen, options)?;
    if let Some(current) = &current {
        check_lineage(current, &chosen, options)?;
    }
    let mut known = if options.is_verbatim {
        Serials::of(&chosen)
    } else {
        serials(store, workspace, &versions, &chosen, options).await?
    };
    let of_current = current.as_ref().and_then(|current| of_lineage(&current.header, &chosen));
    known.highest = known.highest.max(of_current.unwrap_or(known.highest));
    let new =
        if options.is_verbatim { chosen.bytes.clone() } else { raised(&chosen, known.highest)? };
    let plan = finish(store, workspace, (chosen, current), (new, mode), known).await?;
    if !plan.is_current && !options.loses_current {
        check_is_kept(plan.mode != WriteMode::Create, &versions)?;
    }
    Ok(RestorePlan { no_state, ..plan })
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
        return Err(refused(&format!("`{state}` is not deleted: a state is stored there")));
    }
    let versions: Vec<_> = store.versions(workspace).try_collect().await?;
    check_is_gone(store, workspace, &versions)?;
    let is_state =
        |version: &&StateVersion| !version.is_delete_marker && version.meta.size_bytes > 0;
    let id = |version: &StateVersion| version.meta.version.clone();
    let version = match reference {
        // Without a listing this would mean the current state.
        None | Some(&Reference::CURRENT) => versions.iter().find(is_state).and_then(id),
        Some(reference) => {
            resolve(store, workspace, &[reference]).await?.into_iter().next().flatten()
        }
    };
    let nothing = || {
        let message = format!("no version of `{state}` is left that could be brought back");
        Error::new(ErrorKind::NotFound, "undelete", message)
    };
    let version = version.ok_or_else(nothing)?;
    let chosen = chosen(store, workspace, Some(version)).await?.ok_or_else(nothing)?;
    check_seals(store, workspace, None, &chosen, options)?;
    let known = serials(store, workspace, &versions, &chosen, options).await?;
    let new = if options.is_verbatim || known.highest <= chosen.header.serial {
        chosen.bytes.clone()
    } else {
        raised(&chosen, known.highest)?
    };
    finish(store, workspace, (chosen, None), (new, WriteMode::Create), known).await
}

/// Reads the version to restore, whether it has the recorded digest or not.
async fn chosen(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: Option<VersionId>,
) -> Result<Option<Stored>> {
    let name = version
        .as_ref()
        .map_or_else(|| "the current state".to_owned(), |version| format!("version `{version}`"));
    let read = whole(store, workspace, version_options(version).ignoring_digest()).await?;
    let parsed = read.map(Stored::parse).transpose();
    parsed.map_err(|error| refused(&format!("{name} is no state")).because(error.message()))
}

async fn finish(
    store: &dyn StateStore,
    workspace: &Workspace,
    (chosen, current): (Stored, Option<Stored>),
    (new, mode): (Bytes, WriteMode),
    Serials { highest, unread }: Serials,
) -> Result<RestorePlan> {
    let serial = StateHeader::parse(&new)?.serial;
    let (mut has_wrong_digest, mut needs_digest) = (false, false);
    if let Some(current) = current.as_ref().filter(|_| store.capabilities().has_digests()) {
        let recorded = store.inspect_digest(workspace).await?;
        let digest = RecordedDigest::Md5(Md5Sum::of(&current.bytes));
        needs_digest = recorded.as_ref() != Some(&digest);
        has_wrong_digest = needs_digest && matches!(recorded, Some(RecordedDigest::Md5(_)));
    }
    let is_current = current.as_ref().is_some_and(|current| is_same(current, &chosen));
    let changes = current.as_ref().and_then(|current| changes(current.bytes.clone(), new.clone()));
    Ok(RestorePlan {
        chosen,
        current,
        no_state: None,
        serial,
        highest,
        unread,
        is_current,
        has_wrong_digest,
        changes,
        needs_digest,
        new,
        mode,
    })
}

/// Checks that a state that cannot be read is not in the list: for some minutes after versioning is
/// turned on for the first time, Amazon S3 may not find what is there. See
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>.
fn check_is_gone(
    store: &dyn StateStore,
    workspace: &Workspace,
    versions: &[StateVersion],
) -> Result<()> {
    match versions.first() {
        Some(newest) if !newest.is_delete_marker && newest.meta.size_bytes > 0 => {
            let state = store.location(workspace).state;
            let message = format!("the store lists a state at `{state}`, and does not return it");
            Err(Error::new(ErrorKind::Unavailable, "restore", message)
                .with_hint("try again in some minutes"))
        }
        _ => Ok(()),
    }
}

/// Checks that the bucket keeps what is replaced. The version of a bucket whose versioning is
/// suspended has the id `null`, and the next write replaces it.
fn check_is_kept(replaces: bool, versions: &[StateVersion]) -> Result<()> {
    let has_id = |version: &StateVersion| {
        version.meta.version.as_ref().is_some_and(|id| id.as_str() != "null")
    };
    if !replaces || versions.first().is_some_and(has_id) {
        return Ok(());
    }
    Err(refused("the bucket keeps no version of the current state, which would be lost")
        .with_advice(Advice::LoseCurrent))
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
    Err(refused("the version is that of another state: its lineage is not that of the current one")
        .with_advice(Advice::Force)
        .with_context("current lineage", of_current)
        .with_context("lineage of the version", of_chosen))
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::PreconditionFailed, "restore", message)
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
