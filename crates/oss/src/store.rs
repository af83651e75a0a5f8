//! The contract, in terms of the client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::provider::DigestWait;
use remote_state_core::{
    Capabilities, ETag, Error, ErrorKind, LockInfo, LockRecord, LockTarget, Outgoing, ReadOptions,
    Released, Result, StateLocation, StateMeta, StateRead, StateStore, StateVersion, VersionId,
    Workspace, WriteMode,
};
use reqwest::Response;

use crate::body::chunk;
use crate::client::Client;
use crate::clock::parse_http_date;
use crate::config::OssConfig;
use crate::error::Outcome;
use crate::keys::Layout;
use crate::payload::{Crc64, Payload};
use crate::request::{Answer, Sender};
use crate::tablestore::Table;

/// What to configure so that locks are taken.
const LOCK_HINT: &str = "take `lock = false` out of the configuration, for every client of this \
                         state, or pass `--backend-config lock=true`";

/// Terraform state in one bucket, under one state key.
#[derive(Clone, Debug)]
pub struct OssStore {
    pub(crate) client: Client,
    pub(crate) layout: Layout,
    pub(crate) uses_lock_object: bool,
    /// The table of digests, and of locks if it is locked in.
    pub(crate) table: Option<Table>,
    pub(crate) locks_in_table: bool,
    pub(crate) digest_wait: DigestWait,
    /// The store has been seen to refuse a second create. Shared by everything that uses the
    /// bucket: the proof is about the store.
    pub(crate) is_proven: Arc<AtomicBool>,
    /// The bucket has been seen to keep versions. It never stops to have done so.
    pub(crate) has_versions: Arc<AtomicBool>,
}

impl OssStore {
    /// Makes a store. Nothing is sent before the first operation.
    ///
    /// # Errors
    /// `CredentialInvalid` for half of a pair of keys, and for a profile that cannot be used here.
    pub fn new(config: &OssConfig) -> Result<Self> {
        let sender = Sender::new(config)?;
        let table =
            config.tablestore.as_ref().map(|table| Table::new(sender.clone(), table, config));
        Ok(Self {
            client: Client::new(sender, config),
            layout: config.layout.clone(),
            uses_lock_object: config.uses_lock_object,
            table,
            locks_in_table: config.locks_in_table,
            digest_wait: DigestWait::default(),
            is_proven: Arc::default(),
            has_versions: Arc::default(),
        })
    }

    pub(crate) fn capable(&self) -> Capabilities {
        Capabilities::default()
            .with_locking(self.uses_lock_object || self.locks_in_table)
            .with_lock_hint(LOCK_HINT)
            // No request replaces a state on a condition. Creating one can be left to the store on
            // buckets without versions alone.
            .with_conditional_write(false)
            .with_digests(self.table.is_some())
            .with_versions(true)
    }
}

impl fmt::Display for OssStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location(&Workspace::default()).state)
    }
}

#[async_trait]
impl StateStore for OssStore {
    fn capabilities(&self) -> Capabilities {
        self.capable()
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        let object =
            self.uses_lock_object.then(|| self.layout.url(&self.layout.lock_key(workspace)));
        let path = self.layout.path(workspace);
        let row = self.table.as_ref().filter(|_| self.locks_in_table).map(|table| table.url(&path));
        let state = self.layout.url(&self.layout.state_key(workspace));
        StateLocation::new(path, state, object.into_iter().chain(row).collect())
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        let layout = self.layout.with_name(key).map_err(|reason| {
            Error::config(format!("no state can be kept under the key {key:?}: {reason}"))
        })?;
        Ok(Arc::new(Self { layout, ..self.clone() }))
    }

    fn admit(&self, workspace: &Workspace) -> Result<()> {
        self.layout.admit(workspace, self.uses_lock_object, self.table.is_some()).map_err(
            |reason| Error::config(format!("no state can be kept under this name: {reason}")),
        )
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let read = || self.read_object(workspace, options);
        match self.digest(workspace) {
            Some(digest) => digest.read(options, read).await,
            None => read().await,
        }
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        mode: &WriteMode,
    ) -> Result<StateMeta> {
        let payload = Payload::new(outgoing.decided().await?).await?;
        let written = self.put_state(workspace, &payload, mode).await;
        match self.digest(workspace) {
            Some(digest) => digest.record(written, Ok(payload.md5)).await,
            None => written,
        }
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        self.delete_state(workspace).await?;
        match self.digest(workspace) {
            Some(digest) => digest.forget().await,
            None => Ok(()),
        }
    }

