//! Listing workspaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use remote_state_core::{StateStore, Workspace};

use crate::fixtures::{assert_stored, lock_info, state, workspace};
use crate::read_write::{delete, other_key, overwrite};
use crate::setup::{Outcome, Setup};

/// How many writes are under way at a time.
const WRITERS: usize = 16;

/// All are listed, however many there are, each once, and `default` is not among them.
pub async fn all_are_listed(setup: &Setup) -> Outcome {
    assert_listed(&setup.store, BTreeSet::new()).await;
    overwrite(&setup.store, &Workspace::default(), state(1, "l")).await;
    assert_listed(&setup.store, BTreeSet::new()).await;
    let names: BTreeSet<_> =
        (0..setup.scale.workspaces).map(|number| workspace(&format!("w{number}"))).collect();
    stream::iter(names.clone())
        .for_each_concurrent(WRITERS, |name| async move {
            overwrite(&setup.store, &name, state(1, "l")).await;
        })
        .await;
    assert_listed(&setup.store, names).await;
    Outcome::Kept
}

/// A lock on a workspace that has no state does not make it one.
pub async fn locks_are_not_workspaces(setup: &Setup) -> Outcome {
    if !setup.declares.has_locks() {
        return Outcome::Skipped("the setup declares no locks");
    }
    overwrite(&setup.store, &workspace("stored"), state(1, "l")).await;
    for name in ["default", "stored", "only-locked"] {
        let taken = setup.store.acquire(&workspace(name), &lock_info("listing")).await;
        taken.unwrap_or_else(|error| panic!("the lock of `{name}` is free: {error:?}"));
    }
    assert_listed(&setup.store, BTreeSet::from([workspace("stored")])).await;
    Outcome::Kept
}

/// All names that Terraform allows are separate workspaces, and are listed unchanged.
pub async fn unusual_names_are_kept(setup: &Setup) -> Outcome {
    let names = [
        "a", "A", "a.b", "a+b", "a&b=c", "$x", "~", "a:b@c", "-", "...", "x.tflock", "env:",
        "default2", "0",
    ];
    for name in names {
        overwrite(&setup.store, &workspace(name), state(1, name)).await;
    }
    for name in names {
        assert_stored(&*setup.store, &workspace(name), &state(1, name), name).await;
    }
    assert_listed(&setup.store, names.map(workspace).into()).await;
    Outcome::Kept
}

/// A workspace whose state was deleted is not listed any more.
pub async fn deleted_ones_are_not_listed(setup: &Setup) -> Outcome {
    for name in ["kept", "deleted"] {
        overwrite(&setup.store, &workspace(name), state(1, "l")).await;
    }
    delete(&setup.store, &workspace("deleted")).await;
    assert_listed(&setup.store, BTreeSet::from([workspace("kept")])).await;
    Outcome::Kept
}

/// The workspaces of another state key are not listed.
pub async fn those_of_another_key_are_not_listed(setup: &Setup) -> Outcome {
    let elsewhere = other_key(&setup.store, "workspaces");
    overwrite(&elsewhere, &workspace("there"), state(1, "l")).await;
    overwrite(&setup.store, &workspace("here"), state(1, "l")).await;
    assert_listed(&setup.store, BTreeSet::from([workspace("here")])).await;
    assert_listed(&elsewhere, BTreeSet::from([workspace("there")])).await;
    Outcome::Kept
}

async fn assert_listed(store: &Arc<dyn StateStore>, want: BTreeSet<Workspace>) {
    let listed: Vec<_> = store
        .workspaces()
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("listing should work: {error:?}"));
    let got: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(got.len(), listed.len(), "each workspace is listed once");
    let missing: Vec<_> = want.difference(&got).take(5).collect();
    let surplus: Vec<_> = got.difference(&want).take(5).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "not listed: {missing:?} …; listed without a state: {surplus:?} …"
    );
}
