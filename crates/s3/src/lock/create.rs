//! The lock file: an object that only one client can create.
//!
//! Exclusion relies on the store: of any number of clients that send a `PUT` with
//! `If-None-Match: *`, it must carry out one and answer 412 to the others. A store that ignores the
//! condition would let every client win. So a store that is not known to honour it is tested with
//! the first lock that is won: it must refuse a second conditional create. If it does not, the lock
//! file is deleted again and the lock is refused. Until the test has succeeded, the client looks
//! for a lock file before it creates one, so that it does not overwrite another client's. The test
//! shows that the store checks the condition, not that checking and writing are one step: only the
//! vendor's documentation can show that.
//!
//! A store of Ceph's family ignores the condition where versioning is enabled, and shows this by
//! the version that its reply names: there the version list decides, see
//! [`version_list`](super::version_list). The two rules do not conflict when versioning is
//! switched: the store honoured the condition of a create whose reply names no version, and a lock
//! file from before versioning was enabled is the oldest in the list.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::provider::{
    FoundLock, LockMechanism, ObjectBackend as _, SecondCreate, StatePlace, parse_lock_record,
    read_lock_record, second_create,
};
use remote_state_core::{
    Advice, Error, ErrorKind, LockId, LockRecord, LockTarget, Released, Result,
};

use crate::bucket::Bucket;
use crate::client::{Condition, Object, Repeat, Select, Stored};
use crate::dialect::Versioned;
use crate::error::{Failure, Outcome};
use crate::lock::claim::Tags;
use crate::lock::memory::{Created, Held, NULL_VERSION, Versioning};
use crate::lock::version_list::{VersionList, unlisted};
use crate::payload::Payload;

/// The lock file of a workspace's state.
pub(crate) struct LockFile<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) place: &'a StatePlace,
    /// Whether the version list has decided, so that the store needs no test.
    is_decided_by_list: AtomicBool,
    /// What the store returned for the created file, as long as no other client can have changed
    /// it.
    pub(super) created: Mutex<Option<Stored>>,
}

