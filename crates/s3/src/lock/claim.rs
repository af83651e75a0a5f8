//! How a release claims a lock file before it deletes the file: see [`remote_state_core::provider`]
//! for what a claim is, and why.
//!
//! A claim is a `PUT` with `If-Match`, and the store has to decide it atomically; on a store that
//! ignores the condition a claim would overwrite the next holder's lock. MinIO and Ceph are known
//! to decide it atomically, see the [table](crate::Dialect::ALL). Other stores are unknown, and
//! each is tested while a first lock is held: it must refuse a `PUT` of the same record with a
//! wrong entity tag, and then carry out one with the right tag; first with the tag in quotes, then
//! without. The test shows that the store checks the condition, not that checking and writing are
//! one step.
//!
//! If a lock file has a version of its own, the release deletes that version and claims nothing:
//! the claim would be a version above it, and deleting the claim would uncover the lock again.
//! Where versioning is enabled, Ceph refuses every `If-Match`: there, too, nothing is claimed.

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

/// How a store expects an entity tag in `If-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Quoted,
    Bare,
}

impl Tags {
    /// Formats a received entity tag.
    pub(super) fn write(self, etag: &str) -> &str {
        match self {
            Self::Quoted => etag,
            Self::Bare => etag.trim_matches('"'),
        }
    }
}

/// What this process knows about claims on a store.
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

    pub(super) fn tags(&self) -> Option<Tags> {
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

/// An entity tag that no object has.
const WRONG: &str = "\"00000000000000000000000000000000\"";

impl Bucket {
    /// Describes what two concurrent releases of one lock risk here, as far as this process knows
    /// the store.
    pub(crate) fn what_releases_risk(&self) -> Option<String> {
        self.claiming.is_unproven().then(|| {
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
    /// How the store expects the entity tag in a claim of this lock file; `None` if the file cannot
    /// be claimed.
    pub(super) async fn tags_for(&self, found: &FoundFile<'_>) -> Option<Tags> {
        let tags = self.bucket.claiming.tags().filter(|_| found.is_object())?;
        self.bucket.honours_conditions().await.then_some(tags)
    }

    /// Replaces the record that has this entity tag with a marked one. The tag is written as the
    /// store expects it.
    pub(super) async fn claim(&self, record: Bytes, etag: &str) -> Result<(), Failure> {
        match self.put_as(Object::Mark, record, Condition::IfMatchAs(etag)).await {
            Ok(Stored { version: Some(version), .. }) if self.is_listed(&version) => {
                // Versioning has been enabled meanwhile: the mark is a version beside the record
                // and has not replaced it.
                self.delete_version("unlock", &version).await?;
                let reason = "the bucket has just begun to keep versions";
                let error = self.about("unlock", ErrorKind::Unavailable, reason);
                Err(Failure { outcome: Outcome::Conflict, error })
            }
            Ok(_) => Ok(()),
            Err(failure) => {
                if failure.outcome == Outcome::ConditionFailed {
                    // If versioning has been enabled meanwhile, no claim succeeds. Only the store's
                    // versioning status shows that; the refusal alone does not.
                    let _is_versioned = self.bucket.has_become_versioned().await;
                }
                Err(failure)
            }
        }
    }

    /// Tests with the lock that was just created whether the store supports claims, unless that is
    /// already known.
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
                        // Versioning has been enabled meanwhile. This version lies above the lock,
                        // and deleting it after the release would uncover the lock again.
                        if let Err(failure) = self.delete_version("lock", &version).await {
                            let error = failure.error.message();
                            tracing::warn!(
                                ?error,
                                "a second version of the lock file is left behind"
                            );
                        }
                        return;
                    }
                    Ok(_) => return self.bucket.claiming.learn(is_right.then_some(tags)),
                    Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {}
                    Err(Failure { outcome: Outcome::Refused, .. }) => {
                        return self.bucket.claiming.learn(None);
                    }
                    // Undecided: the next lock repeats the test.
                    Err(_) => return,
                }
            }
        }
        self.bucket.claiming.learn(None);
    }
}
