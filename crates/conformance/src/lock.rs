//! Exclusion: a lock has one holder at a time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use remote_state_core::{
    Error, ErrorKind, LockContent, LockId, LockInfo, LockRecord, LockTarget, LockWait, LockWaiting,
    Patience, Released, StateStore, StateStoreExt as _, Workspace, WriteMode,
};
use tokio::time::{Instant, sleep};

use crate::fixtures::{lock_info, read, state_with, workspace};
use crate::setup::{Outcome, Setup};

const NO_LOCKS: Outcome = Outcome::Skipped("the setup declares no locks");

/// While a lock is held, taking it with another id fails and names the holder. The test tries
/// twice: some stores accept a condition and then ignore it.
pub async fn second_acquire_is_refused_and_names_the_holder(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let held = acquire(store, &ws, "first").await;
    for _ in 0..2 {
        let error = refused_acquire(store, &ws).await;
        assert_eq!(holder(&error), held, "the error names the holder");
    }
    assert_eq!(shown(store, &ws).await.as_ref(), Some(&held), "a refused attempt changes nothing");
    Outcome::Kept
}

/// Of many tasks that take one free lock at the same time exactly one succeeds, and the stored
/// record is its own.
pub async fn race_for_a_free_lock_has_one_winner(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let ws = Workspace::default();
    let attempts = (0..setup.scale.racers).map(|racer| {
        let (store, ws) = (Arc::clone(&setup.store), ws.clone());
        tokio::spawn(async move { store.acquire(&ws, &lock_info(&format!("racer {racer}"))).await })
    });
    let mut winners = Vec::new();
    for result in join_all(attempts).await {
        match result.expect("a racer should not panic") {
            Ok(info) => winners.push(info),
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::LockHeld,
                    "losing a race is nothing else: {error:?}"
                );
            }
        }
    }
    assert_eq!(winners.len(), 1, "exactly one racer wins");
    assert_eq!(
        shown(&setup.store, &ws).await.as_ref(),
        winners.first(),
        "the stored record is the winner's"
    );
    Outcome::Kept
}

/// Taking a lock again with the id that holds it succeeds, and changes nothing: the first answer
/// may have been lost.
pub async fn acquire_with_the_own_id_succeeds(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let held = acquire(store, &ws, "first").await;
    let again = store
        .acquire(&ws, &held)
        .await
        .unwrap_or_else(|error| panic!("the holder may ask again: {error:?}"));
    assert_eq!(again, held);
    assert_eq!(shown(store, &ws).await, Some(held));
    Outcome::Kept
}

/// The stored record is the given one with its path, in the bytes of Go's encoder.
pub async fn record_is_stored_byte_for_byte(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    for ws in [Workspace::default(), workspace("dev")] {
        let wanted = lock_info("byte for byte");
        let held = setup
            .store
            .acquire(&ws, &wanted)
            .await
            .unwrap_or_else(|error| panic!("the lock is free: {error:?}"));
        let path = setup.store.location(&ws).path;
        assert_eq!(held, wanted.with_path(path), "only the path is added");
        let record = inspect(&setup.store, &ws).await.expect("the lock is held");
        assert_eq!(record.info().map(LockInfo::to_json), Some(held.to_json()));
        if let Some(raw) = &setup.raw_locks {
            let bytes = raw.get(&ws).await.expect("the lock object exists");
            assert_eq!(
                String::from_utf8_lossy(&bytes),
                held.to_json(),
                "the lock object holds the record and nothing else"
            );
        }
    }
    Outcome::Kept
}

/// Releasing with another id fails, names the holder, and changes nothing.
pub async fn release_with_a_foreign_id_is_refused(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let held = acquire(store, &ws, "first").await;
    for target in [
        LockTarget::Id(lock_info("foreign").id),
        LockTarget::Id(LockId::new("")),
        LockTarget::Unreadable,
    ] {
        let error =
            store.release(&ws, &target).await.expect_err("a lock is released only by its id");
        assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
        assert_eq!(holder(&error), held);
        assert_eq!(
            shown(store, &ws).await.as_ref(),
            Some(&held),
            "a refused release changes nothing"
        );
    }
    Outcome::Kept
}

/// Releasing a free lock succeeds, and returns that it was free: the first answer may have been
/// lost.
pub async fn release_of_a_free_lock_says_so(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    for target in [LockTarget::Id(lock_info("not held").id), LockTarget::Unreadable] {
        assert_eq!(release(store, &ws, &target).await, Released::AlreadyFree);
    }
    let held = acquire(store, &ws, "first").await;
    let target = LockTarget::Id(held.id.clone());
    assert_eq!(release(store, &ws, &target).await, Released::Freed(Some(held)));
    assert_eq!(release(store, &ws, &target).await, Released::AlreadyFree);
    assert_eq!(inspect(store, &ws).await, None);
    Outcome::Kept
}

