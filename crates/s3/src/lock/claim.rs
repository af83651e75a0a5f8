//! How a lock file is claimed by the release that removes it: see [`remote_state_core::provider`]
//! for what a claim is, and why.
//!
//! A claim is a `PUT` with `If-Match`, and the store has to decide it atomically; on one that
//! ignores the condition a claim would overwrite the next holder's lock. MinIO and Ceph are known
//! to, see the [table](crate::Dialect::ALL). Of others nothing is known, and each is put to the
//! proof while a first lock is held: a `PUT` of the same record with a wrong entity tag must be
//! refused, and then one with the right tag carried out; first with the tag in quotes, then
//! without. That shows that the store looks at the condition, not that looking and writing are one
//! step.
//!
//! Where a file has a version of its own, that version is deleted, and nothing is claimed: a claim
//! would be a version over it, and whoever deleted that one would uncover it. On Ceph, where
//! versioning is enabled every `If-Match` is refused: there nothing is claimed either.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use remote_state_core::ErrorKind;

use crate::bucket::Bucket;
use crate::client::{Condition, Object, Stored};
use crate::dialect::Claims;
use crate::error::{Failure, Outcome};
use crate::lock::create::{FoundFile, LockFile};
use crate::lock::memory::NULL_VERSION;

/// How a store wants an entity tag in `If-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Quoted,
    Bare,
}

impl Tags {
    /// Writes a tag that was received.
    pub(super) fn write(self, etag: &str) -> &str {
        match self {
            Self::Quoted => etag,
            Self::Bare => etag.trim_matches('"'),
        }
    }
}

/// What is known of claims on a store.
#[derive(Debug)]
pub(crate) struct Claiming {
    known: AtomicU8,
}

const UNPROVEN: u8 = 0;
const NEVER: u8 = 1;
const QUOTED: u8 = 2;
const BARE: u8 = 3;

impl Claiming {
    pub(crate) fn new(claims: Claims) -> Self {
        let known = match claims {
            Claims::Unproven => UNPROVEN,
            Claims::Never => NEVER,
            Claims::Quoted => QUOTED,
            Claims::Bare => BARE,
        };
        Self { known: AtomicU8::new(known) }
    }

    fn is_unproven(&self) -> bool {
        self.known.load(Ordering::Acquire) == UNPROVEN
    }

    fn tags(&self) -> Option<Tags> {
        match self.known.load(Ordering::Acquire) {
            QUOTED => Some(Tags::Quoted),
            BARE => Some(Tags::Bare),
            _ => None,
        }
    }

    fn learn(&self, tags: Option<Tags>) {
        let known = match tags {
            None => NEVER,
            Some(Tags::Quoted) => QUOTED,
            Some(Tags::Bare) => BARE,
        };
        self.known.store(known, Ordering::Release);
    }
}

/// No object has this entity tag.
const WRONG: &str = "\"00000000000000000000000000000000\"";

impl Bucket {
    /// What two releases of one lock at once can do here, as far as this process knows the store.
    pub(crate) fn what_releases_risk(&self) -> Option<String> {
        let is_at_risk = self.uses_lock_file && self.claiming.is_unproven();
        is_at_risk.then(|| {
            format!(
                "it is not known here how {} replaces objects: unless the bucket keeps versions, \
                 another release of this lock at the same time could remove the lock of the next \
                 holder",
                self.client.store()
            )
        })
    }
}

impl LockFile<'_> {
    /// How the store wants the entity tag in a claim of this; nothing if it cannot be claimed.
    pub(super) async fn tags_for(&self, found: &FoundFile<'_>) -> Option<Tags> {
        let tags = self.bucket.claiming.tags().filter(|_| found.is_object())?;
        self.bucket.honours_conditions().await.then_some(tags)
    }

    /// Puts a mark in place of the record with this entity tag, written as the store wants it.
    pub(super) async fn claim(&self, record: Bytes, etag: &str) -> Result<(), Failure> {
        match self.put_as(Object::Mark, record, Condition::IfMatchAs(etag)).await {
            Ok(Stored { version: Some(version), .. }) if self.is_listed(&version) => {
                // Versioning has been enabled meanwhile: this stands beside the record, and not in
                // its place.
                self.delete_version("unlock", &version).await?;
                let reason = "the bucket has just begun to keep versions";
                let error = self.about("unlock", ErrorKind::Unavailable, reason);
                Err(Failure { outcome: Outcome::Conflict, error })
            }
            Ok(_) => Ok(()),
            Err(failure) => {
                if failure.outcome == Outcome::ConditionFailed {
                    // Where versioning has been enabled meanwhile no claim succeeds. That is the
                    // store's word; the refusal alone says nothing.
                    let _is_versioned = self.bucket.has_become_versioned().await;
                }
                Err(failure)
            }
        }
    }

    /// Puts the store to the proof with the lock that was just created here, unless it is known
    /// what it does.
    pub(super) async fn learn_to_claim(&self, record: Bytes) {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Stored { etag: Some(etag), version }) = created else { return };
        // Each attempt would be a version of its own.
        let is_version = version.is_some_and(|version| version != NULL_VERSION);
        if is_version || !self.bucket.claiming.is_unproven() {
            return;
        }
        for tags in [Tags::Quoted, Tags::Bare] {
            for (tag, is_right) in [(WRONG, false), (&*etag, true)] {
                let condition = Condition::IfMatchAs(tags.write(tag));
                match self.put_as(Object::Lock, record.clone(), condition).await {
                    Ok(Stored { version: Some(version), .. }) if version != NULL_VERSION => {
                        // Versioning has been enabled meanwhile, and what lies over the lock would
                        // uncover it when that is deleted.
                        if let Err(failure) = self.delete_version("lock", &version).await {
                            tracing::warn!(error = ?failure.error.message(), "a second version of the lock file is left behind");
                        }
                        return;
                    }
                    Ok(_) => return self.bucket.claiming.learn(is_right.then_some(tags)),
                    Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {}
                    Err(Failure { outcome: Outcome::Refused, .. }) => {
                        return self.bucket.claiming.learn(None);
                    }
                    // Not decided: the next lock asks again.
                    Err(_) => return,
                }
            }
        }
        self.bucket.claiming.learn(None);
    }
}
