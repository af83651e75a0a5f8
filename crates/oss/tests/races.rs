//! Two hundred rounds of many clients and one lock, on every kind of bucket and in a table: each
//! round has one winner.

mod common;

use std::sync::Arc;

use common::{emulator, store, table_keys};
use futures_util::future::join_all;
use remote_state_core::{ErrorKind, LockInfo, LockTarget, StateStore, Workspace};

const ROUNDS: usize = 200;
const RACERS: usize = 8;

async fn race(store: Arc<dyn StateStore>) {
    for round in 0..ROUNDS {
        let attempts = (0..RACERS).map(|racer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let info =
                    LockInfo::new(format!("{racer}"), "me@here", "1", jiff::Timestamp::UNIX_EPOCH)
                        .unwrap();
                store.acquire(&Workspace::default(), &info).await
            })
        });
        let mut winners = Vec::new();
        for result in join_all(attempts).await {
            match result.unwrap() {
                Ok(info) => winners.push(info),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::LockHeld, "round {round}: {error:?}");
                }
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let target = LockTarget::Id(winners.remove(0).id);
        drop(store.release(&Workspace::default(), &target).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_bucket() {
    let emulator = emulator().await;
    race(store(&emulator, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versioned_bucket() {
    let emulator = emulator().await;
    race(store(&emulator, &[("bucket", "versioned")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_bucket() {
    let emulator = emulator().await;
    race(store(&emulator, &[("bucket", "suspended")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn table() {
    let emulator = emulator().await;
    let keys = table_keys(&emulator);
    let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    race(store(&emulator, &keys)).await;
}
