//! The [`StateStore`] that an [`ObjectBackend`] provides.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::backend::{
    DIGEST_SUFFIX, LOCK_SUFFIX, Layout, OWN_PREFIX, ObjectBackend, StatePlace, StateWrite,
    TableBackend,
};
use super::table::{TableDigest, TableLock};
use super::versions::{past_locks, versions_of};
use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::outgoing::Outgoing;
use crate::provider::{
    ClaimWait, DigestWait, LockMechanism, Outcome, Present, RecordedDigest, Release, ReleaseStep,
    StateDigest, StateLock, locks_of, not_too_many, pages, release_in_steps,
};
use crate::source::StateSource;
use crate::store::{
    Capabilities, CatalogEntry, Digests, LockRecord, LockTarget, Locking, PastLock, ReadOptions,
    Released, StateCatalog, StateLocation, StateMeta, StateRead, StateStore, StateVersion,
    WriteMode, WriteOptions,
};
use crate::workspace::Workspace;

/// What a table beside the objects holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableUse {
    /// The digest of each state.
    Digests,
    /// The digest and the lock of each state.
    LocksAndDigests,
}

/// Terraform state in one bucket, under one state key. Clones share what they have learned about
/// the bucket.
#[derive(Clone, Debug)]
pub struct ObjectStateStore {
    objects: Arc<dyn ObjectBackend>,
    layout: Arc<dyn Layout>,
    uses_lock_object: bool,
    /// The table of digests, and of locks if `locks_in_table`.
    table: Option<Arc<dyn TableBackend>>,
    locks_in_table: bool,
    lock_advice: &'static [Advice],
    claim_wait: ClaimWait,
    digest_wait: DigestWait,
}

impl ObjectStateStore {
    /// Creates a store without any lock. It sends nothing before the first operation.
    ///
    /// `lock_advice` says which configuration enables locking.
    pub fn new(
        objects: Arc<dyn ObjectBackend>,
        layout: Arc<dyn Layout>,
        lock_advice: &'static [Advice],
    ) -> Self {
        Self {
            objects,
            layout,
            uses_lock_object: false,
            table: None,
            locks_in_table: false,
            lock_advice,
            claim_wait: ClaimWait::default(),
            digest_wait: DigestWait::default(),
        }
    }

    /// Sets whether an object beside the state is a lock, alone or with others.
    #[must_use]
    pub fn with_lock_object(mut self, uses_lock_object: bool) -> Self {
        self.uses_lock_object = uses_lock_object;
        self
    }

    /// Keeps the digest of each state in a table, and its lock too if `usage` says so.
    #[must_use]
    pub fn with_table(mut self, table: Arc<dyn TableBackend>, usage: TableUse) -> Self {
        self.table = Some(table);
        self.locks_in_table = usage == TableUse::LocksAndDigests;
        self
    }

    /// Sets how long a reader waits for a state and its digest to agree.
    #[must_use]
    pub fn with_digest_wait(mut self, wait: DigestWait) -> Self {
        self.digest_wait = wait;
        self
    }

    /// Sets how long a release waits for another one.
    #[must_use]
    pub fn with_claim_wait(mut self, wait: ClaimWait) -> Self {
        self.claim_wait = wait;
        self
    }

    fn place(&self, workspace: &Workspace) -> StatePlace {
        StatePlace::new(self.objects.bucket(), self.layout.state_key(workspace))
    }

    /// Returns the configured lock.
    fn lock<'a>(&'a self, place: &'a StatePlace) -> StateLock<'a> {
        self.state_lock(place, self.mechanisms(place, true))
    }

    /// Returns all places that may hold a lock, also those that this configuration does not use,
    /// since another client may.
    fn visible_lock<'a>(&'a self, place: &'a StatePlace) -> StateLock<'a> {
        let mut mechanisms = self.mechanisms(place, true);
        mechanisms.extend(self.mechanisms(place, false));
        self.state_lock(place, mechanisms)
    }

