//! Writing and deleting a state. What a write may expect, and what became of one whose answer was
//! lost, is decided alike for all providers: see [`StateObject`].

use std::sync::atomic::Ordering;

use remote_state_core::provider::{Attempts, Present, StateObject};
use remote_state_core::{
    ContentHasher, ETag, Error, ErrorKind, Result, StateMeta, VersionId, Workspace, WriteMode,
};

use crate::client::{Condition, Select, Stored};
use crate::config::leads_back;
use crate::dialect::Versioned;
use crate::error::{Failure, Outcome};
use crate::payload::Payload;
use crate::store::S3Store;

/// A state that is being written.
#[derive(Clone, Copy)]
pub(crate) struct Writing<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) key: &'a str,
    pub(crate) payload: &'a Payload,
    mode: &'a WriteMode,
}

impl S3Store {
    pub(crate) async fn put_state(
        &self,
        workspace: &Workspace,
        payload: &Payload,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        self.look_again("write", workspace).await?;
        let key = self.layout.state_key(workspace);
        let writing = Writing { workspace, key: &key, payload, mode };
        let mut condition = match mode {
            WriteMode::Overwrite => Condition::None,
            WriteMode::Create => Condition::IfAbsent,
            WriteMode::Update(etag) => Condition::IfMatch(etag.as_str()),
        };
        if *mode != WriteMode::Overwrite {
            let is_asked = self.dialect.updates_conditionally() && self.honours_conditions().await;
            if !is_asked || !self.is_proven.load(Ordering::Acquire) {
                // The store would not look, or would look wrongly: look ourselves. The lock, not
                // this, keeps others out in between.
                self.check_expected(&key, mode).await?;
            }
            if !is_asked {
                condition = Condition::None;
            }
        }
        let size = payload.size_bytes();
        let has_condition = !matches!(condition, Condition::None);
        let mut sent = self.put_when_free(writing, condition).await;
        if let (WriteMode::Create, Err(Failure { outcome: Outcome::ConditionFailed, .. })) = (mode, &sent)
            // If looking fails, looking again below says what is known.
            && let Ok(Present::Empty(Some(etag))) = self.present("write", &key).await
        {
            sent = self.put_when_free(writing, Condition::IfMatch(etag.as_str())).await;
        }
        // Where versions are made by now, such a store meets no condition at all: look ourselves,
        // as where that was known.
        if let (true, Err(Failure { outcome: Outcome::ConditionFailed, .. })) =
            (has_condition, &sent)
            && self.has_become_versioned().await
            && self.check_expected(&key, mode).await.is_ok()
        {
            self.look_again("write", workspace).await?;
            sent = self.put_when_free(writing, Condition::None).await;
        }
        let stored = match sent {
            Ok(stored) => stored,
            Err(failure) => self.resolve_write(&key, payload, condition, failure).await?,
        };
        self.memory.note(&self.dialect, stored.version.as_deref());
        Ok(StateMeta::new(size)
            .with_etag(stored.etag.map(ETag::new))
            .with_version(stored.version.map(VersionId::new)))
    }

    /// Tries again while the store is busy with another request for the object. That may be our
    /// own, whose answer was lost.
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

    /// Looks again at all that keeps others out, as late as can be, where the store does not look
    /// for us.
    pub(crate) async fn look_before_the_end(&self, writing: Writing<'_>) -> Result<()> {
        let Writing { workspace, key, mode, .. } = writing;
        self.look_again("write", workspace).await?;
        match mode {
            WriteMode::Overwrite => Ok(()),
            WriteMode::Create | WriteMode::Update(_) => self.check_expected(key, mode).await,
        }
    }

    pub(crate) async fn delete_state(&self, workspace: &Workspace) -> Result<()> {
        self.look_again("delete", workspace).await?;
        let key = self.layout.state_key(workspace);
        let Err(failure) = self.client.delete("delete", &key).await else { return Ok(()) };
        self.state_object(&key).resolve_delete(failure, self.present("delete", &key)).await
    }

    /// Refuses to make a workspace below a key that leads back out of it: its state would be where
    /// another one's is.
    pub(crate) async fn refuse_new_below(&self, workspace: &Workspace) -> Result<()> {
        if workspace.is_default() || !leads_back(&self.layout.key) {
            return Ok(());
        }
        let key = self.layout.state_key(workspace);
        if self.present("write", &key).await? != Present::No {
            return Ok(());
        }
        let message = format!(
            "cannot make workspace `{workspace}`: the state key `{}` has a part `..`, which would \
             lead back out of the workspace, to `{}`",
            self.layout.key,
            self.layout.url(&key)
        );
        Err(Error::new(ErrorKind::ConfigInvalid, "write", message).with_hint(
            "keep the state under a `key` without `..` before you make workspaces of it",
        ))
    }

    async fn check_expected(&self, key: &str, mode: &WriteMode) -> Result<()> {
        self.state_object(key).require(mode, self.present("write", key).await?).map(drop)
    }

    async fn present(&self, operation: &'static str, key: &str) -> Result<Present> {
        // A HEAD has no body to say which of bucket and key is missing. A GET has, and its body
        // need not be read.
        match self.client.get(operation, key, &Select::default()).await {
            Ok(answer) if answer.content_length == Some(0) => {
                Ok(Present::Empty(answer.e_tag.map(ETag::new)))
            }
            Ok(answer) => Ok(Present::State(answer.e_tag.map(ETag::new))),
            Err(Failure { outcome: Outcome::Absent, .. }) => Ok(Present::No),
            Err(failure) => Err(failure.error),
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
        // What was to be replaced is gone. Where nothing was to be, that explains nothing; and
        // Ceph, which makes an object of versions, answers so too to a PUT during which
        // others came and went, and which may have been carried out all the same.
        let is_explained =
            !matches!(condition, Condition::None) && self.dialect.versioned != Versioned::ByList;
        let object = self.state_object(key);
        if failure.outcome == Outcome::Absent && is_explained {
            return Err(object.changed().with_source(failure.error));
        }
        object.resolve_write(failure, self.stored_if_same(key, payload)).await
    }

    async fn stored_if_same(&self, key: &str, payload: &Payload) -> Result<Option<Stored>> {
        let mut answer = match self.client.get("write", key, &Select::default()).await {
            Ok(answer) => answer,
            Err(Failure { outcome: Outcome::Absent, .. }) => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        if answer.content_length.and_then(|size| u64::try_from(size).ok())
            != Some(payload.size_bytes())
        {
            return Ok(None);
        }
        let (mut found, mut left) = (ContentHasher::default(), payload.size_bytes());
        while let Some(bytes) = answer.body.next().await {
            let bytes = bytes.map_err(|error| {
                Error::new(ErrorKind::Unavailable, "write", "the stored state cannot be read back")
                    .with_source(error)
            })?;
            // A length that was stated binds nobody whose answer comes in chunks.
            let Some(rest) = left.checked_sub(bytes.len() as u64) else { return Ok(None) };
            left = rest;
            found.update(&bytes);
        }
        let stored = Stored { etag: answer.e_tag, version: answer.version_id };
        Ok((found.finish() == *payload.hash()).then_some(stored))
    }

    fn state_object(&self, key: &str) -> StateObject {
        StateObject { url: self.layout.url(key), store: self.client.store().to_owned() }
    }
}
