//! One bucket, and the state store over it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use remote_state_core::advice::KeyValue;
use remote_state_core::provider::{
    Cursor, LockMechanism, ObjectBackend, ObjectStateStore, Page, StatePlace, StateWrite, TableUse,
    Written,
};
use remote_state_core::{
    Advice, AnnotationStorage, Annotations, Capabilities, CatalogEntry, ETag, ReadOptions, Result,
    StateMeta, StateRead, StateSource, StateVersion, VersionId,
};

use crate::client::{Client, Select};
use crate::config::S3Config;
use crate::connect;
use crate::dialect::{Creates, Dialect};
use crate::download::Download;
use crate::dynamodb::Table;
use crate::error::{Failure, Outcome};
use crate::first_bytes::FirstBytes;
use crate::layout::Layout;
use crate::lock::{Claiming, LockFile, Memory};
use crate::payload::{Payload, unread};
use crate::versions::Listed;

const LOCK_ADVICE: &[Advice] = &[
    Advice::text("set `use_lockfile = true` or `dynamodb_table` for every client of this state"),
    Advice::OverrideKey(KeyValue::literal("use_lockfile", "true")),
];

impl S3Config {
    /// Makes the store. Nothing is sent before the first operation.
    pub(crate) fn store(&self) -> ObjectStateStore {
        let shared = connect::shared(self);
        let layout = Layout { key: self.key.clone(), prefix: self.workspace_key_prefix.clone() };
        let store = ObjectStateStore::new(
            Arc::new(Bucket::new(&shared, self)),
            Arc::new(layout),
            LOCK_ADVICE,
        )
        .with_lock_object(self.use_lockfile);
        match &self.dynamodb_table {
            Some(name) => {
                let table = Table::new(connect::table(&shared, self), name, self);
                store.with_table(Arc::new(table), TableUse::LocksAndDigests)
            }
            None => store,
        }
    }

    /// Returns the store's dialect.
    pub fn dialect(&self) -> Dialect {
        Dialect::choose(self.dialect, self.endpoint.as_ref())
    }
}

/// A bucket, and what is known of it: of the store, and of this process's locks in it.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) dialect: Dialect,
    pub(crate) uses_lock_file: bool,
    /// Whether the store has refused a second create.
    pub(crate) is_proven: AtomicBool,
    /// How a release claims a lock file.
    pub(crate) claiming: Claiming,
    pub(crate) memory: Memory,
}

impl Bucket {
    pub(crate) fn new(shared: &SdkConfig, config: &S3Config) -> Self {
        let dialect = config.dialect();
        Self {
            client: Client::new(connect::bucket(shared, config, dialect), config, dialect),
            dialect,
            uses_lock_file: config.use_lockfile,
            is_proven: AtomicBool::new(dialect.creates == Creates::Atomic),
            claiming: Claiming::new(dialect.claims),
            memory: Memory::default(),
        }
    }
}

#[async_trait]
impl ObjectBackend for Bucket {
    fn bucket(&self) -> &str {
        self.client.bucket()
    }

    fn store(&self) -> &str {
        self.client.store()
    }

    fn url(&self, key: &str) -> String {
        self.client.url(key)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_conditions(self.dialect.conditions())
            .with_versions(self.dialect.versions)
            .with_annotations(AnnotationStorage::WithState)
    }

    fn how_to_look(&self, key: &str) -> String {
        let command = self.client.aws_command(&["s3", "cp", &self.url(key), "-"]);
        format!("look at what is stored with `{command}`")
    }

