use bytes::Bytes;
use remote_state_conformance::MemoryStore;
use remote_state_core::{Outgoing, ReadOptions, Seal, SealKind, Serial, WriteMode};

use super::*;
use crate::transfer::CopyPlan;

const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":42,"lineage":"l","outputs":{},"resources":[{}]}"#;
const ENCRYPTED: &str = r#"{"serial":1,"lineage":"l","meta":{"k":"v"},"encrypted_data":"AA","encryption_version":"v0"}"#;

fn name(name: &str) -> Workspace {
    Workspace::new(name).unwrap()
}

async fn write(store: &MemoryStore, workspace: &str, text: &str) {
    let outgoing = Outgoing::from(Bytes::from(text.to_owned()));
    store.write(&name(workspace), outgoing, &WriteMode::Overwrite.into()).await.unwrap();
}

async fn stored(store: &MemoryStore, workspace: &str) -> Option<String> {
    let read = store.read(&name(workspace), &ReadOptions::default()).await.unwrap()?;
    Some(String::from_utf8(read.collect().await.unwrap().bytes.to_vec()).unwrap())
}

async fn seal_of(store: &MemoryStore, workspace: &str) -> Option<Seal> {
    Seal::of(stored(store, workspace).await?.as_bytes())
}

/// A rename whose names live as long as the test.
fn renaming(from: &str, to: &str) -> Renaming<'static> {
    let name = |text: &str| Box::leak(Box::new(name(text)));
    let now = "2026-11-27T10:00:00Z".parse().unwrap();
    Renaming::new(name(from), name(to), RenameOptions::default(), "run", now)
}

async fn planned(store: &MemoryStore, from: &str, to: &str) -> Result<MovePlan> {
    plan_rename(store, &renaming(from, to)).await
}

async fn carried_out(store: &MemoryStore, from: &str, to: &str, plan: MovePlan) -> Result<Renamed> {
    let renamed = rename(store, &renaming(from, to), plan, &Author::default()).await;
    renamed.map_err(|stopped| stopped.error)
}

async fn renamed(store: &MemoryStore, from: &str, to: &str) -> Result<Renamed> {
    let plan = planned(store, from, to).await?;
    carried_out(store, from, to, plan).await
}

async fn copied(store: &MemoryStore, to: &str, keeps_lineage: bool) -> Result<CopyPlan> {
    let options = CopyOptions::default().with_lineage_kept(keeps_lineage);
    let plan = plan_copy(store, (&name("a"), &name(to)), options).await?;
    drop(copy(store, &plan, &Author::default()).await?);
    Ok(plan)
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_renamed_state_keeps_every_byte_and_leaves_a_seal() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    assert!(matches!(renamed(&store, "a", "b").await.unwrap(), Renamed::Written(_)));
    assert_eq!(stored(&store, "b").await.as_deref(), Some(STATE));
    let seal = seal_of(&store, "a").await.unwrap();
    assert_eq!((seal.kind, &*seal.to, &*seal.run), (SealKind::Renamed, "b", "run"));
    assert_eq!(seal.before.serial, Serial(42));
    assert_eq!(seal.sentence, "renamed to b on 2026-11-27; terraform workspace select b");
}

#[tokio::test]
async fn a_rename_that_was_done_is_nothing_to_do() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    drop(renamed(&store, "a", "b").await.unwrap());
    write(&store, "b", &STATE.replace("42", "43")).await;
    assert_eq!(renamed(&store, "a", "b").await.unwrap(), Renamed::Already);
    assert_eq!(stored(&store, "b").await.unwrap(), STATE.replace("42", "43"));
    let elsewhere = renamed(&store, "a", "c").await.unwrap_err();
    assert_eq!(elsewhere.kind(), ErrorKind::PreconditionFailed);
    assert!(elsewhere.message().ends_with("is sealed: renamed to `b`"), "{elsewhere}");
    store.delete(&name("b")).await.unwrap();
    assert_eq!(kind(renamed(&store, "a", "b").await), ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn a_rename_that_ended_after_the_copy_goes_on() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    write(&store, "b", STATE).await;
    assert!(matches!(renamed(&store, "a", "b").await.unwrap(), Renamed::Written(_)));
    assert!(seal_of(&store, "a").await.is_some());
}

