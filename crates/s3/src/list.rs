//! Walking through listings, page after page.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::future::{Future, ready};

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use remote_state_core::{
    ETag, Error, ErrorKind, LockRecord, Result, StateMeta, StateVersion, VersionId, Workspace,
};

use crate::dialect::Versioned;
use crate::store::{S3Store, timestamp};
use crate::versions::{Listed, next};

/// How many lock files to read at once.
const PARALLEL_READS: usize = 16;

/// One page, and where the next one starts.
struct Page<T, M> {
    items: Vec<T>,
    next: Option<M>,
}

/// Turns pages into items. A page is asked for when the one before it is used up, so memory stays bounded by one page.
fn pages<'a, T, M, F>(fetch: impl Fn(Option<M>) -> F + Send + 'a) -> BoxStream<'a, Result<T>>
where
    T: Send + 'a,
    M: Clone + PartialEq + Send + 'a,
    F: Future<Output = Result<Page<T, M>>> + Send + 'a,
{
    // The marker is doubly optional: there is none before the first page, and no page after the last.
    let start = (VecDeque::new(), Some(None), fetch);
    stream::try_unfold(start, |(mut items, mut marker, fetch)| async move {
        loop {
            if let Some(item) = items.pop_front() {
                return Ok(Some((item, (items, marker, fetch))));
            }
            let Some(at) = marker else { return Ok(None) };
            let page = fetch(at.clone()).await?;
            if page.next.is_some() && page.next == at {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "list",
                    "the store goes round in circles: its listing goes on where it has been",
                ));
            }
            items = page.items.into();
            marker = page.next.map(Some);
        }
    })
    .boxed()
}

impl S3Store {
    fn list_keys(&self, operation: &'static str) -> BoxStream<'_, Result<String>> {
        pages(move |token| async move {
            let answer = self.client.list(operation, &self.layout.listing_prefix(), token).await?;
            Ok(Page {
                next: next(answer.is_truncated, answer.next_continuation_token)?,
                items: answer
                    .contents
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|object| object.key)
                    .collect(),
            })
        })
    }

    pub(crate) fn list_workspaces(&self) -> BoxStream<'_, Result<Workspace>> {
        self.list_keys("list workspaces")
            .try_filter_map(async |key| Ok(self.layout.workspace_of_state(&key)))
            .boxed()
    }

    /// Looks at the lock of every workspace that has one or could have.
    ///
    /// Lock files show in the listing. Lock items do not, and a table cannot be asked for those of one bucket without reading it whole: so the
    /// item of each workspace is asked for that has a state or a lock file, and of `default`.
    pub(crate) fn list_locks(&self) -> BoxStream<'_, Result<(Workspace, LockRecord)>> {
        let has_table = self.table.is_some();
        let mut last = None;
        let named = self.list_keys("list locks").try_filter_map(move |key| {
            let state = || self.layout.workspace_of_state(&key).filter(|_| has_table);
            // The keys of a workspace follow each other.
            let next =
                self.layout.workspace_of_lock(&key).or_else(state).filter(|next| last.as_ref() != Some(next));
            if next.is_some() {
                last.clone_from(&next);
            }
            ready(Ok(next))
        });
        stream::once(async { Ok(Workspace::default()) })
            .chain(named)
            .map_ok(move |workspace| async move {
                // It may have been released since it was listed.
                let held = self.visible_lock(&workspace).inspect_all("list locks").await?;
                let held = held.into_iter().map(move |record| Ok((workspace.clone(), record)));
                Ok(stream::iter(held.collect::<Vec<_>>()))
            })
            .try_buffered(PARALLEL_READS)
            .try_flatten()
            .boxed()
    }

    pub(crate) fn list_state_versions(&self, workspace: &Workspace) -> BoxStream<'_, Result<StateVersion>> {
        let key = self.layout.state_key(workspace);
        pages(move |after| {
            let key = key.clone();
            async move {
                let page = self.client.list_versions("list versions", &key, after).await?;
                // Keys that merely begin like ours come after it.
                let is_over = page.entries.last().is_some_and(|last| last.key != key);
                let next = if is_over { None } else { next(page.is_truncated, page.next)? };
                let ours = page.entries.into_iter().filter(|listed| listed.key == key);
                let mut items: Vec<_> = ours.map(state_version).collect();
                // Not every store lists versions and markers in one order: only the time is left then.
                if self.dialect.versioned == Versioned::Same {
                    items.sort_by_key(|item| Reverse((item.is_latest, item.meta.modified)));
                }
                Ok(Page { items, next })
            }
        })
    }
}

fn state_version(listed: Listed) -> StateVersion {
    let meta = StateMeta::new(listed.size_bytes)
        .with_etag(listed.etag.map(ETag::new))
        .with_version(listed.version.map(VersionId::new))
        .with_modified(listed.modified.as_ref().and_then(timestamp));
    if listed.is_marker {
        StateVersion::delete_marker(meta, listed.is_latest)
    } else {
        StateVersion::new(meta, listed.is_latest)
    }
}
