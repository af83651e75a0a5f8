//! The recorded digest of a state.

use bytes::Bytes;
use remote_state_core::{Md5Sum, ReadOptions, RecordedDigest, Workspace};

use crate::fixtures::{read, state, workspace};
use crate::read_write::{delete, overwrite};
use crate::setup::{Outcome, Setup};

const NO_DIGESTS: Outcome = Outcome::Skipped("the setup declares no digests");

/// Each write records the digest of its state, and a deletion removes the digest.
pub async fn digest_follows_the_state(setup: &Setup) -> Outcome {
    if !setup.declares.has_digests() {
        return NO_DIGESTS;
    }
    for name in ["default", "dev"].map(workspace) {
        assert_eq!(recorded(setup, &name).await, None, "nothing was written");
        for serial in 1..=3 {
            let bytes = state(serial, "l");
            overwrite(&setup.store, &name, bytes.clone()).await;
            assert_eq!(recorded(setup, &name).await, Some(of(&bytes)), "{name} {serial}");
        }
        delete(&setup.store, &name).await;
        assert_eq!(recorded(setup, &name).await, None, "the state was deleted");
    }
    Outcome::Kept
}

/// A forgotten digest is missing for readers, who get the state nevertheless, until a client
/// records it again.
pub async fn forgotten_digest_can_be_recorded_again(setup: &Setup) -> Outcome {
    if !setup.declares.has_digests() {
        return NO_DIGESTS;
    }
    let ws = Workspace::default();
    let bytes = state(1, "l");
    overwrite(&setup.store, &ws, bytes.clone()).await;
    let forgotten = setup.store.forget_digest(&ws).await;
    forgotten.unwrap_or_else(|error| panic!("a digest can be forgotten: {error:?}"));
    assert_eq!(recorded(setup, &ws).await, None);
    assert_eq!(read(&*setup.store, &ws).await, Some(bytes.clone()));
    let found = setup.store.read(&ws, &ReadOptions::default()).await;
    let meta = found.expect("it can be read").expect("it is stored").meta;
    assert!(meta.is_digest_missing, "a reader learns that the digest is missing");
    let again = setup.store.record_digest(&ws, &bytes.clone().into(), &meta).await;
    again.unwrap_or_else(|error| panic!("a digest can be recorded: {error:?}"));
    assert_eq!(recorded(setup, &ws).await, Some(of(&bytes)));
    Outcome::Kept
}

async fn recorded(setup: &Setup, workspace: &Workspace) -> Option<RecordedDigest> {
    let found = setup.store.inspect_digest(workspace).await;
    found.unwrap_or_else(|error| panic!("the digest should be readable: {error:?}"))
}

fn of(bytes: &Bytes) -> RecordedDigest {
    RecordedDigest::Md5(Md5Sum::of(bytes))
}
