//! A provider of one's own: `shelf` keeps states in the memory of this process.
//!
//! What it takes is a table of keys, a [`Provider`], and an [`ObjectBackend`] of get, put, delete
//! and list; [`ObjectStateStore`] makes a store of it. The list that a program hands over decides
//! which providers it knows: `main` adds this one to those that were compiled in, and opens it by
//! its name. The tests hold it against everything that a store promises.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use remote_state::config::{Environment, ProviderSpec, ResolvedConfig};
use remote_state::directory::{DirectoryOptions, discover};
use remote_state::provider::{
    Cursor, Failure, FoundLock, Layout, LockMechanism, ObjectBackend, ObjectStateStore, Outcome,
    Page, StatePlace, StateWrite, Written, read_lock_record,
};
use remote_state::{
    Backend, Capabilities, CatalogEntry, ETag, Error, ErrorKind, LockRecord, Provider, ReadOptions,
    Result, StateMeta, StateRead, StateStore, Workspace, WriteConditions, WriteMode,
};

static SPEC: ProviderSpec = ProviderSpec::new("shelf", "the memory of this process", KEYS);

remote_state::keys![
    pub(crate) const KEY: Key<String> = key("key", "The name of the state.").required();
];

/// All objects of all shelves, with the number of the write that made each.
static OBJECTS: Mutex<BTreeMap<String, (u64, Bytes)>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
struct Shelf;

impl Provider for Shelf {
    fn spec(&self) -> &'static ProviderSpec {
        &SPEC
    }

    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>> {
        Ok(Box::new(ShelfConfig { key: config.get(KEY).to_owned() }))
    }
}

#[derive(Debug)]
struct ShelfConfig {
    key: String,
}

#[async_trait]
impl Backend for ShelfConfig {
    fn open(&self) -> Result<Arc<dyn StateStore>> {
        let layout = Arc::new(ShelfLayout { key: self.key.clone() });
        let store = ObjectStateStore::new(Arc::new(Objects), layout, &[]);
        Ok(Arc::new(store.with_lock_object(true)))
    }
}

/// `<key>` for `default`, else `env/<workspace>/<key>`.
#[derive(Debug)]
struct ShelfLayout {
    key: String,
}

impl Layout for ShelfLayout {
    fn state_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            self.key.clone()
        } else {
            format!("env/{workspace}/{}", self.key)
        }
    }

    fn listing_prefix(&self) -> String {
        "env/".to_owned()
    }

    fn workspace_of(&self, key: &str) -> Option<Workspace> {
        let (name, rest) = key.strip_prefix("env/")?.split_once('/')?;
        Workspace::new(name).ok().filter(|_| rest == self.key)
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn Layout>, String> {
        if key.is_empty() || key.starts_with('/') || key.ends_with('/') {
            return Err("it must not be empty, nor start or end with a slash".to_owned());
        }
        Ok(Arc::new(Self { key: key.to_owned() }))
    }
}

/// The objects, as a bucket.
#[derive(Debug)]
struct Objects;

fn objects() -> MutexGuard<'static, BTreeMap<String, (u64, Bytes)>> {
    OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores an object if what is there is as `is_expected` says: one step, under one lock.
fn put_if(
    key: &str,
    bytes: Bytes,
    is_expected: impl FnOnce(Option<&(u64, Bytes)>) -> bool,
) -> Option<StateMeta> {
    let mut objects = objects();
    if !is_expected(objects.get(key)) {
        return None;
    }
    let number = 1 + objects.values().map(|(number, _)| *number).max().unwrap_or(0);
    let meta = StateMeta::new(bytes.len() as u64).with_etag(Some(etag_of(number)));
    objects.insert(key.to_owned(), (number, bytes));
    Some(meta)
}

fn etag_of(number: u64) -> ETag {
    ETag::new(number.to_string())
}

fn failure(outcome: Outcome, kind: ErrorKind, operation: &'static str, reason: &str) -> Failure {
    Failure { outcome, error: Error::new(kind, operation, reason) }
}

#[async_trait]
impl ObjectBackend for Objects {
    fn bucket(&self) -> &str {
        "memory"
    }

    fn store(&self) -> &str {
        "this process"
    }

    fn url(&self, key: &str) -> String {
        format!("shelf://memory/{key}")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_conditions(WriteConditions::Atomic)
    }

    async fn get(
        &self,
        operation: &'static str,
        key: &str,
        options: &ReadOptions,
    ) -> Result<StateRead, Failure> {
        let found = objects().get(key).filter(|_| options.version.is_none()).cloned();
        let (number, bytes) = found.ok_or_else(|| {
            failure(Outcome::Absent, ErrorKind::NotFound, operation, "there is no such object")
        })?;
        let meta = StateMeta::new(bytes.len() as u64).with_etag(Some(etag_of(number)));
        Ok(StateRead::new(meta, stream::iter([Ok(bytes)]).boxed()))
    }

