//! The server beside native clients of the same store.

use remote_state_core::{ErrorKind, LockTarget, Released, WriteMode};

use crate::fixtures::{assert_stored, lock_info, state};
use crate::http::target::HttpTarget;

/// A client of the store and a client of the server exclude each other, and read each other's
/// states.
pub async fn native_tflock_blocks_http_lock_and_back(server: &HttpTarget) {
    let at = server.state("native");
    let (store, ws) = server.native(&at.name);
    let native = store.acquire(&ws, &lock_info("native")).await.expect("the lock is free");
    at.lock(&lock_info("http")).await.assert_held_by(&native, "the native client holds the lock");
    at.write(None, state(1, "l")).await.assert_held_by(&native, "the native client holds the lock");
    let written = store.write(&ws, state(1, "l").into(), &WriteMode::Overwrite.into()).await;
    written.expect("the native client may write");
    at.assert_reads(&state(1, "l"), "the native client's state").await;
    let released = store
        .release(&ws, &LockTarget::Id(native.id.clone()))
        .await
        .expect("the holder may release");
    assert_eq!(released, Released::Freed(Some(native)));

    let http = lock_info("http");
    at.lock(&http).await.assert_status(200, "the lock is free");
    let error =
        store.acquire(&ws, &lock_info("native")).await.expect_err("the http client holds the lock");
    assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
    let holder =
        error.holder().and_then(|record| record.info().cloned()).expect("the record can be read");
    let path = store.location(&ws).path;
    assert_eq!(
        holder,
        http.clone().with_path(path),
        "the record is the one that a native client would have stored"
    );
    at.write(Some(&http), state(2, "l")).await.assert_status(200, "the http client may write");
    assert_stored(&*store, &ws, &state(2, "l"), "the http client's state").await;
    at.unlock(&http).await.assert_status(200, "the holder may unlock");
    assert_eq!(store.inspect(&ws).await.expect("the lock can be read"), None);
}

/// If an answer of the store is lost after its work, the client repeats its request, and reaches
/// its goal.
pub async fn lost_replies_are_harmless(server: &HttpTarget) {
    let at = server.state("lost-reply");
    let holder = lock_info("OperationTypeApply");
    server.faults().lose_next_replies(1);
    at.lock(&holder).await.assert_status(503, "the answer to the lock is lost");
    at.lock(&holder).await.assert_status(200, "the lock, again");
    // Before the first write the server reads the lock and the state, so each of three answers can
    // be lost. Before the others it may know the state.
    for (serial, lost) in (1..).zip([2, 1, 0]) {
        let next = state(serial, "l");
        server.faults().lose_reply_after(lost);
        at.write(Some(&holder), next.clone())
            .await
            .assert_status(503, "an answer on the way to the write is lost");
        at.write(Some(&holder), next.clone()).await.assert_status(200, "the write, again");
        at.assert_reads(&next, "the state").await;
    }
    server.faults().lose_next_replies(1);
    at.unlock(&holder).await.assert_status(503, "the answer to the unlock is lost");
    at.unlock(&holder).await.assert_status(200, "the unlock, again");
    at.assert_unlocked().await;
}
