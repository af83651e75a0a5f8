//! Versioning that is enabled between the check and the create, which then replaces any object.

mod common;
#[path = "common/fake.rs"]
mod fake;

use bytes::Bytes;
use common::{STATE, emulator, here, info, state, store};
use fake::{fake, http};
use futures_util::StreamExt as _;
use remote_state_core::{ErrorKind, LockTarget, Released, StateStoreExt as _, WriteMode};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

/// Makes a bucket that keeps versions deny it, as a moment before it was enabled.
fn forget_versioning(emulator: &Emulator) {
    let fault = Fault::new(Misbehaviour::ForgetVersioning).with_operation("GetBucketVersioning");
    emulator.faults().inject(fault);
}

/// Makes the next check find nothing, as before another client wrote in between.
fn come_in_between(emulator: &Emulator) {
    let gone = Misbehaviour::AnswerWithoutWork { status: 404, code: "NoSuchKey".to_owned() };
    emulator.faults().inject(Fault::new(gone).with_operation("GetObject").with_times(1));
}

/// Carries out the next write without an answer, so that the client repeats it.
fn lose_first_answer(emulator: &Emulator) {
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(1));
}

#[tokio::test]
async fn versions_that_are_turned_on_while_two_clients_lock_leave_one_holder() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "versioned")]);
    let first = open();
    let held = first.acquire(&here(), &info()).await.unwrap();
    forget_versioning(&emulator);
    come_in_between(&emulator);
    let error = open().acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&held.id), "{error:?}");
    assert_eq!(first.inspect(&here()).await.unwrap().unwrap().id(), Some(&held.id));
    let released = first.release(&here(), &LockTarget::Id(held.id.clone())).await.unwrap();
    assert_eq!(released, Released::Freed(Some(held)));
    assert_eq!(first.inspect(&here()).await.unwrap(), None);
}

#[tokio::test]
async fn versions_that_are_turned_on_while_two_clients_create_a_state_replace_none() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "versioned")]);
    forget_versioning(&emulator);
    open().write(&here(), state(), &WriteMode::Create.into()).await.unwrap();
    open().delete(&here()).await.unwrap();
    // A delete marker below does not count.
    open().write(&here(), state(), &WriteMode::Create.into()).await.unwrap();
    assert_eq!(open().versions(&here()).count().await, 3);
    come_in_between(&emulator);
    let other = Bytes::from_static(b"{}");
    let error = open().write(&here(), other.into(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}");
    assert_eq!(open().read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
    assert_eq!(open().versions(&here()).count().await, 3);
}

#[tokio::test]
async fn a_create_that_was_repeated_does_not_take_its_first_attempt_for_someone_elses() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("bucket", "versioned")]);
    forget_versioning(&emulator);
    lose_first_answer(&emulator);
    store.write(&here(), state(), &WriteMode::Create.into()).await.unwrap();
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
}

#[tokio::test]
async fn a_create_that_was_repeated_over_another_state_is_in_doubt_and_deletes_nothing() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "versioned")]);
    open().write(&here(), state(), &WriteMode::Create.into()).await.unwrap();
    forget_versioning(&emulator);
    come_in_between(&emulator);
    lose_first_answer(&emulator);
    let other = Bytes::from_static(b"{}");
    let error = open().write(&here(), other.into(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    assert!(error.message().contains("perhaps over one that came in between"), "{error}");
    assert_eq!(
        open().versions(&here()).count().await,
        3,
        "whose the version between is cannot be told"
    );
}

#[tokio::test]
async fn what_a_create_stands_over_is_found_on_whichever_page_of_the_list_it_is() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "versioned")]);
    open().write(&here(), state(), &WriteMode::Create.into()).await.unwrap();
    forget_versioning(&emulator);
    emulator.faults().inject(Fault::new(Misbehaviour::ShortPages { entries: 1 }));
    come_in_between(&emulator);
    let other = Bytes::from_static(b"{}");
    let error = open().write(&here(), other.into(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}");
    assert_eq!(open().read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
}

#[tokio::test]
async fn versions_that_are_suspended_in_that_moment_leave_in_doubt_what_a_state_replaced() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "suspended")]);
    forget_versioning(&emulator);
    let written = open().write(&here(), state(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(written.kind(), ErrorKind::Unknown, "{written:?}");
    assert_eq!(
        open().read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(),
        STATE,
        "it is not deleted"
    );
}

#[tokio::test]
async fn versions_that_are_suspended_in_that_moment_free_no_lock_that_was_replaced() {
    let emulator = emulator().await;
    let open = || store(&emulator, &[("bucket", "suspended")]);
    let first = open();
    drop(first.acquire(&here(), &info()).await.unwrap());
    forget_versioning(&emulator);
    come_in_between(&emulator);
    let ours = info();
    let error = open().acquire(&here(), &ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    assert!(error.message().contains("may stand in the place of a lock"), "{error}");
    let standing = first.inspect(&here()).await.unwrap().unwrap();
    assert_eq!(standing.id(), Some(&ours.id), "what stands there keeps others out");
    assert_eq!(open().acquire(&here(), &info()).await.unwrap_err().kind(), ErrorKind::LockHeld);
    drop(first.release(&here(), &LockTarget::Id(ours.id)).await.unwrap());
}

#[tokio::test]
async fn a_create_that_the_list_of_versions_does_not_show_is_in_doubt() {
    let (url, _) = fake(|_, request| {
        let line = request.lines().next().unwrap_or_default();
        let document =
            |root: &str, text: &str| http("200 OK", "", &format!("<{root}>{text}</{root}>"));
        match line.split(' ').next() {
            Some("PUT") => http("200 OK", "etag: \"E1\"\r\nx-oss-version-id: V1\r\n", ""),
            _ if line.contains("versioning") => document("VersioningConfiguration", ""),
            _ if line.contains("versions") => {
                document("ListVersionsResult", "<IsTruncated>false</IsTruncated>")
            }
            _ => http("404 Not Found", "", "<Error><Code>NoSuchKey</Code></Error>"),
        }
    })
    .await;
    let emulator = emulator().await;
    let store = store(&emulator, &[("endpoint", &url)]);
    let error = store.write(&here(), state(), &WriteMode::Create.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    assert!(
        format!("{error:?}").contains("that version is not in the list of versions"),
        "{error:?}"
    );
}
