//! A clock that differs from the store's: a request that was refused for its time alone is sent
//! again with the store's time, and the first one did nothing.
//!
//! Of the same kind are clocks that jump while a lock is held (a machine that slept), ahead and
//! behind, the parts of an upload, lock items and digests of a table, and deletions.

mod common;

use bytes::Bytes;
use common::{TABLE, emulator, store};
use jiff::SignedDuration;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, StateStoreExt as _, Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;

/// Returns differences ahead and behind, a little above the tolerance of services and far above it.
fn clocks() -> [SignedDuration; 4] {
    [16, -16, 26 * 60, -60 * 24 * 400].map(SignedDuration::from_mins)
}

/// The places of locks: a file, an item, both.
const LOCKS: [&[(&str, &str)]; 3] =
    [&[], &[("use_lockfile", "false"), ("dynamodb_table", TABLE)], &[("dynamodb_table", TABLE)]];

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

/// Returns the statuses of the replies, in order.
fn statuses(emulator: &Emulator) -> Vec<Option<u16>> {
    emulator.requests().take().iter().map(|request| request.status).collect()
}

#[tokio::test]
async fn lock_write_and_release_go_by_the_clock_of_the_store() {
    for ahead in clocks() {
        for locks in LOCKS {
            for dialect in ["aws", "minio", "ceph", "generic"] {
                let emulator = emulator().await;
                emulator.faults().set_clock_ahead(ahead);
                // Without the SDK's retries, each of which would begin with a pause.
                let more = [("dialect", dialect), ("max_retries", "1")];
                let keys: Vec<_> = locks.iter().copied().chain(more).collect();
                // Each store begins anew, as each command does.
                let store = || store(&emulator, &keys);
                let here = Workspace::default();
                let held = store().acquire(&here, &info()).await.unwrap();
                let meta = store()
                    .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Create.into())
                    .await;
                assert!(meta.is_ok(), "{ahead:?} {locks:?} {dialect}: {meta:?}");
                assert_eq!(store().read_bytes(&here).await.unwrap().unwrap().bytes, STATE);
                let released = store().release(&here, &LockTarget::Id(held.id.clone())).await;
                assert!(released.is_ok(), "{ahead:?} {locks:?} {dialect}: {released:?}");
                assert!(store().inspect(&here).await.unwrap().is_none());
                store().delete(&here).await.unwrap();
                assert!(store().read_bytes(&here).await.unwrap().is_none());
            }
        }
    }
}

#[tokio::test]
async fn clock_that_jumps_while_a_lock_is_held_does_not_keep_it_from_being_released() {
    for jump in clocks() {
        for locks in LOCKS {
            let emulator = emulator().await;
            let keys: Vec<_> = locks.iter().copied().chain([("dialect", "aws")]).collect();
            let (store, here) = (store(&emulator, &keys), Workspace::default());
            let held = store.acquire(&here, &info()).await.unwrap();
            emulator.faults().set_clock_ahead(jump);
            drop(
                store
                    .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Create.into())
                    .await
                    .unwrap(),
            );
            emulator.faults().set_clock_ahead(SignedDuration::ZERO);
            drop(store.release(&here, &LockTarget::Id(held.id.clone())).await.unwrap());
            assert!(store.inspect(&here).await.unwrap().is_none(), "{jump:?} {locks:?}");
        }
    }
}

