//! The digest of a state.

use remote_state_core::Advice;

use super::*;

#[tokio::test]
async fn digest_that_is_missing_or_none_is_accepted() {
    let emulator = emulator().await;
    write(&files(&emulator), STATE).await.unwrap();
    let store = items(&emulator);
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
    for value in [AttributeValue::S("none".into()), AttributeValue::N("7".into())] {
        put_item(&emulator, DIGEST_ID, "Digest", value).await;
        assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
    }
    put_item(&emulator, DIGEST_ID, "Other", AttributeValue::S("x".into())).await;
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
}

#[tokio::test]
async fn reader_without_access_to_the_table_reads_on_but_a_failing_table_is_an_error() {
    let emulator = emulator().await;
    let store = items(&emulator);
    write(&store, STATE).await.unwrap();
    let answer = |status, code: &str| Misbehaviour::AnswerWithoutWork { status, code: code.into() };
    inject(&emulator, answer(400, "AccessDeniedException"), "GetItem", 1);
    assert!(store.read_bytes(&here()).await.unwrap().is_some());
    inject(&emulator, answer(500, "InternalServerError"), "GetItem", 10);
    assert_eq!(store.read_bytes(&here()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn digest_that_cannot_be_recorded_is_an_error_that_says_what_is_true_and_what_to_do() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let denied =
        Misbehaviour::AnswerWithoutWork { status: 400, code: "AccessDeniedException".into() };
    inject(&emulator, denied.clone(), "PutItem", 1);
    let error = write(&store, STATE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(error.message().contains("was written"), "{error}");
    assert!(
        error
            .context()
            .iter()
            .any(|(label, value)| *label == "digest" && value.contains(DIGEST_ID))
    );
    assert!(error.advice().contains(&Advice::RepairDigest));
    assert!(store.read_bytes(&here()).await.unwrap().is_some(), "there was no digest before");

    write(&store, STATE).await.unwrap();
    inject(&emulator, denied, "DeleteItem", 1);
    let error = store.delete(&here()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(
        error
            .hints()
            .iter()
            .any(|hint| hint.contains("aws dynamodb delete-item") && hint.contains(DIGEST_ID))
    );
}

#[tokio::test]
async fn mismatch_can_be_read_past_on_request_and_versions_have_no_digest() {
    let emulator = emulator().await;
    let store =
        store(&emulator, &[("bucket", "versioned"), ("dynamodb_table", TABLE), ("dialect", "aws")]);
    write(&store, STATE).await.unwrap();
    write(&files_in_versioned(&emulator), b"{}").await.unwrap();
    let read =
        store.read(&here(), &ReadOptions::default().ignoring_digest()).await.unwrap().unwrap();
    assert_eq!(read.collect().await.unwrap().bytes.as_ref(), b"{}");
    let versions: Vec<_> = store.versions(&here()).try_collect().await.unwrap();
    let latest = versions[0].meta.version.clone().unwrap();
    let read =
        store.read(&here(), &ReadOptions::default().with_version(latest)).await.unwrap().unwrap();
    assert_eq!(read.collect().await.unwrap().bytes.as_ref(), b"{}");
}

fn files_in_versioned(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("bucket", "versioned"), ("dialect", "aws")])
}

#[tokio::test]
async fn refusal_of_a_repetition_says_nothing_of_a_digest_that_was_recorded_before() {
    let emulator = emulator().await;
    let store = store(
        &emulator,
        &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("max_retries", "2")],
    );
    for operation in ["PutItem", "DeleteItem"] {
        // The first attempt is carried out without the client's knowledge, and the second is
        // reported as refused.
        for (status, code) in
            [(500, "InternalServerError"), (400, "ProvisionedThroughputExceededException")]
        {
            let answer = Misbehaviour::AnswerAfterWork { status, code: code.into() };
            inject(&emulator, answer, operation, 1);
        }
        if operation == "PutItem" {
            write(&store, STATE).await.unwrap();
        } else {
            store.delete(&here()).await.unwrap();
        }
    }
    assert_eq!(all_items(&emulator).await.len(), 0);
}

#[tokio::test]
async fn digest_whose_last_answer_was_lost_is_looked_for() {
    let emulator = emulator().await;
    let impatient = || {
        store(
            &emulator,
            &[
                ("dynamodb_table", TABLE),
                ("use_lockfile", "false"),
                ("dialect", "aws"),
                ("max_retries", "1"),
            ],
        )
    };
    let store = impatient();
    inject(&emulator, Misbehaviour::LoseReply, "PutItem", 1);
    write(&store, STATE).await.unwrap();
    assert_eq!(all_items(&emulator).await.len(), 1);
    inject(&emulator, Misbehaviour::LoseReply, "DeleteItem", 1);
    store.delete(&here()).await.unwrap();
    assert_eq!(all_items(&emulator).await.len(), 0);

    // The error claims neither that the lost request was carried out, nor that it never will be.
    inject(&emulator, Misbehaviour::LoseRequest, "PutItem", 1);
    let error = write(&store, STATE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(error.message().contains("may or may not have been recorded"), "{error}");
    write(&store, STATE).await.unwrap();
    inject(&emulator, Misbehaviour::LoseRequest, "DeleteItem", 1);
    let error = store.delete(&here()).await.unwrap_err();
    assert!(error.message().contains("may or may not have been deleted"), "{error}");
}

/// The stored state is read while the new one is sent if its entity tag does not confirm its
/// digest; with a wrong digest, only its direct successor replaces it.
#[tokio::test]
async fn large_stored_state_is_verified_before_another_one_replaces_it() {
    use remote_state_core::push::{HeldLock, NewState, PushError, PushRules, Pushed};
    let state = |serial: u64| {
        let padding = "x".repeat(9 << 20);
        let text = format!(
            r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"resources":[],"x":"{padding}"}}"#
        );
        Bytes::from(text)
    };
    for dialect in ["aws", "minio"] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dynamodb_table", TABLE), ("dialect", dialect)]);
        let push = async |serial: u64| {
            let on_disk = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(on_disk.path(), state(serial)).unwrap();
            let file = remote_state_core::StateFile::open(on_disk.path()).unwrap();
            let header = remote_state_core::StateHeader::parse(&state(serial)).unwrap();
            let new = NewState::new(file, header);
            store.push(&here(), &new, &PushRules::PUSH, &HeldLock::Own).await
        };
        let overwrite = async |store: &Arc<dyn StateStore>, bytes: Bytes| {
            store.write(&here(), bytes.into(), &WriteMode::Overwrite.into()).await.unwrap()
        };
        drop(overwrite(&store, state(1)).await);
        let pushed = push(2).await.unwrap();
        assert!(matches!(pushed, Pushed::Written { is_digest_repaired: false, .. }), "{dialect}");
        // A client without the table wrote: the digest is that of another state.
        drop(overwrite(&files(&emulator), state(5)).await);
        match push(9).await {
            Err(PushError::Store(error)) => assert_eq!(error.kind(), ErrorKind::DigestMismatch),
            other => panic!("{dialect}: {other:?}"),
        }
        assert!(files(&emulator).read_bytes(&here()).await.unwrap().unwrap().bytes == state(5));
        let pushed = push(6).await.unwrap();
        assert!(matches!(pushed, Pushed::Written { is_digest_repaired: true, .. }), "{dialect}");
        assert!(store.read_bytes(&here()).await.unwrap().unwrap().bytes == state(6));
    }
}
