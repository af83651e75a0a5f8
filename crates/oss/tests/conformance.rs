//! The promises of every provider, over OSS on every kind of bucket and in both layouts.

mod common;
#[path = "common/raw.rs"]
mod raw;

use std::sync::Arc;

use common::{emulator, store};
use raw::LockObjects;
use remote_state_conformance::{Scale, Setup};
use remote_state_core::{AnnotationStorage, Capabilities, Digests, Locking, Versions};
use remote_state_emulator::Emulator;

/// Enough to see a difference between quirks; another suite tests crowds and large states.
fn small() -> Scale {
    Scale::default().with_racers(12).with_workspaces(30).with_huge_bytes(7 << 20)
}

async fn setup(keys: &[(&str, &str)]) -> Setup {
    let emulator = emulator().await;
    let store = store(&emulator, keys);
    let declares = Capabilities::default()
        .with_locking(Locking::Exclusive)
        .with_versions(if keys.contains(&("bucket", "versioned")) {
            Versions::InOrder
        } else {
            Versions::None
        })
        .with_annotations(AnnotationStorage::WithState);
    let locks = Arc::new(LockObjects::new(&emulator, store.clone()));
    Setup::new(store, declares).with_raw_locks(locks).with_guard(emulator)
}

/// A bucket that never had versions, with the layout of the releases.
mod plain {
    use super::*;

    async fn released() -> Setup {
        setup(&[]).await
    }

    remote_state_conformance::suite!(released);
}

/// A bucket that keeps versions, with the layout of the first proposal.
mod versioned {
    use super::*;

    async fn original() -> Setup {
        setup(&[("bucket", "versioned"), ("path", "net/prod")]).await.with_scale(small())
    }

    remote_state_conformance::suite!(original);
}

/// A bucket that kept versions once.
mod suspended {
    use super::*;

    async fn suspended() -> Setup {
        setup(&[("bucket", "suspended")]).await.with_scale(small())
    }

    remote_state_conformance::suite!(suspended);
}

/// The older signature, and no folder at all.
mod older {
    use super::*;

    async fn bare() -> Setup {
        setup(&[("signature_version", "v1"), ("path", ""), ("name", "a/b c.tfstate")])
            .await
            .with_scale(small())
    }

    remote_state_conformance::suite!(bare);
}

/// Locks and digests in a Tablestore table.
mod table {
    use remote_state_core::StateStore;

    use super::*;

    pub(super) fn in_table(emulator: &Emulator) -> Arc<dyn StateStore> {
        let keys = common::table_keys(emulator);
        let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
        store(emulator, &keys)
    }

    async fn rows() -> Setup {
        let emulator = emulator().await;
        let declares =
            Capabilities::default().with_locking(Locking::Exclusive).with_digests(Digests::Md5);
        Setup::new(in_table(&emulator), declares)
            .with_locks_of_states_only()
            .with_scale(small())
            .with_guard(emulator)
    }

    remote_state_conformance::suite!(rows);
}

/// A store that is slow, busy at first, and loses answers.
mod faults {
    use std::time::Duration;

    use remote_state_emulator::{Fault, Misbehaviour};

    use super::*;

    fn roughen(emulator: &Emulator) {
        emulator.faults().set_latency(Duration::from_millis(3));
        for (misbehaviour, method) in [
            (Misbehaviour::slow_down(), "GET"),
            (Misbehaviour::LoseReply, "PUT"),
            (Misbehaviour::LoseReply, "POST"),
        ] {
            emulator.faults().inject(Fault::new(misbehaviour).with_method(method).with_times(1));
        }
    }

    async fn bucket(name: &str) -> Setup {
        let emulator = emulator().await;
        let store = store(&emulator, &[("bucket", name)]);
        roughen(&emulator);
        let declares = Capabilities::default().with_locking(Locking::Exclusive);
        Setup::new(store, declares).with_scale(small()).with_guard(emulator)
    }

    mod plain {
        async fn setup() -> remote_state_conformance::Setup {
            super::bucket(crate::common::BUCKET).await
        }

        remote_state_conformance::suite!(setup);
    }

    mod versioned {
        async fn setup() -> remote_state_conformance::Setup {
            super::bucket("versioned").await
        }

        remote_state_conformance::suite!(setup);
    }

    mod suspended {
        async fn setup() -> remote_state_conformance::Setup {
            super::bucket("suspended").await
        }

        remote_state_conformance::suite!(setup);
    }

    mod table {
        use super::*;

        async fn setup() -> Setup {
            let emulator = emulator().await;
            let store = crate::table::in_table(&emulator);
            roughen(&emulator);
            let declares = Capabilities::default().with_locking(Locking::Exclusive);
            Setup::new(store, declares)
                .with_locks_of_states_only()
                .with_scale(small())
                .with_guard(emulator)
        }

        remote_state_conformance::suite!(setup);
    }
}