#[async_trait]
impl LockMechanism for LockFile<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn object(&self) -> String {
        self.url()
    }

    fn is_proven(&self) -> bool {
        self.bucket.is_proven.load(Ordering::Acquire)
            || self.is_decided_by_list.load(Ordering::Acquire)
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        let id = parse_lock_record(&record).ok().map(|info| info.id);
        // Where the store carries out every create, a record that cannot win is not written: if its
        // owner died, the record would hold the lock later.
        if self.may_go_by_list() && self.bucket.memory.versioning() == Versioning::Enabled {
            let list = self.list("lock", None).await.map_err(unlisted)?;
            if list.holder().is_some() {
                let reason = "another client was first";
                let error = self.about("lock", ErrorKind::PreconditionFailed, reason);
                return Err(Failure { outcome: Outcome::ConditionFailed, error });
            }
        }
        match self.put(record.clone()).await {
            Ok(Stored { version: Some(version), .. }) if self.is_listed(&version) => {
                self.contend(id, version).await
            }
            Ok(stored) => {
                self.remember(id, &record, &stored);
                *self.created.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
                Ok(())
            }
            // Ceph replies so to a PUT if other clients created or deleted the object meanwhile.
            // Ceph may have linked the version nevertheless.
            Err(failure) if failure.outcome == Outcome::Absent && self.may_go_by_list() => {
                self.contend_in_doubt(id, failure).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// Creates the lock file again, and fails unless the store refuses that.
    async fn prove(&self, record: Bytes) -> Result<()> {
        // The same bytes again: on a store that ignores the condition this at least changes
        // nothing.
        match second_create(|| self.put(record.clone())).await? {
            SecondCreate::Refused => {
                self.bucket.is_proven.store(true, Ordering::Release);
                Ok(())
            }
            // Versioning has been enabled since: the first record comes before this one in the
            // list.
            SecondCreate::CarriedOut(Stored { version: Some(version), .. })
                if self.is_listed(&version) =>
            {
                self.set_decided_by_list();
                Ok(self.delete_version("lock", &version).await?)
            }
            SecondCreate::CarriedOut(stored) => {
                // The second version would lie above the first, which the caller releases.
                if let Some(version) = stored.version.filter(|version| version != NULL_VERSION)
                    && let Err(failure) = self.delete_version("lock", &version).await
                {
                    tracing::debug!(
                        error = failure.error.to_string(),
                        "the second of two lock files is left behind"
                    );
                }
                Err(self.cannot_lock().await)
            }
        }
    }

    async fn learn(&self, record: Bytes) {
        self.learn_to_claim(record).await;
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        Ok(self.read_file(operation).await?.map(|found| found as _))
    }

    async fn find(
        &self,
        operation: &'static str,
        target: &LockTarget,
    ) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(mut found) = self.find_file(operation, target).await? else { return Ok(None) };
        found.tags = self.tags_for(&found).await;
        Ok(Some(found))
    }

    fn remembered(&self, id: &LockId) -> Option<Box<dyn FoundLock + '_>> {
        let Created { etag, text } = self.bucket.memory.take_created(self.lock_key(), id)?;
        let record = read_lock_record(&text, self.url());
        let place = Found::Object { etag: Some(etag), version: None, text };
        Some(Box::new(FoundFile { file: self, record, place, tags: self.bucket.claiming.tags() }))
    }

    /// The caller relies on the answer. So if another process released this process's lock and a
    /// third one has taken it since, this process's lock is not looked for any more: a replica of a
    /// server may have to write under a lock that another replica took.
    async fn look(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        // The check does not cover locks that this process takes from now on.
        let held = self.bucket.memory.held(self.lock_key());
        let found = self.read(operation).await?;
        if let (Some(found), Some(held)) = (&found, held)
            && found.record().id().is_some_and(|id| *id != held.id)
        {
            self.bucket.memory.forget(self.lock_key(), &held.id);
        }
        Ok(found)
    }

    async fn taken(&self, id: &LockId) {
        // If the reply to the create was lost, the lock was recognised by its id, and its version
        // is not known yet.
        let memory = &self.bucket.memory;
        if self.goes_by_list()
            && memory.held(self.lock_key()).is_none_or(|held| held.id != *id)
            && let Ok(Some((holder, _))) = self.read_holder("lock").await
            && holder.record.is_held_by(id)
            // The version `null` is not this lock's alone: the next holder's lock has it too.
            && holder.version != NULL_VERSION
        {
            memory.set_held(self.lock_key(), Held { id: id.clone(), version: holder.version });
        }
    }

    fn not_taken(&self, id: &LockId) {
        self.bucket.memory.forget(self.lock_key(), id);
    }

    async fn released(&self, id: &LockId, released: &Released) {
        let memory = &self.bucket.memory;
        // A native client's delete marker may lie above this lock's version: that frees the lock,
        // and would leave the version there for ever.
        if *released == Released::AlreadyFree
            && let Some(held) = memory.held(self.lock_key()).filter(|held| held.id == *id)
            && let Err(failure) = self.delete_version("unlock", &held.version).await
        {
            tracing::warn!(
                error = failure.error.to_string(),
                object = self.url(),
                version = held.version,
                "a version is left behind"
            );
        }
        memory.forget(self.lock_key(), id);
    }

    async fn withdraw(&self, id: &LockId) -> Result<()> {
        if !self.may_go_by_list() {
            return Ok(());
        }
        let Some(list) = self.list_unless_off("lock", None).await? else { return Ok(()) };
        for standing in self.live_with("lock", &list, id).await? {
            self.delete_version("lock", &standing.version).await?;
        }
        Ok(())
    }
}

impl LockFile<'_> {
    /// Remembers a created lock file for its release, if the store can release it on a condition.
    fn remember(&self, id: Option<LockId>, record: &Bytes, stored: &Stored) {
        let dialect = &self.bucket.dialect;
        let is_conditional = dialect.deletes_conditionally || self.bucket.claiming.tags().is_some();
        if let (Some(id), Stored { etag: Some(etag), version: None }) = (id, stored)
            && is_conditional
            && !self.may_go_by_list()
        {
            let created = Created { etag: etag.clone(), text: record.to_vec() };
            self.bucket.memory.set_created(self.lock_key(), id, created);
        }
    }

    async fn read_file(&self, operation: &'static str) -> Result<Option<Box<FoundFile<'_>>>> {
        match self.see(operation).await? {
            Seen::Object(found) => Ok(Some(found)),
            // Ceph may briefly return this while versions come and go: there the list decides.
            Seen::Nothing if self.goes_by_list() => self.find_holder(operation).await,
            Seen::Nothing => Ok(None),
            Seen::Version => self.find_holder(operation).await,
        }
    }

    async fn find_file(
        &self,
        operation: &'static str,
        target: &LockTarget,
    ) -> Result<Option<Box<FoundFile<'_>>>> {
        let LockTarget::Id(id) = target else { return self.read_file(operation).await };
        if !self.may_go_by_list() {
            return self.read_file(operation).await;
        }
        // A lock file without a version of its own is the only one, and needs no list, which not
        // every client may read.
        let seen = self.see(operation).await?;
        if let Seen::Object(found) = seen
            && found.record.id() == Some(id)
        {
            return Ok(Some(found));
        }
        if let Some(list) = self.list_unless_off(operation, None).await? {
            // A repetition of this process's create whose reply was lost has the same id.
            let mut found = self.live_with(operation, &list, id).await?;
            if let Some(first) = found.pop() {
                let versions = found.into_iter().map(|standing| standing.version);
                let versions = std::iter::once(first.version).chain(versions).collect();
                let place = Found::Versions { versions, list };
                return Ok(Some(Box::new(FoundFile {
                    file: self,
                    record: first.record,
                    place,
                    tags: None,
                })));
            }
        }
        self.read_file(operation).await
    }
}