    async fn get(
        &self,
        operation: &'static str,
        key: &str,
        options: &ReadOptions,
    ) -> Result<StateRead, Failure> {
        let version = options.version.as_ref().map(VersionId::as_str);
        let refused = |error| Failure { outcome: Outcome::Refused, error };
        if let Some(limit) = options.limit.filter(|limit| *limit > 0) {
            let select = Select { version, range: Some(0..limit), ..Select::default() };
            match self.client.get(operation, key, &select).await {
                Ok(answer) => {
                    let first = FirstBytes::new(answer, self.url(key)).map_err(refused)?;
                    let meta = meta_of(first.answer(), first.size_bytes());
                    return Ok(StateRead::new(meta, first.body()));
                }
                // It has no bytes, and this reply does not describe it.
                Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        let select = Select { version, ..Select::default() };
        let started = Instant::now();
        let answer = self.client.get(operation, key, &select).await?;
        let (head, version) = (started.elapsed(), version.map(str::to_owned));
        let (client, key, url) = (self.client.clone(), key.to_owned(), self.url(key));
        let download = Download::new(client, key, url, version, answer, head).map_err(refused)?;
        let meta = meta_of(download.answer(), download.size_bytes());
        Ok(StateRead::new(meta, download.body()))
    }

    async fn put_state(&self, write: StateWrite<'_>) -> Result<Written> {
        let StateWrite { place, outgoing, options, needs_md5, .. } = write;
        let metadata = options.annotations.to_metadata();
        let (source, decision) = outgoing.into_parts();
        let source = match source {
            StateSource::File(file)
                if self.client.sends_unread() && file.content_hash().is_none() =>
            {
                let (unread, release) = unread::begin(needs_md5);
                let payload = Payload::unread(file, unread, metadata);
                let put = self.write(place, &payload, &options.mode);
                let meta = release.decide_while(decision, put).await;
                let md5 = if needs_md5 && meta.is_ok() { Some(payload.md5().await) } else { None };
                return Ok(Written { meta, md5 });
            }
            source => {
                decision.await?;
                source
            }
        };
        let payload = Payload::new(source, metadata).await?;
        let put = self.write(place, &payload, &options.mode);
        if !needs_md5 {
            return Ok(Written { meta: put.await, md5: None });
        }
        // The digest is computed while the state is being sent.
        let (meta, md5) = tokio::join!(put, payload.md5());
        Ok(Written { meta, md5: Some(md5) })
    }

    async fn delete_state(&self, place: &StatePlace) -> Result<()> {
        self.look_again("delete", place).await?;
        let Err(failure) = self.client.delete("delete", &place.key).await else { return Ok(()) };
        self.state_object(&place.key)
            .resolve_delete(failure, self.present("delete", &place.key))
            .await
    }

    async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        at: Option<Cursor>,
    ) -> Result<Page<CatalogEntry, Cursor>> {
        let answer = self.client.list(operation, prefix, at.map(|at| at.key)).await?;
        let objects = answer.contents.unwrap_or_default().into_iter();
        let listed: Vec<_> = objects.filter_map(catalog_entry).collect();
        let first = listed.first().map(|object| object.key.clone());
        let next = answer.next_continuation_token.map(Cursor::new);
        Ok(Page::new(listed, answer.is_truncated == Some(true), next)?.with_first(first))
    }

    async fn versions(&self, key: &str, at: Option<Cursor>) -> Result<Page<StateVersion, Cursor>> {
        let page = self.client.list_versions("list versions", key, at).await?;
        // Keys that merely begin with this one come after it.
        let is_over = page.entries.last().is_some_and(|last| last.key != key);
        let is_truncated = page.is_truncated == Some(true) && !is_over;
        let first = page.entries.first().map(Listed::identity);
        let ours = page.entries.into_iter().filter(|listed| listed.key == key);
        let items = ours.map(state_version).collect();
        Ok(Page::new(items, is_truncated, page.next)?.with_first(first))
    }

    async fn deleted(&self, prefix: &str, at: Option<Cursor>) -> Result<Page<String, Cursor>> {
        let page = self.client.list_versions("list versions", prefix, at).await?;
        let first = page.entries.first().map(Listed::identity);
        let deletions = page.entries.into_iter().filter(|it| it.is_marker && it.is_latest);
        let keys = deletions.map(|listed| listed.key).collect();
        Ok(Page::new(keys, page.is_truncated == Some(true), page.next)?.with_first(first))
    }

    fn lock_object<'a>(&'a self, place: &'a StatePlace) -> Box<dyn LockMechanism + 'a> {
        Box::new(LockFile::new(self, place))
    }

    fn lock_object_name(&self) -> &'static str {
        LockFile::NAME
    }

