//! Stores that lose replies, fail, or ignore parts of a request.

mod common;

use std::time::Duration;

use common::{ceph_emulator, emulator, store, yes_to_everything};
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, Released, StateStoreExt as _, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Gate, Misbehaviour};

const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn workspace() -> Workspace {
    Workspace::default()
}

/// Makes the next `times` requests of one kind misbehave.
fn inject(emulator: &Emulator, misbehaviour: Misbehaviour, method: &str, times: u32) {
    emulator.faults().inject(Fault::new(misbehaviour).with_method(method).with_times(times));
}

/// Runs `work` while the next request of one kind has arrived and is held back.
fn during(emulator: &Emulator, method: &str, work: impl FnOnce()) -> impl Future<Output = ()> {
    let gate = Gate::default();
    inject(emulator, Misbehaviour::Hold(gate.clone()), method, 1);
    let armed = emulator.faults().count();
    async move {
        let arrives = async {
            while emulator.faults().count() >= armed {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrives)
            .await
            .expect("the request should come");
        work();
        gate.open();
    }
}

#[tokio::test]
async fn store_that_ignores_conditions_is_refused_with_what_to_use_instead() {
    for (misbehaviour, bucket) in [
        (Misbehaviour::IgnoreConditions, "tfstate"),
        (Misbehaviour::IgnoreConditionsOnVersionedBuckets, "versioned"),
    ] {
        let emulator = emulator().await;
        emulator.faults().inject(Fault::new(misbehaviour));
        let store = store(&emulator, &[("bucket", bucket)]);
        let error = store.acquire(&workspace(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("ignores `If-None-Match`"), "{error}");
        assert_eq!(error.message().contains("versioned bucket"), bucket == "versioned", "{error}");
        assert!(!error.hints().is_empty());
        assert_eq!(
            store.inspect(&workspace()).await.unwrap(),
            None,
            "what was no lock is taken away again"
        );
    }
}

#[tokio::test]
async fn condition_ignored_on_versioned_buckets_only_does_no_harm_elsewhere() {
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditionsOnVersionedBuckets));
    store(&emulator, &[]).acquire(&workspace(), &info()).await.unwrap();
}

#[tokio::test]
async fn lock_whose_answer_was_lost_is_ours_and_is_released() {
    let mut cases = Vec::new();
    for misbehaviour in [Misbehaviour::LoseReply, Misbehaviour::internal_error_after_work()] {
        for times in 1..=4 {
            cases.extend(
                ["aws", "generic"]
                    .map(|dialect| lock_with_lost_answers(misbehaviour.clone(), times, dialect)),
            );
        }
    }
    // Concurrently: each waits between its attempts.
    drop(futures_util::future::join_all(cases).await);
}

async fn lock_with_lost_answers(misbehaviour: Misbehaviour, times: u32, dialect: &str) {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", dialect)]);
    inject(&emulator, misbehaviour, "PUT", times);
    let info = info();
    let held = store.acquire(&workspace(), &info).await.unwrap();
    assert_eq!(held.id, info.id);
    assert_eq!(store.inspect(&workspace()).await.unwrap().unwrap().id(), Some(&info.id));
    let other = self::info();
    assert_eq!(store.acquire(&workspace(), &other).await.unwrap_err().kind(), ErrorKind::LockHeld);
    let released = store.release(&workspace(), &LockTarget::Id(info.id.clone())).await.unwrap();
    assert_eq!(released, Released::Freed(Some(held)));
}

#[tokio::test]
async fn unlock_whose_answer_was_lost_never_deletes_the_next_holders_lock() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    let mine = info();
    store.acquire(&workspace(), &mine).await.unwrap();
    inject(&emulator, Misbehaviour::LoseReply, "DELETE", 1);
    let next = info();
    // The next holder takes the lock as soon as it is free, while the unlock is still finding out
    // its own outcome.
    let (here, target) = (workspace(), LockTarget::Id(mine.id.clone()));
    let (released, taken) = tokio::join!(store.release(&here, &target), async {
        loop {
            match store.acquire(&here, &next).await {
                Err(error) if error.kind() == ErrorKind::LockHeld => tokio::task::yield_now().await,
                other => return other,
            }
        }
    });
    assert!(matches!(released.unwrap(), Released::Freed(_)));
    assert_eq!(taken.unwrap().id, next.id);
    assert_eq!(store.inspect(&workspace()).await.unwrap().unwrap().id(), Some(&next.id));
    let deletes =
        emulator.requests().take().iter().filter(|request| request.method == "DELETE").count();
    assert_eq!(deletes, 1, "a delete is never repeated blindly");
}