/// Another client can take a released lock.
pub async fn released_lock_can_be_taken_again(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    for round in 0..3 {
        let held = acquire(store, &ws, &format!("round {round}")).await;
        assert_eq!(shown(store, &ws).await.as_ref(), Some(&held));
        assert_eq!(
            release(store, &ws, &LockTarget::Id(held.id.clone())).await,
            Released::Freed(Some(held))
        );
    }
    Outcome::Kept
}

/// A lock whose record cannot be read is held: it is shown, excludes others, and only
/// [`LockTarget::Unreadable`] releases it.
pub async fn unreadable_lock_is_held_until_released_as_such(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let Some(raw) = &setup.raw_locks else {
        return Outcome::Skipped("the setup cannot plant a lock");
    };
    let (store, ws) = (&setup.store, Workspace::default());
    for planted in ["", "hunter2", "{\"ID\":", "{}", "[\"hunter2\"]"] {
        raw.put(&ws, Bytes::from_static(planted.as_bytes())).await;
        let record = inspect(store, &ws).await.unwrap_or_else(|| panic!("{planted:?} is a lock"));
        let LockContent::Unreadable(reason) = record.content else { panic!("{record:?}") };
        assert!(!reason.contains("hunter2"), "the reason does not quote the record");
        let error = refused_acquire(store, &ws).await;
        assert!(
            error.holder().is_some_and(|holder| holder.info().is_none()),
            "the holder is unreadable"
        );
        let foreign = LockTarget::Id(lock_info("foreign").id);
        let error = store.release(&ws, &foreign).await.expect_err("no id releases it");
        assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
        assert!(raw.get(&ws).await.is_some(), "a refused release changes nothing");
        assert_eq!(release(store, &ws, &LockTarget::Unreadable).await, Released::Freed(None));
        assert_eq!(inspect(store, &ws).await, None);
    }
    Outcome::Kept
}

/// The lock of one workspace does not lock another one, nor another state key.
pub async fn lock_of_one_state_leaves_others_free(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, dev) = (&setup.store, workspace("dev"));
    let first = acquire(store, &Workspace::default(), "default").await;
    assert_eq!(inspect(store, &dev).await, None);
    let second = acquire(store, &dev, "dev").await;
    release(store, &Workspace::default(), &LockTarget::Id(first.id)).await;
    assert_eq!(shown(store, &dev).await.as_ref(), Some(&second));
    let elsewhere = other_key(store, "locks");
    assert_eq!(inspect(&elsewhere, &dev).await, None);
    let third = acquire(&elsewhere, &dev, "elsewhere").await;
    assert_ne!(third.path, second.path, "records name what is locked");
    release(&elsewhere, &dev, &LockTarget::Id(third.id)).await;
    assert_eq!(shown(store, &dev).await, Some(second));
    Outcome::Kept
}

/// Many tasks count up one by one, each under the lock. No task reads a state that another one is
/// about to replace.
pub async fn hand_over_loses_no_update(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let ws = Workspace::default();
    let holders = Arc::new(AtomicUsize::new(0));
    let tasks = (0..setup.scale.racers).map(|task| {
        let (store, ws, holders) = (Arc::clone(&setup.store), ws.clone(), Arc::clone(&holders));
        tokio::spawn(async move {
            let info = lock_info(&format!("task {task}"));
            // Different pauses, so that the first tasks differ, and shorter ones than in use.
            let pause = Duration::from_millis(5 + (task as u64 * 7) % 40);
            while let Err(error) = store.acquire(&ws, &info).await {
                assert_eq!(
                    error.kind(),
                    ErrorKind::LockHeld,
                    "waiting is for held locks: {error:?}"
                );
                sleep(pause).await;
            }
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "no other task holds the lock");
            let count = match read(&*store, &ws).await {
                Some(bytes) => counted(&bytes) + 1,
                None => 1,
            };
            tokio::task::yield_now().await;
            let state = state_with(count, "hand-over", "");
            store
                .write(&ws, state.into(), &WriteMode::Overwrite.into())
                .await
                .unwrap_or_else(|error| panic!("the holder may write: {error:?}"));
            assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "no other task holds the lock");
            assert_eq!(
                release(&store, &ws, &LockTarget::Id(info.id.clone())).await,
                Released::Freed(Some(info.with_path(store.location(&ws).path)))
            );
        })
    });
    for result in join_all(tasks).await {
        result.expect("a task should not panic");
    }
    let last = read(&*setup.store, &ws).await.expect("the tasks have written");
    assert_eq!(counted(&last), setup.scale.racers as u64, "every task's count is there");
    Outcome::Kept
}

/// Counts how often the wait reports the holder.
struct Told {
    holder: LockId,
    times: AtomicUsize,
}

