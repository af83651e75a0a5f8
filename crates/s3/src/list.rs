//! Walking through listings, page after page.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::future::{Future, ready};

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use remote_state_core::{
    ETag, Error, ErrorKind, LockRecord, Result, StateMeta, StateVersion, VersionId, Workspace,
};

use crate::store::{S3Store, timestamp};

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

/// Returns where the next page starts, if there is one.
fn next<M>(is_truncated: Option<bool>, marker: Option<M>) -> Result<Option<M>> {
    match (is_truncated == Some(true), marker) {
        (true, None) => Err(Error::new(
            ErrorKind::Unexpected,
            "list",
            "the store says that its listing goes on, but not where",
        )),
        (true, marker) => Ok(marker),
        (false, _) => Ok(None),
    }
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
                let answer = self.client.list_versions("list versions", &key, after).await?;
                let is_ours = |candidate: &Option<String>| candidate.as_deref() == Some(&*key);
                let mut items: Vec<StateVersion> = Vec::new();
                for version in answer.versions.unwrap_or_default() {
                    if is_ours(&version.key) {
                        let meta = StateMeta::new(
                            version.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                        )
                        .with_etag(version.e_tag.map(ETag::new))
                        .with_version(version.version_id.map(VersionId::new))
                        .with_modified(version.last_modified.as_ref().and_then(timestamp));
                        items.push(StateVersion::new(meta, version.is_latest == Some(true)));
                    }
                }
                for marker in answer.delete_markers.unwrap_or_default() {
                    if is_ours(&marker.key) {
                        let meta = StateMeta::new(0)
                            .with_version(marker.version_id.map(VersionId::new))
                            .with_modified(marker.last_modified.as_ref().and_then(timestamp));
                        items.push(StateVersion::delete_marker(meta, marker.is_latest == Some(true)));
                    }
                }
                // The SDK sorts versions and markers into two lists, and their order among each other is lost: only the time is left.
                items.sort_by_key(|item| Reverse((item.is_latest, item.meta.modified)));
                // Keys that merely begin like ours come after it.
                let is_over = answer.next_key_marker.as_deref().is_some_and(|marker| marker != key);
                let markers = answer.next_key_marker.zip(answer.next_version_id_marker);
                let next = if is_over { None } else { next(answer.is_truncated, markers)? };
                Ok(Page { items, next })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_that_goes_on_nobody_knows_where_is_an_error_and_not_the_end() {
        assert_eq!(next(Some(true), Some("token")).unwrap(), Some("token"));
        assert_eq!(next(Some(false), Some("token")).unwrap(), None);
        assert_eq!(next(None, None::<&str>).unwrap(), None);
        assert_eq!(next(Some(true), None::<&str>).unwrap_err().kind(), ErrorKind::Unexpected);
    }
}
