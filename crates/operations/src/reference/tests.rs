//! Spellings of references, and the versions that they name.

use std::sync::Arc;

use bytes::Bytes;
use remote_state_conformance::MemoryStore;
use remote_state_core::{Outgoing, WriteMode};

use super::*;

#[test]
fn each_spelling_is_read_and_written() {
    for text in [
        "@0",
        "@12",
        "id:3HL4kq",
        "id:null",
        "serial:18446744073709551615",
        "-",
        "file:a/b:c",
        "workspace:a@b:c",
        "workspace:dev/@1",
        "workspace:dev/serial:4",
    ] {
        assert_eq!(StateReference::parse(text).unwrap().to_string(), text);
    }
    let bare = StateReference::parse("3HL4kq").unwrap();
    assert_eq!(bare, StateReference::parse("id:3HL4kq").unwrap());
    assert_eq!(
        StateReference::parse("workspace:dev/@0").unwrap(),
        StateReference::parse("workspace:dev").unwrap()
    );
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "@",
        "@-1",
        "@x",
        "serial:x",
        "serial:",
        "id:",
        "archive:a",
        "a b",
        "workspace:",
        "workspace:a/b c",
        "workspace:a b",
        "@1:x",
    ] {
        let error = StateReference::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{text}");
    }
}

#[test]
fn times_are_read_in_the_forms_that_people_copy() {
    let expected = Reference::At("2026-11-27T02:56:00Z".parse().unwrap());
    for text in ["2026-11-27T02:56:00Z", "2026-11-27 02:56", "2026-11-27T03:56:00+01:00"] {
        assert_eq!(Reference::at(text).unwrap(), expected, "{text}");
    }
    assert_eq!(
        Reference::at("2026-11-27").unwrap(),
        Reference::At("2026-11-27T00:00:00Z".parse().unwrap())
    );
    assert!(Reference::at("yesterday").is_err());
}

/// A store with states of these serials, and a deletion for each 0.
async fn store(serials: &[u64]) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let workspace = Workspace::default();
    for serial in serials {
        if *serial == 0 {
            store.delete(&workspace).await.unwrap();
            continue;
        }
        let state = format!("{{\"version\":4,\"serial\":{serial},\"lineage\":\"l\"}}");
        let outgoing = Outgoing::from(Bytes::from(state));
        store.write(&workspace, outgoing, &WriteMode::Overwrite.into()).await.unwrap();
    }
    Arc::new(store)
}

/// Returns the serial of the version that a reference names, or the reason why there is none.
async fn serial(store: &MemoryStore, reference: &str) -> std::result::Result<u64, String> {
    let workspace = Workspace::default();
    let reference = Reference::parse(reference).unwrap();
    match resolve(store, &workspace, &[&reference]).await {
        Ok(found) => {
            let version = found[0].clone();
            Ok(header(store, &workspace, version).await.unwrap().unwrap().serial.0)
        }
        Err(error) => Err(error.reason().unwrap_or(error.message()).to_owned()),
    }
}

#[tokio::test]
async fn versions_are_counted_from_the_newest_with_deletions() {
    let store = store(&[1, 2, 0, 4]).await;
    assert_eq!(serial(&store, "@0").await, Ok(4));
    assert_eq!(serial(&store, "@2").await, Ok(2));
    assert_eq!(serial(&store, "@1").await.unwrap_err(), "`@1` records a deletion of the state");
    assert_eq!(serial(&store, "@9").await.unwrap_err(), "there is no `@9`: `@3` is the oldest");
}

#[tokio::test]
async fn a_serial_names_a_version_if_it_is_the_only_one() {
    let store = store(&[1, 2, 3, 2]).await;
    assert_eq!(serial(&store, "serial:3").await, Ok(3));
    assert_eq!(serial(&store, "serial:7").await.unwrap_err(), "none has the serial 7");
    let error = serial(&store, "serial:2").await.unwrap_err();
    assert!(error.starts_with("several versions of "), "{error}");
}

#[tokio::test]
async fn a_time_names_the_newest_version_that_is_not_later() {
    let store = store(&[1, 2]).await;
    let workspace = Workspace::default();
    let now = Reference::At(Timestamp::MAX);
    let found = resolve(&*store, &workspace, &[&now, &Reference::CURRENT]).await.unwrap();
    assert_eq!(found[0], found[1]);
    let error = resolve(&*store, &workspace, &[&Reference::At(Timestamp::MIN)]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_place_without_a_state_has_no_versions() {
    let store = store(&[]).await;
    assert_eq!(serial(&store, "@1").await.unwrap_err(), "no state has been written to it");
}
