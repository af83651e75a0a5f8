//! The lock file: an object that only one client can create.
//!
//! Exclusion rests on one thing: the store carries out `PUT` with `If-None-Match: *` for one of any number of clients, and answers 412 to the
//! others. Native clients use the same request on the same object, so they and we exclude each other. Everything else here is about the two
//! ways in which that can go wrong:
//!
//! - *The store ignores the condition.* Then every client wins. So on a store that is not known to honour it, the first lock that is won is
//!   put to the proof: a second conditional create must be refused. If it is not, the lock file is taken away again and the lock refused.
//!   Until then we look before we create, so that no other client's lock file is overwritten.
//!   That shows that the store looks at the condition, not that looking and writing are one step: only a store's own word can show that.
//! - *The answer is lost.* Then the lock may be ours without our knowing. So an answer that does not decide is resolved by reading the file
//!   back and comparing ids. Neither a create nor a delete is repeated behind our back: a 412 could then be our own lock's, and a second
//!   delete could hit someone else's. Once an attempt is in doubt, nothing but the file itself ends the doubt; without it, the outcome is
//!   `Unknown`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use remote_state_core::{Error, ErrorKind, LockInfo, LockRecord, LockTarget, Released, Result, Workspace};
use tokio::time::sleep;

use crate::client::{Condition, Repeat};
use crate::error::{Failure, Outcome};
use crate::store::S3Store;

/// How often to try again where the store did not decide.
pub(crate) const ATTEMPTS: u32 = 6;

/// The first pause between two attempts; it doubles each time.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// A lock record is a few hundred bytes. What is longer is none, and is not read to its end.
const MAX_RECORD_BYTES: usize = 64 * 1024;

/// A lock file as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: LockRecord,
    etag: Option<String>,
}

impl S3Store {
    pub(crate) async fn create_lock_file(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        if !self.layout.has_lock_file {
            return Err(self.no_lock_configured(workspace));
        }
        let info = info.clone().with_path(self.layout.location(workspace).path);
        let key = self.layout.lock_key(workspace);
        let body = Bytes::from(info.to_json());
        // A store that ignores the condition would overwrite the lock file of another client: look first, until it has proven itself.
        if !self.is_proven.load(Ordering::Acquire) {
            match self.read_lock_file("lock", workspace).await? {
                Some(found) if found.record.id() == Some(&info.id) => {
                    return self.prove(workspace, info, &key, body).await;
                }
                Some(found) => return Err(self.held("lock", workspace, found.record)),
                None => {}
            }
        }
        let mut pause = PAUSE;
        let mut last = None;
        // Whether a create of ours may have been carried out although its answer did not say so.
        let mut is_in_doubt = false;
        for _ in 0..ATTEMPTS {
            let sent = self.client.put("lock", &key, body.clone(), Condition::IfAbsent, Repeat::Never).await;
            let Err(failure) = sent else { return self.prove(workspace, info, &key, body).await };
            is_in_doubt |= failure.outcome == Outcome::Unknown;
            let doubtful =
                |error| if is_in_doubt { self.unknown_lock(workspace, &info, error) } else { error };
            if matches!(failure.outcome, Outcome::Absent | Outcome::Refused) {
                return Err(doubtful(failure.error));
            }
            match self.read_lock_file("lock", workspace).await {
                // The first answer was lost, or this id holds already.
                Ok(Some(found)) if found.record.id() == Some(&info.id) => {
                    return self.prove(workspace, info, &key, body).await;
                }
                Ok(Some(found)) => return Err(self.held("lock", workspace, found.record)),
                // Its holder has left in between, or the request never arrived: a conditional create can be repeated without harm.
                Ok(None) => last = Some(failure),
                // Reading has been retried as often as is configured: the store has gone, or does not let us look.
                Err(error) => return Err(doubtful(error)),
            }
            sleep(pause).await;
            pause *= 2;
        }
        Err(match last {
            Some(Failure { error, .. }) if is_in_doubt => self.unknown_lock(workspace, &info, error),
            Some(Failure { outcome: Outcome::Conflict | Outcome::Unsent, error }) => error,
            Some(failure) => self
                .client
                .about("lock", &self.layout.url(&key))
                .error(
                    ErrorKind::Unavailable,
                    "the store says that the lock file exists, and then that it does not",
                )
                .with_hint("some stores take the delete marker of a versioned bucket for an object; lock in a bucket without versioning there")
                .with_source(failure.error),
            None => Error::new(ErrorKind::Unexpected, "lock", "no attempt was made"),
        })
    }

