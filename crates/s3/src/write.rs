//! Writing a state, and finding out what became of a write whose answer was lost.

use bytes::Bytes;
use remote_state_core::{ETag, Error, ErrorKind, Result, StateMeta, VersionId, Workspace, WriteMode};

use crate::client::{Condition, Stored};
use crate::error::{Failure, Outcome};
use crate::store::S3Store;

impl S3Store {
    pub(crate) async fn put_state(
        &self,
        workspace: &Workspace,
        bytes: Bytes,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        let key = self.layout.state_key(workspace);
        if !self.dialect.updates_conditionally {
            // The store would not look, or would look wrongly: look ourselves. The lock, not this, keeps others out in between.
            self.check_expected(&key, mode).await?;
        }
        let condition = match mode {
            WriteMode::Create => Condition::IfAbsent,
            WriteMode::Update(etag) if self.dialect.updates_conditionally => {
                Condition::IfMatch(etag.as_str())
            }
            WriteMode::Overwrite | WriteMode::Update(_) => Condition::None,
        };
        let size = bytes.len() as u64;
        let stored = match self.client.put("write", &key, bytes.clone(), condition).await {
            Ok(stored) => stored,
            Err(failure) => self.resolve_write(&key, &bytes, failure).await?,
        };
        Ok(StateMeta::new(size)
            .with_etag(stored.etag.map(ETag::new))
            .with_version(stored.version.map(VersionId::new)))
    }

    async fn check_expected(&self, key: &str, mode: &WriteMode) -> Result<()> {
        let expected = match mode {
            WriteMode::Overwrite => return Ok(()),
            WriteMode::Create => None,
            WriteMode::Update(etag) => Some(etag.as_str()),
        };
        let found = match self.client.etag("write", key).await {
            Ok(etag) => etag,
            Err(Failure { outcome: Outcome::Absent, .. }) => None,
            Err(failure) => return Err(failure.error),
        };
        if found.as_deref() == expected { Ok(()) } else { Err(self.changed(key)) }
    }

    /// Looks at what is stored now, where the answer does not say whether the write was carried out.
    ///
    /// That includes a failed condition: the SDK repeats a request whose answer was lost, and the repetition then fails on our own write.
    async fn resolve_write(&self, key: &str, bytes: &Bytes, failure: Failure) -> Result<Stored> {
        if !matches!(failure.outcome, Outcome::ConditionFailed | Outcome::Conflict | Outcome::Unknown) {
            return Err(failure.error);
        }
        match self.stored_if_same(key, bytes).await {
            Ok(Some(stored)) => Ok(stored),
            // The store decided: something else stands there, and this write was not carried out.
            Ok(None) if failure.outcome == Outcome::ConditionFailed => {
                Err(self.changed(key).with_source(failure.error))
            }
            Ok(None) if failure.outcome == Outcome::Conflict => Err(failure.error),
            Ok(None) | Err(_) => {
                let about = self.client.about("write", key);
                Err(Error::new(
                    ErrorKind::Unknown,
                    "write",
                    format!("the state may or may not have been written to `{}`", self.layout.url(key)),
                )
                .with_context("store", about.store)
                .with_hint(
                    "keep your copy, and compare it with `remote-state pull` when the store answers again",
                )
                .with_source(failure.error))
            }
        }
    }

    async fn stored_if_same(&self, key: &str, bytes: &Bytes) -> Result<Option<Stored>> {
        let answer = match self.client.get("write", key, None).await {
            Ok(answer) => answer,
            Err(Failure { outcome: Outcome::Absent, .. }) => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        if answer.content_length.and_then(|size| usize::try_from(size).ok()) != Some(bytes.len()) {
            return Ok(None);
        }
        let (etag, version) = (answer.e_tag, answer.version_id);
        let found = answer.body.collect().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "write", "the stored state cannot be read back")
                .with_source(error)
        })?;
        Ok((found.into_bytes() == *bytes).then_some(Stored { etag, version }))
    }

    fn changed(&self, key: &str) -> Error {
        Error::new(
            ErrorKind::PreconditionFailed,
            "write",
            format!(
                "`{}` was changed by someone else since it was read; nothing was written",
                self.layout.url(key)
            ),
        )
        .with_hint("read it again with `remote-state pull`, and compare before you write")
    }
}