#[async_trait]
impl LockWaiting for Told {
    async fn pause(&self, holder: &LockRecord, pause: Duration) -> ControlFlow<()> {
        assert_eq!(holder.id(), Some(&self.holder), "the wait reports the holder");
        self.times.fetch_add(1, Ordering::SeqCst);
        Patience.pause(holder, pause).await
    }
}

/// Waiting for a lock ends when it is released, and reports the holder meanwhile.
pub async fn waiting_ends_when_the_lock_is_released(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, ws) = (Arc::clone(&setup.store), Workspace::default());
    let held = acquire(&store, &ws, "first").await;
    let waiting = Told { holder: held.id.clone(), times: AtomicUsize::new(0) };
    let next = lock_info("second");
    let wait = LockWait::new(Duration::from_secs(60));
    let (guard, released) = tokio::join!(store.lock(&ws, &next, wait, &waiting), async {
        // The wait must have met the lock, however slow the store is. If it never does, the test
        // fails below.
        let deadline = Instant::now() + Duration::from_secs(30);
        while waiting.times.load(Ordering::SeqCst) == 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        release(&store, &ws, &LockTarget::Id(held.id.clone())).await
    });
    assert!(matches!(released, Released::Freed(_)));
    let guard = guard.unwrap_or_else(|error| panic!("the lock came free: {error:?}"));
    assert_eq!(guard.id(), &next.id);
    assert!(waiting.times.load(Ordering::SeqCst) > 0);
    guard.release().await.unwrap_or_else(|error| panic!("the holder may release: {error:?}"));
    Outcome::Kept
}

/// The held locks of all workspaces are listed, and no others. Locks of workspaces without a state
/// count too, unless the setup says otherwise.
pub async fn all_held_locks_are_listed(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return NO_LOCKS;
    }
    let (store, names) = (&setup.store, ["default", "dev", "prod.tflock", "q-1"]);
    assert_eq!(listed(store).await, []);
    let have_states = if setup.lists_locks_of_states_only { &names[1..] } else { &[] };
    for name in have_states.iter().chain(&["free"]) {
        store
            .write(&workspace(name), state_with(1, "l", "").into(), &WriteMode::Overwrite.into())
            .await
            .unwrap_or_else(|error| panic!("writing should work: {error:?}"));
    }
    let mut held = Vec::new();
    for name in names {
        held.push((workspace(name), acquire(store, &workspace(name), name).await));
    }
    acquire(&other_key(store, "listing"), &workspace("elsewhere"), "elsewhere").await;
    held.sort_by(|a, b| a.0.cmp(&b.0));
    // The listings of some stores lag behind. People look for locks that were just taken, so the
    // test waits only a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    while listed(store).await != held && Instant::now() < deadline {
        sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(listed(store).await, held);
    Outcome::Kept
}

async fn listed(store: &Arc<dyn StateStore>) -> Vec<(Workspace, LockInfo)> {
    let found: Vec<_> = store
        .locks()
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("listing locks should work: {error:?}"));
    let mut found: Vec<_> = found
        .into_iter()
        .map(|(ws, record)| {
            (ws, record.info().cloned().expect("a lock record of ours can be read"))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The serial of a state of this test.
fn counted(bytes: &[u8]) -> u64 {
    let header = remote_state_core::StateHeader::parse(bytes)
        .expect("what the last holder wrote is a state");
    header.serial.0
}

fn other_key(store: &Arc<dyn StateStore>, stem: &str) -> Arc<dyn StateStore> {
    crate::read_write::other_key(store, stem)
}

async fn acquire(store: &Arc<dyn StateStore>, ws: &Workspace, operation: &str) -> LockInfo {
    store
        .acquire(ws, &lock_info(operation))
        .await
        .unwrap_or_else(|error| panic!("the free lock of `{ws}` can be taken: {error:?}"))
}

async fn refused_acquire(store: &Arc<dyn StateStore>, ws: &Workspace) -> Error {
    let error =
        store.acquire(ws, &lock_info("too late")).await.expect_err("a held lock cannot be taken");
    assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
    error
}

async fn release(store: &Arc<dyn StateStore>, ws: &Workspace, target: &LockTarget) -> Released {
    store
        .release(ws, target)
        .await
        .unwrap_or_else(|error| panic!("releasing `{ws}` should work: {error:?}"))
}

async fn inspect(store: &Arc<dyn StateStore>, ws: &Workspace) -> Option<LockRecord> {
    store
        .inspect(ws)
        .await
        .unwrap_or_else(|error| panic!("looking at the lock of `{ws}` should work: {error:?}"))
}

async fn shown(store: &Arc<dyn StateStore>, ws: &Workspace) -> Option<LockInfo> {
    inspect(store, ws)
        .await
        .map(|record| record.info().cloned().expect("a record of ours can be read"))
}

fn holder(error: &Error) -> LockInfo {
    let record = error.holder().expect("the error names the holder");
    record.info().cloned().expect("a record of ours can be read")
}