    /// Makes sure that the store refuses a second create, unless it is known to.
    async fn prove(&self, workspace: &Workspace, info: LockInfo, key: &str, body: Bytes) -> Result<LockInfo> {
        if self.is_proven.load(Ordering::Acquire) {
            return Ok(info);
        }
        let error = match self.second_create(workspace, key, body).await {
            Ok(()) => {
                self.is_proven.store(true, Ordering::Release);
                return Ok(info);
            }
            Err(error) => error,
        };
        // Without proof there is no lock: give back what may be one.
        match self.delete_lock_file(workspace, &LockTarget::Id(info.id.clone())).await {
            Ok(_) => Err(error),
            // On a store that ignores conditions another client may have overwritten the file by now: then it is not ours to delete.
            Err(left) if left.kind() == ErrorKind::LockHeld => Err(error),
            Err(left) if error.kind() == ErrorKind::Unsupported => Err(error
                .with_context("left behind", format!("{}: {left}", self.layout.url(key)))
                .with_hint(format!("remove what was left behind with `remote-state unlock {}`", info.id))),
            Err(_) => Err(self.unknown_lock(workspace, &info, error)),
        }
    }

    /// Creates the lock file again, and fails unless the store refuses that.
    async fn second_create(&self, workspace: &Workspace, key: &str, body: Bytes) -> Result<()> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            // The same bytes again: on a store that ignores the condition this at least changes nothing.
            match self.client.put("lock", key, body.clone(), Condition::IfAbsent, Repeat::Never).await {
                // A proxy or a login page says yes to everything.
                Ok(stored) if stored.etag.is_none() => return Err(self.not_a_store(key)),
                Ok(_) => return Err(self.cannot_lock(workspace).await),
                Err(Failure { outcome: Outcome::ConditionFailed, .. }) => return Ok(()),
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

    pub(crate) async fn delete_lock_file(
        &self,
        workspace: &Workspace,
        target: &LockTarget,
    ) -> Result<Released> {
        if !self.layout.has_lock_file {
            return Err(self.no_lock_configured(workspace));
        }
        let key = self.layout.lock_key(workspace);
        let mut pause = PAUSE;
        let mut last = None;
        // Whether a delete of ours went out whose answer was lost: if the file is gone then, it was that.
        let mut freed = None;
        for _ in 0..ATTEMPTS {
            let found = match self.read_lock_file("unlock", workspace).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(freed.map_or(Released::AlreadyFree, Released::Freed)),
                Err(error) if freed.is_none() => return Err(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            };
            match (&found.record.info, target) {
                (Ok(info), LockTarget::Id(id)) if info.id == *id => {}
                (Err(_), LockTarget::Unreadable) => {}
                // Ours is gone, and the next holder has come: that is no failure.
                _ if freed.is_some() => return Ok(Released::Freed(freed.flatten())),
                (Ok(_), _) => return Err(self.held("unlock", workspace, found.record)),
                (Err(_), LockTarget::Id(_)) => return Err(self.unreadable(found.record)),
            }
            let condition = match &found.etag {
                Some(etag) if self.dialect.deletes_conditionally => Condition::IfMatch(etag),
                _ => Condition::None,
            };
            let info = found.record.info.ok();
            match self.client.delete_once("unlock", &key, condition).await {
                Ok(()) | Err(Failure { outcome: Outcome::Absent, .. }) => return Ok(Released::Freed(info)),
                Err(failure) if failure.outcome == Outcome::Refused => return Err(failure.error),
                Err(failure) => {
                    if failure.outcome == Outcome::Unknown {
                        freed = Some(info);
                    }
                    last = Some(failure.error);
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
        let unknown = Error::new(
            ErrorKind::Unknown,
            "unlock",
            format!("the lock `{}` may or may not have been released", self.layout.url(&key)),
        )
        .with_hint("see whether it is still held with `remote-state locks`");
        Err(match last {
            // No delete went out, or the store decided against each.
            Some(error) if freed.is_none() => error,
            Some(source) => unknown.with_source(source),
            None => unknown,
        })
    }

    pub(crate) async fn read_lock_file(
        &self,
        operation: &'static str,
        workspace: &Workspace,
    ) -> Result<Option<Found>> {
        let key = self.layout.lock_key(workspace);
        let mut answer = match self.client.get(operation, &key, None).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        let mut text = Vec::new();
        while let Some(bytes) = answer.body.next().await {
            let bytes = bytes.map_err(|error| {
                self.client
                    .about(operation, &self.layout.url(&key))
                    .error(ErrorKind::Unavailable, "the transfer broke off")
                    .with_source(error)
            })?;
            text.extend_from_slice(&bytes);
            if text.len() > MAX_RECORD_BYTES {
                break;
            }
        }
        let info = if text.len() > MAX_RECORD_BYTES {
            Err(format!("it is longer than {MAX_RECORD_BYTES} bytes"))
        } else {
            LockInfo::parse(&text).map_err(|reason| reason.to_string())
        };
        Ok(Some(Found { record: LockRecord::new(info, self.layout.url(&key)), etag: answer.e_tag }))
    }

    fn held(&self, operation: &'static str, workspace: &Workspace, holder: LockRecord) -> Error {
        let state = self.layout.location(workspace).state;
        Error::lock_held(operation, format!("state `{state}` is locked"), holder)
    }

    fn unreadable(&self, holder: LockRecord) -> Error {
        let message =
            format!("the lock file `{}` cannot be read, so nobody can say whose it is", holder.object);
        Error::lock_held("unlock", message, holder)
    }

    fn unknown_lock(&self, workspace: &Workspace, info: &LockInfo, source: Error) -> Error {
        let location = self.layout.location(workspace);
        Error::new(
            ErrorKind::Unknown,
            "lock",
            format!("the lock of `{}` may or may not have been taken", location.state),
        )
        .with_context("because", &source)
        .with_context("lock", location.lock.unwrap_or_default())
        .with_context("lock id", &info.id)
        .with_hint("see whether it is held with `remote-state locks` when the store answers again")
        .with_hint(format!("if it is held with this id, release it with `remote-state unlock {}`", info.id))
        .with_source(source)
    }

    fn no_lock_configured(&self, workspace: &Workspace) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!("no lock is configured for `{}`", self.layout.location(workspace).state),
        )
        .with_hint("set `use_lockfile = true` for every client of this state, or pass `--backend-config use_lockfile=true`")
    }

    fn not_a_store(&self, key: &str) -> Error {
        let lock = self.layout.url(key);
        self.client
            .about("lock", &lock)
            .error(ErrorKind::Unavailable, "what answers there does not answer as S3 does")
            .with_context("store", self.client.store())
            .with_hint("look for a proxy or a login page between this machine and the store")
    }

    /// Says why a lock file is none here, and what to use instead.
    async fn cannot_lock(&self, workspace: &Workspace) -> Error {
        let (bucket, store) = (self.client.bucket(), self.client.store());
        // Ceph honours the condition on buckets without versioning only; what the answer is worth if it fails is nothing.
        let is_versioned = self.client.is_versioned("lock").await.unwrap_or(false);
        let where_ = if is_versioned { " on this versioned bucket" } else { "" };
        let error = Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!(
                "bucket `{bucket}` cannot hold locks: {store} ignores `If-None-Match`{where_}, so two clients would both hold the lock file"
            ),
        )
        .with_context("state", self.layout.location(workspace).state);
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
