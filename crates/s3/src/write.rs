//! Writing and deleting a state. The rules for what a write may expect, and for a write whose reply
//! was lost, are the same for all providers: see
//! [`StateObject`](remote_state_core::provider::StateObject).

use std::sync::atomic::Ordering;

use remote_state_core::provider::{Attempts, ObjectBackend as _, Present, StatePlace};
use remote_state_core::{ContentHasher, ETag, Result, StateMeta, VersionId, WriteMode};

use crate::bucket::Bucket;
use crate::client::{Condition, Stored};
use crate::dialect::Versioned;
use crate::error::{Failure, Outcome};
use crate::payload::Payload;

/// A state that is being written.
#[derive(Clone, Copy)]
pub(crate) struct Writing<'a> {
    pub(crate) place: &'a StatePlace,
    pub(crate) payload: &'a Payload,
    mode: &'a WriteMode,
}

impl Bucket {
    /// Writes a state, as [`StateStore::write`](remote_state_core::StateStore::write) promises.
    pub(crate) async fn write(
        &self,
        place: &StatePlace,
        payload: &Payload,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        self.look_again("write", place).await?;
        let key = &place.key;
        let writing = Writing { place, payload, mode };
        let mut condition = match mode {
            WriteMode::Overwrite => Condition::None,
            WriteMode::Create => Condition::IfAbsent,
            WriteMode::Update(etag) => Condition::IfMatch(etag.as_str()),
        };
        if *mode != WriteMode::Overwrite {
            let is_asked = self.dialect.updates_conditionally() && self.honours_conditions().await;
            if !is_asked || !self.is_proven.load(Ordering::Acquire) {
                // The store would not check the condition, or would check it wrongly, so it is
                // checked here. The lock, and not this check, excludes other clients in between.
                self.expect_present(key, mode).await?;
            }
            if !is_asked {
                condition = Condition::None;
            }
        }
        let size = payload.size_bytes();
        let has_condition = !matches!(condition, Condition::None);
        let mut sent = self.put_when_free(writing, condition).await;
        if let (WriteMode::Create, Err(Failure { outcome: Outcome::ConditionFailed, .. })) =
            (mode, &sent)
            // If this check fails, the one below reports what is known.
            && let Ok(Present::Empty(Some(etag))) = self.present("write", key).await
        {
            sent = self.put_when_free(writing, Condition::IfMatch(etag.as_str())).await;
        }
        // If versioning has been enabled meanwhile, such a store refuses every condition. So the
        // condition is checked here, as where versioning was known.
        if let (true, Err(Failure { outcome: Outcome::ConditionFailed, .. })) =
            (has_condition, &sent)
            && self.has_become_versioned().await
            && self.expect_present(key, mode).await.is_ok()
        {
            self.look_again("write", place).await?;
            sent = self.put_when_free(writing, Condition::None).await;
        }
        let stored = match sent {
            Ok(stored) => stored,
            Err(failure) => self.resolve_write(key, payload, condition, failure).await?,
        };
        self.memory.note(&self.dialect, stored.version.as_deref());
        Ok(StateMeta::new(size)
            .with_etag(stored.etag.map(ETag::new))
            .with_version(stored.version.map(VersionId::new)))
    }

    /// Tries again while the store is busy with another request for the object. That request may be
    /// this client's own, whose reply was lost.
    async fn put_when_free(
        &self,
        writing: Writing<'_>,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await;
            match self.send(writing, condition).await {
                Err(Failure { outcome: Outcome::Conflict, .. }) if !attempts.is_last() => {}
                other => return other,
            }
        }
    }

    /// Repeats all checks that exclude other clients, as late as possible, for a store that does
    /// not check conditions itself.
    pub(crate) async fn look_before_the_end(&self, writing: Writing<'_>) -> Result<()> {
        let Writing { place, mode, .. } = writing;
        self.look_again("write", place).await?;
        match mode {
            WriteMode::Overwrite => Ok(()),
            WriteMode::Create | WriteMode::Update(_) => {
                self.expect_present(&place.key, mode).await.map(drop)
            }
        }
    }

    /// Finds out what became of a write that failed.
    async fn resolve_write(
        &self,
        key: &str,
        payload: &Payload,
        condition: Condition<'_>,
        failure: Failure,
    ) -> Result<Stored> {
        // The object to be replaced is gone. Without a condition that explains nothing; and Ceph,
        // which builds an object from versions, replies so too to a PUT during which other clients
        // wrote and deleted, and may have carried it out.
        let is_explained =
            !matches!(condition, Condition::None) && self.dialect.versioned != Versioned::ByList;
        let object = self.state_object(key);
        if failure.outcome == Outcome::Absent && is_explained {
            return Err(object.changed().with_source(failure.error));
        }
        object.resolve_write(failure, self.stored_if_same(key, payload)).await
    }

    async fn stored_if_same(&self, key: &str, payload: &Payload) -> Result<Option<Stored>> {
        // Without a hash the body was never read to its end, and so never sent to its end.
        let Some(hash) = payload.hash() else { return Ok(None) };
        let mut found = ContentHasher::default();
        let meta = self
            .read_back(key, None, payload.size_bytes(), &mut |bytes| found.update(bytes))
            .await?;
        let stored = meta.map(|StateMeta { etag, version, .. }| Stored {
            etag: etag.map(|etag| etag.as_str().to_owned()),
            version: version.map(|version| version.as_str().to_owned()),
        });
        Ok(stored.filter(|_| found.finish() == hash))
    }
}
