//! The contract, in terms of the client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use futures_util::stream::BoxStream;
use remote_state_core::provider::{ClaimWait, DigestWait, release_in_steps};
use remote_state_core::{
    Capabilities, ETag, Error, LockInfo, LockRecord, LockTarget, Outgoing, ReadOptions, Release,
    ReleaseStep, Released, Result, StateLocation, StateMeta, StateRead, StateStore, StateVersion,
    VersionId, Workspace, WriteMode,
};

use crate::client::{Client, Select};
use crate::config::{S3Config, check_new_key};
use crate::connect;
use crate::dialect::{Creates, Dialect, Versioned};
use crate::download::Download;
use crate::dynamodb::Table;
use crate::error::Outcome;
use crate::keys::Layout;
use crate::lock::{Claiming, Memory};
use crate::payload::Payload;

const LOCK_HINT: &str = "set `use_lockfile = true` or `dynamodb_table` for every client of this \
                         state, or pass `--backend-config use_lockfile=true`";

/// Terraform state in one bucket, under one state key.
#[derive(Clone, Debug)]
pub struct S3Store {
    pub(crate) client: Client,
    pub(crate) dialect: Dialect,
    pub(crate) layout: Layout,
    /// The store has been seen to refuse a second create. Shared by everything that uses the
    /// bucket: the proof is about the store.
    pub(crate) is_proven: Arc<AtomicBool>,
    /// How a lock file is claimed by its release. Shared likewise.
    pub(crate) claiming: Arc<Claiming>,
    pub(crate) claim_wait: ClaimWait,
    /// What was learned of the bucket and of our locks. Shared likewise.
    pub(crate) memory: Arc<Memory>,
    /// The table of lock and digest items, if there is one.
    pub(crate) table: Option<Table>,
    pub(crate) digest_wait: DigestWait,
}

impl S3Store {
    /// Makes a store. Nothing is sent before the first operation.
    pub fn new(config: &S3Config) -> Self {
        let dialect = Dialect::choose(config.dialect, config.endpoint.as_ref());
        let shared = connect::shared(config);
        let table = config
            .dynamodb_table
            .as_deref()
            .map(|name| Table::new(connect::table(&shared, config), name, config));
        Self {
            client: Client::new(connect::bucket(&shared, config, dialect), config, dialect),
            dialect,
            layout: Layout {
                bucket: config.bucket.clone(),
                key: config.key.clone(),
                prefix: config.workspace_key_prefix.clone(),
                has_lock_file: config.use_lockfile,
                table: config.dynamodb_table.clone(),
            },
            is_proven: Arc::new(AtomicBool::new(dialect.creates == Creates::Atomic)),
            claiming: Arc::new(Claiming::new(dialect.claims)),
            claim_wait: ClaimWait::default(),
            memory: Arc::default(),
            table,
            digest_wait: DigestWait::default(),
        }
    }

    /// Returns how this store is spoken to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.layout.url(&self.layout.key))
    }
}

#[async_trait]
impl StateStore for S3Store {
    fn capabilities(&self) -> Capabilities {
        self.capable()
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        self.layout.location(workspace)
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        check_new_key(key).map_err(|reason| {
            Error::config(format!("no state can be kept under the key {key:?}: {reason}"))
        })?;
        let layout = Layout { key: key.to_owned(), ..self.layout.clone() };
        Ok(Arc::new(Self { layout, ..self.clone() }))
    }

    fn admit(&self, workspace: &Workspace) -> Result<()> {
        self.layout.admit(workspace).map_err(|reason| {
            Error::config(format!("no state can be kept under this name: {reason}"))
        })
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
        self.refuse_new_below(workspace).await?;
        let payload = Payload::new(outgoing.decided().await?).await?;
        let put = self.put_state(workspace, &payload, mode);
        let Some(digest) = self.digest(workspace) else { return put.await };
        // The digest is computed while the state is on its way.
        let (written, sum) = tokio::join!(put, payload.md5());
        digest.record(written, sum).await
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
        self.take_lock(workspace, info).await
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        release_in_steps(self, workspace, target).await
    }

    async fn release_step(
        &self,
        workspace: &Workspace,
        target: &LockTarget,
        release: &mut Release,
    ) -> Result<ReleaseStep> {
        self.release_lock(workspace, target, release).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        self.inspect_lock(workspace).await
    }

    fn locks(&self) -> BoxStream<'_, Result<(Workspace, LockRecord)>> {
        self.list_locks()
    }

    fn release_caveat(&self) -> Option<String> {
        self.what_releases_risk()
    }

    async fn lock_caveat(&self) -> Result<Option<String>> {
        self.lock_caveat_of_bucket().await
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'_, Result<StateVersion>> {
        self.list_state_versions(workspace)
    }
}

impl S3Store {
    pub(crate) fn capable(&self) -> Capabilities {
        Capabilities::default()
            .with_locking(self.layout.has_lock_file || self.table.is_some())
            .with_lock_hint(LOCK_HINT)
            .with_conditional_write(
                self.dialect.updates_conditionally() && self.dialect.versioned == Versioned::Same,
            )
            .with_digests(self.table.is_some())
            .with_versions(true)
    }

    /// Reads what is stored, whatever its digest says.
    pub(crate) async fn read_object(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let version = options.version.as_ref().map(VersionId::as_str);
        let key = self.layout.state_key(workspace);
        let select = Select { version, ..Select::default() };
        let started = Instant::now();
        let answer = match self.client.get("read", &key, &select).await {
            Ok(answer) => answer,
            Err(failure) if failure.outcome == Outcome::Absent && version.is_none() => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.error),
        };
        let (head, version) = (started.elapsed(), version.map(str::to_owned));
        let location = self.location(workspace).state;
        let download = Download::new(self.client.clone(), key, location, version, answer, head)?;
        // Native clients take an object without bytes for no state.
        if download.size_bytes() == 0 {
            return Ok(None);
        }
        let meta = meta_of(download.answer(), download.size_bytes());
        Ok(Some(StateRead { meta, body: download.body() }))
    }
}

fn meta_of(answer: &GetObjectOutput, size_bytes: u64) -> StateMeta {
    StateMeta::new(size_bytes)
        .with_etag(answer.e_tag.as_deref().map(ETag::new))
        .with_version(answer.version_id.as_deref().map(VersionId::new))
        .with_modified(answer.last_modified.as_ref().and_then(timestamp))
}

pub(crate) fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
