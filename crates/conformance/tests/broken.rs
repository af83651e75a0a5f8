//! The suite finds stores that break their promises: the behaviour for each promise fails.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream::{BoxStream, StreamExt as _, once};
use remote_state_conformance::{MemoryStore, RawLocks as _, Setup, store_behaviours};
use remote_state_core::{
    LockId, LockInfo, LockRecord, LockTarget, Outgoing, ReadOptions, Released, Result,
    StateLocation, StateMeta, StateRead, StateStore, StateVersion, Workspace, WriteMode,
    WriteOptions,
};

/// A promise that a store breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Breach {
    /// Acknowledges a lock that another client holds, as servers do that ignore `If-None-Match`.
    AcquireOverwrites,
    /// Looks for a lock first, and writes one then.
    AcquireLooksThenPuts,
    /// Adds something of its own to the record.
    AcquireChangesTheRecord,
    /// Lists lock objects among the workspaces.
    LocksAreWorkspaces,
    /// Reads a state in another encoding than it was written.
    ReadReencodes,
    /// Accepts any id.
    ReleaseIgnoresTheId,
    /// Treats the lock as one for all workspaces.
    SharesOneLock,
    /// Lists the oldest version first.
    VersionsOldestFirst,
    /// Keeps no annotations.
    AnnotationsAreLost,
    /// Writes before the writer has decided.
    WriteDoesNotWait,
    /// Ignores the conditions of a write.
    WriteIgnoresConditions,
}

#[derive(Debug)]
struct BrokenStore {
    inner: MemoryStore,
    breach: Breach,
}

impl fmt::Display for BrokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl BrokenStore {
    fn locked<'a>(&self, workspace: &'a Workspace, shared: &'a Workspace) -> &'a Workspace {
        if self.breach == Breach::SharesOneLock { shared } else { workspace }
    }
}

#[async_trait]
impl StateStore for BrokenStore {
    fn capabilities(&self) -> remote_state_core::Capabilities {
        self.inner.capabilities()
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        self.inner.location(workspace)
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn StateStore>> {
        self.inner.with_state_key(key)
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        let Some(read) = self.inner.read(workspace, options).await? else { return Ok(None) };
        if self.breach != Breach::ReadReencodes {
            return Ok(Some(read));
        }
        let state = read.collect().await?;
        let text = String::from_utf8_lossy(&state.bytes).trim_end().to_owned();
        let meta = StateMeta::new(text.len() as u64)
            .with_etag(state.meta.etag)
            .with_version(state.meta.version);
        Ok(Some(StateRead::new(meta, once(async { Ok(Bytes::from(text)) }).boxed())))
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        let options = if self.breach == Breach::WriteIgnoresConditions {
            &WriteMode::Overwrite.into()
        } else if self.breach == Breach::AnnotationsAreLost {
            &options.mode.clone().into()
        } else {
            options
        };
        if self.breach != Breach::WriteDoesNotWait {
            return self.inner.write(workspace, outgoing, options).await;
        }
        let (source, decision) = outgoing.into_parts();
        let written = self.inner.write(workspace, source.into(), options).await;
        decision.await?;
        written
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        self.inner.delete(workspace).await
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        let listed = self.inner.workspaces();
        if self.breach != Breach::LocksAreWorkspaces {
            return listed;
        }
        listed.chain(self.inner.locks().map(|found| found.map(|(workspace, _)| workspace))).boxed()
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        let shared = Workspace::default();
        let workspace = self.locked(workspace, &shared);
        let stored = info.clone().with_path(self.inner.location(workspace).path);
        match self.breach {
            Breach::AcquireOverwrites => {
                self.inner.put(workspace, stored.to_json().into()).await;
                Ok(stored)
            }
            Breach::AcquireLooksThenPuts => {
                let is_free = self.inner.inspect(workspace).await?.is_none();
                tokio::task::yield_now().await;
                if !is_free {
                    return self.inner.acquire(workspace, info).await;
                }
                self.inner.put(workspace, stored.to_json().into()).await;
                Ok(stored)
            }
            Breach::AcquireChangesTheRecord => {
                self.inner.acquire(workspace, &info.clone().with_info("ours")).await
            }
            _ => self.inner.acquire(workspace, info).await,
        }
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        let shared = Workspace::default();
        let workspace = self.locked(workspace, &shared);
        let holder = self.inner.inspect(workspace).await?.and_then(|found| found.id().cloned());
        let target = match holder {
            Some(id) if self.breach == Breach::ReleaseIgnoresTheId => {
                &LockTarget::Id(LockId::new(id.as_str()))
            }
            _ => target,
        };
        self.inner.release(workspace, target).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        self.inner.inspect(self.locked(workspace, &Workspace::default())).await
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        self.inner.locks()
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        let listed = self.inner.versions(workspace);
        if self.breach != Breach::VersionsOldestFirst {
            return listed;
        }
        once(listed.collect::<Vec<_>>())
            .flat_map(|versions| futures_util::stream::iter(versions.into_iter().rev()))
            .boxed()
    }
}

async fn is_noticed(breach: Breach, name: &str) -> bool {
    let behaviour = store_behaviours()
        .into_iter()
        .find(|behaviour| behaviour.name == name)
        .unwrap_or_else(|| panic!("there is no behaviour `{name}`"));
    let inner = MemoryStore::new();
    let declares = inner.capabilities();
    let setup = Setup::new(Arc::new(BrokenStore { inner: inner.clone(), breach }), declares)
        .with_raw_locks(Arc::new(inner));
    AssertUnwindSafe((behaviour.run)(&setup)).catch_unwind().await.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_breach_is_noticed_where_it_belongs() {
    for (breach, names) in [
        (
            Breach::AcquireOverwrites,
            &[
                "lock::second_acquire_is_refused_and_names_the_holder",
                "lock::race_for_a_free_lock_has_one_winner",
                "lock::hand_over_loses_no_update",
                "lock::unreadable_lock_is_held_until_released_as_such",
            ][..],
        ),
        (Breach::AcquireLooksThenPuts, &["lock::race_for_a_free_lock_has_one_winner"]),
        (Breach::AcquireChangesTheRecord, &["lock::record_is_stored_byte_for_byte"]),
        (Breach::LocksAreWorkspaces, &["workspaces::locks_are_not_workspaces"]),
        (
            Breach::ReadReencodes,
            &["read_write::bytes_round_trip_exactly", "read_write::read_after_write_sees_it"],
        ),
        (Breach::ReleaseIgnoresTheId, &["lock::release_with_a_foreign_id_is_refused"]),
        (Breach::SharesOneLock, &["lock::lock_of_one_state_leaves_others_free"]),
        (
            Breach::VersionsOldestFirst,
            &["versions::newest_comes_first", "versions::older_version_is_readable"],
        ),
        (
            Breach::AnnotationsAreLost,
            &["read_write::annotations_come_back_with_the_state_and_go_with_the_next_write"],
        ),
        (Breach::WriteDoesNotWait, &["read_write::write_waits_for_its_decision"]),
        (
            Breach::WriteIgnoresConditions,
            &[
                "read_write::update_with_a_stale_etag_fails_and_writes_nothing",
                "read_write::update_of_a_deleted_state_fails",
                "read_write::create_on_an_existing_state_fails_and_writes_nothing",
                "read_write::race_of_creates_has_one_winner",
                "read_write::race_of_updates_has_one_winner",
            ],
        ),
    ] {
        for name in names {
            assert!(is_noticed(breach, name).await, "{breach:?} should be noticed by `{name}`");
        }
    }
}