/// What a GET of the lock file shows.
enum Seen<'a> {
    Nothing,
    /// An object without versions.
    Object(Box<FoundFile<'a>>),
    /// One of several versions, among which the list decides.
    Version,
}

pub(super) struct FoundFile<'a> {
    file: &'a LockFile<'a>,
    record: LockRecord,
    place: Found,
    /// How the store expects the entity tag in a claim, if the lock can be claimed.
    tags: Option<Tags>,
}

/// Where a lock was found.
pub(super) enum Found {
    /// In an object.
    Object {
        etag: Option<String>,
        /// The object's version, where each version has an id of its own.
        version: Option<String>,
        text: Vec<u8>,
    },
    /// In these versions of a list.
    Versions { versions: Vec<String>, list: VersionList },
}

impl FoundFile<'_> {
    pub(super) fn is_object(&self) -> bool {
        matches!(self.place, Found::Object { .. })
    }
}

#[async_trait]
impl FoundLock for FoundFile<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn beside(&self) -> Result<Vec<LockRecord>> {
        match &self.place {
            Found::Object { .. } => Ok(Vec::new()),
            Found::Versions { versions, list } => {
                let others: Vec<&str> = list
                    .live()
                    .filter(|live| !versions.iter().any(|version| version == live))
                    .collect();
                self.file.strangers("list locks", &others).await
            }
        }
    }

    fn removes_exactly(&self) -> bool {
        match &self.place {
            Found::Versions { .. } => true,
            Found::Object { etag, version, .. } => {
                version.is_some()
                    || (etag.is_some() && self.file.bucket.dialect.deletes_conditionally)
            }
        }
    }

    fn claimable(&self) -> Option<&[u8]> {
        match (&self.place, self.tags) {
            (Found::Object { text, .. }, Some(_)) => Some(text),
            _ => None,
        }
    }

    async fn replace_once(&self, record: Bytes) -> Result<(), Failure> {
        let etag = match (&self.place, self.tags) {
            (Found::Object { etag: Some(etag), .. }, Some(tags)) => tags.write(etag),
            _ => "",
        };
        self.file.claim(record, etag).await
    }

    async fn remove_claimed_once(&self) -> Result<(), Failure> {
        self.file.delete_object(Condition::None).await
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        let file = self.file;
        match &self.place {
            Found::Versions { versions, .. } => {
                for version in versions {
                    file.delete_version("unlock", version).await?;
                }
                Ok(())
            }
            Found::Object { etag: Some(etag), .. } if file.bucket.dialect.deletes_conditionally => {
                file.delete_object(Condition::IfMatch(etag)).await
            }
            Found::Object { version: Some(version), .. } => {
                match file.delete_version("unlock", version).await {
                    // Naming a version takes another permission, and a retention rule keeps every
                    // version.
                    Err(Failure { outcome: Outcome::Refused, error }) if self.tags.is_none() => {
                        tracing::debug!(
                            error = error.to_string(),
                            "the lock is deleted without naming its version"
                        );
                        file.delete_object(Condition::None).await
                    }
                    other => other,
                }
            }
            Found::Object { .. } => file.delete_object(Condition::None).await,
        }
    }
}

impl<'a> LockFile<'a> {
    pub(crate) const NAME: &'static str = "lock file";

    pub(crate) fn new(bucket: &'a Bucket, place: &'a StatePlace) -> Self {
        Self {
            bucket,
            place,
            is_decided_by_list: AtomicBool::new(false),
            created: Mutex::default(),
        }
    }
}