#[tokio::test]
async fn a_state_comes_back_over_its_seal_and_over_no_other() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    drop(renamed(&store, "a", "b").await.unwrap());
    write(&store, "c", &STATE.replace("\"l\"", "\"m\"")).await;
    assert_eq!(kind(renamed(&store, "c", "a").await), ErrorKind::PreconditionFailed);
    drop(renamed(&store, "b", "a").await.unwrap());
    assert_eq!(stored(&store, "a").await.as_deref(), Some(STATE));
    assert_eq!(seal_of(&store, "b").await.unwrap().to, "a");
}

#[tokio::test]
async fn a_state_is_not_renamed_over_another_one_nor_to_itself() {
    let store = MemoryStore::new();
    assert_eq!(kind(renamed(&store, "a", "b").await), ErrorKind::NotFound);
    write(&store, "a", STATE).await;
    write(&store, "b", &STATE.replace("42", "7")).await;
    let refused = renamed(&store, "a", "b").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PreconditionFailed);
    assert!(refused.context().contains(&("serial", "7".to_owned())), "{refused:?}");
    assert_eq!(kind(renamed(&store, "a", "a").await), ErrorKind::PreconditionFailed);
    assert_eq!(stored(&store, "a").await.as_deref(), Some(STATE));
    write(&store, "x", "no state").await;
    assert_eq!(kind(renamed(&store, "x", "y").await), ErrorKind::InvalidState);
}

#[tokio::test]
async fn a_state_that_changes_meanwhile_is_copied_again() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let plan = planned(&store, "a", "b").await.unwrap();
    let newer = STATE.replace("42", "43");
    write(&store, "a", &newer).await;
    assert!(matches!(carried_out(&store, "a", "b", plan).await.unwrap(), Renamed::Written(_)));
    assert_eq!(stored(&store, "b").await, Some(newer));
    assert_eq!(seal_of(&store, "a").await.unwrap().before.serial, Serial(43));
}

#[tokio::test]
async fn a_state_that_comes_back_and_changes_meanwhile_is_copied_again() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    drop(renamed(&store, "a", "b").await.unwrap());
    let plan = planned(&store, "b", "a").await.unwrap();
    let newer = STATE.replace("42", "43");
    write(&store, "b", &newer).await;
    drop(carried_out(&store, "b", "a", plan).await.unwrap());
    assert_eq!(stored(&store, "a").await, Some(newer));
    assert_eq!(seal_of(&store, "b").await.unwrap().to, "a");
}

#[tokio::test]
async fn a_target_that_appears_meanwhile_is_not_replaced() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let plan = planned(&store, "a", "b").await.unwrap();
    write(&store, "b", "other").await;
    let error = carried_out(&store, "a", "b", plan).await;
    assert_eq!(kind(error), ErrorKind::PreconditionFailed);
    assert_eq!(stored(&store, "b").await.as_deref(), Some("other"));
    assert_eq!(stored(&store, "a").await.as_deref(), Some(STATE));
}

#[tokio::test]
async fn the_source_stays_if_that_is_asked_for() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let options = RenameOptions::default().with_source_left(true);
    let renaming = Renaming { options, ..renaming("a", "b") };
    let plan = plan_rename(&store, &renaming).await.unwrap();
    drop(rename(&store, &renaming, plan, &Author::default()).await.unwrap());
    assert_eq!(stored(&store, "a").await, stored(&store, "b").await);
}

#[tokio::test]
async fn an_encrypted_state_is_renamed_as_it_is_and_its_seal_is_plain() {
    let store = MemoryStore::new();
    write(&store, "a", ENCRYPTED).await;
    assert!(planned(&store, "a", "b").await.unwrap().seals_encrypted());
    drop(renamed(&store, "a", "b").await.unwrap());
    assert_eq!(stored(&store, "b").await.as_deref(), Some(ENCRYPTED));
    assert!(seal_of(&store, "a").await.is_some());
}

