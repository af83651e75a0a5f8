//! A store in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use remote_state_core::{
    AnnotationStorage, Annotations, Capabilities, CatalogEntry, ETag, Error, ErrorKind, LockInfo,
    LockRecord, LockTarget, Locking, Outgoing, ReadOptions, Released, Result, StateCatalog,
    StateLocation, StateMeta, StateRead, StateStore, StateVersion, VersionId, Versions, Workspace,
    WriteConditions, WriteMode, WriteOptions,
};

use crate::setup::RawLocks;

/// The size of the pieces of a read: small enough that most states of a test have several.
const CHUNK_BYTES: usize = 8 << 10;

/// A store in memory that keeps every promise, for tests without a network: conditional writes,
/// locks, all versions.
///
/// Clones, and stores made of it by [`with_state_key`](StateStore::with_state_key), share one
/// bucket.
#[derive(Clone)]
pub struct MemoryStore {
    bucket: Arc<Mutex<Bucket>>,
    state_key: String,
    capabilities: Capabilities,
}

#[derive(Default)]
struct Bucket {
    /// By the keys of the objects.
    states: BTreeMap<String, Slot>,
    writes: u64,
}

#[derive(Default)]
struct Slot {
    /// Oldest first.
    versions: Vec<Version>,
    lock: Option<Bytes>,
}

struct Version {
    meta: StateMeta,
    /// `None` records a deletion.
    bytes: Option<Bytes>,
}

impl Slot {
    fn current(&self) -> Option<(&StateMeta, &Bytes)> {
        let last = self.versions.last()?;
        Some((&last.meta, last.bytes.as_ref()?))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("state_key", &self.state_key).finish_non_exhaustive()
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory://{}", self.state_key)
    }
}

impl MemoryStore {
    /// Creates an empty store for the state key `terraform.tfstate`.
    pub fn new() -> Self {
        Self {
            bucket: Arc::default(),
            state_key: "terraform.tfstate".to_owned(),
            capabilities: Capabilities::default()
                .with_locking(Locking::Exclusive)
                .with_conditions(WriteConditions::Atomic)
                .with_versions(Versions::InOrder)
                .with_annotations(AnnotationStorage::WithState),
        }
    }

    /// Sets what the store can do, such as less, for a store without locks or conditional writes.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // A test that panicked with the lock has failed already.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_slot<T>(&self, workspace: &Workspace, act: impl FnOnce(&mut Slot) -> T) -> T {
        act(self.bucket().states.entry(self.object_key(workspace)).or_default())
    }

    fn object_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            self.state_key.clone()
        } else {
            format!("env:/{workspace}/{}", self.state_key)
        }
    }

    /// Returns the workspace whose state has this key.
    fn workspace_of(&self, key: &str) -> Option<Workspace> {
        if key == self.state_key {
            return Some(Workspace::default());
        }
        let (name, state_key) = key.strip_prefix("env:/")?.split_once('/')?;
        Workspace::new(name).ok().filter(|name| state_key == self.state_key && !name.is_default())
    }

    fn lock_url(&self, workspace: &Workspace) -> String {
        format!("memory://{}/{workspace}.lock", self.state_key)
    }

    fn found(&self, workspace: &Workspace, bytes: &[u8]) -> LockRecord {
        LockRecord::new(
            LockInfo::parse(bytes).map_err(|error| error.to_string()),
            self.lock_url(workspace),
        )
    }

    fn held(&self, operation: &'static str, workspace: &Workspace, bytes: &[u8]) -> Error {
        Error::lock_held(
            operation,
            format!("`{workspace}` is locked"),
            self.found(workspace, bytes),
        )
    }

    fn push(
        &self,
        workspace: &Workspace,
        bytes: Option<Bytes>,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        let failed =
            |message: &str| Err(Error::new(ErrorKind::PreconditionFailed, "write", message));
        let mut bucket = self.bucket();
        bucket.writes += 1;
        let number = bucket.writes;
        let slot = bucket.states.entry(self.object_key(workspace)).or_default();
        match (&options.mode, slot.current()) {
            // An object of no bytes is no state, so a client may create one there.
            (WriteMode::Create, Some((_, stored))) if !stored.is_empty() => {
                return failed("a state exists already");
            }
            (WriteMode::Update(_), None) => return failed("the state is gone"),
            (WriteMode::Update(etag), Some((meta, _))) if meta.etag.as_ref() != Some(etag) => {
                return failed("the stored state is another one");
            }
            _ => {}
        }
        let mut meta = StateMeta::new(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            .with_modified(Some(Timestamp::now()))
            .with_annotations(if self.capabilities.has_annotations() {
                options.annotations.clone()
            } else {
                Annotations::default()
            })
            .with_etag(bytes.is_some().then(|| ETag::new(format!("\"{number:x}\""))));
        if self.capabilities.has_versions() {
            meta = meta.with_version(Some(VersionId::new(format!("v{number}"))));
        } else {
            slot.versions.clear();
        }
        slot.versions.push(Version { meta: meta.clone(), bytes });
        Ok(meta)
    }
}

fn unsupported(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, message)
}

