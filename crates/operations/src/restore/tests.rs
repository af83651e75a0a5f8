use remote_state_conformance::MemoryStore;

use bytes::Bytes;
use remote_state_core::{Advice, Serial, WriteMode};

use super::*;
use crate::reference::Reference;

fn state(serial: u64, lineage: &str, output: &str) -> String {
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"{lineage}","outputs":{{"o":{{"value":"{output}","type":"string"}}}},"resources":[]}}"#
    )
}

async fn store(states: &[String]) -> MemoryStore {
    let store = MemoryStore::new();
    for text in states {
        write(&store, text).await;
    }
    store
}

async fn write(store: &MemoryStore, text: &str) {
    let outgoing = Outgoing::from(Bytes::from(text.to_owned()));
    let mode = WriteMode::Overwrite.into();
    store.write(&Workspace::default(), outgoing, &mode).await.unwrap();
}

async fn current(store: &MemoryStore) -> String {
    let read = whole(store, &Workspace::default(), ReadOptions::default()).await.unwrap().unwrap();
    String::from_utf8(read.bytes.to_vec()).unwrap()
}

async fn restore(
    store: &MemoryStore,
    reference: &str,
    options: RestoreOptions,
) -> Result<(RestorePlan, Restored)> {
    let (workspace, reference) = (Workspace::default(), Reference::parse(reference)?);
    let plan = plan(store, &workspace, &reference, options).await?;
    let author = Author::default().with_who("me").with_operation("restore");
    let restored = carry_out(store, &workspace, &plan, &author).await?;
    Ok((plan, restored))
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_restored_state_has_a_serial_that_its_lineage_never_had() {
    let store = store(&[state(7, "l", "a"), state(9, "l", "b"), state(3, "l", "c")]).await;
    let (plan, restored) = restore(&store, "@2", RestoreOptions::default()).await.unwrap();
    assert_eq!(plan.serial, Serial(10));
    assert!(matches!(restored, Restored::Written(_)));
    assert_eq!(current(&store).await, state(10, "l", "a"), "no other byte has changed");
    let read = store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
    let annotations = read.meta.annotations;
    let version = plan.chosen.meta.version.unwrap();
    assert_eq!(annotations.get(RESTORED_FROM), Some(version.as_str()));
    assert_eq!(annotations.get("who"), Some("me"));
}

#[tokio::test]
async fn serials_of_another_lineage_do_not_count() {
    let store = store(&[state(7, "l", "a"), state(90, "m", "b"), state(8, "l", "c")]).await;
    let (plan, _) = restore(&store, "@2", RestoreOptions::default()).await.unwrap();
    assert_eq!(plan.serial, Serial(9));
}

#[tokio::test]
async fn a_version_of_another_lineage_is_refused_unless_it_is_forced() {
    let store = store(&[state(7, "l", "a"), state(1, "m", "b")]).await;
    let refused = restore(&store, "@1", RestoreOptions::default()).await;
    assert_eq!(kind(refused), ErrorKind::PreconditionFailed);
    assert_eq!(current(&store).await, state(1, "m", "b"));
    let options = RestoreOptions::default().with_force(true);
    assert_eq!(restore(&store, "@1", options).await.unwrap().0.serial, Serial(8));
}

#[tokio::test]
async fn what_is_current_already_is_not_written_again() {
    let store = store(&[state(1, "l", "a"), state(2, "l", "b"), state(3, "l", "a")]).await;
    for reference in ["@2", "@0"] {
        let (plan, restored) = restore(&store, reference, RestoreOptions::default()).await.unwrap();
        assert!(plan.is_current, "{reference}");
        assert_eq!(restored, Restored::Unchanged);
    }
    assert_eq!(current(&store).await, state(3, "l", "a"));
}

#[tokio::test]
async fn a_state_that_was_written_meanwhile_stays() {
    let store = store(&[state(1, "l", "a"), state(2, "l", "b")]).await;
    let (workspace, reference) = (Workspace::default(), Reference::Nth(1));
    let plan = plan(&store, &workspace, &reference, RestoreOptions::default()).await.unwrap();
    write(&store, &state(3, "l", "c")).await;
    let restored = carry_out(&store, &workspace, &plan, &Author::default()).await;
    assert_eq!(kind(restored), ErrorKind::PreconditionFailed);
    assert_eq!(current(&store).await, state(3, "l", "c"));
}

#[tokio::test]
async fn the_bytes_as_they_were_are_written_if_that_is_asked_for() {
    let encrypted = r#"{"serial":1,"lineage":"l","meta":{"k":"v"},"encrypted_data":"AA","encryption_version":"v0"}"#;
    let store = store(&[encrypted.to_owned(), state(2, "l", "b")]).await;
    let refused = restore(&store, "@1", RestoreOptions::default()).await;
    assert_eq!(kind(refused), ErrorKind::PreconditionFailed, "its serial stands inside too");
    let options = RestoreOptions::default().with_verbatim(true);
    let (plan, _) = restore(&store, "@1", options).await.unwrap();
    assert_eq!((plan.serial, current(&store).await), (Serial(1), encrypted.to_owned()));
}

#[tokio::test]
async fn the_last_serial_has_no_next_one() {
    let store = store(&[state(1, "l", "a"), state(u64::MAX, "l", "b")]).await;
    let refused = restore(&store, "@1", RestoreOptions::default()).await;
    assert_eq!(kind(refused), ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn what_is_no_state_is_replaced_only_by_force() {
    let store = store(&[state(1, "l", "a"), "garbage".to_owned()]).await;
    let refused = restore(&store, "@1", RestoreOptions::default()).await;
    assert_eq!(kind(refused), ErrorKind::PreconditionFailed);
    let options = RestoreOptions::default().with_force(true);
    drop(restore(&store, "@1", options).await.unwrap());
    assert_eq!(current(&store).await, state(2, "l", "a"));
    let chosen = restore(&store, "@1", options).await;
    assert_eq!(kind(chosen), ErrorKind::PreconditionFailed, "the garbage itself is never restored");
}

async fn undelete(store: &MemoryStore, reference: Option<&str>) -> Result<RestorePlan> {
    let workspace = Workspace::default();
    let reference = reference.map(|text| Reference::parse(text).unwrap());
    let options = RestoreOptions::default();
    let plan = plan_undelete(store, &workspace, reference.as_ref(), options).await?;
    drop(carry_out(store, &workspace, &plan, &Author::default()).await?);
    Ok(plan)
}

#[tokio::test]
async fn a_deleted_state_comes_back_as_it_was() {
    let store = store(&[state(1, "l", "a"), state(2, "l", "b")]).await;
    assert_eq!(kind(undelete(&store, None).await), ErrorKind::PreconditionFailed);
    store.delete(&Workspace::default()).await.unwrap();
    drop(undelete(&store, None).await.unwrap());
    assert_eq!(current(&store).await, state(2, "l", "b"));
}

#[tokio::test]
async fn a_deleted_state_comes_back_with_the_highest_serial() {
    let store = store(&[state(5, "l", "a"), state(2, "l", "b")]).await;
    store.delete(&Workspace::default()).await.unwrap();
    drop(undelete(&store, None).await.unwrap());
    assert_eq!(current(&store).await, state(6, "l", "b"));
}

#[tokio::test]
async fn where_nothing_was_stored_nothing_comes_back() {
    let store = store(&[]).await;
    assert_eq!(kind(undelete(&store, None).await), ErrorKind::NotFound);
}

fn sealed() -> String {
    r#"{"version":4,"terraform_version":"renamed to b","serial":8,"lineage":"l","outputs":{},"resources":[],"remote_state":{"sealed":1,"kind":"renamed","to":"b"}}"#.to_owned()
}

#[tokio::test]
async fn a_sealed_state_is_replaced_only_if_that_is_asked_for() {
    let store = store(&[state(7, "l", "a"), sealed()]).await;
    for options in [RestoreOptions::default(), RestoreOptions::default().with_force(true)] {
        let refused = restore(&store, "@1", options).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PreconditionFailed);
        assert!(refused.message().ends_with("is sealed: renamed to `b`"), "{refused}");
        assert!(refused.advice().contains(&Advice::Unseal));
    }
    assert_eq!(current(&store).await, sealed());
    let options = RestoreOptions::default().with_unseal(true);
    let (plan, _) = restore(&store, "@1", options).await.unwrap();
    assert_eq!(plan.serial, Serial(9), "the serial of the sealed state counts");
    assert_eq!(current(&store).await, state(9, "l", "a"));
}

#[tokio::test]
async fn a_sealed_version_is_never_restored() {
    let store = store(&[state(7, "l", "a"), sealed(), state(9, "l", "b")]).await;
    let options = RestoreOptions::default().with_unseal(true).with_force(true);
    assert_eq!(kind(restore(&store, "@1", options).await), ErrorKind::PreconditionFailed);
    write(&store, &sealed()).await;
    store.delete(&Workspace::default()).await.unwrap();
    assert_eq!(kind(undelete(&store, None).await), ErrorKind::PreconditionFailed);
    drop(undelete(&store, Some("@2")).await.unwrap());
    assert_eq!(current(&store).await, state(9, "l", "b"));
}
