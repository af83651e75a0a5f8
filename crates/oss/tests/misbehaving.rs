//! Stores that lose answers, fail, damage what they send, or ignore parts of a request.

mod common;

use common::{STATE, TABLE, emulator, here, info, state, store, table_keys};
use futures_util::future::join_all;
use remote_state_core::{
    ErrorKind, LockTarget, ReadOptions, Released, StateStoreExt as _, Workspace, WriteMode,
    WriteOptions,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

/// Makes the next `times` requests of one method for locks misbehave.
fn inject(emulator: &Emulator, misbehaviour: Misbehaviour, method: &str, times: u32) {
    emulator.faults().inject(Fault::new(misbehaviour).with_method(method).with_times(times));
}

#[tokio::test]
async fn a_store_that_replaces_what_must_not_be_is_refused_with_what_to_use_instead() {
    for bucket in ["tfstate", "versioned", "suspended"] {
        let emulator = emulator().await;
        emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
        let store = store(&emulator, &[("bucket", bucket)]);
        let error = store.acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{bucket}: {error:?}");
        assert!(error.message().contains("cannot hold locks"), "{error}");
        assert!(error.hints()[0].contains("tablestore_table"), "{error:?}");
        assert_eq!(
            store.inspect(&here()).await.unwrap(),
            None,
            "what was no lock is taken away again"
        );
    }
}

#[tokio::test]
async fn a_lock_whose_answer_was_lost_is_ours_and_is_released() {
    let mut cases = Vec::new();
    for misbehaviour in [Misbehaviour::LoseReply, Misbehaviour::internal_error_after_work()] {
        for times in 1..=3 {
            for (bucket, method) in
                [("tfstate", "PUT"), ("versioned", "POST"), ("suspended", "POST")]
            {
                cases.push(lock_with_lost_answers(misbehaviour.clone(), times, bucket, method));
            }
        }
    }
    // Concurrently: each waits between its attempts.
    drop(join_all(cases).await);
}

async fn lock_with_lost_answers(
    misbehaviour: Misbehaviour,
    times: u32,
    bucket: &str,
    method: &str,
) {
    let emulator = emulator().await;
    let store = store(&emulator, &[("bucket", bucket)]);
    inject(&emulator, misbehaviour, method, times);
    let info = info();
    let held = store.acquire(&here(), &info).await.unwrap();
    assert_eq!(held.id, info.id);
    assert_eq!(store.inspect(&here()).await.unwrap().unwrap().id(), Some(&info.id));
    assert_eq!(
        store.acquire(&here(), &self::info()).await.unwrap_err().kind(),
        ErrorKind::LockHeld
    );
    let released = store.release(&here(), &LockTarget::Id(info.id.clone())).await.unwrap();
    assert_eq!(released, Released::Freed(Some(held)));
}

#[tokio::test]
async fn an_unlock_whose_answer_was_lost_never_deletes_the_next_holders_lock() {
    for keys in [vec![], vec![("bucket", "versioned")]] {
        let emulator = emulator().await;
        let store = store(&emulator, &keys);
        let mine = info();
        store.acquire(&here(), &mine).await.unwrap();
        inject(&emulator, Misbehaviour::LoseReply, "DELETE", 1);
        let next = info();
        // The next holder takes the lock the moment it is free, while the unlock still determines
        // its own outcome.
        let (workspace, target) = (here(), LockTarget::Id(mine.id.clone()));
        let (released, taken) = tokio::join!(store.release(&workspace, &target), async {
            loop {
                match store.acquire(&workspace, &next).await {
                    Err(error) if error.kind() == ErrorKind::LockHeld => {
                        tokio::task::yield_now().await;
                    }
                    other => return other,
                }
            }
        });
        assert!(matches!(released.unwrap(), Released::Freed(_)));
        assert_eq!(taken.unwrap().id, next.id);
        assert_eq!(store.inspect(&here()).await.unwrap().unwrap().id(), Some(&next.id));
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_to_be_done() {
    for options in [WriteMode::Create, WriteMode::Overwrite].map(WriteOptions::from) {
        for bucket in ["tfstate", "versioned"] {
            let emulator = emulator().await;
            let store = store(&emulator, &[("bucket", bucket)]);
            inject(&emulator, Misbehaviour::LoseReply, "PUT", 1);
            let meta = store.write(&here(), state(), &options).await.unwrap();
            let read = store.read_bytes(&here()).await.unwrap().unwrap();
            assert_eq!((read.bytes.as_ref(), read.meta.etag), (STATE, meta.etag));
        }
    }
}

#[tokio::test]
async fn a_write_that_never_arrived_is_not_reported_as_done() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("max_retries", "0")]);
    inject(&emulator, Misbehaviour::LoseRequest, "PUT", 1);
    let error = store.write(&here(), state(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(store.read_bytes(&here()).await.unwrap().is_none());
}

#[tokio::test]
async fn passing_failures_are_waited_out() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    for method in ["PUT", "GET", "DELETE"] {
        inject(&emulator, Misbehaviour::slow_down(), method, 2);
    }
    store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
    store.delete(&here()).await.unwrap();
    assert!(store.read_bytes(&here()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_failure_that_does_not_pass_is_never_no_state() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
    for (status, code, kind) in [
        (503, "ServiceUnavailable", ErrorKind::Unavailable),
        (403, "AccessDenied", ErrorKind::PermissionDenied),
        (404, "NoSuchBucket", ErrorKind::NotFound),
        (404, "", ErrorKind::Unexpected),
    ] {
        let answer = Misbehaviour::AnswerWithoutWork { status, code: code.to_owned() };
        emulator.faults().inject(Fault::new(answer).with_method("GET"));
        let error = store.read(&here(), &ReadOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {code}");
        emulator.faults().clear();
    }
}

#[tokio::test]
async fn a_body_that_ends_early_or_is_damaged_is_an_error() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
    for misbehaviour in
        [Misbehaviour::TruncateBody { after_bytes: 10 }, Misbehaviour::MisstateChecksum]
    {
        inject(&emulator, misbehaviour, "GET", 1);
        let error = store.read_bytes(&here()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    inject(&emulator, Misbehaviour::MisstateChecksum, "PUT", 1);
    // The store has written it all the same, as reading it back shows.
    store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_cannot_be_settled_is_unknown_and_names_its_id() {
    for table in [false, true] {
        let emulator = emulator().await;
        let keys = if table { table_keys(&emulator) } else { Vec::new() };
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .chain([("max_retries", "0")])
            .collect();
        let store = store(&emulator, &keys);
        // So that the requests that follow are for the lock only.
        drop(store.acquire(&Workspace::new("other").unwrap(), &info()).await.unwrap());
        emulator.faults().inject(Fault::new(Misbehaviour::LoseReply));
        let info = info();
        let error = store.acquire(&here(), &info).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
        assert!(
            error
                .context()
                .iter()
                .any(|(label, value)| *label == "lock id" && value == info.id.as_str())
        );
        // Once the store answers again, the id finds and releases the lock.
        emulator.faults().clear();
        if let Some(found) = store.inspect(&here()).await.unwrap() {
            assert_eq!(found.id(), Some(&info.id));
            drop(store.release(&here(), &LockTarget::Id(info.id)).await.unwrap());
        }
        assert_eq!(store.inspect(&here()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_row_whose_answer_was_lost_is_ours_and_is_released() {
    for misbehaviour in [Misbehaviour::LoseReply, Misbehaviour::LoseRequest] {
        for operation in ["PutRow", "DeleteRow", "GetRow"] {
            let emulator = emulator().await;
            let keys = table_keys(&emulator);
            let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let store = store(&emulator, &keys);
            let fault = Fault::new(misbehaviour.clone()).with_operation(operation).with_times(1);
            emulator.faults().inject(fault);
            let info = info();
            store.acquire(&here(), &info).await.unwrap();
            let released = store.release(&here(), &LockTarget::Id(info.id.clone())).await.unwrap();
            assert!(
                matches!(released, Released::Freed(Some(held)) if held.id == info.id),
                "{operation} {TABLE}"
            );
            assert_eq!(store.inspect(&here()).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_digest_whose_answers_are_lost_is_looked_for() {
    let emulator = emulator().await;
    let keys = table_keys(&emulator);
    let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let keys: Vec<_> = keys.into_iter().chain([("max_retries", "0")]).collect();
    let store = store(&emulator, &keys);
    let lose = |misbehaviour: Misbehaviour, operation| {
        emulator.faults().inject(Fault::new(misbehaviour).with_operation(operation).with_times(1));
    };
    lose(Misbehaviour::LoseReply, "PutRow");
    store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
    lose(Misbehaviour::LoseReply, "DeleteRow");
    store.delete(&here()).await.unwrap();
    assert!(store.read_bytes(&here()).await.unwrap().is_none());
    // A digest whose request was lost does not count as recorded, whatever the row holds.
    lose(Misbehaviour::LoseRequest, "PutRow");
    let error = store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{error:?}");
    assert!(error.message().contains("may or may not have been recorded"), "{error}");
}

#[tokio::test]
async fn a_digest_whose_answer_was_lost_is_looked_for_whatever_its_repetition_is_told() {
    for (status, code) in
        [(503, "OTSServerBusy"), (403, "OTSNoPermissionAccess"), (409, "OTSRowOperationConflict")]
    {
        let emulator = emulator().await;
        let keys = table_keys(&emulator);
        let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let keys: Vec<_> = keys.into_iter().chain([("max_retries", "1")]).collect();
        let store = store(&emulator, &keys);
        // The store carries out the first attempt and reports a failure, then turns the second
        // away.
        let arm = |operation| {
            for (status, code) in [(500, "OTSInternalServerError"), (status, code)] {
                let answer = Misbehaviour::AnswerAfterWork { status, code: code.to_owned() };
                emulator
                    .faults()
                    .inject(Fault::new(answer).with_operation(operation).with_times(1));
            }
        };
        arm("PutRow");
        store.write(&here(), state(), &WriteMode::Overwrite.into()).await.unwrap();
        assert_eq!(
            store.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(),
            STATE,
            "{code}"
        );
        arm("DeleteRow");
        store.delete(&here()).await.unwrap();
        assert!(store.read_bytes(&here()).await.unwrap().is_none(), "{code}");
        assert_eq!(emulator.faults().count(), 0, "both attempts were made");
    }
}

#[tokio::test]
async fn a_lock_that_was_created_and_is_not_seen_may_be_ours() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("bucket", "versioned")]);
    let gone = Misbehaviour::AnswerWithoutWork { status: 404, code: "NoSuchKey".to_owned() };
    emulator.faults().inject(Fault::new(gone).with_operation("GetObject"));
    let info = info();
    let error = store.acquire(&here(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    emulator.faults().clear();
    assert_eq!(store.inspect(&here()).await.unwrap().unwrap().id(), Some(&info.id));
}

#[tokio::test]
async fn an_unlock_removes_the_version_it_read_and_leaves_nothing() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("bucket", "versioned")]);
    let deletes = || {
        let asked = emulator.requests().take();
        asked.into_iter().filter(|request| request.method == "DELETE").collect::<Vec<_>>()
    };
    let held = store.acquire(&here(), &info()).await.unwrap();
    drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
    let sent = deletes();
    assert!(sent.len() == 1 && sent[0].query.starts_with("versionId="), "{sent:?}");
    // A client that may not delete a version deletes the object.
    let held = store.acquire(&here(), &info()).await.unwrap();
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    inject(&emulator, denied, "DELETE", 1);
    let released = store.release(&here(), &LockTarget::Id(held.id)).await.unwrap();
    assert!(matches!(released, Released::Freed(Some(_))));
    let sent = deletes();
    assert!(sent.len() == 2 && sent[1].query.is_empty(), "{sent:?}");
    assert_eq!(store.inspect(&here()).await.unwrap(), None);
}
