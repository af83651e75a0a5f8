//! What a run has left that was stopped.

use remote_state_core::{
    ContentHash, Error, ErrorKind, LockInfo, LockTarget, LockWaiting, Result, Seal, StateHeader,
    StateStoreExt as _,
};

use super::types::{Event, Left, MigrateOptions, Move, Moved, Run, Side, StateRef, Watch};
use crate::seal::Destination;

/// Finds out whether the target has what an earlier run has copied, for a source that is gone: then
/// the run was stopped after it had deleted the source.
///
/// # Errors
/// Any error of the stores.
pub async fn was_deleted(item: &Move, watch: &dyn Watch) -> Result<Option<Moved>> {
    let Some(found) = item.to.place().look().await? else { return Ok(None) };
    if !item.earlier.contains(&ContentHash::of(&found.bytes).to_string()) {
        return Ok(None);
    }
    release_recorded(item, watch).await?;
    Ok(Some(Moved::already(Left::Deleted)))
}

/// Releases the locks that an earlier run may have left. Those of others stay.
///
/// # Errors
/// Any error of the stores.
pub async fn release_recorded(item: &Move, watch: &dyn Watch) -> Result<()> {
    for (side, id) in [Side::Source, Side::Target].into_iter().zip(&item.locks) {
        let Some(id) = id else { continue };
        let StateRef { store, workspace } = item.side(side);
        match store.release(workspace, &LockTarget::Id(id.clone())).await {
            Ok(_) => watch.event(&Event::Released { side, id })?,
            // It is another one by now.
            Err(error) if error.holder().is_some() => {}
            Err(error) => return Err(error.with_context("lock id", id)),
        }
    }
    Ok(())
}

/// Returns whether a place has a state that is not sealed.
///
/// # Errors
/// Any error of the store.
pub async fn is_live(place: &StateRef) -> Result<bool> {
    let found = place.place().look().await?;
    let is_state = |bytes: &[u8]| Seal::of(bytes).is_none() && StateHeader::parse(bytes).is_ok();
    Ok(found.is_some_and(|found| is_state(&found.bytes)))
}

/// Deletes the seal at the target of a migration that was taken back, under its lock. Anything else
/// that is there stays. Returns whether there was such a seal.
///
/// # Errors
/// `PreconditionFailed` if the source has no state in use, to which the seal is the only pointer;
/// `LockHeld` if the target is locked; any error of the store.
pub async fn remove_seal(
    item: &Move,
    options: &MigrateOptions,
    run: &Run,
    waiting: &dyn LockWaiting,
) -> Result<bool> {
    let StateRef { store, workspace } = &item.to;
    let source = item.from.url();
    let is_seal = async || -> Result<bool> {
        let found = item.to.place().look().await?;
        let seal = found.and_then(|found| Seal::of(&found.bytes));
        Ok(seal.is_some_and(|seal| Destination::Place(&source).is_named_by(&seal)))
    };
    if !is_seal().await? {
        return Ok(false);
    }
    let work = async {
        if !is_seal().await? {
            return Ok(false);
        }
        if !is_live(&item.from).await? {
            let message = format!("`{source}` has no state that is in use");
            return Err(Error::new(ErrorKind::PreconditionFailed, "clean up", message)
                .because(format!("the seal at `{}` tells where it was", item.to.url())));
        }
        store.delete(workspace).await?;
        Ok(true)
    };
    if !store.capabilities().has_locks() {
        return work.await;
    }
    let (who, version) = (run.author.who.clone(), run.version.clone());
    let info = LockInfo::new("migration clean-up", who, version, run.now)?;
    store.with_lock(workspace, &info, options.lock_wait, waiting, work).await
}
