//! The lock object: an object that only one client can create.
//!
//! OSS has two requests that create an object and never replace one:
//!
//! - `PUT` with `x-oss-forbid-overwrite: true`. On a bucket that keeps versions, or did once, the
//!   service ignores that header.
//! - `AppendObject` at position 0. On every bucket, it succeeds only if there is no object, or if
//!   the newest version records a deletion.
//!
//! Each refuses what the other created, so clients may use either. Before each lock, this crate
//! asks whether the bucket keeps versions. It uses the first request if the bucket never did, and
//! the second if it does or did, or if the client may not ask. The service would append to an
//! *empty* object, so a lock object is never empty: its record has at least an id.
//!
//! | versions, as the bucket says | request | answer | meaning |
//! |---|---|---|---|
//! | never kept | `PUT`, forbidding to overwrite | a success that names no version | created |
//! | | | a success that names a version | versioning was enabled meanwhile, so the service did not check: the client deletes that version and creates the lock again by an append |
//! | | | a success that names the version `null` | versioning was also suspended again, and the create may have replaced a lock: the client deletes nothing, and does not have the lock |
//! | | | `FileAlreadyExists` | another client holds the lock |
//! | kept, suspended, or unknown | `AppendObject` at 0 | a success | created |
//! | | | `PositionNotEqualToLength`, `ObjectNotAppendable` | another client holds the lock |
//! | any | either | none, a failure, or not an answer of OSS | unknown: the caller reads the object |
//!
//! After a successful create, the client reads the object back and compares it with its own record.
//! On a store outside the vendor's domains, the client also tests the store with the first lock
//! that it wins: the store must refuse a second create. If it does not, the client releases the
//! lock and fails.
//!
//! Clients of the first proposal of `backend "oss"` looked and then put, so two of them may both
//! win; but they see the object of this crate, and their object makes the store refuse its create.
//! Their records have an empty `Path`.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use remote_state_core::provider::{
    Failure, FoundLock, LockMechanism, ObjectBackend as _, Outcome, SecondCreate, StatePlace,
    read_lock_record, read_record_body, second_create,
};
use remote_state_core::{Advice, Error, ErrorKind, LockRecord, Result};

use crate::body::chunk;
use crate::bucket::Bucket;
use crate::client::{EverVersioned, NULL_VERSION, PutMode, Stored};
use crate::payload::Payload;
use crate::request::Repeat;

/// The lock object of a workspace's state.
pub(crate) struct LockObject<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) place: &'a StatePlace,
}

#[async_trait]
impl LockMechanism for LockObject<'_> {
    fn name(&self) -> &'static str {
        "lock object"
    }

    fn object(&self) -> String {
        self.bucket.url(self.lock_key())
    }

    fn is_proven(&self) -> bool {
        self.bucket.client.sender.is_public() || self.bucket.is_proven.load(Ordering::Acquire)
    }

    /// Creates the lock object and reads it back.
    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        self.create(&record).await.map(drop)?;
        let stored = self
            .text("lock")
            .await
            .map_err(|error| Failure { outcome: Outcome::Unknown, error })?;
        match stored {
            Some(Found { text, .. }) if text == record => Ok(()),
            // The object is another client's, or is gone: the caller reads it. Ours was created all
            // the same, and may still appear.
            _ => Err(Failure {
                outcome: Outcome::Unknown,
                error: self
                    .error(ErrorKind::Unavailable, "it was created, but is not what was stored"),
            }),
        }
    }

    /// Creates it again, and fails unless the store refuses that.
    async fn prove(&self, record: Bytes) -> Result<()> {
        match second_create(|| self.create(&record)).await? {
            SecondCreate::Refused => {
                self.bucket.is_proven.store(true, Ordering::Release);
                Ok(())
            }
            SecondCreate::CarriedOut(stored) => {
                // The second version would hide the first, which the caller releases.
                if let Some(version) = stored.version.filter(|version| version != NULL_VERSION) {
                    let (client, key) = (&self.bucket.client, self.lock_key());
                    let undone =
                        client.delete("unlock", key, Some(&version), Repeat::AsConfigured).await;
                    if let Err(failure) = undone {
                        tracing::warn!(
                            error = failure.error.to_string(),
                            "the second of two lock objects is left behind"
                        );
                    }
                }
                Err(self.cannot_lock())
            }
        }
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(Found { text, version }) = self.text(operation).await? else { return Ok(None) };
        let record = read_lock_record(&text, self.object());
        Ok(Some(Box::new(FoundObject { object: self, record, version })))
    }
}

/// The content of the lock object.
struct Found {
    text: Vec<u8>,
    /// The version, if the client can delete the object by it.
    version: Option<String>,
}

struct FoundObject<'a> {
    object: &'a LockObject<'a>,
    record: LockRecord,
    version: Option<String>,
}

