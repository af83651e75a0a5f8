//! The store in memory keeps every promise, also if it can do less and declares less.

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
        // Without a fault, the wrapped store keeps every promise too.
        let (store, _faults) = FaultyStore::wrap(Arc::new(store));
        let scale =
            Scale::default().with_workspaces(10).with_large_bytes(100_000).with_huge_bytes(200_000);
        Setup::new(store, Capabilities::default()).with_scale(scale)
    }

    suite!(setup);
}

/// The results of `StateStoreExt::with_lock` for each outcome of work and release.
mod work_under_a_lock {
    use remote_state_conformance::{FaultyStore, MemoryStore};
    use remote_state_core::{
        Error, ErrorKind, LockInfo, LockTarget, LockWait, Patience, Result, StateStoreExt as _,
        Workspace,
    };
    use std::sync::Arc;

    fn info() -> LockInfo {
        LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    #[tokio::test]
    async fn the_lock_is_held_during_the_work_and_released_after_success_and_failure() {
        let (store, _faults) = FaultyStore::wrap(Arc::new(MemoryStore::new()));
        let here = Workspace::default();
        for fails in [false, true] {
            let info = info();
            let done: Result<&str> = store
                .with_lock(&here, &info, LockWait::default(), &Patience, async {
                    let held = store.inspect(&here).await?.expect("the lock is held");
                    assert!(held.is_held_by(&info.id));
                    let failed = Error::new(ErrorKind::Unavailable, "work", "it failed");
                    if fails { Err(failed) } else { Ok("done") }
                })
                .await;
            assert_eq!(
                done.map_err(|error| error.kind()),
                if fails { Err(ErrorKind::Unavailable) } else { Ok("done") }
            );
            assert!(store.inspect(&here).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn work_does_not_begin_without_the_lock_and_fails_if_the_lock_was_broken() {
        let (store, _faults) = FaultyStore::wrap(Arc::new(MemoryStore::new()));
        let (here, other) = (Workspace::default(), info());
        drop(store.acquire(&here, &other).await.unwrap());
        let refused: Result<()> = store
            .with_lock(&here, &info(), LockWait::default(), &Patience, async {
                panic!("no lock is held")
            })
            .await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::LockHeld);
        drop(store.release(&here, &LockTarget::Id(other.id)).await.unwrap());

        let ours = info();
        let broken: Result<()> = store
            .with_lock(&here, &ours, LockWait::default(), &Patience, async {
                store.release(&here, &LockTarget::Id(ours.id.clone())).await.map(drop)
            })
            .await;
        assert_eq!(broken.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_released_is_named() {
        let (store, faults) = FaultyStore::wrap(Arc::new(MemoryStore::new()));
        let (here, ours) = (Workspace::default(), info());
        let unreleased: Result<()> = store
            .with_lock(&here, &ours, LockWait::default(), &Patience, async {
                faults.fail_next(1, ErrorKind::Unavailable);
                Ok(())
            })
            .await;
        let error = unreleased.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(format!("{:?}", error.context()).contains(ours.id.as_str()), "{error:?}");
        assert!(store.inspect(&here).await.unwrap().unwrap().is_held_by(&ours.id));
    }
}

#[test]
fn every_behaviour_is_listed_once() {
    let mut names: Vec<_> =
        remote_state_conformance::store_behaviours().iter().map(|one| one.name).collect();
    names.extend(remote_state_conformance::http_behaviours().iter().map(|one| one.name));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.contains(&"lock::race_for_a_free_lock_has_one_winner"));
}
