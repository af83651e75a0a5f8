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
use remote_state_core::{Error, ErrorKind, LockRecord, Result, Workspace};
use tokio::time::sleep;

use crate::client::{Condition, Repeat, Stored};
use crate::error::{Failure, Outcome};
use crate::lock::{ATTEMPTS, Found, MAX_RECORD_BYTES, Mark, Mechanism, PAUSE, parse_record};
use crate::store::S3Store;

/// The lock files of a store.
pub(crate) struct LockFile<'a>(pub(crate) &'a S3Store);

#[async_trait]
impl Mechanism for LockFile<'_> {
    fn name(&self) -> &'static str {
        "lock file"
    }

    fn object(&self, workspace: &Workspace) -> String {
        self.0.layout.url(&self.key(workspace))
    }

    fn is_proven(&self) -> bool {
        self.0.is_proven.load(Ordering::Acquire)
    }

    async fn create_once(&self, workspace: &Workspace, record: Bytes) -> Result<(), Failure> {
        self.put(workspace, record).await.map(drop)
    }

    /// Creates the lock file again, and fails unless the store refuses that.
    async fn prove(&self, workspace: &Workspace, record: Bytes) -> Result<()> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            // The same bytes again: on a store that ignores the condition this at least changes nothing.
            match self.put(workspace, record.clone()).await {
                // A proxy or a login page says yes to everything.
                Ok(stored) if stored.etag.is_none() => return Err(self.not_a_store(workspace)),
                Ok(_) => return Err(self.cannot_lock(workspace).await),
                Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {
                    self.0.is_proven.store(true, Ordering::Release);
                    return Ok(());
                }
                // Busy or lost is not refused: a store that ignores the condition may answer so too.
                Err(failure)
                    if attempt == ATTEMPTS
                        || matches!(failure.outcome, Outcome::Absent | Outcome::Refused) =>
                {
                    return Err(failure.error);
                }
                Err(_) => {}
            }
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn read(&self, operation: &'static str, workspace: &Workspace) -> Result<Option<Found>> {
        let key = self.key(workspace);
        let mut answer = match self.0.client.get(operation, &key, None).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        let mut text = Vec::new();
        while let Some(bytes) = answer.body.next().await {
            let bytes = bytes.map_err(|error| {
                self.0
                    .client
                    .about(operation, &self.object(workspace))
                    .error(ErrorKind::Unavailable, "the transfer broke off")
                    .with_source(error)
            })?;
            text.extend_from_slice(&bytes);
            if text.len() > MAX_RECORD_BYTES {
                break;
            }
        }
        let record = LockRecord::new(parse_record(&text), self.object(workspace));
        Ok(Some(Found { record, mark: Mark::ETag(answer.e_tag) }))
    }

    async fn remove_once(&self, workspace: &Workspace, found: &Found) -> Result<(), Failure> {
        let condition = match &found.mark {
            Mark::ETag(Some(etag)) if self.0.dialect.deletes_conditionally => Condition::IfMatch(etag),
            _ => Condition::None,
        };
        self.0.client.delete_once("unlock", &self.key(workspace), condition).await
    }
}

impl LockFile<'_> {
    fn key(&self, workspace: &Workspace) -> String {
        self.0.layout.lock_key(workspace)
    }

    async fn put(&self, workspace: &Workspace, record: Bytes) -> Result<Stored, Failure> {
        self.0.client.put("lock", &self.key(workspace), record, Condition::IfAbsent, Repeat::Never).await
    }

    fn not_a_store(&self, workspace: &Workspace) -> Error {
        self.0
            .client
            .about("lock", &self.object(workspace))
            .error(ErrorKind::Unavailable, "what answers there does not answer as S3 does")
            .with_context("store", self.0.client.store())
            .with_hint("look for a proxy or a login page between this machine and the store")
    }

    /// Says why a lock file is none here, and what to use instead.
    async fn cannot_lock(&self, workspace: &Workspace) -> Error {
        let (bucket, store) = (self.0.client.bucket(), self.0.client.store());
        // Ceph honours the condition on buckets without versioning only; what the answer is worth if it fails is nothing.
        let is_versioned = self.0.client.is_versioned("lock").await.unwrap_or(false);
        let where_ = if is_versioned { " on this versioned bucket" } else { "" };
        let error = Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{bucket}` cannot hold locks: {store} ignores `If-None-Match`{where_}, so two clients would both hold the lock file"
            ),
        )
        .with_context("state", self.0.layout.location(workspace).state);
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