#[tokio::test]
async fn a_copy_is_another_state_unless_it_keeps_its_lineage() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let plan = copied(&store, "b", false).await.unwrap();
    let lineage = plan.lineage.as_str();
    assert_ne!(lineage, "l");
    let expected = STATE.replace("\"l\"", &format!("\"{lineage}\""));
    assert_eq!(stored(&store, "b").await, Some(expected), "no other byte has changed");
    assert_eq!(kind(copied(&store, "b", false).await), ErrorKind::PreconditionFailed);
    drop(copied(&store, "c", true).await.unwrap());
    assert_eq!(stored(&store, "c").await.as_deref(), Some(STATE));
    assert_eq!(stored(&store, "a").await.as_deref(), Some(STATE));
    write(&store, "a", ENCRYPTED).await;
    assert_eq!(kind(copied(&store, "d", false).await), ErrorKind::PreconditionFailed);
    drop(copied(&store, "d", true).await.unwrap());
    drop(renamed(&store, "a", "e").await.unwrap());
    assert_eq!(kind(copied(&store, "f", true).await), ErrorKind::PreconditionFailed);
}

#[test]
fn the_locks_of_two_workspaces_are_taken_in_one_order() {
    let store = MemoryStore::new();
    let (a, b) = (name("a"), name("b"));
    assert_eq!(lock_order(&store, &a, &b), [&a, &b]);
    assert_eq!(lock_order(&store, &b, &a), [&a, &b]);
}

/// Plans a rename of `a` to `b`, changes the store, and renames.
async fn renamed_after(store: &MemoryStore, change: impl AsyncFnOnce(&MemoryStore)) -> Error {
    let plan = planned(store, "a", "b").await.unwrap();
    change(store).await;
    carried_out(store, "a", "b", plan).await.unwrap_err()
}

#[tokio::test]
async fn the_copy_of_a_state_that_is_gone_meanwhile_stays() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let error = renamed_after(&store, async |store| store.delete(&name("a")).await.unwrap()).await;
    assert!(format!("{:?}", error.context()).contains("is what is left"), "{error:?}");
    assert_eq!(stored(&store, "b").await.as_deref(), Some(STATE), "it is the only one");
}

#[tokio::test]
async fn a_copy_that_was_there_before_stays_although_the_source_has_changed() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    write(&store, "b", STATE).await;
    let newer = STATE.replace("42", "43");
    let error = renamed_after(&store, async |store| write(store, "a", &newer).await).await;
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert!(format!("{:?}", error.context()).contains("still in use"), "{error:?}");
    assert_eq!(stored(&store, "b").await.as_deref(), Some(STATE), "somebody may work with it");
    assert_eq!(stored(&store, "a").await, Some(newer));
}

#[tokio::test]
async fn a_state_that_somebody_else_sealed_meanwhile_leaves_the_copy() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    let error = renamed_after(&store, async |store| drop(renamed(store, "a", "c").await)).await;
    assert!(format!("{:?}", error.context()).contains("by somebody else"), "{error:?}");
    assert_eq!(stored(&store, "b").await.as_deref(), Some(STATE));
}

#[tokio::test]
async fn a_rename_is_done_only_if_its_state_is_there() {
    let store = MemoryStore::new();
    write(&store, "a", STATE).await;
    drop(renamed(&store, "a", "b").await.unwrap());
    for other in [STATE.replace("\"l\"", "\"m\""), STATE.replace("42", "41")] {
        write(&store, "b", &other).await;
        assert_eq!(kind(renamed(&store, "a", "b").await), ErrorKind::PreconditionFailed, "{other}");
    }
    write(&store, "b", STATE).await;
    drop(renamed(&store, "b", "c").await.unwrap());
    assert_eq!(kind(renamed(&store, "a", "b").await), ErrorKind::PreconditionFailed, "a seal");
}
