//! The conformance suite of every provider, on a store with Ceph's quirks.

use std::sync::Arc;

use remote_state_conformance::{Scale, Setup};
use remote_state_core::Backend as _;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{
    AnnotationStorage, Capabilities, ErrorKind, LockInfo, Locking, StateStore, Versions, Workspace,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Quirks};
use remote_state_spaces::{PROVIDER, SpacesConfig};

async fn emulator() -> Emulator {
    Emulator::builder()
        .with_quirks(Quirks::Ceph)
        .with_credentials("test", "testtest")
        .with_bucket("plain")
        .with_versioned_bucket("versioned")
        .start()
        .await
        .expect("the emulator starts")
}

fn store(emulator: &Emulator, bucket: &str) -> Arc<dyn StateStore> {
    let endpoint = emulator.endpoint();
    let keys = [
        ("region", "nyc3"),
        ("bucket", bucket),
        ("key", "net/terraform.tfstate"),
        ("endpoint", &endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
    ];
    let config = ResolvedConfig::from_pairs(&PROVIDER, keys).expect("the keys are known");
    SpacesConfig::from_resolved(&config).expect("the keys do").open().expect("the keys do")
}

async fn setup(bucket: &str) -> Setup {
    let emulator = emulator().await;
    let store = store(&emulator, bucket);
    let declares = Capabilities::default()
        .with_locking(Locking::Exclusive)
        .with_versions(if bucket == "versioned" { Versions::InOrder } else { Versions::None })
        .with_annotations(AnnotationStorage::WithState);
    let scale = Scale::default().with_racers(12).with_workspaces(30).with_huge_bytes(7 << 20);
    Setup::new(store, declares).with_scale(scale).with_guard(emulator)
}

/// A bucket without versions.
mod plain {
    use super::*;

    async fn bucket() -> Setup {
        setup("plain").await
    }

    remote_state_conformance::suite!(bucket);
}

/// A bucket with versions.
mod versioned {
    use super::*;

    async fn bucket() -> Setup {
        setup("versioned").await
    }

    remote_state_conformance::suite!(bucket);
}

#[tokio::test]
async fn store_that_honours_no_condition_even_without_versioning_is_refused() {
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let store = store(&emulator, "plain");
    let info = LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap();
    let error = store.acquire(&Workspace::default(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(store.inspect(&Workspace::default()).await.unwrap(), None);
}
