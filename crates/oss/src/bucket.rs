//! One bucket, and the state store over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use remote_state_core::advice::KeyValue;
use remote_state_core::provider::{
    Cursor, LockMechanism, ObjectBackend, ObjectStateStore, Page, StatePlace, StateWrite, TableUse,
    Written, whole_size,
};
use remote_state_core::{
    Advice, AnnotationStorage, Annotations, Capabilities, CatalogEntry, ETag, Error, ErrorKind,
    ReadOptions, Result, StateMeta, StateRead, StateVersion, VersionId, Versions,
};

use crate::client::{Client, EverVersioned};
use crate::clock::parse_http_date;
use crate::config::OssConfig;
use crate::download;
use crate::error::{Failure, Outcome};
use crate::lock::LockObject;
use crate::payload::Payload;
use crate::request::{Answer, Repeat, Sender};
use crate::tablestore::Table;
use crate::xml::{Entry, Listed, ListedVersion, decode};

/// What to configure so that the store can lock.
const LOCK_ADVICE: &[Advice] = &[
    Advice::text("remove `lock = false` from the configuration of every client of this state"),
    Advice::OverrideKey(KeyValue::literal("lock", "true")),
];

/// The longest key of an object, in bytes:
/// <https://www.alibabacloud.com/help/en/oss/user-guide/object-naming-conventions>.
const LONGEST_KEY: usize = 1023;

impl OssConfig {
    /// Creates the store. It sends nothing before the first operation.
    ///
    /// # Errors
    /// `CredentialInvalid` for half of a pair of keys, and for a profile that this provider cannot
    /// use.
    pub(crate) fn store(&self) -> Result<ObjectStateStore> {
        let sender = Sender::new(self)?;
        let table = self.tablestore.as_ref().map(|table| Table::new(sender.clone(), table, self));
        let bucket = Bucket {
            client: Client::new(sender, self),
            is_proven: AtomicBool::default(),
            has_versions: AtomicBool::default(),
        };
        let layout = Arc::new(self.layout.clone());
        let store = ObjectStateStore::new(Arc::new(bucket), layout, LOCK_ADVICE)
            .with_lock_object(self.uses_lock_object);
        Ok(match table {
            Some(table) => {
                let usage =
                    if self.locks_in_table { TableUse::LocksAndDigests } else { TableUse::Digests };
                store.with_table(Arc::new(table), usage)
            }
            None => store,
        })
    }
}

/// A bucket, and what this process has learned about it.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    /// The store has refused a second create, so its lock object works.
    pub(crate) is_proven: AtomicBool,
    /// The bucket keeps versions, or did once. That never changes back.
    pub(crate) has_versions: AtomicBool,
}

impl Bucket {
    /// Lists versions and deletions of keys that begin with a prefix.
    async fn version_page(&self, prefix: &str, at: Option<Cursor>) -> Result<VersionPage> {
        let page = self.client.list_versions("list versions", prefix, at).await?;
        let items: Vec<_> = page.entries.into_iter().filter_map(listed).collect();
        let first = items.first().map(|(it, _)| format!("{} {}", it.key, it.version_id));
        let next_key = page.next_key_marker.as_deref().map(decode);
        let version = page.next_version_id_marker.as_deref().map(decode);
        let next = next_key.zip(version).map(|(key, version)| Cursor::behind_version(key, version));
        // Fails if the store says that the list goes on, but not where.
        let next = Page::new(vec![()], page.is_truncated, next)?.next;
        Ok(VersionPage { items, next, first })
    }

    /// Returns whether the bucket keeps versions, or did; `None` if that could not be determined.
    pub(crate) async fn versioning(&self, operation: &'static str) -> Option<EverVersioned> {
        if self.has_versions.load(Ordering::Acquire) {
            return Some(EverVersioned::EnabledOrSuspended);
        }
        match self.client.versioning(operation).await {
            Ok(versioning) => {
                // `Never` holds for the moment only: somebody can turn versions on at any time.
                if versioning == EverVersioned::EnabledOrSuspended {
                    self.has_versions.store(true, Ordering::Release);
                }
                Some(versioning)
            }
            Err(failure) => {
                tracing::debug!(
                    error = failure.error.to_string(),
                    "whether the bucket keeps versions is not known"
                );
                None
            }
        }
    }
}

