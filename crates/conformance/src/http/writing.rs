//! Writing: under the client's own lock, after the stored state, and once.

use bytes::Bytes;

use crate::fixtures::{lock_info, state, state_with};
use crate::http::client::content_md5;
use crate::http::target::HttpTarget;

/// The server refuses a write with another id than the holder's.
pub async fn write_with_foreign_id_is_423(server: &HttpTarget) {
    let at = server.state("foreign-write");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.write(Some(&lock_info("OperationTypePlan")), state(1, "l"))
        .await
        .assert_held_by(&holder, "a foreign id");
    at.assert_unwritten().await;
    at.write(Some(&holder), state(1, "l")).await.assert_status(200, "the holder may write");
    at.write(Some(&lock_info("OperationTypePlan")), state(2, "l"))
        .await
        .assert_held_by(&holder, "a foreign id");
    at.assert_reads(&state(1, "l"), "the holder's state").await;
}

/// While the lock is held, the server refuses writes without an id; while it is free, it accepts
/// them.
pub async fn write_without_id_while_locked_is_423(server: &HttpTarget) {
    let at = server.state("write-without-lock");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.write(None, state(1, "l")).await.assert_held_by(&holder, "no id");
    server
        .send("POST", &format!("{}?ID=", at.path()), Some(state(1, "l")))
        .await
        .assert_held_by(&holder, "an empty id");
    at.assert_unwritten().await;
    at.unlock(&holder).await.assert_status(200, "the holder may unlock");
    at.write(None, state(1, "l")).await.assert_status(200, "the lock is not held");
    at.assert_reads(&state(1, "l"), "the state written without a lock").await;
}

/// Writing the stored bytes again succeeds, with or without a lock: the first answer may have been
/// lost.
pub async fn identical_rewrite_is_200(server: &HttpTarget) {
    let at = server.state("rewrite");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    for _ in 0..3 {
        at.write(Some(&holder), state(7, "l")).await.assert_status(200, "the same bytes again");
    }
    at.unlock(&holder).await.assert_status(200, "the holder may unlock");
    at.write(Some(&holder), state(7, "l"))
        .await
        .assert_status(200, "the same bytes under a lock that is gone");
    at.write(None, state(7, "l")).await.assert_status(200, "the same bytes without a lock");
    at.assert_reads(&state(7, "l"), "the state").await;
}

/// Neither an older state nor another one of the same serial replaces the stored state.
pub async fn lower_serial_is_409(server: &HttpTarget) {
    let at = server.state("serial");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.write(Some(&holder), state(u64::MAX - 1, "l")).await.assert_status(200, "the first state");
    at.write(Some(&holder), state(u64::MAX - 2, "l")).await.assert_status(409, "a lower serial");
    let same = state_with(u64::MAX - 1, "l", "other bytes");
    at.write(Some(&holder), same).await.assert_status(409, "the same serial and other bytes");
    at.assert_reads(&state(u64::MAX - 1, "l"), "the state after refused writes").await;
    at.write(Some(&holder), state(u64::MAX, "l")).await.assert_status(200, "a higher serial");
    at.assert_reads(&state(u64::MAX, "l"), "the newer state").await;
}

/// A state of another lineage does not replace the stored one.
pub async fn other_lineage_is_409(server: &HttpTarget) {
    let at = server.state("lineage");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.write(Some(&holder), state(1, "one")).await.assert_status(200, "the first state");
    at.write(Some(&holder), state(2, "other")).await.assert_status(409, "another lineage");
    at.assert_reads(&state(1, "one"), "the state after a refused write").await;
}

/// The server does not store a body that does not match its digest.
pub async fn wrong_content_md5_is_400_and_stores_nothing(server: &HttpTarget) {
    let at = server.state("digest");
    let wrong = content_md5(b"something else");
    for digest in [&*wrong, "", "!", "AAAA"] {
        let headers = [("content-md5", digest.to_owned())];
        let answer = server.send_with("POST", &at.path(), Some(state(1, "l")), &headers).await;
        answer.assert_status(400, "a wrong digest");
        let body = Bytes::from(lock_info("OperationTypeApply").to_json());
        server
            .send_with("LOCK", &at.path(), Some(body), &headers)
            .await
            .assert_status(400, "a wrong digest");
    }
    at.assert_unwritten().await;
    at.assert_unlocked().await;
    let answer = server.send_with("POST", &at.path(), Some(state(1, "l")), &[]).await;
    answer.assert_status(200, "no digest is fine");
}