    async fn lock_caveat(&self) -> Result<Option<String>> {
        self.lock_caveat_of_bucket().await
    }

    fn release_caveat(&self) -> Option<String> {
        self.what_releases_risk()
    }
}

fn meta_of(answer: &GetObjectOutput, size_bytes: u64) -> StateMeta {
    StateMeta::new(size_bytes)
        .with_etag(answer.e_tag.as_deref().map(ETag::new))
        .with_version(answer.version_id.as_deref().map(VersionId::new))
        .with_modified(answer.last_modified.as_ref().and_then(timestamp))
        .with_annotations(Annotations::from_metadata(
            answer.metadata().into_iter().flatten().map(|(name, value)| (&**name, &**value)),
        ))
}

fn catalog_entry(object: Object) -> Option<CatalogEntry> {
    let size_bytes = object.size.and_then(|size| size.try_into().ok()).unwrap_or_default();
    Some(
        CatalogEntry::new(object.key?, size_bytes)
            .with_etag(object.e_tag.map(ETag::new))
            .with_modified(object.last_modified.as_ref().and_then(timestamp)),
    )
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

fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use remote_state_core::config::ResolvedConfig;
    use remote_state_core::{StateStore as _, Workspace};

    use super::*;
    use crate::PROVIDER;

    fn store(key: &str, use_lockfile: bool, has_table: bool) -> ObjectStateStore {
        let use_lockfile = use_lockfile.to_string();
        let mut keys = vec![
            ("bucket", "buck"),
            ("region", "eu-west-1"),
            ("key", key),
            ("use_lockfile", &*use_lockfile),
        ];
        keys.extend(has_table.then_some(("dynamodb_table", "locks")));
        let config = ResolvedConfig::from_pairs(&PROVIDER, keys).unwrap();
        S3Config::from_resolved(&config).unwrap().store()
    }

    #[test]
    fn a_state_and_its_locks_are_named_as_native_clients_name_them() {
        let location = store("a/b", true, true).location(&Workspace::new("dev").unwrap());
        assert_eq!(location.path, "buck/env:/dev/a/b");
        assert_eq!(location.state, "s3://buck/env:/dev/a/b");
        assert_eq!(
            location.locks,
            ["s3://buck/env:/dev/a/b.tflock", "dynamodb://locks/buck/env:/dev/a/b"]
        );
    }

    /// The item of a digest is the item of a lock with another name, and a lock file is an object
    /// like a state. Otherwise a client that may choose the name of a state could lock the digest
    /// of another state, or store a state in the place of another state's lock.
    #[test]
    fn two_names_never_lead_to_one_object_or_item() {
        let admit = |use_lockfile, has_table, key: &str| {
            store(key, use_lockfile, has_table).admit(&Workspace::default()).is_ok()
        };
        for (key, by_file, by_table) in [
            ("bar-md5", true, false),
            ("a/bar.tflock-md5", true, false),
            ("-md5", true, false),
            ("bar.tflock", false, true),
            ("bar-md5.tflock", false, true),
            ("bar-md5/x", true, true),
            ("bar.md5", true, true),
        ] {
            assert_eq!(admit(true, false, key), by_file, "{key}");
            assert_eq!(admit(false, true, key), by_table, "{key}");
            assert_eq!(admit(true, true, key), by_file && by_table, "{key}");
        }
    }

    #[test]
    fn names_are_no_longer_than_the_store_takes() {
        let admit = |use_lockfile, key_bytes: usize, workspace: Option<usize>| {
            let workspace = workspace.map_or_else(Workspace::default, |bytes| {
                Workspace::new("w".repeat(bytes)).unwrap()
            });
            store(&"k".repeat(key_bytes), use_lockfile, false).admit(&workspace).is_ok()
        };
        assert!(admit(true, 1017, None) && !admit(true, 1018, None));
        assert!(admit(false, 1024, None) && !admit(false, 1025, None));
        // `env:/<workspace>/<key>.tflock`
        assert!(
            admit(true, 10, Some(1024 - 7 - 10 - 6)) && !admit(true, 10, Some(1024 - 7 - 10 - 5))
        );
    }
}
