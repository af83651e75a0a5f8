//! The lock object: an object that only one client can create.
//!
//! OSS has two requests that create an object and never replace one:
//!
//! - `PUT` with `x-oss-forbid-overwrite: true`. On a bucket that keeps versions, or did once, the service ignores that header.
//! - `AppendObject` at position 0. It is carried out only if nothing is there, or the newest version records a deletion, on every bucket.
//!
//! Each refuses what the other created, so clients may differ in which they take. We ask whether the bucket keeps versions before each lock,
//! take the first where it never has, and the second where it has or where we may not ask. An *empty* object would let an append through, so a
//! lock object never is: its record has at least an id.
//!
//! After a create that was carried out, the object is read back and must be ours. On a store that is not the vendor's own, the first lock that
//! is won is put to the proof besides: a second create must be refused. If it is not, the lock is given back and refused.
//!
//! The first proposal of `backend "oss"` looked and then put, so two of its clients may both win; but it sees our object, and our create is
//! refused by its object. Its records have an empty `Path`.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::provider::{
    Attempts, Failure, FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, Outcome, parse_lock_record,
};
use remote_state_core::{Error, ErrorKind, LockRecord, Result, Workspace};

use crate::client::{PutMode, Stored, Versioning};
use crate::payload::Payload;
use crate::request::{Repeat, chunk};
use crate::store::OssStore;

/// The lock object of a workspace's state.
pub(crate) struct LockObject<'a> {
    pub(crate) store: &'a OssStore,
    pub(crate) workspace: &'a Workspace,
}

#[async_trait]
impl LockMechanism for LockObject<'_> {
    fn name(&self) -> &'static str {
        "lock object"
    }

    fn object(&self) -> String {
        self.store.layout.url(&self.key())
    }

    fn is_proven(&self) -> bool {
        self.store.is_proven.load(Ordering::Acquire)
    }

    /// Creates it and reads it back.
    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        self.create(&record).await.map(drop)?;
        let stored = self.text("lock").await.map_err(|error| Failure { outcome: Outcome::Unknown, error })?;
        match stored {
            Some(text) if text == record => Ok(()),
            // Someone else's stands there now, or nothing: whoever asked looks at it.
            _ => Err(Failure {
                outcome: Outcome::ConditionFailed,
                error: self.error(ErrorKind::Unavailable, "it was created, but is not what was stored"),
            }),
        }
    }

    /// Creates it again, and fails unless the store refuses that.
    async fn prove(&self, record: Bytes) -> Result<()> {
        let mut attempts = Attempts::new();
        while attempts.next().await {
            match self.create(&record).await {
                // A proxy or a login page says yes to everything.
                Ok(stored) if stored.etag.is_none() => return Err(self.not_a_store()),
                Ok(_) => return Err(self.cannot_lock()),
                Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {
                    self.store.is_proven.store(true, Ordering::Release);
                    return Ok(());
                }
                // Busy or lost is not refused.
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
        let Some(text) = self.text(operation).await? else { return Ok(None) };
        let record = LockRecord::new(parse_lock_record(&text), self.object());
        Ok(Some(Box::new(FoundObject { object: self, record })))
    }
}

struct FoundObject<'a> {
    object: &'a LockObject<'a>,
    record: LockRecord,
}

#[async_trait]
impl FoundLock for FoundObject<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    /// OSS deletes nothing on a condition. Whoever holds the lock is the only one to release it, so nobody else's can have come in between, unless
    /// somebody released it by force in that moment.
    async fn remove_once(&self) -> Result<(), Failure> {
        self.object.store.client.delete("unlock", &self.object.key(), Repeat::Never).await
    }
}

impl LockObject<'_> {
    fn key(&self) -> String {
        self.store.layout.lock_key(self.workspace)
    }

    async fn create(&self, record: &Bytes) -> Result<Stored, Failure> {
        let client = &self.store.client;
        let (key, payload) = (self.key(), Payload::from(record.clone()));
        match self.store.versioning("lock").await {
            Some(Versioning::Never) => {
                client.put("lock", &key, &payload, PutMode::ForbidOverwrite, Repeat::Never).await
            }
            Some(Versioning::EnabledOrSuspended) | None => client.append_once("lock", &key, &payload).await,
        }
    }

    /// Reads what is there. What is too long for a record is not read to its end.
    async fn text(&self, operation: &'static str) -> Result<Option<Vec<u8>>> {
        let mut answer = match self.store.client.get(operation, &self.key(), None).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        let mut text = Vec::new();
        while text.len() <= MAX_LOCK_RECORD_BYTES {
            match chunk(&mut answer.response).await {
                Ok(Some(bytes)) => text.extend_from_slice(&bytes),
                Ok(None) => break,
                Err(reason) => {
                    let object = self.object();
                    let about = self.store.client.sender.about(operation, &object);
                    return Err(about
                        .error(ErrorKind::Unavailable, "the transfer broke off")
                        .with_context("because", reason));
                }
            }
        }
        Ok(Some(text))
    }

    fn error(&self, kind: ErrorKind, reason: &str) -> Error {
        let object = self.object();
        self.store.client.sender.about("lock", &object).error(kind, reason)
    }

    fn not_a_store(&self) -> Error {
        self.error(ErrorKind::Unavailable, "what answers there does not answer as OSS does")
            .with_context("store", self.store.client.sender.store())
            .with_hint("look for a proxy or a login page between this machine and the store")
    }

    /// Says why a lock object is none here, and what to use instead.
    fn cannot_lock(&self) -> Error {
        let sender = &self.store.client.sender;
        Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{}` cannot hold locks: {} creates an object that exists, so two clients would both hold the lock",
                sender.bucket(),
                sender.store()
            ),
        )
        .with_hint("lock through Tablestore with `tablestore_endpoint` and `tablestore_table`")
        .with_hint("or set `lock = false`, and make sure by other means that only one client writes at a time")
    }
}

impl OssStore {
    /// Says whether the bucket keeps versions; `None` if that could not be found out.
    pub(crate) async fn versioning(&self, operation: &'static str) -> Option<Versioning> {
        if self.has_versions.load(Ordering::Acquire) {
            return Some(Versioning::EnabledOrSuspended);
        }
        match self.client.versioning(operation).await {
            Ok(versioning) => {
                // The other answer is good for the moment only: versions can be turned on at any time.
                self.has_versions.store(versioning == Versioning::EnabledOrSuspended, Ordering::Release);
                Some(versioning)
            }
            Err(failure) => {
                tracing::debug!(error = %failure.error, "whether the bucket keeps versions is not known");
                None
            }
        }
    }
}
