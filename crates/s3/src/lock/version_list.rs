//! The lock file on a bucket with versioning, of a store that carries out every create there
//! (Ceph): the list of versions decides.
//!
//! Each contender puts its record, which makes a version, and then lists the versions of the lock
//! file. The store lists them newest first, in the order in which it linked them, one after
//! another. *Live* are those that stand before the newest delete marker. The last of the live ones,
//! the oldest, holds the lock; everyone else has lost, and deletes its own version by its id, which
//! leaves no marker. So does the holder to release the lock.
//!
//! Why one holder at most: the answer to a PUT comes after its version was linked, so a contender's
//! list holds its own version and every one that was linked before. If two held at once, the one
//! that was linked later has listed while the earlier one was live, as a holder's version is until
//! it is released; then it was not the last. Nothing is linked behind: what comes later is listed
//! before. Times play no part in this: clocks are not exact enough, and stores that order by them
//! let two in.
//!
//! This holds between clients that go by it. A native client puts its record without looking at the
//! list, believes the store's 200, and on release deletes the lock file without naming a version,
//! which puts a delete marker over everybody's. Nothing can stop it, but it shows: our
//! records carry [`RULE`] in their metadata, its own does not. See [`before_write`](super::before_write).

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use futures_util::stream::{self, TryStreamExt as _};
use remote_state_core::advice::LeftLock;
use remote_state_core::provider::{
    Attempts, ObjectBackend as _, Outcome, Page, pages, read_lock_record, read_record_body,
};
use remote_state_core::{Advice, Error, ErrorKind, LockId, LockRecord, Result};

use crate::checksum::Recorded;
use crate::client::{Repeat, Select};
use crate::error::Failure;
use crate::lock::create::LockFile;
use crate::lock::memory::{Held, NULL_VERSION};
use crate::versions::{Listed, NOT_UNDERSTOOD};

/// The metadata of a lock file whose owner goes by the list.
pub(crate) const RULE: (&str, &str) = ("remote-state-lock", "by-version-list");

/// The most versions and delete markers of a lock file that are looked at. Who goes by the list
/// leaves none behind, so it is short; a store that makes up entries without end is not followed.
const MOST_LISTED: usize = 10_000;

/// A record that stands as a version of the lock file.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) version: String,
    pub(super) record: LockRecord,
    /// Whoever put it goes by the list.
    pub(super) goes_by_list: bool,
}

/// The versions of a lock file, newest first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct VersionList(Vec<Listed>);

impl VersionList {
    /// Those before the newest delete marker, newest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &str> {
        let end = self.0.iter().position(|listed| listed.is_marker).unwrap_or(self.0.len());
        self.0[..end].iter().filter_map(|listed| listed.version.as_deref())
    }

    /// The one that holds the lock.
    pub(super) fn holder(&self) -> Option<&str> {
        self.live().next_back()
    }

    /// The versions that a delete marker lies over, newest first, down to and without the one that
    /// is named; nothing if that one is not there.
    pub(super) fn buried_above(&self, version: &str) -> Option<Vec<&str>> {
        let start = self.0.iter().position(|listed| listed.is_marker)?;
        let end = self.0.iter().position(|listed| listed.version.as_deref() == Some(version))?;
        let above = self.0.get(start..end)?;
        Some(
            above
                .iter()
                .filter(|listed| !listed.is_marker)
                .filter_map(|listed| listed.version.as_deref())
                .collect(),
        )
    }
}

