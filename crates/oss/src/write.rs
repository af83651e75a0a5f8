//! Writing and deleting a state. What a write may expect, and what became of one whose answer was
//! lost, is decided alike for all providers: see [`StateObject`].

use std::sync::atomic::Ordering;

use futures_util::TryStreamExt as _;
use remote_state_core::provider::{Failure, Md5Hasher, Outcome, Present, StateObject};
use remote_state_core::{
    ETag, Error, ErrorKind, Result, StateMeta, StateVersion, VersionId, Workspace, WriteMode,
};

use crate::body::chunk;
use crate::client::{EverVersioned, NULL_VERSION, PutMode, Stored};
use crate::payload::{Crc64, Payload};
use crate::request::Repeat;
use crate::store::OssStore;

/// What the version stands over that a create of ours made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandsOver {
    /// Nothing that is a state, or nothing but the same state.
    NoState,
    /// The state of someone else.
    OtherState,
    /// The same state, perhaps by an attempt whose answer was lost, and that over someone else's.
    SameThenOther,
    /// Nobody knows: the version itself is not listed.
    NotListed,
}

impl OssStore {
    pub(crate) async fn put_state(
        &self,
        workspace: &Workspace,
        payload: &Payload,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        let key = self.layout.state_key(workspace);
        let how = match mode {
            WriteMode::Overwrite => PutMode::Overwrite,
            // The service replaces nothing on a condition: look ourselves. The lock, not this,
            // keeps others out in between.
            WriteMode::Update(_) => {
                self.check_expected(&key, mode).await.map(|_| PutMode::Overwrite)?
            }
            WriteMode::Create => match self.check_expected(&key, mode).await? {
                // Nothing is there, and on a bucket without versions the service makes sure of
                // that.
                Present::No if self.versioning("write").await == Some(EverVersioned::Never) => {
                    PutMode::ForbidOverwrite
                }
                _ => PutMode::Overwrite,
            },
        };
        let stored = match self.client.put("write", &key, payload, how, Repeat::AsConfigured).await
        {
            Ok(stored) => stored,
            Err(failure) => {
                self.state_object(&key)
                    .resolve_write(failure, self.stored_if_same(&key, None, payload))
                    .await?
            }
        };
        if how == PutMode::ForbidOverwrite
            && let Some(version) = &stored.version
        {
            self.take_back_if_void(workspace, version, payload).await?;
        }
        Ok(StateMeta::new(payload.size_bytes())
            .with_etag(stored.etag.map(ETag::new))
            .with_version(stored.version.map(VersionId::new)))
    }

    pub(crate) async fn delete_state(&self, workspace: &Workspace) -> Result<()> {
        let key = self.layout.state_key(workspace);
        let Err(failure) = self.client.delete("delete", &key, None, Repeat::AsConfigured).await
        else {
            return Ok(());
        };
        self.state_object(&key).resolve_delete(failure, self.present("delete", &key)).await
    }

    /// A version means that versions were turned on since the bucket was asked, and that the
    /// service did not look whether something was there. So we look for what came in between,
    /// and take the write back if something did.
    async fn take_back_if_void(
        &self,
        workspace: &Workspace,
        version: &str,
        payload: &Payload,
    ) -> Result<()> {
        self.has_versions.store(true, Ordering::Release);
        let key = self.layout.state_key(workspace);
        let in_doubt = |source: Error| self.in_doubt(&key, version, source);
        let unclear = |reason: &str| in_doubt(Error::new(ErrorKind::Unavailable, "write", reason));
        if version == NULL_VERSION {
            return Err(unclear(
                "versions are suspended, and what a write replaces then is not kept",
            ));
        }
        match self.stands_over(workspace, version, payload).await.map_err(in_doubt)? {
            StandsOver::NoState => Ok(()),
            StandsOver::OtherState => {
                let undone =
                    self.client.delete("write", &key, Some(version), Repeat::AsConfigured).await;
                undone.map_err(|failure| in_doubt(failure.error))?;
                Err(self.state_object(&key).changed())
            }
            StandsOver::SameThenOther => Err(unclear(
                "the same state stands below it, perhaps by an earlier attempt, and another one \
                 below that",
            )),
            StandsOver::NotListed => Err(unclear("that version is not in the list of versions")),
        }
    }