/// `PUT` writes like `POST`.
pub async fn put_works_like_post(server: &HttpTarget) {
    let at = server.state("put");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.send("PUT", Some(state(1, "l"))).await.assert_held_by(&holder, "no id");
    let own = format!("{}?ID={}", at.path(), holder.id);
    server.send("PUT", &own, Some(state(1, "l"))).await.assert_status(200, "the holder may write");
    server.send("PUT", &own, Some(state(0, "l"))).await.assert_status(409, "a lower serial");
    at.assert_reads(&state(1, "l"), "the state that was put").await;
}

/// After a forced unlock, the server accepts a write only if it directly follows the stored state,
/// since then no other client wrote in between.
pub async fn write_under_a_broken_lock_must_follow_directly(server: &HttpTarget) {
    let at = server.state("broken-lock");
    let broken = lock_info("OperationTypeApply");
    at.lock(&broken).await.assert_status(200, "the lock is free");
    at.send("UNLOCK", Some(Bytes::new())).await.assert_status(200, "force");
    at.write(Some(&broken), state(1, "l"))
        .await
        .assert_status(200, "a first state: no other write in between");
    at.write(Some(&broken), state(2, "l"))
        .await
        .assert_status(200, "the next serial: no other write in between");
    at.write(Some(&broken), state(4, "l")).await.assert_status(409, "a serial is missing");
    at.write(None, state(3, "l")).await.assert_status(200, "another client");
    at.write(Some(&broken), state_with(3, "l", "late"))
        .await
        .assert_status(409, "another client wrote in between");
    at.assert_reads(&state(3, "l"), "the other client's state").await;
    let next = lock_info("OperationTypePlan");
    at.lock(&next).await.assert_status(200, "the lock is free");
    at.write(Some(&broken), state(4, "l"))
        .await
        .assert_held_by(&next, "another client holds the lock now");
}

/// The server stores only states.
pub async fn what_is_no_state_is_422(server: &HttpTarget) {
    let at = server.state("no-state");
    for body in [
        "",
        "hunter2",
        "[]",
        "{}",
        "null",
        "<html></html>",
        r#"{"version":5,"serial":1}"#,
        r#"{"version":4,"serial":-1}"#,
        r#"{"version":4,"serial":1} {}"#,
        r#"{"version":4,"serial":1,"resources":["#,
        r#"{"serial":1,"lineage":"l","encryption_version":""}"#,
    ] {
        let answer = at.write(None, Bytes::from_static(body.as_bytes())).await;
        answer.assert_status(422, "a body that is no state");
        assert!(
            !answer.body.windows(7).any(|window| window == b"hunter2"),
            "an answer never quotes a body"
        );
    }
    at.assert_unwritten().await;
    for version in 1..=3 {
        let old = server.state("old-state");
        let body = Bytes::from(format!(r#"{{"version":{version},"serial":1,"modules":[]}}"#));
        old.write(None, body.clone()).await.assert_status(200, "an old format");
        old.assert_reads(&body, "a state of an old format").await;
    }
}

/// Deleting a state needs the lock like a write.
pub async fn delete_respects_the_lock(server: &HttpTarget) {
    let at = server.state("delete");
    let holder = lock_info("deleting");
    at.send("DELETE", None).await.assert_status(200, "there was nothing");
    at.write(None, state(1, "l")).await.assert_status(200, "the lock is not held");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    at.send("DELETE", None).await.assert_held_by(&holder, "no id");
    at.assert_reads(&state(1, "l"), "the state after a refused deletion").await;
    let own = format!("{}?ID={}", at.path(), holder.id);
    server.send("DELETE", &own, None).await.assert_status(200, "the holder may delete");
    at.assert_unwritten().await;
    at.assert_locked_by(&holder).await;
}