impl LockFile<'_> {
    pub(super) fn lock_key(&self) -> &str {
        &self.place.lock_key
    }

    pub(super) fn url(&self) -> String {
        self.bucket.url(self.lock_key())
    }

    pub(super) fn about(&self, operation: &'static str, kind: ErrorKind, reason: &str) -> Error {
        self.bucket.client.about(operation, &self.url()).error(kind, reason)
    }

    /// Whether the version list may decide, which depends on the store.
    pub(super) fn may_go_by_list(&self) -> bool {
        self.bucket.dialect.versioned == Versioned::ByList
    }

    /// Whether the version list decides about this version. The version `null` does not belong to
    /// one client: where versioning is not enabled every write replaces it, so two clients that had
    /// both won would both find it in the list.
    pub(super) fn is_listed(&self, version: &str) -> bool {
        self.may_go_by_list() && version != NULL_VERSION
    }

    /// Whether the version list decides, as far as is known.
    fn goes_by_list(&self) -> bool {
        self.may_go_by_list() && self.bucket.memory.versioning() != Versioning::Off
    }

    /// Deletes the current object, whatever it is, unless the condition says what it must be.
    async fn delete_object(&self, condition: Condition<'_>) -> Result<(), Failure> {
        let client = &self.bucket.client;
        if !self.may_go_by_list() {
            return client.delete_once("unlock", self.lock_key(), condition).await;
        }
        // Where versioning is suspended, a delete without a version would leave a delete marker,
        // and that would refuse every create from then on.
        match self.delete_version("unlock", NULL_VERSION).await {
            // Naming a version takes another permission. A bucket that never had versions cannot
            // get a delete marker.
            Err(failure)
                if failure.error.kind() == ErrorKind::PermissionDenied
                    && matches!(client.was_versioned("unlock").await, Ok(false)) =>
            {
                client.delete_once("unlock", self.lock_key(), condition).await
            }
            other => other,
        }
    }

    async fn see(&self, operation: &'static str) -> Result<Seen<'_>> {
        let answer =
            match self.bucket.client.get(operation, self.lock_key(), &Select::default()).await {
                Ok(answer) => answer,
                Err(failure) if failure.outcome == Outcome::Absent => return Ok(Seen::Nothing),
                Err(failure) => return Err(failure.error),
            };
        if answer.version_id.as_deref().is_some_and(|version| self.is_listed(version)) {
            return Ok(Seen::Version);
        }
        let etag = answer.e_tag.clone();
        // A delete that names `null` could delete the next holder's lock.
        let version = answer.version_id.clone().filter(|version| version != NULL_VERSION);
        let text = self.text_of(operation, answer).await?;
        let record = read_lock_record(&text, self.url());
        let place = Found::Object { etag, version, text };
        Ok(Seen::Object(Box::new(FoundFile { file: self, record, place, tags: None })))
    }

    async fn find_holder(&self, operation: &'static str) -> Result<Option<Box<FoundFile<'_>>>> {
        let Some((holder, list)) = self.read_holder(operation).await? else { return Ok(None) };
        // An empty list has decided nothing: the next create may have no version, and then needs
        // the test.
        if self.is_listed(&holder.version) {
            self.set_decided_by_list();
        }
        let place = Found::Versions { versions: vec![holder.version], list };
        Ok(Some(Box::new(FoundFile { file: self, record: holder.record, place, tags: None })))
    }

    pub(super) fn set_decided_by_list(&self) {
        self.is_decided_by_list.store(true, Ordering::Release);
    }

    async fn put(&self, record: Bytes) -> Result<Stored, Failure> {
        self.put_as(Object::Lock, record, Condition::IfAbsent).await
    }

    pub(super) async fn put_as(
        &self,
        object: Object,
        record: Bytes,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        let payload = Payload::small(record);
        let bucket = self.bucket;
        let stored =
            bucket.client.put(object, self.lock_key(), &payload, condition, Repeat::Never).await?;
        bucket.memory.note(&bucket.dialect, stored.version.as_deref());
        Ok(stored)
    }

    /// Explains why a lock file does not work here, and what to use instead.
    async fn cannot_lock(&self) -> Error {
        let (bucket, store) = (self.bucket.client.bucket(), self.bucket.client.store());
        // Ceph honours the condition in buckets without versioning only. The check is for the
        // message alone, so its failure does not matter.
        let is_versioned = self.bucket.client.is_versioned("lock").await.unwrap_or(false);
        let where_ = if is_versioned { " on this versioned bucket" } else { "" };
        let error = Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{bucket}` cannot hold locks: {store} ignores `If-None-Match`{where_}, so \
                 two clients would both hold the lock file"
            ),
        )
        .with_context("state", self.bucket.url(&self.place.key));
        if is_versioned {
            error
                .with_hint(
                    "if the store is a gateway of Ceph, name its dialect: the order of versions \
                     then decides which client holds the lock",
                )
                .with_advice(Advice::NameDialect("ceph"))
                .with_hint(
                    "keep the state in a bucket without versioning, if the store honours the \
                     condition there",
                )
        } else {
            error.with_hint(
                "keep the state in a store that honours conditional writes (Amazon S3, MinIO, \
                 Ceph without versioning)",
            )
        }
        .with_hint(
            "or set `use_lockfile = false`, and make sure by other means that only one client \
             writes at a time",
        )
    }
}
