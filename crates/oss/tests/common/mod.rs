//! A store on an emulator of its own.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use remote_state_core::Backend as _;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{LockInfo, Outgoing, StateStore, Workspace};
use remote_state_emulator::Emulator;
use remote_state_oss::{OssConfig, PROVIDER};

/// The bucket that never had versions. Every emulator here has two more: `versioned` and
/// `suspended`.
pub(crate) const BUCKET: &str = "tfstate";

/// The table of every emulator here; a store uses it only if a key names it. `legacy` is a table as
/// Terraform 0.12 created it.
pub(crate) const TABLE: &str = "locks";

/// A state.
pub(crate) const STATE: &[u8] =
    br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;

/// Returns [`STATE`] to write.
pub(crate) fn state() -> Outgoing {
    Bytes::from_static(STATE).into()
}

/// Returns the default workspace.
pub(crate) fn here() -> Workspace {
    Workspace::default()
}

/// Returns a lock record with a new id.
pub(crate) fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

/// Starts an emulator in memory with all buckets and both tables.
pub(crate) async fn emulator() -> Emulator {
    Emulator::builder()
        .with_credentials("test", "testtest")
        .with_bucket(BUCKET)
        .with_versioned_bucket("versioned")
        .with_suspended_bucket("suspended")
        .with_tablestore_table(TABLE, "LockID")
        .with_tablestore_table("legacy", "pk")
        .start()
        .await
        .expect("the emulator starts")
}

/// Opens a store on it; later keys override earlier ones.
pub(crate) fn store(emulator: &Emulator, keys: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let config =
        OssConfig::from_resolved(&config(&emulator.endpoint(), keys)).expect("the keys do");
    config.open().expect("the credentials do")
}

fn config(endpoint: &str, keys: &[(&str, &str)]) -> ResolvedConfig {
    let mut all = BTreeMap::from([
        ("bucket", BUCKET),
        ("region", "cn-beijing"),
        ("endpoint", endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("max_retries", "2"),
    ]);
    all.extend(keys.iter().copied());
    ResolvedConfig::from_pairs(&PROVIDER, all).expect("the keys are known")
}

/// Returns the keys that configure the table.
pub(crate) fn table_keys(emulator: &Emulator) -> Vec<(&'static str, String)> {
    vec![("tablestore_endpoint", emulator.endpoint()), ("tablestore_table", TABLE.to_owned())]
}