/// A page of a listing of versions.
struct VersionPage {
    /// The entries, and whether each is a deletion.
    items: Vec<(ListedVersion, bool)>,
    /// Where the next page begins.
    next: Option<Cursor>,
    /// The first entry.
    first: Option<String>,
}

fn listed(entry: Entry) -> Option<(ListedVersion, bool)> {
    match entry {
        Entry::Version(version) => Some((version, false)),
        Entry::DeleteMarker(version) => Some((version, true)),
        Entry::Other => None,
    }
}

#[async_trait]
impl ObjectBackend for Bucket {
    fn bucket(&self) -> &str {
        self.client.sender.bucket()
    }

    fn store(&self) -> &str {
        self.client.sender.store()
    }

    fn url(&self, key: &str) -> String {
        self.client.url(key)
    }

    /// OSS replaces no state on a condition. It makes a create conditional only on buckets without
    /// versions.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_versions(Versions::InOrder)
            .with_annotations(AnnotationStorage::WithState)
    }

    fn longest_key(&self) -> usize {
        LONGEST_KEY
    }

    async fn get(
        &self,
        operation: &'static str,
        key: &str,
        options: &ReadOptions,
    ) -> Result<StateRead, Failure> {
        let version = options.version.as_ref().map(VersionId::as_str);
        let limit = options.limit.filter(|limit| *limit > 0);
        let answer = match self.client.get(operation, key, version, limit).await {
            // It has no bytes, and this answer does not describe it.
            Err(Failure { outcome: Outcome::ConditionFailed, .. }) if limit.is_some() => {
                self.client.get(operation, key, version, None).await?
            }
            answer => answer?,
        };
        let url = self.url(key);
        let length = answer.response.content_length();
        let Some((length, size_bytes)) =
            length.zip(whole_size(answer.header("content-range"), length))
        else {
            let message = format!("cannot read `{url}`: the store does not say how long it is");
            let error = Error::new(ErrorKind::Unexpected, operation, message);
            return Err(Failure { outcome: Outcome::Refused, error });
        };
        // The checksum is that of the whole object.
        let crc64 = answer.header("x-oss-hash-crc64ecma").filter(|_| length == size_bytes);
        let crc64 = crc64.and_then(|crc| crc.parse().ok());
        let meta = meta_of(&answer, size_bytes);
        Ok(StateRead::new(meta, download::body(answer.response, length, crc64, url)))
    }

    async fn put_state(&self, write: StateWrite<'_>) -> Result<Written> {
        let options = write.options;
        let payload = Payload::new(write.outgoing.decided().await?)
            .await?
            .with_metadata(options.annotations.to_metadata());
        let meta = self.write(write.place, &payload, &options.mode).await;
        Ok(Written { meta, md5: Some(Ok(payload.md5)) })
    }

    async fn delete_state(&self, StatePlace { key, .. }: &StatePlace) -> Result<()> {
        let deleted = self.client.delete("delete", key, None, Repeat::AsConfigured).await;
        let Err(failure) = deleted else { return Ok(()) };
        self.state_object(key).resolve_delete(failure, self.present("delete", key)).await
    }

    async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        at: Option<Cursor>,
    ) -> Result<Page<CatalogEntry, Cursor>> {
        let page = self.client.list(operation, prefix, at.map(|at| at.key)).await?;
        let objects: Vec<_> = page.contents.into_iter().map(catalog_entry).collect();
        // The service may leave the marker out where the last key says the same.
        let marker = page.next_marker.as_deref().map(decode).filter(|marker| !marker.is_empty());
        let marker =
            marker.or_else(|| objects.last().map(|last| last.key.clone())).map(Cursor::new);
        let first = objects.first().map(|first| first.key.clone());
        Ok(Page::new(objects, page.is_truncated, marker)?.with_first(first))
    }

    async fn versions(&self, key: &str, at: Option<Cursor>) -> Result<Page<StateVersion, Cursor>> {
        let page = self.version_page(key, at).await?;
        // Keys that only share the prefix come after the key itself.
        let is_over = page.next.as_ref().is_some_and(|next| next.key != key);
        let ours = page.items.into_iter().filter(|(listed, _)| decode(&listed.key) == key);
        let items = ours.map(|(listed, is_marker)| state_version(listed, is_marker)).collect();
        Ok(Page::new(items, page.next.is_some() && !is_over, page.next)?.with_first(page.first))
    }

    async fn deleted(&self, prefix: &str, at: Option<Cursor>) -> Result<Page<String, Cursor>> {
        let page = self.version_page(prefix, at).await?;
        let deletions = page.items.into_iter().filter(|(it, is_marker)| *is_marker && it.is_latest);
        let keys = deletions.map(|(listed, _)| decode(&listed.key)).collect();
        Ok(Page::new(keys, page.next.is_some(), page.next)?.with_first(page.first))
    }

    fn lock_object<'a>(&'a self, place: &'a StatePlace) -> Box<dyn LockMechanism + 'a> {
        Box::new(LockObject { bucket: self, place })
    }

    fn release_caveat(&self) -> Option<String> {
        (!self.has_versions.load(Ordering::Acquire)).then(|| {
            "OSS deletes nothing on a condition: unless the bucket keeps versions, another release \
             of this lock at the same time could remove the lock of the next holder"
                .to_owned()
        })
    }
}