#[async_trait]
impl StateStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        let path = format!("memory/{}", self.object_key(workspace));
        let state = format!("memory://{}/{workspace}", self.state_key);
        let lock = self.capabilities.has_locks().then(|| self.lock_url(workspace));
        StateLocation::new(path, state, lock.into_iter().collect())
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        if key.is_empty() || key.starts_with('/') || key.ends_with('/') || key.ends_with(".tflock")
        {
            return Err(Error::config(format!("{key:?} is not a state key")));
        }
        Ok(Arc::new(Self { state_key: key.to_owned(), ..self.clone() }))
    }

    /// As in S3, where the names of a lock and of a digest are made of the state's.
    fn admit(&self, workspace: &Workspace) -> Result<()> {
        let name = format!("{workspace}/{}.tflock", self.state_key);
        if name.len() > 1024
            || (self.capabilities.has_digests() && self.state_key.ends_with("-md5"))
        {
            return Err(Error::config("no state can be kept under this name"));
        }
        Ok(())
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let found = self.with_slot(workspace, |slot| match &options.version {
            None => Ok(slot.current().map(|(meta, bytes)| (meta.clone(), bytes.clone()))),
            Some(wanted) => slot
                .versions
                .iter()
                .find(|version| version.meta.version.as_ref() == Some(wanted))
                .and_then(|version| Some((version.meta.clone(), version.bytes.clone()?)))
                .map(Some)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::NotFound,
                        "read",
                        format!("there is no version `{wanted}`"),
                    )
                }),
        })?;
        Ok(found.filter(|(_, bytes)| !bytes.is_empty()).map(|(meta, bytes)| {
            let chunks: Vec<_> = (0..bytes.len())
                .step_by(CHUNK_BYTES)
                .map(|start| Ok(bytes.slice(start..bytes.len().min(start + CHUNK_BYTES))))
                .collect();
            let read = StateRead::new(meta, stream::iter(chunks).boxed());
            match options.limit {
                Some(limit) => read.with_limit(limit),
                None => read,
            }
        }))
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        let bytes = outgoing.decided().await?.into_bytes().await?;
        self.push(workspace, Some(bytes), options)
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        if self.with_slot(workspace, |slot| slot.current().is_some()) {
            self.push(workspace, None, &WriteMode::Overwrite.into())?;
        }
        Ok(())
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        let names: Vec<_> = self
            .bucket()
            .states
            .iter()
            .filter(|(_, slot)| slot.current().is_some())
            .filter_map(|(key, _)| self.workspace_of(key).filter(|name| !name.is_default()).map(Ok))
            .collect();
        stream::iter(names).boxed()
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        if !self.capabilities.has_locks() {
            return Err(unsupported("lock", "this store is configured without locks"));
        }
        let info = info.clone().with_path(self.location(workspace).path);
        self.with_slot(workspace, |slot| match &slot.lock {
            None => {
                slot.lock = Some(info.to_json().into());
                Ok(info)
            }
            Some(bytes) => match LockInfo::parse(bytes) {
                Ok(stored) if stored.id == info.id => Ok(stored),
                _ => Err(self.held("lock", workspace, bytes)),
            },
        })
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        self.with_slot(workspace, |slot| {
            let Some(bytes) = &slot.lock else { return Ok(Released::AlreadyFree) };
            let stored = LockInfo::parse(bytes);
            let is_meant = match (target, &stored) {
                (LockTarget::Id(id), Ok(stored)) => *id == stored.id,
                (LockTarget::Unreadable, Err(_)) => true,
                _ => false,
            };
            if !is_meant {
                return Err(self.held("unlock", workspace, bytes));
            }
            slot.lock = None;
            Ok(Released::Freed(stored.ok()))
        })
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        Ok(self
            .with_slot(workspace, |slot| slot.lock.clone())
            .map(|bytes| self.found(workspace, &bytes)))
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        let locks: Vec<_> = self
            .bucket()
            .states
            .iter()
            .filter_map(|(key, slot)| {
                let (name, lock) = (self.workspace_of(key)?, slot.lock.as_ref()?);
                let record = self.found(&name, lock);
                Some(Ok((name, record)))
            })
            .collect();
        stream::iter(locks).boxed()
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        if !self.capabilities.has_versions() {
            return stream::iter([Err(unsupported(
                "list versions",
                "this store keeps no versions",
            ))])
            .boxed();
        }
        let versions: Vec<_> = self.with_slot(workspace, |slot| {
            let listed = slot.versions.iter().rev().enumerate();
            listed
                .map(|(index, version)| {
                    Ok(match version.bytes {
                        Some(_) => StateVersion::new(version.meta.clone(), index == 0),
                        None => StateVersion::delete_marker(version.meta.clone(), index == 0),
                    })
                })
                .collect()
        });
        stream::iter(versions).boxed()
    }

    fn deleted_workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        let bucket = self.bucket();
        let is_deleted = |slot: &Slot| !slot.versions.is_empty() && slot.current().is_none();
        let deleted = bucket.states.iter().filter(|(_, slot)| is_deleted(slot));
        let names = deleted.filter_map(|(key, _)| self.workspace_of(key));
        let names: Vec<_> = names.filter(|name| !name.is_default()).map(Ok).collect();
        stream::iter(names).boxed()
    }

    fn catalog(&self) -> Option<Arc<dyn StateCatalog>> {
        Some(Arc::new(self.clone()))
    }
}

impl StateCatalog for MemoryStore {
    fn objects(&self, prefix: &str) -> BoxStream<'static, Result<CatalogEntry>> {
        let entry = |(key, slot): (&String, &Slot)| {
            let (meta, _) = slot.current().filter(|_| key.starts_with(prefix))?;
            let entry = CatalogEntry::new(key, meta.size_bytes).with_etag(meta.etag.clone());
            Some(Ok(entry.with_modified(meta.modified)))
        };
        let listed: Vec<_> = self.bucket().states.iter().filter_map(entry).collect();
        stream::iter(listed).boxed()
    }

    fn open(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        Ok(Arc::new(Self { state_key: key.to_owned(), ..self.clone() }))
    }
}

#[async_trait]
impl RawLocks for MemoryStore {
    async fn put(&self, workspace: &Workspace, bytes: Bytes) {
        self.with_slot(workspace, |slot| slot.lock = Some(bytes));
    }

    async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
        self.with_slot(workspace, |slot| slot.lock.clone())
    }
}