impl LockFile<'_> {
    /// Decides, after this version was put, whether it holds the lock. One that does not is deleted
    /// again.
    pub(super) async fn contend(&self, id: Option<LockId>, version: String) -> Result<(), Failure> {
        self.set_decided_by_list();
        let lost = match self.list("lock", None).await {
            Ok(list) if list.holder() == Some(&version) => {
                if let Some(id) = id {
                    self.bucket.memory.set_held(self.lock_key(), Held { id, version });
                }
                return Ok(());
            }
            Ok(_) => Failure {
                outcome: Outcome::ConditionFailed,
                error: self.about(
                    "lock",
                    ErrorKind::PreconditionFailed,
                    "another client was first",
                ),
            },
            Err(error) => unlisted(error),
        };
        match self.delete_version("lock", &version).await {
            Ok(()) => Err(lost),
            // Left there it holds the lock as soon as those before it have left.
            Err(failure) => Err(Failure {
                outcome: Outcome::Refused,
                error: self.left_behind(id.as_ref(), &version, failure.error),
            }),
        }
    }

    /// Decides after a PUT that failed and may have made a version all the same: by now it is in
    /// the list, or it never will be.
    pub(super) async fn contend_in_doubt(
        &self,
        id: Option<LockId>,
        failure: Failure,
    ) -> Result<(), Failure> {
        let own = async {
            let Some(id) = &id else { return Ok(Vec::new()) };
            let list = self.list("lock", None).await?;
            self.live_with("lock", &list, id).await
        };
        match own.await {
            // The oldest is the one that counts; a release finds the others too.
            Ok(mut found) => match found.pop() {
                // The store decided about that one, if it decides.
                Some(own) if own.version == NULL_VERSION && own.record.is_being_released() => {
                    Err(Failure {
                        outcome: Outcome::ConditionFailed,
                        error: self.about(
                            "lock",
                            ErrorKind::PreconditionFailed,
                            "it is being released",
                        ),
                    })
                }
                Some(own) if own.version == NULL_VERSION => Ok(()),
                Some(own) => self.contend(id, own.version).await,
                None => Err(Failure { outcome: Outcome::Conflict, ..failure }),
            },
            Err(error) => Err(Failure { outcome: Outcome::Unknown, error }),
        }
    }

    /// Lists the versions of the lock file, down to the newest delete marker, and further down to a
    /// version that is looked for.
    pub(super) async fn list(
        &self,
        operation: &'static str,
        sought: Option<&str>,
    ) -> Result<VersionList> {
        let key = self.lock_key();
        let mut listing = pages(self.bucket.client.store(), move |after| async move {
            let page = self.bucket.client.list_versions(operation, key, after).await?;
            let first = page.entries.first().map(Listed::identity);
            Ok(Page::new(page.entries, page.is_truncated == Some(true), page.next)?
                .with_first(first))
        });
        let (mut entries, mut has_marker, mut is_found) = (Vec::new(), false, sought.is_none());
        while !(has_marker && is_found)
            && let Some(listed) = listing.try_next().await?
            // Keys that merely begin like ours come after it.
            && listed.key == key
        {
            if listed.version.is_none() {
                return Err(self.about(operation, ErrorKind::Unexpected, NOT_UNDERSTOOD));
            }
            if entries.len() == MOST_LISTED {
                return Err(self
                    .about(
                        operation,
                        ErrorKind::Unexpected,
                        &format!("it has more than {MOST_LISTED} versions"),
                    )
                    .with_hint(
                        "delete the versions of the lock file that lie below its newest delete \
                         marker; let the bucket's lifecycle rules expire old ones",
                    ));
            }
            has_marker |= listed.is_marker;
            is_found |= sought.is_some() && listed.version.as_deref() == sought;
            entries.push(listed);
        }
        Ok(VersionList(entries))
    }

    /// Lists the versions; nothing where that is not permitted and the bucket makes none, so that
    /// there is nothing to see.
    pub(super) async fn list_unless_off(
        &self,
        operation: &'static str,
        sought: Option<&str>,
    ) -> Result<Option<VersionList>> {
        match self.list(operation, sought).await {
            Ok(list) => Ok(Some(list)),
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && matches!(self.bucket.client.was_versioned(operation).await, Ok(false)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the record that holds the lock, as the list says.
    pub(super) async fn read_holder(
        &self,
        operation: &'static str,
    ) -> Result<Option<(Standing, VersionList)>> {
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let Some(list) = self.list_unless_off(operation, None).await? else { return Ok(None) };
            let Some(holder) = list.holder() else { return Ok(None) };
            // It may have been released since it was listed.
            if let Some(standing) = self.read_version(operation, holder).await? {
                return Ok(Some((standing, list)));
            }
        }
        Err(self.too_fast(operation))
    }

    pub(super) fn too_fast(&self, operation: &'static str) -> Error {
        self.about(operation, ErrorKind::Unavailable, "its holders come and go too fast to be read")
    }

    /// Reads one version; nothing if it is gone.
    pub(super) async fn read_version(
        &self,
        operation: &'static str,
        version: &str,
    ) -> Result<Option<Standing>> {
        let select = Select { version: Some(version), ..Select::default() };
        match self.bucket.client.get(operation, self.lock_key(), &select).await {
            Ok(answer) => {
                let goes_by_list = goes_by_list(&answer);
                let record = self.record_of(operation, answer).await?;
                Ok(Some(Standing { version: version.to_owned(), record, goes_by_list }))
            }
            // The bucket is there, or it could not have been listed.
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// The live versions that carry this id, whoever holds the lock.
    pub(super) async fn live_with(
        &self,
        operation: &'static str,
        list: &VersionList,
        id: &LockId,
    ) -> Result<Vec<Standing>> {
        let mut found = Vec::new();
        for version in list.live() {
            if let Some(standing) = self.read_version(operation, version).await?
                && standing.record.id() == Some(id)
            {
                found.push(standing);
            }
        }
        Ok(found)
    }

    /// Deletes a version for good. A version's id is never given out again, so this can be
    /// repeated, but for the one that is called `null`.
    pub(super) async fn delete_version(
        &self,
        operation: &'static str,
        version: &str,
    ) -> Result<(), Failure> {
        let repeat = if version == NULL_VERSION { Repeat::Never } else { Repeat::AsConfigured };
        match self.bucket.client.delete_version(operation, self.lock_key(), version, repeat).await {
            Err(Failure { outcome: Outcome::Absent, .. }) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn record_of(
        &self,
        operation: &'static str,
        answer: GetObjectOutput,
    ) -> Result<LockRecord> {
        self.text_of(operation, answer).await.map(|text| read_lock_record(&text, self.url()))
    }

    pub(super) async fn text_of(
        &self,
        operation: &'static str,
        answer: GetObjectOutput,
    ) -> Result<Vec<u8>> {
        let url = self.url();
        let recorded = self.bucket.client.recorded(&answer);
        let body =
            stream::try_unfold((answer.body, recorded), |(mut body, mut recorded)| async move {
                let broken = |reason: &str| self.about(operation, ErrorKind::Unavailable, reason);
                let bytes = body
                    .try_next()
                    .await
                    .map_err(|error| broken("the transfer broke off").with_source(error))?;
                match (&bytes, &mut recorded) {
                    (Some(bytes), Some(recorded)) => recorded.update(bytes),
                    (None, _) => {
                        let verified = recorded.take().map_or(Ok(()), Recorded::verify);
                        verified.map_err(|reason| broken(&reason))?;
                    }
                    (Some(_), None) => {}
                }
                Ok(bytes.map(|bytes| (bytes, (body, recorded))))
            });
        read_record_body(operation, &url, body).await
    }

    fn left_behind(&self, id: Option<&LockId>, version: &str, source: Error) -> Error {
        let state = self.bucket.url(&self.place.key);
        let error = Error::new(
            ErrorKind::Unknown,
            "lock",
            format!(
                "the lock of `{state}` was not taken, but a record of it could not be taken away \
                 again"
            ),
        )
        .with_context("because", &source)
        .with_context("left behind", format!("{}, version {version}", self.url()))
        .with_source(source);
        match id {
            Some(id) => error
                .with_hint("other clients take what was left behind for a lock")
                .with_advice(Advice::ReleaseLock(id.clone(), LeftLock::LeftBehind)),
            None => error,
        }
    }
}

/// Nothing was decided, since the list could not be had. Who may not have it does not get it by
/// asking again.
pub(super) fn unlisted(error: Error) -> Failure {
    let outcome = if error.kind() == ErrorKind::PermissionDenied {
        Outcome::Refused
    } else {
        Outcome::Unsent
    };
    Failure { outcome, error }
}

fn goes_by_list(answer: &GetObjectOutput) -> bool {
    let (name, value) = RULE;
    answer.metadata().and_then(|metadata| metadata.get(name)).is_some_and(|found| found == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `v1 v2 …` are versions, `m1 m2 …` delete markers, newest first.
    fn list(entries: &str) -> VersionList {
        VersionList(
            entries
                .split_whitespace()
                .map(|name| Listed {
                    key: "k".to_owned(),
                    version: Some(name.to_owned()),
                    is_marker: name.starts_with('m'),
                    is_latest: false,
                    size_bytes: 0,
                    etag: None,
                    modified: None,
                })
                .collect(),
        )
    }

    #[test]
    fn the_oldest_version_after_the_newest_marker_holds() {
        for (entries, holder) in [
            ("", None),
            ("v1", Some("v1")),
            ("v3 v2 v1", Some("v1")),
            ("v3 v2 m1 v1", Some("v2")),
            ("m1 v1", None),
            ("v4 m2 v3 m1 v1", Some("v4")),
        ] {
            assert_eq!(list(entries).holder(), holder, "{entries}");
        }
    }

    #[test]
    fn what_lies_over_a_version_is_told() {
        assert_eq!(list("v3 m1 v2 v1").buried_above("v1"), Some(vec!["v2"]));
        assert_eq!(list("m2 v3 m1 v2 v1").buried_above("v1"), Some(vec!["v3", "v2"]));
        assert_eq!(list("m1 v1").buried_above("v1"), Some(vec![]));
        assert_eq!(list("v2 v1").buried_above("v1"), None);
        assert_eq!(list("v2 v1 m1").buried_above("v1"), None);
        assert_eq!(list("m1 v2").buried_above("v1"), None);
    }
}
