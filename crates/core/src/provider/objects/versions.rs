//! The versions of an object, and what those of a lock object say.

use std::cmp::Reverse;
use std::future::ready;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::backend::ObjectBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::{LockContent, LockRecord};
use crate::provider::{MAX_LOCK_RECORD_BYTES, Outcome, pages, read_lock_record};
use crate::store::{PastLock, ReadOptions, StateVersion, Versions};

/// The most versions of one object. Callers that sort them hold them all in memory.
const MOST_VERSIONS: usize = 250_000;

/// How many lock records are read at the same time.
const PARALLEL_READS: usize = 8;

/// Lists the versions of an object, the newest first.
pub(super) fn versions_of(
    objects: &Arc<dyn ObjectBackend>,
    key: String,
) -> BoxStream<'static, Result<StateVersion>> {
    let (objects, key) = (Arc::clone(objects), Arc::<str>::from(key));
    let versions = objects.capabilities().versions;
    let store = objects.store().to_owned();
    let unsupported = format!("{store} keeps no versions");
    let listed = pages(store.clone(), move |at| {
        let (objects, key) = (Arc::clone(&objects), Arc::clone(&key));
        async move { objects.versions(&key, at).await }
    });
    let listed = not_endless(store, listed);
    match versions {
        Versions::InOrder => in_order(listed),
        Versions::ByTime => newest_first(listed),
        Versions::None => {
            let error = Error::new(ErrorKind::Unsupported, "list versions", unsupported);
            stream::once(ready(Err(error))).boxed()
        }
    }
}

/// Limits the versions to more than any state has.
fn not_endless(
    store: String,
    versions: BoxStream<'static, Result<StateVersion>>,
) -> BoxStream<'static, Result<StateVersion>> {
    let numbered = versions.enumerate().map(move |(before, version)| {
        if before < MOST_VERSIONS {
            return version;
        }
        let reason = format!("the store lists more than {MOST_VERSIONS} versions of one object");
        Err(Error::new(ErrorKind::Unexpected, "list versions", reason)
            .with_context("store", &store))
    });
    numbered.boxed()
}

/// Passes on the versions as the store lists them, if the newest is the first. Emulators that pass
/// for a store that lists in order may list deletions after all versions.
fn in_order(
    mut versions: BoxStream<'static, Result<StateVersion>>,
) -> BoxStream<'static, Result<StateVersion>> {
    let checked = async move {
        let Some(first) = versions.try_next().await? else { return Ok(versions) };
        let is_newest = first.is_latest;
        let all = stream::once(ready(Ok(first))).chain(versions).boxed();
        Ok::<_, Error>(if is_newest { all } else { newest_first(all) })
    };
    stream::once(checked).try_flatten().boxed()
}

/// Sorts the versions of a store that lists them and their deletions in different orders.
fn newest_first(
    versions: BoxStream<'static, Result<StateVersion>>,
) -> BoxStream<'static, Result<StateVersion>> {
    let sorted = async move {
        let mut all: Vec<_> = versions.try_collect().await?;
        all.sort_by_key(|version| Reverse((version.is_latest, version.meta.modified)));
        Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
    };
    stream::once(sorted).try_flatten().boxed()
}

/// Lists the locks that the versions of a lock object remember, the newest first.
pub(super) fn past_locks(
    objects: &Arc<dyn ObjectBackend>,
    lock_key: String,
) -> BoxStream<'static, Result<PastLock>> {
    let (reader, key) = (Arc::clone(objects), Arc::<str>::from(lock_key.clone()));
    let mut changed_next = None;
    versions_of(objects, lock_key)
        .map_ok(move |version| {
            let released = std::mem::replace(&mut changed_next, version.meta.modified);
            (version, released)
        })
        .try_filter(|(version, _)| ready(!version.is_delete_marker))
        .map_ok(move |(version, released)| {
            let (objects, key) = (Arc::clone(&reader), Arc::clone(&key));
            async move { past_lock(&*objects, &key, version, released).await }
        })
        .try_buffered(PARALLEL_READS)
        .try_filter_map(|lock| ready(Ok(lock)))
        .boxed()
}

/// Reads one version of a lock object. `None` if it is gone by now, or if a release stored it.
async fn past_lock(
    objects: &dyn ObjectBackend,
    key: &str,
    version: StateVersion,
    released: Option<Timestamp>,
) -> Result<Option<PastLock>> {
    let options = ReadOptions { version: version.meta.version, ..ReadOptions::default() };
    let longest = MAX_LOCK_RECORD_BYTES as u64 + 1;
    let read = match objects.get("read the lock", key, &options.with_limit(longest)).await {
        Ok(read) => read.with_limit(longest).collect().await,
        Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
        Err(failure) if failure.error.kind() == ErrorKind::NotFound => return Ok(None),
        // A record under a lost key, for example, does not hide those of other locks.
        Err(failure) => Err(failure.error),
    };
    let record = match read {
        Ok(read) => read_lock_record(&read.bytes, objects.url(key)),
        Err(error) => {
            LockRecord::new(LockContent::Unreadable(error.message().to_owned()), objects.url(key))
        }
    };
    Ok((!record.is_being_released())
        .then(|| PastLock::new(record, version.meta.modified, released)))
}
