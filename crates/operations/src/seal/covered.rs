//! What a client that takes no lock wrote while a state was sealed, in a store that does not check
//! the condition of a write.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::{
    Error, ErrorKind, Outgoing, ReadOptions, Result, StateMeta, StateStore, StateVersion,
    VersionId, Workspace, WriteMode,
};

/// How many versions may have been written since the state was read.
const MOST_VERSIONS: usize = 50;

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
    let is_covered =
        newer.first().map(|newest| &newest.meta.version) != Some(&covered.meta.version);
    if is_covered {
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
    Err(Error::new(ErrorKind::Unknown, "seal", message))
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
