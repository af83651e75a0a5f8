//! What a bucket's listings say of workspaces, locks and versions.

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use remote_state_core::provider::{Page, locks_of, not_too_many, pages};
use remote_state_core::{ETag, LockRecord, Result, StateMeta, StateVersion, VersionId, Workspace};

use crate::store::OssStore;
use crate::xml::{Entry, decode};

impl OssStore {
    fn list_keys(&self, operation: &'static str) -> BoxStream<'_, Result<String>> {
        pages(self.client.sender.store(), move |marker| async move {
            let page = self.client.list(operation, &self.layout.listing_prefix(), marker).await?;
            let items: Vec<_> = page.contents.iter().map(|listed| decode(&listed.key)).collect();
            // The marker may be left out where the last key says the same.
            let marker =
                page.next_marker.as_deref().map(decode).filter(|marker| !marker.is_empty());
            let marker = marker.or_else(|| items.last().cloned());
            let first = items.first().cloned();
            Ok(Page::new(items, page.is_truncated, marker)?.with_first(first))
        })
    }

    pub(crate) fn list_workspaces(&self) -> BoxStream<'_, Result<Workspace>> {
        let named = self
            .list_keys("list workspaces")
            .try_filter_map(async |key| Ok(self.layout.workspace_of_state(&key)))
            .boxed();
        not_too_many(self.client.sender.store(), named)
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
        pages(self.client.sender.store(), move |after| {
            let key = key.clone();
            async move {
                let page = self.client.list_versions("list versions", &key, after).await?;
                let of_state = |entry: Entry| match entry {
                    Entry::Version(version) => Some((version, false)),
                    Entry::DeleteMarker(version) => Some((version, true)),
                    Entry::Other => None,
                };
                let first = page.entries.iter().find_map(|entry| match entry {
                    Entry::Version(version) | Entry::DeleteMarker(version) => {
                        Some(format!("{} {}", version.key, version.version_id))
                    }
                    Entry::Other => None,
                });
                let ours = page
                    .entries
                    .into_iter()
                    .filter_map(of_state)
                    .filter(|(entry, _)| decode(&entry.key) == key);
                let items = ours
                    .map(|(entry, is_delete_marker)| {
                        let meta = StateMeta::new(entry.size)
                            .with_etag(entry.etag.map(ETag::new))
                            .with_version(Some(VersionId::new(entry.version_id)))
                            .with_modified(entry.last_modified.parse().ok());
                        if is_delete_marker {
                            StateVersion::delete_marker(meta, entry.is_latest)
                        } else {
                            StateVersion::new(meta, entry.is_latest)
                        }
                    })
                    .collect();
                let next_key = page.next_key_marker.as_deref().map(decode);
                // Keys that merely begin like ours come after it.
                let is_over = next_key.as_deref().is_some_and(|marker| marker != key);
                let version = page.next_version_id_marker.as_deref().map(decode);
                let is_truncated = page.is_truncated && !is_over;
                Ok(Page::new(items, is_truncated, next_key.zip(version))?.with_first(first))
            }
        })
    }
}
