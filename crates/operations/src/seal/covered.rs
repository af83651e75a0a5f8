//! What a client that takes no lock wrote while a state was sealed, in a store that does not check
//! the condition of a write.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::{
    Error, ErrorKind, Outgoing, ReadOptions, Result, StateBytes, StateMeta, StateStore,
    StateVersion, VersionId, Workspace, WriteMode,
};

/// How many versions may have been written since the state was read.
const MOST_VERSIONS: usize = 50;

/// The name of the operation.
const SEAL: &str = "seal";

/// Looks in the version list for versions between the state that was sealed and its seal, and puts
/// the newest of them back.
///
/// # Errors
/// `PreconditionFailed` if there were any; any error of the store.
pub(super) async fn uncover(
    store: &dyn StateStore,
    workspace: &Workspace,
    replaced: &StateMeta,
    seal: &Bytes,
    written: Option<&StateMeta>,
) -> Result<()> {
    let capabilities = store.capabilities();
    if capabilities.writes_conditionally_over(replaced) || !capabilities.has_versions() {
        return Ok(());
    }
    // Without a version there was no list to look into before; the caller knows that.
    let Some(before) = replaced.version.as_ref().filter(|id| id.as_str() != "null") else {
        return Ok(());
    };
    let state = store.location(workspace).state;
    let listed = newer_than(store, workspace, before).await;
    let newer = listed.map_err(|error| {
        error.with_context(
            "note",
            format!(
                "`{state}` is sealed; whether that covered the state \
                                            of a client without a lock is not known"
            ),
        )
    })?;
    let own = written.and_then(|meta| meta.version.clone());
    let mut others = Vec::new();
    for version in &newer {
        let id = version.meta.version.as_ref();
        let is_own = match &own {
            Some(own) => id == Some(own),
            None => holds(store, workspace, version, seal).await?,
        };
        if !is_own {
            others.push(version);
        }
    }
    let Some(covered) = others.first() else { return Ok(()) };
    // Versions of the same time are listed in any order.
    if shows(store, workspace, seal).await? {
        put_back(store, workspace, covered, written).await.map_err(|error| {
            let id = covered.meta.version.as_ref().map_or("", VersionId::as_str);
            error.with_context(
                "note",
                format!("the seal at `{state}` covers version `{id}` of a client without a lock"),
            )
        })?;
    }
    let message = format!("a client that takes no lock wrote to `{state}` while it was sealed");
    Err(Error::new(ErrorKind::PreconditionFailed, "seal", message))
}

