//! What a bucket's listings say of workspaces, locks and versions.

use std::cmp::Reverse;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use remote_state_core::provider::{Page, locks_of, not_too_many, pages};
use remote_state_core::{ETag, LockRecord, Result, StateMeta, StateVersion, VersionId, Workspace};

use crate::dialect::Versioned;
use crate::store::{S3Store, timestamp};
use crate::versions::Listed;

impl S3Store {
    fn list_keys(&self, operation: &'static str) -> BoxStream<'_, Result<String>> {
        pages(self.client.store(), move |token| async move {
            let answer = self.client.list(operation, &self.layout.listing_prefix(), token).await?;
            let objects = answer.contents.unwrap_or_default().into_iter();
            let keys: Vec<_> = objects.filter_map(|object| object.key).collect();
            let first = keys.first().cloned();
            let is_truncated = answer.is_truncated == Some(true);
            Ok(Page::new(keys, is_truncated, answer.next_continuation_token)?.with_first(first))
        })
    }

    pub(crate) fn list_workspaces(&self) -> BoxStream<'_, Result<Workspace>> {
        let named = self
            .list_keys("list workspaces")
            .try_filter_map(async |key| Ok(self.layout.workspace_of_state(&key)))
            .boxed();
        not_too_many(self.client.store(), named)
    }

    /// Looks at the lock of every workspace that has one or could have: see [`locks_of`].
    pub(crate) fn list_locks(&self) -> BoxStream<'_, Result<(Workspace, LockRecord)>> {
        let has_table = self.table.is_some();
        let workspace_of = move |key: &str| {
            let of_state = || self.layout.workspace_of_state(key).filter(|_| has_table);
            self.layout.workspace_of_lock(key).or_else(of_state)
        };
        locks_of(self.list_keys("list locks"), workspace_of, move |workspace| async move {
            self.visible_lock(&workspace).inspect_all("list locks").await
        })
    }

    pub(crate) fn list_state_versions(
        &self,
        workspace: &Workspace,
    ) -> BoxStream<'_, Result<StateVersion>> {
        let key = self.layout.state_key(workspace);
        pages(self.client.store(), move |after| {
            let key = key.clone();
            async move {
                let page = self.client.list_versions("list versions", &key, after).await?;
                // Keys that merely begin like ours come after it.
                let is_over = page.entries.last().is_some_and(|last| last.key != key);
                let (is_truncated, next) = (page.is_truncated == Some(true) && !is_over, page.next);
                let first = page.entries.first().map(Listed::identity);
                let ours = page.entries.into_iter().filter(|listed| listed.key == key);
                let mut items: Vec<_> = ours.map(state_version).collect();
                // Not every store lists versions and markers in one order: only the time is left
                // then.
                if self.dialect.versioned == Versioned::Same {
                    items.sort_by_key(|item| Reverse((item.is_latest, item.meta.modified)));
                }
                Ok(Page::new(items, is_truncated, next)?.with_first(first))
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