    /// Returns those of the lock object and the lock row that are configured, or those that are
    /// not.
    fn mechanisms<'a>(
        &'a self,
        place: &'a StatePlace,
        are_configured: bool,
    ) -> Vec<Box<dyn LockMechanism + 'a>> {
        let mut mechanisms: Vec<Box<dyn LockMechanism + 'a>> = Vec::new();
        if self.uses_lock_object == are_configured {
            mechanisms.push(self.objects.lock_object(place));
        }
        if let Some(table) = &self.table
            && self.locks_in_table == are_configured
        {
            mechanisms.push(Box::new(TableLock { table: &**table, id: &place.path }));
        }
        mechanisms
    }

    fn state_lock<'a>(
        &self,
        place: &StatePlace,
        mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    ) -> StateLock<'a> {
        StateLock::new(self.location_of(place), self.capabilities(), mechanisms)
            .with_claim_wait(self.claim_wait)
    }

    fn location_of(&self, place: &StatePlace) -> StateLocation {
        let locks = self.mechanisms(place, true).iter().map(|lock| lock.object()).collect();
        StateLocation::new(place.path.clone(), self.objects.url(&place.key), locks)
    }

    /// Returns the digest of a state, if a table is configured.
    fn digest(&self, place: &StatePlace) -> Option<StateDigest<TableDigest<'_>>> {
        let table = &**self.table.as_ref()?;
        let (state, look) = (self.objects.url(&place.key), self.objects.how_to_look(&place.key));
        let entry = TableDigest::new(table, &place.path, state, look);
        Some(StateDigest::new(entry, self.digest_wait))
    }

    /// Reads the stored state without regard to its digest.
    async fn read_object(
        &self,
        place: &StatePlace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        match self.objects.get("read", &place.key, options).await {
            // Native clients treat an object without bytes as no state.
            Ok(read) if read.meta.size_bytes == 0 => Ok(None),
            Ok(read) => Ok(Some(match options.limit {
                Some(limit) => read.with_limit(limit),
                None => read,
            })),
            Err(failure) if failure.outcome == Outcome::Absent && options.version.is_none() => {
                Ok(None)
            }
            Err(failure) => Err(failure.error),
        }
    }

    /// Refuses a workspace that the layout does not accept, unless it exists.
    async fn refuse_new(&self, workspace: &Workspace, place: &StatePlace) -> Result<()> {
        let Some(reason) = self.layout.refuses_new(workspace) else { return Ok(()) };
        if self.objects.present("write", &place.key).await? != Present::No {
            return Ok(());
        }
        let message = format!("cannot create workspace `{workspace}`: {reason}");
        Err(Error::new(ErrorKind::ConfigInvalid, "write", message)
            .with_context("state", self.objects.url(&place.key))
            .with_hint("keep the state under another key before you make workspaces of it"))
    }

    fn keys(&self, operation: &'static str) -> BoxStream<'static, Result<String>> {
        let listed = self.list(operation, &self.layout.listing_prefix());
        listed.map_ok(|object| object.key).boxed()
    }

    fn list(
        &self,
        operation: &'static str,
        prefix: &str,
    ) -> BoxStream<'static, Result<CatalogEntry>> {
        let (objects, prefix) = (self.objects.clone(), Arc::from(prefix));
        pages(self.objects.store(), move |at| {
            let (objects, prefix): (_, Arc<str>) = (objects.clone(), Arc::clone(&prefix));
            async move { objects.list(operation, &prefix, at).await }
        })
    }
}

impl StateCatalog for ObjectStateStore {
    fn objects(&self, prefix: &str) -> BoxStream<'static, Result<CatalogEntry>> {
        let may_be_state = |object: &CatalogEntry| {
            !object.key.ends_with(LOCK_SUFFIX) && !object.key.starts_with(OWN_PREFIX)
        };
        let listed = self.list("list", prefix);
        listed.try_filter(move |object| std::future::ready(may_be_state(object))).boxed()
    }

    fn open(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        let layout = self.layout.of_object(key).map_err(|reason| no_state(key, &reason))?;
        Ok(Arc::new(Self { layout, ..self.clone() }))
    }
}

fn no_state(key: &str, reason: &str) -> Error {
    Error::config(format!("no state can be kept under the key {key:?}: {reason}"))
}

impl fmt::Display for ObjectStateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.objects.url(&self.place(&Workspace::default()).key))
    }
}

#[async_trait]
impl StateStore for ObjectStateStore {
    fn capabilities(&self) -> Capabilities {
        self.objects
            .capabilities()
            .with_locking(if self.uses_lock_object || self.locks_in_table {
                Locking::Exclusive
            } else {
                Locking::None
            })
            .with_lock_advice(self.lock_advice)
            .with_digests(if self.table.is_some() { Digests::Md5 } else { Digests::None })
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        self.location_of(&self.place(workspace))
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        let layout = self.layout.with_state_key(key).map_err(|reason| no_state(key, &reason))?;
        Ok(Arc::new(Self { layout, ..self.clone() }))
    }

