//! Locks and digests in a Tablestore table.

mod common;

use bytes::Bytes;
use common::{STATE, emulator, here, info, store, table_keys};
use remote_state_core::{
    ErrorKind, LockTarget, ReadOptions, Released, StateStore, StateStoreExt as _, WriteMode,
};
use remote_state_emulator::Emulator;
use std::sync::Arc;

fn with_table(emulator: &Emulator, more: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let keys = table_keys(emulator);
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .chain(more.iter().copied())
        .collect();
    store(emulator, &keys)
}

async fn write(store: &Arc<dyn StateStore>, bytes: &'static [u8]) {
    drop(
        store
            .write(&here(), Bytes::from_static(bytes).into(), &WriteMode::Overwrite.into())
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_table_is_locked_in_and_the_object_is_left_alone() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[]);
    let locks = store.location(&here()).locks;
    assert_eq!(locks, ["tablestore://127/locks/tfstate/env:/terraform.tfstate"]);
    let held = store.acquire(&here(), &info()).await.unwrap();
    assert_eq!(held.path, "tfstate/env:/terraform.tfstate");
    assert!(
        emulator.requests().take().iter().all(|request| request.operation.is_some()),
        "no request to the bucket"
    );
    let released = store.release(&here(), &LockTarget::Id(held.id.clone())).await.unwrap();
    assert_eq!(released, Released::Freed(Some(held)));
}

#[tokio::test]
async fn lock_and_unlock_take_three_requests() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[]);
    let held = store.acquire(&here(), &info()).await.unwrap();
    drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
    let operations: Vec<_> =
        emulator.requests().take().into_iter().filter_map(|request| request.operation).collect();
    assert_eq!(operations, ["PutRow", "GetRow", "DeleteRow"]);
}

#[tokio::test]
async fn with_both_locks_each_of_them_alone_keeps_others_out() {
    let emulator = emulator().await;
    let both = with_table(&emulator, &[("lock", "true")]);
    let (object, row) = (store(&emulator, &[]), with_table(&emulator, &[]));
    assert_eq!(both.location(&here()).locks.len(), 2);
    for (first, second) in [(&both, &object), (&both, &row), (&object, &both), (&row, &both)] {
        let held = first.acquire(&here(), &info()).await.unwrap();
        let error = second.acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&held.id), "{error:?}");
        drop(first.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
        for store in [&both, &object, &row] {
            assert_eq!(
                store.inspect(&here()).await.unwrap(),
                None,
                "what could not be had whole was given back"
            );
        }
    }
}

#[tokio::test]
async fn without_a_lock_nothing_is_locked_and_the_digest_is_kept() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[("lock", "false")]);
    let error = store.acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.hints()[0].contains("lock = false"), "{error:?}");
    write(&store, STATE).await;
    let operations: Vec<_> =
        emulator.requests().take().into_iter().filter_map(|request| request.operation).collect();
    assert!(operations.contains(&"PutRow".to_owned()), "{operations:?}");
}

#[tokio::test]
async fn a_state_that_is_not_the_one_of_its_digest_is_refused_and_both_sums_are_shown() {
    let emulator = emulator().await;
    let (checked, unchecked) = (with_table(&emulator, &[]), store(&emulator, &[]));
    write(&checked, STATE).await;
    assert_eq!(checked.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), STATE);
    write(&unchecked, b"{}").await;
    let error = checked.read_bytes(&here()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert_eq!(error.context()[0].0, "recorded");
    assert!(
        error.context()[0].1.ends_with("tablestore://127/locks/tfstate/env:/terraform.tfstate-md5"),
        "{error:?}"
    );
    assert!(
        error.context()[1].1.starts_with("99914b932bd37a50b983c5e7c90ae93b"),
        "the MD5 of `{{}}`: {error:?}"
    );
    let read =
        checked.read(&here(), &ReadOptions::default().ignoring_digest()).await.unwrap().unwrap();
    assert_eq!(read.collect().await.unwrap().bytes.as_ref(), b"{}");
    // A state that is gone although its digest exists is missing, not absent.
    unchecked.delete(&here()).await.unwrap();
    assert_eq!(checked.read_bytes(&here()).await.unwrap_err().kind(), ErrorKind::DigestMismatch);
    // Writing again repairs the digest, and deleting removes it.
    write(&checked, STATE).await;
    assert!(checked.read_bytes(&here()).await.unwrap().is_some());
    checked.delete(&here()).await.unwrap();
    assert!(checked.read_bytes(&here()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_digest_that_settles_in_time_is_waited_for() {
    let emulator = emulator().await;
    let (checked, unchecked) = (with_table(&emulator, &[]), store(&emulator, &[]));
    write(&checked, STATE).await;
    write(&unchecked, b"{}").await;
    let workspace = here();
    let (read, ()) = tokio::join!(checked.read_bytes(&workspace), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        write(&unchecked, STATE).await;
    });
    assert_eq!(read.unwrap().unwrap().bytes.as_ref(), STATE);
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named_with_what_it_must_be() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[("tablestore_table", "nowhere")]);
    let error = store.acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableMissing);
    assert!(error.message().starts_with("table `nowhere` does not exist"), "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("`LockID` of type string")), "{error:?}");
}

#[tokio::test]
async fn a_table_of_terraform_0_12_is_told_as_what_it_is() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[("tablestore_table", "legacy")]);
    for error in [
        store.acquire(&here(), &info()).await.unwrap_err(),
        store.read_bytes(&here()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(
            error.context().contains(&("primary key", "`pk` of type string".to_owned())),
            "{error:?}"
        );
        assert!(error.hints().iter().any(|hint| hint.contains("Terraform 0.12")), "{error:?}");
    }
}

#[tokio::test]
async fn credentials_that_the_table_does_not_know_are_told() {
    let emulator = emulator().await;
    let store = with_table(&emulator, &[("secret_key", "wrong")]);
    let error = store.acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{error:?}");
    assert!(!format!("{error:?}").contains("wrong"));
}
