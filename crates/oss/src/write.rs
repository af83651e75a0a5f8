//! Writes and deletes a state. All providers share the conditions of a write, and the check after a
//! lost answer: see [`StateObject`](remote_state_core::provider::StateObject).

use std::sync::atomic::Ordering;

use futures_util::TryStreamExt as _;
use remote_state_core::provider::{Md5Hasher, ObjectBackend as _, Present, StatePlace, pages};
use remote_state_core::{
    ETag, Error, ErrorKind, Result, StateMeta, StateVersion, VersionId, WriteMode,
};

use crate::bucket::Bucket;
use crate::client::{EverVersioned, NULL_VERSION, PutMode, Stored};
use crate::payload::{Crc64, Payload};
use crate::request::Repeat;

/// What lies below the version that this process created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandsOver {
    /// No state, or only the same state.
    NoState,
    /// Another client's state.
    OtherState,
    /// The same state, perhaps from an attempt whose answer was lost, and below it another
    /// client's.
    SameThenOther,
    /// Unknown: the version itself is not listed.
    NotListed,
}

impl Bucket {
    /// Writes a state, as [`StateStore::write`](remote_state_core::StateStore::write) promises.
    pub(crate) async fn write(
        &self,
        StatePlace { key, .. }: &StatePlace,
        payload: &Payload,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        let how = match mode {
            WriteMode::Overwrite => PutMode::Overwrite,
            // The service replaces nothing on a condition, so read and compare here. The lock, not
            // this check, excludes other clients in between.
            WriteMode::Update(_) => {
                self.expect_present(key, mode).await.map(|_| PutMode::Overwrite)?
            }
            WriteMode::Create => match self.expect_present(key, mode).await? {
                // There is no object, and on a bucket without versions the service enforces that.
                Present::No if self.versioning("write").await == Some(EverVersioned::Never) => {
                    PutMode::ForbidOverwrite
                }
                _ => PutMode::Overwrite,
            },
        };
        let stored = match self.client.put("write", key, payload, how, Repeat::AsConfigured).await {
            Ok(stored) => stored,
            Err(failure) => {
                self.state_object(key)
                    .resolve_write(failure, self.stored_if_same(key, None, payload))
                    .await?
            }
        };
        if how == PutMode::ForbidOverwrite
            && let Some(version) = &stored.version
        {
            self.take_back_if_void(key, version, payload).await?;
        }
        Ok(StateMeta::new(payload.size_bytes())
            .with_etag(stored.etag.map(ETag::new))
            .with_version(stored.version.map(VersionId::new)))
    }

    /// A version means that versioning was enabled after the bucket was asked, and that the service
    /// did not check for an object. So this looks for a write in between, and takes its own back if
    /// there was one.
    async fn take_back_if_void(&self, key: &str, version: &str, payload: &Payload) -> Result<()> {
        self.has_versions.store(true, Ordering::Release);
        let in_doubt = |source: Error| self.in_doubt(key, version, source);
        let unclear = |reason: &str| in_doubt(Error::new(ErrorKind::Unavailable, "write", reason));
        if version == NULL_VERSION {
            return Err(unclear(
                "versions are suspended, and what a write replaces then is not kept",
            ));
        }
        match self.stands_over(key, version, payload).await.map_err(in_doubt)? {
            StandsOver::NoState => Ok(()),
            StandsOver::OtherState => {
                let undone =
                    self.client.delete("write", key, Some(version), Repeat::AsConfigured).await;
                undone.map_err(|failure| in_doubt(failure.error))?;
                Err(self.state_object(key).changed())
            }
            StandsOver::SameThenOther => Err(unclear(
                "the same state stands below it, perhaps by an earlier attempt, and another one \
                 below that",
            )),
            StandsOver::NotListed => Err(unclear("that version is not in the list of versions")),
        }
    }

    fn in_doubt(&self, key: &str, version: &str, source: Error) -> Error {
        let url = self.url(key);
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

    /// Finds what lies below a version that this process wrote. A write whose answer was lost is
    /// repeated, so that may be its own too.
    async fn stands_over(&self, key: &str, version: &str, payload: &Payload) -> Result<StandsOver> {
        let mut versions = pages(self.store(), |at| self.versions(key, at));
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
            let id = below.meta.version.as_ref();
            let is_same = below.meta.size_bytes == payload.size_bytes()
                && self.stored_if_same(key, id, payload).await?.is_some();
            if !is_same {
                return Ok(other);
            }
            other = StandsOver::SameThenOther;
        }
        Ok(StandsOver::NoState)
    }

    /// Returns the stored object, or one version of it, if it equals what was to be written.
    async fn stored_if_same(
        &self,
        key: &str,
        version: Option<&VersionId>,
        payload: &Payload,
    ) -> Result<Option<Stored>> {
        let (mut md5, mut crc) = (Md5Hasher::default(), Crc64::default());
        let mut each = |bytes: &[u8]| {
            md5.update(bytes);
            crc.update(bytes);
        };
        let meta = self.read_back(key, version, payload.size_bytes(), &mut each).await?;
        let stored = meta.map(|StateMeta { etag, version, .. }| Stored {
            etag: etag.map(|etag| etag.as_str().to_owned()),
            version: version.map(|version| version.as_str().to_owned()),
        });
        Ok(stored.filter(|_| md5.finish() == payload.md5 && crc.finish() == payload.crc64))
    }
}
