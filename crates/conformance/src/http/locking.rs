//! Locking and unlocking, with lost answers and all forms of force-unlock.

use bytes::Bytes;
use futures_util::future::join_all;
use remote_state_core::LockInfo;

use crate::fixtures::{self, lock_info};
use crate::http::target::HttpTarget;

/// A second client gets `423` with the record of the lock holder.
pub async fn second_lock_gets_423_with_holder(server: &HttpTarget) {
    let state = server.state("second-lock");
    let holder = lock_info("OperationTypeApply");
    let answer = state.lock(&holder).await;
    answer.assert_status(200, "the lock is free");
    let stored = LockInfo::parse(&answer.body).expect("the answer is the stored record");
    assert_eq!(stored.id, holder.id);
    for _ in 0..2 {
        state
            .lock(&lock_info("OperationTypePlan"))
            .await
            .assert_held_by(&holder, "the lock is held");
    }
}

/// The holder may lock again: the first answer may have been lost.
pub async fn relock_with_same_id_is_200(server: &HttpTarget) {
    let state = server.state("relock");
    let holder = lock_info("OperationTypeApply");
    for _ in 0..3 {
        state.lock(&holder).await.assert_status(200, "the holder's own lock");
    }
    state.assert_locked_by(&holder).await;
    state.unlock(&holder).await.assert_status(200, "the holder may unlock");
    state.assert_unlocked().await;
}

/// One of a hundred simultaneous clients gets the lock, and the others learn which.
pub async fn hundred_parallel_locks_one_winner(server: &HttpTarget) {
    let state = server.state("parallel");
    let racers: Vec<_> = (0..100).map(|racer| lock_info(&format!("racer {racer}"))).collect();
    let answers = join_all(racers.iter().map(|racer| state.lock(racer))).await;
    let winners: Vec<_> = racers
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.status == 200)
        .map(|(racer, _)| racer)
        .collect();
    let [winner] = winners[..] else { panic!("exactly one racer wins, not {}", winners.len()) };
    for (racer, answer) in racers.iter().zip(&answers) {
        if racer.id != winner.id {
            answer.assert_held_by(winner, "a racer that lost");
        }
    }
    state.assert_locked_by(winner).await;
}

/// Terraform's force-unlock: an empty chunked body, with the digest of no bytes. It removes any
/// lock.
pub async fn empty_chunked_unlock_is_force_unlock(server: &HttpTarget) {
    let state = server.state("force-unlock");
    let holder = lock_info("OperationTypeApply");
    state.lock(&holder).await.assert_status(200, "the lock is free");
    let mut headers = server.raw_headers();
    headers.push(("Transfer-Encoding", "chunked".to_owned()));
    headers.push(("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==".to_owned()));
    for what in ["a held lock", "a free lock"] {
        let answer = server.send_raw("UNLOCK", &state.path(), &headers, b"0\r\n\r\n").await;
        answer.assert_status(200, what);
    }
    state.assert_unlocked().await;
    state.lock(&holder).await.assert_status(200, "the lock is free");
    state
        .send("UNLOCK", Some(Bytes::new()))
        .await
        .assert_status(200, "an empty body with a length");
    state.assert_unlocked().await;
}

/// OpenTofu's force-unlock: a record in which only the id, which a person typed, is meaningful.
pub async fn opentofu_force_unlock_body_is_accepted(server: &HttpTarget) {
    let state = server.state("tofu-unlock");
    let holder = lock_info("OperationTypeApply");
    let body = |id: &str| {
        Bytes::from(format!(
            r#"{{"ID":"{id}","Operation":"","Info":"","Who":"","Version":"","Created":"0001-01-01T00:00:00Z","Path":""}}"#
        ))
    };
    state.lock(&holder).await.assert_status(200, "the lock is free");
    state.send("UNLOCK", Some(body("mistyped"))).await.assert_held_by(&holder, "a mistyped id");
    state.assert_locked_by(&holder).await;
    state.send("UNLOCK", Some(body(holder.id.as_str()))).await.assert_status(200, "the typed id");
    state.assert_unlocked().await;
}

/// An id that does not hold the lock does not release it.
pub async fn unlock_with_foreign_id_is_refused(server: &HttpTarget) {
    let state = server.state("foreign-unlock");
    let holder = lock_info("OperationTypeApply");
    state.lock(&holder).await.assert_status(200, "the lock is free");
    state.unlock(&lock_info("OperationTypePlan")).await.assert_held_by(&holder, "a foreign id");
    state.assert_locked_by(&holder).await;
    state.unlock(&holder).await.assert_status(200, "the holder may unlock");
    state.assert_unlocked().await;
}

