//! The lock file in a bucket with versioning, of a store that carries out every create there
//! (Ceph): the version list decides.
//!
//! Each contender puts its record, which makes a version, and then lists the versions of the lock
//! file. The store lists them newest first, in the order in which it linked them, one after
//! another. The versions before the newest delete marker are *live*. The last of the live ones, the
//! oldest, holds the lock. Every other contender has lost, and deletes its own version by its id,
//! which leaves no marker. The holder releases the lock in the same way.
//!
//! Why there is at most one holder: the store replies to a PUT after it has linked the version, so
//! a contender's list holds its own version and every one that was linked before. Suppose that two
//! clients held the lock at once. The one that was linked later listed the versions while the
//! earlier one was live, since a holder's version is live until the release; so its own version was
//! not the last. New versions are only ever added at the head of the list. Times play no part:
//! clocks are not exact enough, and stores that order versions by time would let two clients win.
//!
//! This holds between clients that follow the version list. A native client puts its record without
//! looking at the list, believes the store's 200, and on release deletes the lock file without
//! naming a version, which puts a delete marker above all versions. Nothing can prevent that, but
//! it can be detected: records of this crate carry [`RULE`] in their metadata, and those of native
//! clients do not. See [`before_write`](super::before_write).

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
use crate::lock::rule::RULE;
use crate::versions::{Listed, NOT_UNDERSTOOD};

/// The maximum number of versions and delete markers of a lock file that are read. Clients that
/// follow the version list leave none behind, so the list is short; the limit is for a store that
/// returns entries without end.
const MOST_LISTED: usize = 10_000;

/// A lock record in a version of the lock file.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) version: String,
    pub(super) record: LockRecord,
    /// Whether the owner of the record follows the version list.
    pub(super) goes_by_list: bool,
}

/// The versions of a lock file, newest first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct VersionList(Vec<Listed>);

impl VersionList {
    /// Returns the versions before the newest delete marker, newest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &str> {
        let end = self.0.iter().position(|listed| listed.is_marker).unwrap_or(self.0.len());
        self.0[..end].iter().filter_map(|listed| listed.version.as_deref())
    }

    /// Returns the version that holds the lock.
    pub(super) fn holder(&self) -> Option<&str> {
        self.live().next_back()
    }

    /// Returns the versions below a delete marker, newest first, down to and without the named one;
    /// `None` if the named one is not in the list.
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
    /// Decides, after this version was put, whether it holds the lock. A version that does not is
    /// deleted again.
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
            // If the version stays, it holds the lock as soon as those before it are deleted.
            Err(failure) => Err(Failure {
                outcome: Outcome::Refused,
                error: self.left_behind(id.as_ref(), &version, failure.error),
            }),
        }
    }

    /// Decides after a PUT that failed but may have made a version: if it did, the version is in
    /// the list by now.
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
                // The store decided about this one, if it decides conditions at all.
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

    /// Lists the versions of the lock file, down to the newest delete marker, and further down to
    /// the version that is looked for, if there is one.
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
            // Keys that merely begin with this one come after it.
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

    /// Lists the versions; `None` if the client may not list them and the bucket keeps none, so
    /// that there is nothing to see.
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

    /// Reads the record that holds the lock according to the list.
    pub(super) async fn read_holder(
        &self,
        operation: &'static str,
    ) -> Result<Option<(Standing, VersionList)>> {
        let mut attempts = Attempts::new();
        while attempts.next().await {
            let Some(list) = self.list_unless_off(operation, None).await? else { return Ok(None) };
            let Some(holder) = list.holder() else { return Ok(None) };
            // The version may have been deleted since it was listed.
            if let Some(standing) = self.read_version(operation, holder).await? {
                return Ok(Some((standing, list)));
            }
        }
        Err(self.too_fast(operation))
    }

    pub(super) fn too_fast(&self, operation: &'static str) -> Error {
        self.about(operation, ErrorKind::Unavailable, "it changed at every attempt to read it")
    }

    /// Reads one version; `None` if it is gone.
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
            // The bucket exists, since its versions could be listed.
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// Returns the live versions that carry this id, whether or not they hold the lock.
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

    /// Deletes a version for good. The store never reuses a version's id, so the deletion can be
    /// repeated, except that of the version `null`.
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
                .with_hint("other clients treat that record as a held lock")
                .with_advice(Advice::ReleaseLock(id.clone(), LeftLock::LeftBehind)),
            None => error,
        }
    }
}

/// Returns the failure of a list that could not be read: nothing was decided. A client without the
/// permission does not get the list by asking again.
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