/// Returns the newest version of another client that an earlier run may have sealed without seeing
/// it; `None` if the store shows that there is none, or does not show it at all.
///
/// # Errors
/// Any error of the store.
pub(crate) async fn covered_by(
    store: &dyn StateStore,
    workspace: &Workspace,
    sealed: &StateBytes,
    before: Option<&VersionId>,
) -> Result<Option<StateVersion>> {
    let capabilities = store.capabilities();
    let Some(before) = before.filter(|id| id.as_str() != "null") else { return Ok(None) };
    let replaced = StateMeta::new(0).with_version(Some(before.clone()));
    if capabilities.writes_conditionally_over(&replaced) || !capabilities.has_versions() {
        return Ok(None);
    }
    let newer = match newer_than(store, workspace, before).await {
        Ok(newer) => newer,
        // The bucket may have removed what was sealed long ago.
        Err(error) if error.kind() == ErrorKind::Unknown && error.operation() == SEAL => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    for version in newer {
        let is_own = match &sealed.meta.version {
            Some(own) => version.meta.version.as_ref() == Some(own),
            None => holds(store, workspace, &version, &sealed.bytes).await?,
        };
        if !is_own {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// Puts back what a seal covers.
///
/// # Errors
/// `PreconditionFailed` if the seal is another state by now; any error of the store.
pub(crate) async fn lift(
    store: &dyn StateStore,
    workspace: &Workspace,
    covered: &StateVersion,
    sealed: &StateBytes,
) -> Result<()> {
    put_back(store, workspace, covered, Some(&sealed.meta)).await
}

/// Checks that the version list can be read, where it has to show what a seal covers.
///
/// # Errors
/// Any error of the store.
pub(crate) async fn check_listed(
    store: &dyn StateStore,
    workspace: &Workspace,
    replaced: &StateMeta,
) -> Result<()> {
    let capabilities = store.capabilities();
    let has_id = replaced.version.as_ref().is_some_and(|id| id.as_str() != "null");
    if capabilities.writes_conditionally_over(replaced) || !capabilities.has_versions() || !has_id {
        return Ok(());
    }
    store.versions(workspace).try_next().await.map(drop).map_err(|error| {
        error.with_context("note", "the version list has to show what a seal would cover")
    })
}

/// Looks for what another client wrote to the target of a copy between the look at it and the
/// copy, and puts it back.
///
/// # Errors
/// `PreconditionFailed` if there was something, and it is put back; `Unknown` if it is not, or if
/// the list cannot be read.
pub(crate) async fn uncover_copy(
    store: &dyn StateStore,
    workspace: &Workspace,
    found: Option<&StateMeta>,
    written: &StateMeta,
    bytes: &Bytes,
) -> Result<()> {
    let capabilities = store.capabilities();
    let own = written.version.as_ref().filter(|id| id.as_str() != "null");
    let Some(own) = own.filter(|_| {
        capabilities.has_versions() && !capabilities.writes_conditionally_over(written)
    }) else {
        return Ok(());
    };
    let before = found.and_then(|found| found.version.as_ref());
    let failed = |error: Error| {
        let message = "whether the copy covers what another client wrote is not known";
        Error::new(ErrorKind::Unknown, "copy", message).because(error.message()).with_source(error)
    };
    let covered = next_below(store, workspace, own).await.map_err(failed)?;
    let Some(covered) = covered.filter(|version| match before {
        Some(before) => version.meta.version.as_ref() != Some(before),
        None => !version.is_delete_marker && found.is_none(),
    }) else {
        return Ok(());
    };
    if shows(store, workspace, bytes).await.map_err(failed)? {
        put_back(store, workspace, &covered, Some(written)).await.map_err(failed)?;
    }
    let state = store.location(workspace).state;
    let message = format!("a client that takes no lock wrote to `{state}` while it was copied to");
    Err(Error::new(ErrorKind::PreconditionFailed, "copy", message))
}

/// Returns the version that is listed below another one.
async fn next_below(
    store: &dyn StateStore,
    workspace: &Workspace,
    own: &VersionId,
) -> Result<Option<StateVersion>> {
    let mut listed = store.versions(workspace);
    for _ in 0..MOST_VERSIONS {
        match listed.try_next().await? {
            Some(version) if version.meta.version.as_ref() == Some(own) => {
                return listed.try_next().await;
            }
            Some(_) => {}
            None => break,
        }
    }
    let message = format!("the version list does not show version `{own}`, which was written");
    Err(Error::new(ErrorKind::Unknown, "copy", message))
}

/// Returns whether a state has these bytes.
async fn shows(store: &dyn StateStore, workspace: &Workspace, bytes: &Bytes) -> Result<bool> {
    match store.read(workspace, &ReadOptions::default().ignoring_digest()).await? {
        Some(read) => Ok(read.collect().await?.bytes == *bytes),
        None => Ok(false),
    }
}

/// Lists the versions that are newer than the one that was sealed.
async fn newer_than(
    store: &dyn StateStore,
    workspace: &Workspace,
    before: &VersionId,
) -> Result<Vec<StateVersion>> {
    let mut listed = store.versions(workspace);
    let mut newer = Vec::new();
    while let Some(version) = listed.try_next().await? {
        if version.meta.version.as_ref() == Some(before) {
            return Ok(newer);
        }
        newer.push(version);
        if newer.len() > MOST_VERSIONS {
            break;
        }
    }
    let message = format!("the version list does not show version `{before}`, which was sealed");
    Err(Error::new(ErrorKind::Unknown, SEAL, message))
}

/// Returns whether a version has these bytes.
async fn holds(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: &StateVersion,
    bytes: &Bytes,
) -> Result<bool> {
    if version.is_delete_marker || version.meta.size_bytes != bytes.len() as u64 {
        return Ok(false);
    }
    Ok(read(store, workspace, version).await?.is_some_and(|found| found == *bytes))
}

async fn read(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: &StateVersion,
) -> Result<Option<Bytes>> {
    let Some(id) = version.meta.version.clone() else { return Ok(None) };
    let options = ReadOptions::default().ignoring_digest().with_version(id);
    match store.read(workspace, &options).await? {
        Some(read) => Ok(Some(read.collect().await?.bytes)),
        None => Ok(None),
    }
}

/// Makes a version the current state again, as it is.
async fn put_back(
    store: &dyn StateStore,
    workspace: &Workspace,
    covered: &StateVersion,
    seal: Option<&StateMeta>,
) -> Result<()> {
    if covered.is_delete_marker {
        return store.delete(workspace).await;
    }
    let Some(bytes) = read(store, workspace, covered).await? else {
        let message = "what the seal covers cannot be read";
        return Err(Error::new(ErrorKind::Unknown, "seal", message));
    };
    let etag = seal.and_then(|meta| meta.etag.clone());
    let mode = etag.map_or(WriteMode::Overwrite, WriteMode::Update);
    store.write(workspace, Outgoing::from(bytes), &mode.into()).await.map(drop)
}