    async fn put_state(&self, write: StateWrite<'_>) -> Result<Written> {
        let key = &write.place.key;
        let bytes = write.outgoing.decided().await?.into_bytes().await?;
        let stored = put_if(key, bytes, |found| match &write.options.mode {
            WriteMode::Overwrite => true,
            // An object without bytes is no state.
            WriteMode::Create => found.is_none_or(|(_, bytes)| bytes.is_empty()),
            WriteMode::Update(etag) => found.is_some_and(|(number, _)| etag_of(*number) == *etag),
        });
        let meta = stored.ok_or_else(|| self.state_object(key).changed());
        Ok(Written { meta, md5: None })
    }

    async fn delete_state(&self, place: &StatePlace) -> Result<()> {
        objects().remove(&place.key);
        Ok(())
    }

    async fn list(
        &self,
        _operation: &'static str,
        prefix: &str,
        _at: Option<Cursor>,
    ) -> Result<Page<CatalogEntry, Cursor>> {
        let entry = |(key, (number, bytes)): (&String, &(u64, Bytes))| {
            CatalogEntry::new(key, bytes.len() as u64).with_etag(Some(etag_of(*number)))
        };
        let listed =
            objects().iter().filter(|(key, _)| key.starts_with(prefix)).map(entry).collect();
        Page::new(listed, false, None)
    }

    fn lock_object<'a>(&'a self, place: &'a StatePlace) -> Box<dyn LockMechanism + 'a> {
        Box::new(ShelfLock { key: &place.lock_key })
    }
}

/// The lock object. One client at most creates it, since `put_if` decides and writes in one step.
struct ShelfLock<'a> {
    key: &'a str,
}

#[async_trait]
impl LockMechanism for ShelfLock<'_> {
    fn name(&self) -> &'static str {
        "lock object"
    }

    fn object(&self) -> String {
        Objects.url(self.key)
    }

    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        let taken = || {
            let kind = ErrorKind::PreconditionFailed;
            failure(Outcome::ConditionFailed, kind, "lock", "another client was first")
        };
        put_if(self.key, record, |found| found.is_none()).map(drop).ok_or_else(taken)
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, _: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some((number, text)) = objects().get(self.key).cloned() else { return Ok(None) };
        let record = read_lock_record(&text, self.object());
        Ok(Some(Box::new(FoundShelfLock { key: self.key, number, record })))
    }
}

struct FoundShelfLock<'a> {
    key: &'a str,
    number: u64,
    record: LockRecord,
}

#[async_trait]
impl FoundLock for FoundShelfLock<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    fn removes_exactly(&self) -> bool {
        true
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        let mut objects = objects();
        if objects.get(self.key).is_some_and(|(number, _)| *number == self.number) {
            objects.remove(self.key);
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let known = remote_state::providers().iter().copied();
    let providers: Vec<&'static dyn Provider> = known.chain([&Shelf as &dyn Provider]).collect();
    let options =
        DirectoryOptions::default().with_backend("shelf").with_backend_config("key=network");
    let found = discover(".".as_ref(), &Environment::default(), &options, &providers)?;
    let store = found.provider.parse(&found.config)?.open()?;
    drop(writeln!(std::io::stdout(), "{store} on {}", found.provider.spec().title));
    Ok(())
}

#[cfg(test)]
mod tests {
    use remote_state_conformance::{RawLocks, Scale, Setup};

    use super::*;

    #[async_trait]
    impl RawLocks for ShelfLayout {
        async fn put(&self, workspace: &Workspace, bytes: Bytes) {
            let key = self.state_key(workspace) + ".tflock";
            let _written = put_if(&key, bytes, |_| true);
        }

        async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
            let found = objects().get(&(self.state_key(workspace) + ".tflock")).cloned();
            found.map(|(_, bytes)| bytes)
        }
    }

    /// A state of its own for each behaviour.
    async fn setup() -> Setup {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let key = format!("state-{count}");
        let config = ResolvedConfig::from_pairs(&SPEC, [("key", &*key)]).unwrap();
        let store = Shelf.parse(&config).unwrap().open().unwrap();
        let declares = store.capabilities();
        let scale = Scale::default().with_workspaces(50).with_huge_bytes(7 << 20);
        let locks = Arc::new(ShelfLayout { key });
        Setup::new(store, declares).with_scale(scale).with_raw_locks(locks)
    }

    remote_state_conformance::suite!(setup);
}
