//! The lock file: an object that only one client can create.
//!
//! Exclusion rests on the store carrying out `PUT` with `If-None-Match: *` for one of any number of clients, and answering 412 to the others.
//! A store that ignores the condition would let every client win. So on a store that is not known to honour it, the first lock that is won is
//! put to the proof: a second conditional create must be refused. If it is not, the lock file is taken away again and the lock refused. Until
//! then we look before we create, so that no other client's lock file is overwritten. That shows that the store looks at the condition, not that
//! looking and writing are one step: only a store's own word can show that.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::provider::{
    Attempts, FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, parse_lock_record,
};
use remote_state_core::{Error, ErrorKind, LockRecord, Result, Workspace};

use crate::client::{Condition, Object, Repeat, Select, Stored};
use crate::error::{Failure, Outcome};
use crate::payload::Payload;
use crate::store::S3Store;

/// The lock file of a workspace's state.
pub(crate) struct LockFile<'a> {
    pub(crate) store: &'a S3Store,
    pub(crate) workspace: &'a Workspace,
}

#[async_trait]
impl LockMechanism for LockFile<'_> {
    fn name(&self) -> &'static str {
        "lock file"
    }

    fn object(&self) -> String {
        self.store.layout.url(&self.key())
    }

    fn is_proven(&self) -> bool {
        self.store.is_proven.load(Ordering::Acquire)
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        self.put(record).await.map(drop)
    }

    /// Creates the lock file again, and fails unless the store refuses that.
    async fn prove(&self, record: Bytes) -> Result<()> {
        let mut attempts = Attempts::new();
        while attempts.next().await {
            // The same bytes again: on a store that ignores the condition this at least changes nothing.
            match self.put(record.clone()).await {
                // A proxy or a login page says yes to everything.
                Ok(stored) if stored.etag.is_none() => return Err(self.not_a_store()),
                Ok(_) => return Err(self.cannot_lock().await),
                Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {
                    self.store.is_proven.store(true, Ordering::Release);
                    return Ok(());
                }
                // Busy or lost is not refused: a store that ignores the condition may answer so too.
                Err(failure)
                    if attempts.is_last()
                        || matches!(failure.outcome, Outcome::Absent | Outcome::Refused) =>
                {
                    return Err(failure.error);
                }
                Err(_) => {}
            }
        }
        Err(Error::new(ErrorKind::Unexpected, "lock", "no attempt was made"))
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let key = self.key();
        let mut answer = match self.store.client.get(operation, &key, &Select::default()).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        let mut text = Vec::new();
        while let Some(bytes) = answer.body.next().await {
            let bytes = bytes.map_err(|error| {
                self.store
                    .client
                    .about(operation, &self.object())
                    .error(ErrorKind::Unavailable, "the transfer broke off")
                    .with_source(error)
            })?;
            text.extend_from_slice(&bytes);
            if text.len() > MAX_LOCK_RECORD_BYTES {
                break;
            }
        }
        let record = LockRecord::new(parse_lock_record(&text), self.object());
        Ok(Some(Box::new(FoundFile { file: self, record, etag: answer.e_tag })))
    }
}

struct FoundFile<'a> {
    file: &'a LockFile<'a>,
    record: LockRecord,
    etag: Option<String>,
}

#[async_trait]
impl FoundLock for FoundFile<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        let store = self.file.store;
        let condition = match &self.etag {
            Some(etag) if store.dialect.deletes_conditionally => Condition::IfMatch(etag),
            _ => Condition::None,
        };
        store.client.delete_once("unlock", &self.file.key(), condition).await
    }
}

impl LockFile<'_> {
    fn key(&self) -> String {
        self.store.layout.lock_key(self.workspace)
    }

    async fn put(&self, record: Bytes) -> Result<Stored, Failure> {
        let payload = Payload::small(record);
        self.store.client.put(Object::Lock, &self.key(), &payload, Condition::IfAbsent, Repeat::Never).await
    }

    fn not_a_store(&self) -> Error {
        self.store
            .client
            .about("lock", &self.object())
            .error(ErrorKind::Unavailable, "what answers there does not answer as S3 does")
            .with_context("store", self.store.client.store())
            .with_hint("look for a proxy or a login page between this machine and the store")
    }

    /// Says why a lock file is none here, and what to use instead.
    async fn cannot_lock(&self) -> Error {
        let (bucket, store) = (self.store.client.bucket(), self.store.client.store());
        // Ceph honours the condition on buckets without versioning only; what the answer is worth if it fails is nothing.
        let is_versioned = self.store.client.is_versioned("lock").await.unwrap_or(false);
        let where_ = if is_versioned { " on this versioned bucket" } else { "" };
        let error = Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{bucket}` cannot hold locks: {store} ignores `If-None-Match`{where_}, so two clients would both hold the lock file"
            ),
        )
        .with_context("state", self.store.layout.location(self.workspace).state);
        if is_versioned {
            error.with_hint("keep the state in a bucket without versioning, if the store honours the condition there")
        } else {
            error.with_hint(
                "keep the state in a store that honours conditional writes (Amazon S3, MinIO, Ceph without versioning)",
            )
        }
        .with_hint("or turn `use_lockfile` off, and make sure by other means that only one client writes at a time")
    }
}
