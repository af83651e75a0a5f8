//! How many requests an operation takes: what the protocol needs, and no more.

mod common;

use common::{emulator, store};
use remote_state_core::{LockInfo, LockTarget, ReadOptions, StateStoreExt as _, Workspace, WriteMode};
use remote_state_emulator::Emulator;

fn methods(emulator: &Emulator) -> Vec<String> {
    emulator.requests().take().into_iter().map(|request| request.method).collect()
}

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn lock_and_unlock_take_three_requests_on_a_store_that_is_known() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let info = store.acquire(&Workspace::default(), &info()).await.unwrap();
    drop(store.release(&Workspace::default(), &LockTarget::Id(info.id)).await.unwrap());
    assert_eq!(methods(&emulator), ["PUT", "GET", "DELETE"]);
}

#[tokio::test]
async fn proof_takes_a_look_and_a_second_create_and_only_once() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    for expected in [&["GET", "PUT", "PUT", "GET", "DELETE"][..], &["PUT", "GET", "DELETE"]] {
        let info = store.acquire(&Workspace::default(), &info()).await.unwrap();
        drop(store.release(&Workspace::default(), &LockTarget::Id(info.id)).await.unwrap());
        assert_eq!(methods(&emulator), expected);
    }
}

#[tokio::test]
async fn read_takes_one_request() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    assert!(store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().is_none());
    assert_eq!(methods(&emulator), ["GET"]);
    store
        .write(&Workspace::default(), bytes::Bytes::from_static(b"{}").into(), &WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(methods(&emulator), ["PUT"]);
    assert!(store.read_bytes(&Workspace::default()).await.unwrap().is_some());
    assert_eq!(methods(&emulator), ["GET"]);
}