#[async_trait]
impl FoundLock for FoundObject<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    /// OSS deletes nothing on a condition. On a bucket that keeps versions, this deletes the
    /// version that was read, which is never the next holder's, and leaves no delete marker.
    /// Without versions, or without the right to delete one, it deletes any object at this key.
    /// That can be the next holder's, if another client released ours by force since this one read
    /// it, or if an earlier delete, whose answer was lost, arrives after that.
    async fn remove_once(&self) -> Result<(), Failure> {
        let (client, key) = (&self.object.bucket.client, self.object.lock_key());
        if let Some(version) = &self.version {
            match client.delete("unlock", key, Some(version), Repeat::Never).await {
                Err(failure)
                    if failure.outcome == Outcome::Refused
                        && failure.error.kind() == ErrorKind::PermissionDenied =>
                {
                    tracing::debug!(
                        error = failure.error.to_string(),
                        "the lock is deleted without naming its version"
                    );
                }
                decided => return decided,
            }
        }
        client.delete("unlock", key, None, Repeat::Never).await
    }
}

impl LockObject<'_> {
    fn lock_key(&self) -> &str {
        &self.place.lock_key
    }

    async fn create(&self, record: &Bytes) -> Result<Stored, Failure> {
        let client = &self.bucket.client;
        let (key, payload) = (self.lock_key(), Payload::from(record.clone()));
        match self.bucket.versioning("lock").await {
            Some(EverVersioned::Never) => {
                let stored = client
                    .put("lock", key, &payload, PutMode::ForbidOverwrite, Repeat::Never)
                    .await?;
                match &stored.version {
                    None => Ok(stored),
                    Some(version) => Err(self.take_back(key, version).await),
                }
            }
            Some(EverVersioned::EnabledOrSuspended) | None => {
                client.append_once("lock", key, &payload).await
            }
        }
    }

    /// A version means that versioning was enabled after the bucket was asked, and that the service
    /// did not check for a lock: the new object is no lock. Deleting it uncovers the lock that may
    /// be below it.
    async fn take_back(&self, key: &str, version: &str) -> Failure {
        self.bucket.has_versions.store(true, Ordering::Release);
        if version == NULL_VERSION {
            return Failure { outcome: Outcome::Refused, error: self.perhaps_replaced() };
        }
        match self.bucket.client.delete("unlock", key, Some(version), Repeat::AsConfigured).await {
            Ok(()) | Err(Failure { outcome: Outcome::Absent, .. }) => Failure {
                outcome: Outcome::Conflict,
                error: self
                    .error(ErrorKind::Unavailable, "the bucket has just begun to keep versions"),
            },
            Err(failure) => Failure {
                outcome: Outcome::Refused,
                error: self
                    .error(
                        ErrorKind::Unknown,
                        "the bucket has just begun to keep versions, and what was created may \
                         stand over a lock",
                    )
                    .with_context("because", &failure.error)
                    .with_context("version", version)
                    .with_hint("delete that version of the lock object")
                    .with_source(failure.error),
            },
        }
    }

    /// While versioning is suspended, a create leaves nothing of the lock that it replaces. Without
    /// the new object the state would seem unlocked, so the object stays.
    fn perhaps_replaced(&self) -> Error {
        let reason = "the bucket has just begun to suspend versions, and what was created may \
                      stand in the place of a lock";
        self.error(ErrorKind::Unknown, reason).with_advice(Advice::ReleaseListedLock)
    }

    /// Reads the lock object. It does not read to the end what is too long for a record.
    async fn text(&self, operation: &'static str) -> Result<Option<Found>> {
        let answer = match self.bucket.client.get(operation, self.lock_key(), None, None).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        // Deleting by that id could delete the next holder's object.
        let version = answer.header("x-oss-version-id").filter(|version| *version != NULL_VERSION);
        let version = version.map(str::to_owned);
        let object = self.object();
        let about = self.bucket.client.sender.about(operation, &object);
        let body = stream::try_unfold(answer.response, |mut response| async move {
            let bytes = chunk(&mut response).await.map_err(|reason| {
                about
                    .error(ErrorKind::Unavailable, "the transfer broke off")
                    .with_context("because", reason)
            })?;
            Ok(bytes.map(|bytes| (bytes, response)))
        });
        let text = read_record_body(operation, &object, body).await?;
        Ok(Some(Found { text, version }))
    }

    fn error(&self, kind: ErrorKind, reason: &str) -> Error {
        let object = self.object();
        self.bucket.client.sender.about("lock", &object).error(kind, reason)
    }

    /// Says why the lock object is not a lock on this store, and what to use instead.
    fn cannot_lock(&self) -> Error {
        let sender = &self.bucket.client.sender;
        Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{}` cannot hold locks: {} creates an object that exists, so two clients \
                 would both hold the lock",
                sender.bucket(),
                sender.store()
            ),
        )
        .with_hint("lock through Tablestore with `tablestore_endpoint` and `tablestore_table`")
        .with_hint(
            "or set `lock = false`, and make sure by other means that only one client writes at a \
             time",
        )
    }
}
