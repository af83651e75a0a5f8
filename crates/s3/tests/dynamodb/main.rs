//! Locks and digests in a DynamoDB table, alone and beside the lock file.

#[path = "../common/mod.rs"]
mod common;
mod digests;
mod locks;
mod wire;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use common::{TABLE, emulator, store, yes_to_everything};
use futures_util::TryStreamExt as _;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, Released, StateStore, StateStoreExt as _,
    Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const ID: &str = "tfstate/net/terraform.tfstate";
const DIGEST_ID: &str = "tfstate/net/terraform.tfstate-md5";

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn here() -> Workspace {
    Workspace::default()
}

/// Returns a store with locks in the table alone, whose conditional writes are known to work.
fn items(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("dialect", "aws")])
}

/// Returns a store with lock file and table.
fn both(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dynamodb_table", TABLE), ("dialect", "aws")])
}

/// Returns a store with the lock file alone.
fn files(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dialect", "aws")])
}

fn table(emulator: &Emulator) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .endpoint_url(emulator.endpoint())
        .credentials_provider(aws_credential_types::Credentials::new(
            "test", "testtest", None, None, "test",
        ))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Returns the attributes of all items in the table as text, sorted.
async fn all_items(emulator: &Emulator) -> Vec<Vec<(String, String)>> {
    let found = table(emulator).scan().table_name(TABLE).send().await.unwrap();
    let text = |value: AttributeValue| value.as_s().cloned().unwrap();
    let sorted = |item: std::collections::HashMap<String, AttributeValue>| {
        let mut item: Vec<_> = item.into_iter().map(|(name, value)| (name, text(value))).collect();
        item.sort();
        item
    };
    found.items.unwrap_or_default().into_iter().map(sorted).collect()
}

async fn put_item(emulator: &Emulator, id: &str, attribute: &str, value: AttributeValue) {
    let put =
        table(emulator).put_item().table_name(TABLE).item("LockID", AttributeValue::S(id.into()));
    drop(put.item(attribute, value).send().await.unwrap());
}

fn operations(emulator: &Emulator) -> Vec<String> {
    let mut taken = emulator.requests().take();
    taken.retain(|request| request.status.is_some());
    taken.into_iter().map(|request| request.operation.unwrap_or_default()).collect()
}

/// Makes the next `times` requests for one operation on items misbehave.
fn inject(emulator: &Emulator, misbehaviour: Misbehaviour, operation: &str, times: u32) {
    emulator.faults().inject(Fault::new(misbehaviour).with_operation(operation).with_times(times));
}

async fn write(store: &Arc<dyn StateStore>, bytes: &'static [u8]) -> remote_state_core::Result<()> {
    store
        .write(&here(), Bytes::from_static(bytes).into(), &WriteMode::Overwrite.into())
        .await
        .map(drop)
}