fn meta_of(answer: &Answer, size_bytes: u64) -> StateMeta {
    StateMeta::new(size_bytes)
        .with_etag(answer.header("etag").map(ETag::new))
        .with_version(answer.header("x-oss-version-id").map(VersionId::new))
        .with_modified(answer.header("last-modified").and_then(parse_http_date))
        .with_annotations(Annotations::from_metadata(answer.metadata()))
}

fn catalog_entry(listed: Listed) -> CatalogEntry {
    CatalogEntry::new(decode(&listed.key), listed.size)
        .with_etag(listed.etag.map(ETag::new))
        .with_modified(listed.last_modified.parse().ok())
}

fn state_version(listed: ListedVersion, is_marker: bool) -> StateVersion {
    let meta = StateMeta::new(listed.size)
        .with_etag(listed.etag.map(ETag::new))
        .with_version(Some(VersionId::new(listed.version_id)))
        .with_modified(listed.last_modified.parse().ok());
    if is_marker {
        StateVersion::delete_marker(meta, listed.is_latest)
    } else {
        StateVersion::new(meta, listed.is_latest)
    }
}

#[cfg(test)]
mod tests {
    use remote_state_core::config::ResolvedConfig;
    use remote_state_core::{StateStore as _, Workspace};

    use super::*;
    use crate::PROVIDER;

    fn store(key: &str, lock: bool, has_table: bool) -> ObjectStateStore {
        let lock = lock.to_string();
        let mut keys = vec![
            ("bucket", "buck"),
            ("region", "cn-beijing"),
            ("prefix", ""),
            ("key", key),
            ("lock", &*lock),
            ("access_key", "id"),
            ("secret_key", "secret"),
        ];
        if has_table {
            keys.push(("tablestore_endpoint", "https://in.cn-beijing.ots.aliyuncs.com"));
            keys.push(("tablestore_table", "locks"));
        }
        let config = ResolvedConfig::from_pairs(&PROVIDER, keys).unwrap();
        OssConfig::from_resolved(&config).unwrap().store().unwrap()
    }

    /// A digest row is a lock row with another name, and a lock object is an object like a state.
    /// Otherwise a client that may choose the name of a state could lock the digest of another
    /// state, or store its state at the lock of another.
    #[test]
    fn two_names_never_lead_to_one_object_or_row() {
        let admit = |lock, has_table, key: &str| {
            store(key, lock, has_table).admit(&Workspace::default()).is_ok()
        };
        for (key, by_object, by_table) in [
            ("bar-md5", true, false),
            ("a/bar.tflock-md5", true, false),
            ("bar.tflock", false, true),
            ("bar-md5/x", true, true),
        ] {
            assert_eq!(admit(true, false, key), by_object, "{key}");
            assert_eq!(admit(false, true, key), by_table, "{key}");
            assert_eq!(admit(true, true, key), by_object && by_table, "{key}");
        }
    }

    #[test]
    fn names_are_no_longer_than_the_store_takes() {
        let admit = |bytes: usize, lock, has_table| {
            store(&"k".repeat(bytes), lock, has_table).admit(&Workspace::default()).is_ok()
        };
        assert!(admit(1023, false, false) && !admit(1024, false, false));
        assert!(admit(1016, true, false) && !admit(1017, true, false));
        // `buck/<key>-md5`
        assert!(admit(1015, false, true) && !admit(1016, false, true));
    }
}