#[tokio::test]
async fn create_is_repeated_once_and_only_for_the_time() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let here = Workspace::default();
    emulator.faults().set_clock_ahead(SignedDuration::from_hours(24));
    let held = store.acquire(&here, &info()).await.unwrap();
    assert_eq!(statuses(&emulator), [Some(403), Some(200)]);
    drop(store.release(&here, &LockTarget::Id(held.id.clone())).await.unwrap());
    assert!(!statuses(&emulator).contains(&Some(403)), "the time is known by now");

    // The second refusal of a store that refuses every time is final.
    let skewed =
        Misbehaviour::AnswerWithoutWork { status: 403, code: "RequestTimeTooSkewed".to_owned() };
    emulator.faults().inject(Fault::new(skewed).with_method("PUT"));
    let error = store.acquire(&here, &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{error}");
    assert!(error.to_string().contains("clock"), "{error}");
    let puts = emulator.requests().take().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(puts, 2);

    emulator.faults().clear();
    emulator.faults().set_clock_ahead(SignedDuration::from_hours(24));
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    emulator.faults().inject(Fault::new(denied).with_method("PUT"));
    let error = store.acquire(&here, &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let puts = emulator.requests().take().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn write_is_repeated_where_the_sdk_repeats_too() {
    let emulator = emulator().await;
    emulator.faults().set_clock_ahead(SignedDuration::from_hours(-2));
    let store = || store(&emulator, &[("dialect", "aws"), ("dynamodb_table", TABLE)]);
    let here = Workspace::default();
    drop(
        store()
            .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
            .await
            .unwrap(),
    );
    assert_eq!(store().read_bytes(&here).await.unwrap().unwrap().bytes, STATE);
}

/// Injects faults: the first attempt is carried out and its reply is lost, the second is refused
/// for its time, and the one after that is refused.
fn lose_then_refuse(emulator: &Emulator, narrowed: impl Fn(Fault) -> Fault, last: (u16, &str)) {
    let answer =
        |status, code: &str| Misbehaviour::AnswerWithoutWork { status, code: code.to_owned() };
    let inject = |fault: Fault| emulator.faults().inject(narrowed(fault));
    inject(Fault::new(Misbehaviour::LoseReply).with_times(1));
    inject(Fault::new(answer(403, "RequestTimeTooSkewed")).with_skips(1).with_times(1));
    inject(Fault::new(answer(last.0, last.1)).with_skips(2));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_before_the_time_was_refused_is_looked_for() {
    for last in [(403, "AccessDenied"), (403, "RequestTimeTooSkewed"), (400, "InvalidRequest")] {
        for size in [STATE.len(), 17 << 20] {
            let emulator = emulator().await;
            let keys = [("dialect", "aws"), ("max_retries", "2")];
            let (store, here) = (store(&emulator, &keys), Workspace::default());
            let mut bytes = STATE.to_vec();
            bytes.resize(size, b' ');
            lose_then_refuse(&emulator, |fault| fault.with_method("PUT"), last);
            let written = store
                .write(&here, Bytes::from(bytes.clone()).into(), &WriteMode::Overwrite.into())
                .await;
            assert!(written.is_ok(), "{last:?} {size}: the state is stored: {written:?}");
            emulator.faults().clear();
            assert!(store.read_bytes(&here).await.unwrap().unwrap().bytes == bytes);
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_before_the_time_was_refused_is_looked_for() {
    let emulator = emulator().await;
    let keys = [("dialect", "aws"), ("max_retries", "2")];
    let (store, here) = (store(&emulator, &keys), Workspace::default());
    drop(
        store
            .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Create.into())
            .await
            .unwrap(),
    );
    lose_then_refuse(&emulator, |fault| fault.with_method("DELETE"), (403, "AccessDenied"));
    store.delete(&here).await.unwrap();
}

#[tokio::test]
async fn a_digest_whose_answer_was_lost_before_the_time_was_refused_is_looked_for() {
    let emulator = emulator().await;
    let keys = [("dialect", "aws"), ("max_retries", "2"), ("dynamodb_table", TABLE)];
    let (store, here) = (store(&emulator, &keys), Workspace::default());
    let last = (400, "AccessDeniedException");
    lose_then_refuse(&emulator, |fault| fault.with_operation("PutItem"), last);
    drop(
        store
            .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Create.into())
            .await
            .unwrap(),
    );
    emulator.faults().clear();
    assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().bytes, STATE);
}
