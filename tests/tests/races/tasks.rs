//! A hundred clients in one process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use remote_state_core::{
    ErrorKind, LockTarget, Released, StateStore, StateStoreExt as _, Workspace, WriteMode,
};
use remote_state_tests::{S3Server, Suite, block_on};

use crate::{lock_info, outgoing, serial_of};

const TASKS: u64 = 100;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("a_hundred_tasks_hold_one_lock_one_at_a_time", &[], |server| {
        block_on(one_at_a_time(server));
    });
}

async fn one_at_a_time(server: &S3Server) {
    let place = server.place();
    let first = place.store(&[]);
    let written =
        first.write(&Workspace::default(), outgoing(0), &WriteMode::Overwrite.into()).await;
    written.expect("the first state can be written");
    let holders = Arc::new(AtomicUsize::new(0));
    let history = Arc::new(Mutex::new(Vec::new()));
    // Each has a client of its own, which has to test the store first.
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            tokio::spawn(add_one(place.store(&[]), Arc::clone(&holders), Arc::clone(&history)))
        })
        .collect();
    for task in tasks {
        task.await.expect("no task fails");
    }
    let history = history.lock().expect("no task failed").clone();
    assert_eq!(
        history,
        (1..=TASKS).collect::<Vec<_>>(),
        "each holder saw what the one before it wrote"
    );
    let last = server.get_object(&place.bucket, &place.key).await;
    assert_eq!(last.map(|bytes| serial_of(&bytes)), Some(TASKS));
    assert_eq!(server.get_object(&place.bucket, &place.lock_key("default")).await, None);
}

/// Increments a counter in the state, under the lock.
async fn add_one(
    store: Arc<dyn StateStore>,
    holders: Arc<AtomicUsize>,
    history: Arc<Mutex<Vec<u64>>>,
) {
    let workspace = Workspace::default();
    let info = lock_info("race");
    loop {
        match store.acquire(&workspace, &info).await {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::LockHeld => {
                // Without a pause, so many requests would keep the machine from serving the holder.
                let pause = getrandom::u32().expect("the system has randomness") % 1000;
                tokio::time::sleep(Duration::from_millis(200 + u64::from(pause))).await;
            }
            Err(error) => panic!("losing a race is nothing else: {error:?}"),
        }
    }
    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "no other client holds the lock");
    let read =
        store.read_bytes(&workspace).await.expect("the state can be read").expect("there is one");
    let next = serial_of(&read.bytes) + 1;
    let written = store.write(&workspace, outgoing(next), &WriteMode::Overwrite.into()).await;
    written.expect("the state can be written");
    history.lock().expect("no task failed").push(next);
    assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "no other client holds the lock");
    let released =
        store.release(&workspace, &LockTarget::Id(info.id)).await.expect("it can be released");
    assert!(matches!(released, Released::Freed(_)), "{released:?}");
}
