//! Listing the states of a whole bucket.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use remote_state_core::{CatalogEntry, StateCatalog, StateStore, Workspace};

use crate::fixtures::{assert_stored, lock_info, state, state_of_size, workspace};
use crate::read_write::{delete, other_key, overwrite};
use crate::setup::{Outcome, Setup};

const NO_CATALOG: Outcome = Outcome::Skipped("the store cannot list its bucket");

/// The states of every state key and workspace are listed, as a read describes them.
pub async fn states_of_all_keys_and_workspaces_are_listed(setup: &Setup) -> Outcome {
    let Some(catalog) = setup.store.catalog() else { return NO_CATALOG };
    let elsewhere = other_key(&setup.store, "catalog");
    for store in [&setup.store, &elsewhere] {
        for name in ["default", "dev"].map(workspace) {
            let key = key_of(store, &name);
            assert_eq!(listed(&*catalog, &key).await, [], "nothing was written");
            let bytes = state_of_size(1, "catalog", 1000 + name.as_str().len());
            let meta = overwrite(store, &name, bytes.clone()).await;
            let found = listed(&*catalog, &key).await;
            let [entry] = &*found else { panic!("{key} is listed once: {found:?}") };
            assert_eq!(entry.key, key);
            assert_eq!(entry.size_bytes, bytes.len() as u64);
            assert_eq!(entry.etag, meta.etag, "{key}");
            delete(store, &name).await;
            assert_eq!(listed(&*catalog, &key).await, [], "a deleted state is not listed");
        }
    }
    Outcome::Kept
}

/// A listed state is opened by its key, whichever state key and workspace it belongs to.
pub async fn each_listed_state_can_be_opened(setup: &Setup) -> Outcome {
    let Some(catalog) = setup.store.catalog() else { return NO_CATALOG };
    let elsewhere = other_key(&setup.store, "catalog");
    for (serial, store) in [(1, &setup.store), (2, &elsewhere)] {
        for name in ["default", "dev"].map(workspace) {
            overwrite(store, &name, state(serial, name.as_str())).await;
            for entry in listed(&*catalog, &key_of(store, &name)).await {
                let opened = catalog.open(&entry.key);
                let opened = opened.unwrap_or_else(|error| panic!("{}: {error:?}", entry.key));
                let stored = state(serial, name.as_str());
                assert_stored(&*opened, &Workspace::default(), &stored, &entry.key).await;
                assert_eq!(opened.location(&Workspace::default()).path, store.location(&name).path);
            }
        }
    }
    Outcome::Kept
}

/// A lock is no state.
pub async fn locks_are_not_listed(setup: &Setup) -> Outcome {
    let Some(catalog) = setup.store.catalog() else { return NO_CATALOG };
    if !setup.declares.has_locks() {
        return Outcome::Skipped("the setup declares no locks");
    }
    for name in ["default", "dev"].map(workspace) {
        let taken = setup.store.acquire(&name, &lock_info("listing")).await;
        taken.unwrap_or_else(|error| panic!("the lock of `{name}` is free: {error:?}"));
        let key = key_of(&setup.store, &name);
        assert_eq!(listed(&*catalog, &key).await, []);
        overwrite(&setup.store, &name, state(1, "l")).await;
        let keys: Vec<_> = listed(&*catalog, &key).await.into_iter().map(|it| it.key).collect();
        assert_eq!(keys, [key]);
    }
    Outcome::Kept
}

/// The key of a workspace's state: what follows the bucket in the path.
fn key_of(store: &Arc<dyn StateStore>, workspace: &Workspace) -> String {
    let path = store.location(workspace).path;
    path.split_once('/').unwrap_or_else(|| panic!("`{path}` names bucket and key")).1.to_owned()
}

async fn listed(catalog: &dyn StateCatalog, prefix: &str) -> Vec<CatalogEntry> {
    let listed: Result<Vec<_>, _> = catalog.objects(prefix).try_collect().await;
    listed.unwrap_or_else(|error| panic!("listing should work: {error:?}"))
}