#[tokio::test]
async fn write_whose_answer_was_lost_is_known_to_be_done() {
    for mode in [WriteMode::Create, WriteMode::Overwrite] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "aws")]);
        inject(&emulator, Misbehaviour::LoseReply, "PUT", 2);
        let meta = store
            .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &mode.into())
            .await
            .unwrap();
        let read = store.read_bytes(&workspace()).await.unwrap().unwrap();
        assert_eq!((read.bytes.as_ref(), read.meta.etag), (STATE, meta.etag));
    }
}

#[tokio::test]
async fn write_that_never_arrived_is_not_reported_as_done() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws"), ("max_retries", "1")]);
    inject(&emulator, Misbehaviour::LoseRequest, "PUT", 1);
    let error = store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Create.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(store.read_bytes(&workspace()).await.unwrap().is_none());
}

#[tokio::test]
async fn lock_that_cannot_be_settled_is_unknown_and_names_its_id() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws"), ("max_retries", "1")]);
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply));
    let info = info();
    let error = store.acquire(&workspace(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(
        error
            .context()
            .iter()
            .any(|(label, value)| *label == "lock id" && value == info.id.as_str())
    );
    // Once the store replies again, the lock can be found and released by that id.
    emulator.faults().clear();
    assert!(matches!(
        store.release(&workspace(), &LockTarget::Id(info.id)).await.unwrap(),
        Released::Freed(_)
    ));
}

#[tokio::test]
async fn failures_of_the_store_are_ridden_out() {
    for misbehaviour in
        [Misbehaviour::internal_error(), Misbehaviour::slow_down(), Misbehaviour::LoseRequest]
    {
        let emulator = emulator().await;
        let store = store(&emulator, &[]);
        emulator.faults().inject(Fault::new(misbehaviour).with_times(2));
        assert!(store.read_bytes(&workspace()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn failure_is_never_taken_for_no_state() {
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::internal_error()));
    let error =
        store(&emulator, &[]).read(&workspace(), &ReadOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    emulator.faults().clear();
    let error = store(&emulator, &[("bucket", "no-such-bucket")])
        .read(&workspace(), &ReadOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("bucket `no-such-bucket` does not exist"), "{error}");
}

#[tokio::test]
async fn transfer_that_breaks_off_is_an_error_and_not_a_short_state() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    emulator.faults().inject(Fault::new(Misbehaviour::TruncateBody { after_bytes: 10 }));
    let error = store.read_bytes(&workspace()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn stores_that_refuse_trailers_are_written_to() {
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::RefuseTrailers));
    for dialect in ["generic", "minio", "aws"] {
        let store = store(&emulator, &[("dialect", dialect)]);
        store
            .write(
                &workspace(),
                bytes::Bytes::from_static(STATE).into(),
                &WriteMode::Overwrite.into(),
            )
            .await
            .unwrap();
        let lock = store.acquire(&workspace(), &info()).await.unwrap();
        drop(store.release(&workspace(), &LockTarget::Id(lock.id)).await.unwrap());
    }
}

#[tokio::test]
async fn lock_that_is_refused_and_then_cannot_be_read_is_unknown_and_not_refused() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    // The request is repeated after the lost reply, and the repetition fails because of the lock
    // that the first one took.
    inject(&emulator, Misbehaviour::LoseReply, "PUT", 1);
    inject(&emulator, Misbehaviour::internal_error(), "GET", u32::MAX);
    let info = info();
    let error = store.acquire(&workspace(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(
        error
            .context()
            .iter()
            .any(|(label, value)| *label == "lock id" && value == info.id.as_str())
    );
}

#[tokio::test]
async fn unlock_whose_answer_was_lost_and_cannot_be_looked_after_is_unknown() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let info = info();
    store.acquire(&workspace(), &info).await.unwrap();
    let (here, target) = (workspace(), LockTarget::Id(info.id));
    inject(&emulator, Misbehaviour::LoseReply, "DELETE", 1);
    let (released, ()) = tokio::join!(
        store.release(&here, &target),
        during(&emulator, "DELETE", || {
            inject(&emulator, Misbehaviour::internal_error(), "GET", u32::MAX);
        })
    );
    assert_eq!(released.unwrap_err().kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn conflict_proves_nothing() {
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let store = store(&emulator, &[]);
    let (here, info) = (workspace(), info());
    let conflict = Misbehaviour::AnswerWithoutWork { status: 409, code: "OperationAborted".into() };
    let (taken, ()) = tokio::join!(
        store.acquire(&here, &info),
        during(&emulator, "PUT", || inject(&emulator, conflict, "PUT", 2))
    );
    assert!(taken.is_err(), "a store that was busy has not refused a second create");
}

#[tokio::test]
async fn lock_at_a_store_that_is_not_there_fails_as_soon_as_the_retries_are_used_up() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("endpoint", "http://127.0.0.1:1"), ("dialect", "aws")]);
    let started = std::time::Instant::now();
    let error = store.acquire(&workspace(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "nothing was sent, so nothing is in doubt");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}
#[tokio::test]
async fn write_that_is_refused_and_then_cannot_be_read_is_unknown_and_not_refused() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    inject(&emulator, Misbehaviour::LoseReply, "PUT", 1);
    inject(&emulator, Misbehaviour::internal_error(), "GET", u32::MAX);
    let error = store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Create.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn delete_whose_answer_was_lost_is_looked_after() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("max_retries", "1")]);
    store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    inject(&emulator, Misbehaviour::LoseReply, "DELETE", 1);
    store.delete(&workspace()).await.unwrap();
    store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    inject(&emulator, Misbehaviour::LoseReply, "DELETE", 1);
    inject(&emulator, Misbehaviour::internal_error(), "GET", 1);
    assert_eq!(store.delete(&workspace()).await.unwrap_err().kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn write_waits_while_the_store_is_busy_with_another_request_for_the_state() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let conflict =
        Misbehaviour::AnswerWithoutWork { status: 409, code: "ConditionalRequestConflict".into() };
    inject(&emulator, conflict, "PUT", 2);
    store
        .write(&workspace(), bytes::Bytes::from_static(STATE).into(), &WriteMode::Create.into())
        .await
        .unwrap();
    assert_eq!(store.read_bytes(&workspace()).await.unwrap().unwrap().bytes, STATE);
}

#[tokio::test]
async fn lock_file_of_another_client_stays_where_the_store_would_overwrite_it() {
    let emulator = emulator().await;
    let theirs = info();
    store(&emulator, &[]).acquire(&workspace(), &theirs).await.unwrap();
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let store = store(&emulator, &[]);
    assert_eq!(store.acquire(&workspace(), &info()).await.unwrap_err().kind(), ErrorKind::LockHeld);
    assert_eq!(store.inspect(&workspace()).await.unwrap().unwrap().id(), Some(&theirs.id));
}

#[tokio::test]
async fn write_that_was_done_before_its_repetition_was_refused_is_known_to_be_done() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    // The credentials expire between the two.
    let expired = Misbehaviour::AnswerWithoutWork { status: 403, code: "ExpiredToken".into() };
    inject(&emulator, Misbehaviour::internal_error_after_work(), "PUT", 1);
    let here = workspace();
    let overwrite = WriteMode::Overwrite.into();
    let (written, ()) = tokio::join!(
        store.write(&here, bytes::Bytes::from_static(STATE).into(), &overwrite),
        during(&emulator, "PUT", || inject(&emulator, expired, "PUT", u32::MAX))
    );
    assert_eq!(written.unwrap().etag, store.read_bytes(&here).await.unwrap().unwrap().meta.etag);
}

