//! The store in memory keeps every promise; with less declared, so does one that can do less.

mod everything {
    use std::sync::Arc;

    use remote_state_conformance::{MemoryStore, Setup, suite};
    use remote_state_core::StateStore as _;

    async fn setup() -> Setup {
        let store = MemoryStore::new();
        let declares = store.capabilities();
        Setup::new(Arc::new(store.clone()), declares).with_raw_locks(Arc::new(store))
    }

    suite!(setup);
}

mod only_states {
    use std::sync::Arc;

    use remote_state_conformance::{FaultyStore, MemoryStore, Scale, Setup, suite};
    use remote_state_core::Capabilities;

    async fn setup() -> Setup {
        let store = MemoryStore::new().with_capabilities(Capabilities::default());
        // A store that is told of no fault has none.
        let (store, _faults) = FaultyStore::wrap(Arc::new(store));
        let scale = Scale::default().with_workspaces(10).with_large_bytes(100_000).with_huge_bytes(200_000);
        Setup::new(store, Capabilities::default()).with_scale(scale)
    }

    suite!(setup);
}

#[test]
fn every_behaviour_is_listed_once() {
    let mut names: Vec<_> = remote_state_conformance::store_behaviours().iter().map(|one| one.name).collect();
    names.extend(remote_state_conformance::http_behaviours().iter().map(|one| one.name));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.contains(&"lock::race_for_a_free_lock_has_one_winner"));
}
