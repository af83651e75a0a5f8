//! Older versions of a state.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use remote_state_core::{ErrorKind, ReadOptions, StateStore, StateVersion, VersionId, Workspace};

use crate::fixtures::{assert_same_bytes, state, workspace};
use crate::read_write::{delete, other_key, overwrite};
use crate::setup::{Outcome, Setup};

const NO_VERSIONS: Outcome = Outcome::Skipped("the setup declares no versions");

/// All versions are listed, the newest first.
pub async fn newest_comes_first(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    let ws = Workspace::default();
    assert_eq!(versions(&setup.store, &ws).await, [], "nothing was written");
    let mut ids = Vec::new();
    for serial in 1..=5 {
        ids.insert(0, overwrite(&setup.store, &ws, state(serial, "l")).await.version);
    }
    let listed = versions(&setup.store, &ws).await;
    assert_eq!(listed.iter().map(|version| version.meta.version.clone()).collect::<Vec<_>>(), ids);
    assert!(ids.iter().all(Option::is_some), "every version has an id");
    let latest: Vec<_> = listed.iter().map(|version| version.is_latest).collect();
    assert_eq!(latest, [true, false, false, false, false], "only the newest is what a read yields");
    assert!(listed.iter().all(|version| version.meta.size_bytes == state(1, "l").len() as u64));
    Outcome::Kept
}

/// An older version can be read.
pub async fn older_version_is_readable(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    for ws in [Workspace::default(), workspace("dev")] {
        for serial in 1..=3 {
            overwrite(&setup.store, &ws, state(serial, "l")).await;
        }
        for (serial, version) in [3, 2, 1].into_iter().zip(versions(&setup.store, &ws).await) {
            assert_version(&setup.store, &ws, &version, serial).await;
        }
    }
    Outcome::Kept
}

/// A deletion is a version of its own, and earlier versions stay readable.
pub async fn deletion_is_shown_and_takes_nothing_away(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    let ws = Workspace::default();
    overwrite(&setup.store, &ws, state(1, "l")).await;
    delete(&setup.store, &ws).await;
    let listed = versions(&setup.store, &ws).await;
    let [marker, first] = &listed[..] else {
        panic!("a state and its deletion are two versions, not {}", listed.len())
    };
    assert!(marker.is_delete_marker && marker.is_latest);
    assert!(!first.is_delete_marker && !first.is_latest);
    assert_version(&setup.store, &ws, first, 1).await;
    overwrite(&setup.store, &ws, state(2, "l")).await;
    let kinds: Vec<_> =
        versions(&setup.store, &ws).await.iter().map(|version| version.is_delete_marker).collect();
    assert_eq!(kinds, [false, true, false]);
    Outcome::Kept
}

/// The store lists only versions of this state, and none of a state whose key has the same
/// beginning.
pub async fn those_of_other_states_are_not_listed(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    let store = other_key(&setup.store, "versions");
    let key = store.location(&Workspace::default()).path;
    // The path starts with the bucket.
    let longer = format!("{}.backup", key.split_once('/').map_or(&*key, |(_, key)| key));
    let longer = setup
        .store
        .with_state_key(&longer)
        .unwrap_or_else(|error| panic!("a longer key should be a state key: {error:?}"));
    overwrite(&store, &Workspace::default(), state(1, "l")).await;
    overwrite(&longer, &Workspace::default(), state(1, "l")).await;
    overwrite(&store, &workspace("dev"), state(1, "l")).await;
    overwrite(&store, &workspace("dev2"), state(1, "l")).await;
    for ws in [Workspace::default(), workspace("dev")] {
        assert_eq!(versions(&store, &ws).await.len(), 1, "`{ws}` was written once");
    }
    Outcome::Kept
}

/// Reading a version that does not exist is an error, and not a missing state.
pub async fn unknown_version_is_an_error(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    let ws = Workspace::default();
    let meta = overwrite(&setup.store, &ws, state(1, "l")).await;
    overwrite(&setup.store, &ws, state(2, "l")).await;
    // The id of a version of another state has the right form, and is not one of this state.
    let elsewhere = other_key(&setup.store, "unknown-version");
    let id = meta.version.expect("a store with versions returns their ids");
    let options = ReadOptions::default().with_version(id);
    let error = elsewhere.read(&ws, &options).await.expect_err("this state has no such version");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    Outcome::Kept
}

/// A workspace whose state was deleted is listed as such until it has a state again; others are
/// not.
pub async fn deleted_workspaces_are_listed_until_they_are_stored_again(setup: &Setup) -> Outcome {
    if !setup.declares.has_versions() {
        return NO_VERSIONS;
    }
    for name in ["default", "kept", "deleted", "gone"].map(workspace) {
        overwrite(&setup.store, &name, state(1, "l")).await;
    }
    assert_eq!(deleted(&setup.store).await, []);
    for name in ["default", "deleted", "gone"].map(workspace) {
        delete(&setup.store, &name).await;
    }
    let elsewhere = other_key(&setup.store, "deleted");
    overwrite(&elsewhere, &workspace("there"), state(1, "l")).await;
    delete(&elsewhere, &workspace("there")).await;
    assert_eq!(deleted(&setup.store).await, ["deleted", "gone"].map(workspace));
    overwrite(&setup.store, &workspace("deleted"), state(2, "l")).await;
    assert_eq!(deleted(&setup.store).await, [workspace("gone")]);
    Outcome::Kept
}

async fn deleted(store: &Arc<dyn StateStore>) -> Vec<Workspace> {
    let listed: Result<Vec<_>, _> = store.deleted_workspaces().try_collect().await;
    let mut listed =
        listed.unwrap_or_else(|error| panic!("listing deletions should work: {error:?}"));
    listed.sort();
    listed
}

async fn versions(store: &Arc<dyn StateStore>, ws: &Workspace) -> Vec<StateVersion> {
    store
        .versions(ws)
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("listing versions should work: {error:?}"))
}

async fn assert_version(
    store: &Arc<dyn StateStore>,
    ws: &Workspace,
    version: &StateVersion,
    serial: u64,
) {
    let id: VersionId = version.meta.version.clone().expect("every version has an id");
    let read = store
        .read(ws, &ReadOptions::default().with_version(id))
        .await
        .unwrap_or_else(|error| panic!("reading a version should work: {error:?}"))
        .expect("a listed version is there");
    let got = read
        .collect()
        .await
        .unwrap_or_else(|error| panic!("reading to the end should work: {error:?}"));
    assert_same_bytes(&got.bytes, &state(serial, "l"), "an older version");
}