    fn in_doubt(&self, key: &str, version: &str, source: Error) -> Error {
        let url = self.layout.url(key);
        let message =
            format!("the state was written to `{url}`, perhaps over one that came in between");
        Error::new(ErrorKind::Unknown, "write", message)
            .with_context("because", &source)
            .with_context("version", version)
            .with_hint(
                "versions were turned on in that moment: compare the newest versions of that \
                 object",
            )
            .with_source(source)
    }

    /// Looks at what a version of ours stands over. A write whose answer was lost is repeated, so
    /// that may be our own.
    async fn stands_over(
        &self,
        workspace: &Workspace,
        version: &str,
        payload: &Payload,
    ) -> Result<StandsOver> {
        let key = self.layout.state_key(workspace);
        let mut versions = self.list_state_versions(workspace);
        let is_ours = |found: &StateVersion| {
            found.meta.version.as_ref().is_some_and(|id| id.as_str() == version)
        };
        loop {
            match versions.try_next().await? {
                Some(found) if is_ours(&found) => break,
                Some(_) => {}
                None => return Ok(StandsOver::NotListed),
            }
        }
        let mut other = StandsOver::OtherState;
        while let Some(below) = versions.try_next().await? {
            if below.is_delete_marker || below.meta.size_bytes == 0 {
                break;
            }
            let id = below.meta.version.as_ref().map(VersionId::as_str);
            let is_same = below.meta.size_bytes == payload.size_bytes()
                && self.stored_if_same(&key, id, payload).await?.is_some();
            if !is_same {
                return Ok(other);
            }
            other = StandsOver::SameThenOther;
        }
        Ok(StandsOver::NoState)
    }

    /// Returns what is there, if it is what the mode expects.
    async fn check_expected(&self, key: &str, mode: &WriteMode) -> Result<Present> {
        self.state_object(key).require(mode, self.present("write", key).await?)
    }

    async fn present(&self, operation: &'static str, key: &str) -> Result<Present> {
        // A HEAD has no body to say which of bucket and key is missing. A GET has, and its body
        // need not be read.
        match self.client.get(operation, key, None).await {
            Ok(answer) => {
                let etag = answer.header("etag").map(ETag::new);
                let is_empty = answer.response.content_length() == Some(0);
                Ok(if is_empty { Present::Empty(etag) } else { Present::State(etag) })
            }
            Err(Failure { outcome: Outcome::Absent, .. }) => Ok(Present::No),
            Err(failure) => Err(failure.error),
        }
    }

    /// Returns what is stored, or one version of it, if it is what was to be written.
    async fn stored_if_same(
        &self,
        key: &str,
        version: Option<&str>,
        payload: &Payload,
    ) -> Result<Option<Stored>> {
        let mut answer = match self.client.get("write", key, version).await {
            Ok(answer) => answer,
            Err(Failure { outcome: Outcome::Absent, .. }) => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        if answer.response.content_length() != Some(payload.size_bytes()) {
            return Ok(None);
        }
        let text = |name: &str| answer.header(name).map(str::to_owned);
        let stored = Stored { etag: text("etag"), version: text("x-oss-version-id") };
        let (mut md5, mut crc) = (Md5Hasher::default(), Crc64::default());
        while let Some(bytes) = chunk(&mut answer.response).await.map_err(|reason| {
            Error::new(ErrorKind::Unavailable, "write", "the stored state cannot be read back")
                .with_context("because", reason)
        })? {
            md5.update(&bytes);
            crc.update(&bytes);
        }
        let is_same = md5.finish() == payload.md5 && crc.finish() == payload.crc64;
        Ok(is_same.then_some(stored))
    }

    fn state_object(&self, key: &str) -> StateObject {
        StateObject { url: self.layout.url(key), store: self.client.sender.store().to_owned() }
    }
}