/// Unlocking a free state succeeds: the first answer may have been lost.
pub async fn repeated_unlock_is_200(server: &HttpTarget) {
    let state = server.state("repeated-unlock");
    let holder = lock_info("OperationTypeApply");
    state.unlock(&holder).await.assert_status(200, "a lock that was never taken");
    state.lock(&holder).await.assert_status(200, "the lock is free");
    for _ in 0..3 {
        state.unlock(&holder).await.assert_status(200, "an unlock, again and again");
    }
    let next = lock_info("OperationTypePlan");
    state.lock(&next).await.assert_status(200, "the lock is free");
    state.unlock(&holder).await.assert_held_by(&next, "a late repetition");
}

/// The same lock by methods that every proxy passes on, and by the pairs of methods that are
/// configured for other servers: GitLab's and Gitea's, Lynx's, the client's own. At these addresses
/// none of them is a write or a deletion.
pub async fn post_delete_lock_route_works(server: &HttpTarget) {
    for (method, away, door) in [
        ("POST", "DELETE", "lock"),
        ("PUT", "DELETE", "lock"),
        ("LOCK", "UNLOCK", "lock"),
        ("POST", "POST", "unlock"),
        ("PUT", "PUT", "unlock"),
        ("PATCH", "PATCH", "unlock"),
        ("LOCK", "UNLOCK", "unlock"),
        ("POST", "DELETE", "unlock"),
    ] {
        let state = server.state("lock-route");
        let path = format!("/lock/{}", state.name);
        let (holder, other) = (lock_info("OperationTypeApply"), lock_info("OperationTypePlan"));
        let send = async |method: &str, info: Option<&LockInfo>| {
            server.send(method, &path, info.map(|info| info.to_json().into())).await
        };
        let free = format!("/{door}/{}", state.name);
        let release = async |info: Option<&LockInfo>| {
            server.send(away, &free, info.map(|info| info.to_json().into())).await
        };
        send("GET", None).await.assert_status(204, "the lock is not held");
        for _ in 0..2 {
            send(method, Some(&holder))
                .await
                .assert_status(200, "the lock is free, and then the holder's");
        }
        send(method, Some(&other)).await.assert_held_by(&holder, "the lock is held");
        state.assert_locked_by(&holder).await;
        let shown = send("GET", None).await;
        shown.assert_status(200, "the lock is held");
        assert_eq!(LockInfo::parse(&shown.body).map(|info| info.id), Ok(holder.id.clone()));
        state
            .write(Some(&holder), fixtures::state(1, "l"))
            .await
            .assert_status(200, "the holder may write");
        release(Some(&other)).await.assert_held_by(&holder, "a foreign id");
        for _ in 0..2 {
            release(Some(&holder)).await.assert_status(200, "the holder may unlock, and repeat it");
        }
        state.assert_unlocked().await;
        // By hand, without a body: an id in the query counts like one in a body. A request with
        // neither is a force-unlock.
        send(method, Some(&holder)).await.assert_status(200, "the lock is free");
        let foreign = server.send(away, &format!("{free}?ID={}", other.id), None).await;
        foreign.assert_held_by(&holder, "a foreign id in the query");
        release(None).await.assert_status(200, "force");
        state.assert_unlocked().await;
        state.assert_reads(&fixtures::state(1, "l"), "no method of a lock changes the state").await;
    }
}

/// The server refuses a lock record without an id.
pub async fn malformed_lock_is_400(server: &HttpTarget) {
    let state = server.state("malformed-lock");
    for body in [
        "",
        "{",
        "{}",
        "[]",
        "\"x\"",
        r#"{"ID":""}"#,
        r#"{"ID":7}"#,
        r#"{"ID":"x","Created":"now"}"#,
    ] {
        let body = Bytes::from_static(body.as_bytes());
        state.send("LOCK", Some(body.clone())).await.assert_status(400, "a lock without an id");
        server
            .send("POST", &format!("/lock/{}", state.name), Some(body.clone()))
            .await
            .assert_status(400, "the same");
        if !body.is_empty() {
            state
                .send("UNLOCK", Some(body))
                .await
                .assert_status(400, "an unlock without an id is not a force-unlock");
        }
    }
    state.assert_unlocked().await;
    let sparse = Bytes::from_static(br#"{"id":"only-an-id","Extra":{"a":[1]}}"#);
    state.send("LOCK", Some(sparse)).await.assert_status(200, "an id is enough");
}
