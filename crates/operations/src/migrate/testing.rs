//! What the tests of migrations share: stores in memory, and what is in them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use remote_state_conformance::MemoryStore;
use remote_state_core::{Outgoing, ReadOptions, StateStore, Workspace, WriteMode};

use super::{Move, StateRef};

pub(super) const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":42,"lineage":"l","outputs":{},"resources":[{}]}"#;

pub(super) type Store = Arc<dyn StateStore>;

pub(super) fn memory(key: &str) -> Store {
    MemoryStore::new().with_state_key(key).unwrap()
}

pub(super) fn write(store: &Store, text: &str) {
    let outgoing = Outgoing::from(Bytes::from(text.to_owned()));
    let (workspace, options) = (Workspace::default(), WriteMode::Overwrite.into());
    store.write(&workspace, outgoing, &options).now_or_never().unwrap().unwrap();
}

pub(super) async fn stored(store: &Store) -> Option<String> {
    let read = store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap()?;
    Some(String::from_utf8(read.collect().await.unwrap().bytes.to_vec()).unwrap())
}

pub(super) fn way(from: &Store, to: &Store) -> Move {
    let state = |store: &Store| StateRef::new(store.clone(), Workspace::default());
    Move::new(state(from), state(to))
}