    fn workspaces(&self) -> BoxStream<'_, Result<Workspace>> {
        self.list_workspaces()
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        self.lock(workspace).take(info).await
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        self.lock(workspace).release(target).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        self.visible_lock(workspace).inspect("read the lock").await
    }

    fn locks(&self) -> BoxStream<'_, Result<(Workspace, LockRecord)>> {
        self.list_locks()
    }

    fn release_caveat(&self) -> Option<String> {
        let is_at_risk = self.uses_lock_object && !self.has_versions.load(Ordering::Acquire);
        is_at_risk.then(|| {
            "OSS deletes nothing on a condition: unless the bucket keeps versions, another release \
             of this lock at the same time could remove the lock of the next holder"
                .to_owned()
        })
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'_, Result<StateVersion>> {
        self.list_state_versions(workspace)
    }
}

impl OssStore {
    /// Reads what is stored, whatever its digest says.
    pub(crate) async fn read_object(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let version = options.version.as_ref().map(VersionId::as_str);
        let answer = match self.client.get("read", &self.layout.state_key(workspace), version).await
        {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent && version.is_none() => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.error),
        };
        let location = self.location(workspace).state;
        let Some(size_bytes) = answer.response.content_length() else {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "read",
                format!("cannot read `{location}`: the store does not say how long it is"),
            ));
        };
        // Native clients take an object without bytes for no state.
        if size_bytes == 0 {
            return Ok(None);
        }
        let crc64 = answer.header("x-oss-hash-crc64ecma").and_then(|crc| crc.parse().ok());
        Ok(Some(StateRead {
            meta: meta_of(&answer, size_bytes),
            body: body(answer.response, size_bytes, crc64, location),
        }))
    }
}

pub(crate) fn meta_of(answer: &Answer, size_bytes: u64) -> StateMeta {
    StateMeta::new(size_bytes)
        .with_etag(answer.header("etag").map(ETag::new))
        .with_version(answer.header("x-oss-version-id").map(VersionId::new))
        .with_modified(answer.header("last-modified").and_then(parse_http_date))
}

/// A transfer that is under way.
struct Transfer {
    response: Response,
    left_bytes: u64,
    crc: Crc64,
    /// What the sum of all bytes must be, if the store says.
    expected: Option<u64>,
    object: String,
}

impl Transfer {
    fn broken(&self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            "read",
            format!("cannot read `{}`: {reason}", self.object),
        )
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let left = self.left_bytes;
        match chunk(&mut self.response).await {
            Ok(Some(bytes)) => {
                self.left_bytes = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| self.broken("the store sent more bytes than it announced"))?;
                self.crc.update(&bytes);
                Ok(Some(bytes))
            }
            Ok(None) if left > 0 => {
                Err(self.broken(&format!("the transfer ended with {left} bytes to come")))
            }
            Ok(None) if self.expected.is_some_and(|expected| expected != self.crc.finish()) => {
                Err(self.broken("it was damaged on its way (CRC-64)"))
            }
            Ok(None) => Ok(None),
            Err(reason) => Err(self
                .broken(&format!("the transfer broke off with {left} bytes to come"))
                .with_context("because", reason)),
        }
    }
}

/// Passes the bytes on, and makes sure that none is missing or damaged at the end.
fn body(
    response: Response,
    size_bytes: u64,
    expected: Option<u64>,
    object: String,
) -> BoxStream<'static, Result<Bytes>> {
    let transfer =
        Transfer { response, left_bytes: size_bytes, crc: Crc64::default(), expected, object };
    stream::try_unfold(transfer, |mut transfer| async move {
        Ok(transfer.next().await?.map(|bytes| (bytes, transfer)))
    })
    .boxed()
}