#[tokio::test]
async fn transfer_that_the_store_gave_up_waiting_for_may_be_tried_again() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("max_retries", "1")]);
    let late = Misbehaviour::AnswerWithoutWork { status: 400, code: "RequestTimeout".into() };
    inject(&emulator, late, "GET", 1);
    let error = store.read(&workspace(), &ReadOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn yes_of_something_that_is_no_store_is_neither_a_stored_state_nor_a_lock() {
    let emulator = emulator().await;
    for page in ["", "<html>Please log in</html>"] {
        let endpoint = yes_to_everything(page).await;
        let store =
            store(&emulator, &[("endpoint", &endpoint), ("dialect", "aws"), ("max_retries", "1")]);
        let state = bytes::Bytes::from_static(STATE);
        let error = store
            .write(&workspace(), state.into(), &WriteMode::Overwrite.into())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        let because = error.context().iter().find(|(label, _)| *label == "because");
        assert!(
            because.is_some_and(|(_, why)| why.contains("does not respond as S3 does")),
            "{error:?}"
        );
        assert!(store.acquire(&workspace(), &info()).await.is_err(), "{page}");
        let error = store.read(&workspace(), &ReadOptions::default()).await.unwrap_err();
        assert!(error.message().contains("does not respond as S3 does"), "{error:?}");
        let error = store.delete(&workspace()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    }
}

#[tokio::test]
async fn lock_record_that_could_not_be_read_back_is_not_stored() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    // Each character takes six bytes in the record.
    let info = LockInfo { info: "<".repeat(12_000), ..info() };
    let error = store.acquire(&workspace(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert_eq!(emulator.requests().take().len(), 0);
}

#[tokio::test]
async fn refusal_of_an_unlock_says_nothing_of_the_one_before_whose_answer_was_lost() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let held = store.acquire(&workspace(), &info()).await.unwrap();
    let answer =
        |status, code: &str| Misbehaviour::AnswerWithoutWork { status, code: code.to_owned() };
    inject(&emulator, answer(500, "InternalError"), "DELETE", 1);
    inject(&emulator, answer(403, "AccessDenied"), "DELETE", 1);
    let error = store.release(&workspace(), &LockTarget::Id(held.id.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    // A refusal without an earlier attempt is final.
    inject(&emulator, answer(403, "AccessDenied"), "DELETE", 1);
    let error = store.release(&workspace(), &LockTarget::Id(held.id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
}

#[tokio::test]
async fn yes_to_a_deletion_of_something_that_is_no_store_deletes_nothing() {
    let page = || Misbehaviour::AnswerWithoutWork { status: 200, code: "Welcome".into() };
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let (here, held) = (workspace(), info());
    drop(
        store
            .write(&here, bytes::Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
            .await
            .unwrap(),
    );
    drop(store.acquire(&here, &held).await.unwrap());
    inject(&emulator, page(), "DELETE", u32::MAX);
    let error = store.release(&here, &LockTarget::Id(held.id.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    assert_eq!(store.inspect(&here).await.unwrap().unwrap().id(), Some(&held.id));
    let error = store.delete(&here).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    emulator.faults().clear();
    // After a single such reply the client checks the object and repeats the deletion.
    inject(&emulator, page(), "DELETE", 1);
    assert!(matches!(
        store.release(&here, &LockTarget::Id(held.id)).await.unwrap(),
        Released::Freed(_)
    ));
    assert_eq!(store.inspect(&here).await.unwrap(), None);
}

#[tokio::test]
async fn missing_key_in_answer_to_a_write_is_looked_into_where_nothing_was_to_be_replaced() {
    let missing = || (404, "NoSuchKey".to_owned());
    for (is_ceph, bucket) in [(true, "versioned"), (true, "tfstate"), (false, "tfstate")] {
        for is_done in [true, false] {
            let (emulator, dialect) =
                if is_ceph { (ceph_emulator().await, "ceph") } else { (emulator().await, "aws") };
            let store = store(&emulator, &[("bucket", bucket), ("dialect", dialect)]);
            let (status, code) = missing();
            inject(
                &emulator,
                if is_done {
                    Misbehaviour::AnswerAfterWork { status, code }
                } else {
                    Misbehaviour::AnswerWithoutWork { status, code }
                },
                "PUT",
                1,
            );
            let state = bytes::Bytes::from_static(STATE);
            let written =
                store.write(&workspace(), state.into(), &WriteMode::Overwrite.into()).await;
            match written {
                Ok(_) => assert!(is_done, "{dialect} {bucket}"),
                Err(error) => {
                    assert_eq!(
                        (is_done, error.kind()),
                        (false, ErrorKind::Unknown),
                        "{dialect} {bucket}"
                    );
                }
            }
            let stored = store.read_bytes(&workspace()).await.unwrap();
            assert_eq!(stored.is_some(), is_done, "{dialect} {bucket}");
        }
    }
}

#[tokio::test]
async fn failure_of_the_store_under_a_200_is_not_a_refusal() {
    for code in ["InternalError", "ServiceUnavailable", "SomethingNew"] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "aws"), ("max_retries", "1")]);
        inject(
            &emulator,
            Misbehaviour::AnswerAfterWork { status: 200, code: code.into() },
            "PUT",
            1,
        );
        let state = || bytes::Bytes::from_static(STATE).into();
        let meta = store.write(&workspace(), state(), &WriteMode::Create.into()).await.unwrap();
        assert_eq!(
            meta.etag,
            store.read_bytes(&workspace()).await.unwrap().unwrap().meta.etag,
            "{code}"
        );
    }
}