    fn admit(&self, workspace: &Workspace) -> Result<()> {
        let refused = |reason: String| {
            Err(Error::config(format!("no state can be kept under this name: {reason}")))
        };
        if let Some(reason) = self.layout.refuses_new(workspace) {
            return refused(reason);
        }
        let StatePlace { key, lock_key, path } = self.place(workspace);
        let bytes = if self.uses_lock_object { lock_key.len() } else { key.len() };
        let most = self.objects.longest_key();
        if bytes > most {
            return refused(format!(
                "an object's key would have {bytes} bytes, of which {most} are allowed"
            ));
        }
        let table = self.table.as_deref();
        if let Some(most) = table.map(TableBackend::longest_id) {
            let bytes = path.len() + DIGEST_SUFFIX.len();
            if bytes > most {
                return refused(format!(
                    "a row's id would have {bytes} bytes, of which {most} are allowed"
                ));
            }
        }
        // A client that locks the other state would find this state as its lock, and clients of
        // this state would find a lock record and take the state for damaged.
        let lock_object = self.uses_lock_object.then(|| self.objects.lock_object_name());
        let taken =
            [(LOCK_SUFFIX, lock_object), (DIGEST_SUFFIX, table.map(TableBackend::digest_name))];
        match taken.into_iter().find(|(suffix, used)| used.is_some() && key.ends_with(suffix)) {
            Some((suffix, Some(what))) => {
                refused(format!("what ends in `{suffix}` is the {what} of another state"))
            }
            _ => Ok(()),
        }
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let place = self.place(workspace);
        let read = || self.read_object(&place, options);
        match self.digest(&place) {
            Some(digest) => digest.read(options, read).await,
            None => read().await,
        }
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        let place = &self.place(workspace);
        self.refuse_new(workspace, place).await?;
        let digest = self.digest(place);
        let needs_md5 = digest.is_some();
        let written =
            self.objects.put_state(StateWrite { place, outgoing, options, needs_md5 }).await?;
        match (digest, written.md5) {
            (Some(digest), md5) => {
                let missing = || {
                    let message = "the provider did not compute the MD5 of the state";
                    Err(Error::new(ErrorKind::Unexpected, "write", message))
                };
                digest.record(written.meta, md5.unwrap_or_else(missing)).await
            }
            (None, _) => written.meta,
        }
    }

    async fn record_digest(
        &self,
        workspace: &Workspace,
        stored: &StateSource,
        meta: &StateMeta,
    ) -> Result<()> {
        let place = self.place(workspace);
        let Some(digest) = self.digest(&place) else { return Ok(()) };
        let md5 = stored.clone().md5().await?;
        // The lock may have been released by another client while the state was read.
        if let Some(etag) = &meta.etag {
            let unchanged = WriteMode::Update(etag.clone());
            drop(self.objects.expect_present(&place.key, &unchanged).await?);
        }
        digest.record_of_stored(md5).await
    }

    async fn inspect_digest(&self, workspace: &Workspace) -> Result<Option<RecordedDigest>> {
        match self.digest(&self.place(workspace)) {
            Some(digest) => digest.inspect().await,
            None => Ok(None),
        }
    }

    async fn forget_digest(&self, workspace: &Workspace) -> Result<()> {
        match self.digest(&self.place(workspace)) {
            Some(digest) => digest.forget().await,
            None => Ok(()),
        }
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        let place = self.place(workspace);
        self.objects.delete_state(&place).await?;
        self.forget_digest(workspace).await
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        let layout = self.layout.clone();
        let named = self
            .keys("list workspaces")
            .try_filter_map(move |key| std::future::ready(Ok(layout.workspace_of(&key))));
        not_too_many(self.objects.store(), named.boxed())
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        let place = self.place(workspace);
        self.lock(&place).take(info).await
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        release_in_steps(self, workspace, target).await
    }

    async fn release_step(
        &self,
        workspace: &Workspace,
        target: &LockTarget,
        release: &mut Release,
    ) -> Result<ReleaseStep> {
        let place = self.place(workspace);
        self.lock(&place).release_step(target, release).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        let place = self.place(workspace);
        self.visible_lock(&place).inspect("read the lock").await
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        let (layout, has_table) = (self.layout.clone(), self.table.is_some());
        let workspace_of = move |key: &str| {
            let of_lock = key.strip_suffix(LOCK_SUFFIX).and_then(|key| layout.workspace_of(key));
            of_lock.or_else(|| layout.workspace_of(key).filter(|_| has_table))
        };
        let store = self.clone();
        locks_of(self.keys("list locks"), workspace_of, move |workspace| {
            let store = store.clone();
            async move {
                let place = store.place(&workspace);
                store.visible_lock(&place).inspect_all("list locks").await
            }
        })
    }

    fn release_caveat(&self) -> Option<String> {
        self.objects.release_caveat().filter(|_| self.uses_lock_object)
    }

    async fn lock_caveat(&self) -> Result<Option<String>> {
        if self.uses_lock_object { self.objects.lock_caveat().await } else { Ok(None) }
    }

    fn deleted_workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        if !self.objects.capabilities().has_versions() {
            return stream::empty().boxed();
        }
        let layout = self.layout.clone();
        let (objects, prefix) = (self.objects.clone(), Arc::from(self.layout.listing_prefix()));
        let keys = pages(self.objects.store(), move |at| {
            let (objects, prefix): (_, Arc<str>) = (objects.clone(), Arc::clone(&prefix));
            async move { objects.deleted(&prefix, at).await }
        });
        let named =
            keys.try_filter_map(move |key| std::future::ready(Ok(layout.workspace_of(&key))));
        not_too_many(self.objects.store(), named.boxed())
    }

    fn past_locks(&self, workspace: &Workspace) -> BoxStream<'static, Result<PastLock>> {
        if !self.objects.capabilities().has_versions() {
            return stream::empty().boxed();
        }
        past_locks(&self.objects, self.place(workspace).lock_key)
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        versions_of(&self.objects, self.place(workspace).key)
    }

    fn catalog(&self) -> Option<Arc<dyn StateCatalog>> {
        Some(Arc::new(self.clone()))
    }
}
