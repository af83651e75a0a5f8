//! Lock items as other clients leave them.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use remote_state_conformance::RawLocks;
use remote_state_core::{StateStore, Workspace};
use remote_state_emulator::Emulator;

/// Creates items of a table, with the vendor's own client.
#[derive(Debug)]
pub(crate) struct LockItems {
    client: aws_sdk_dynamodb::Client,
    store: Arc<dyn StateStore>,
}

impl LockItems {
    pub(crate) fn new(emulator: &Emulator, store: Arc<dyn StateStore>) -> Self {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .endpoint_url(emulator.endpoint())
            .credentials_provider(aws_credential_types::Credentials::new(
                "test", "testtest", None, None, "test",
            ))
            .build();
        Self { client: aws_sdk_dynamodb::Client::from_conf(config), store }
    }

    fn id(&self, workspace: &Workspace) -> AttributeValue {
        AttributeValue::S(self.store.location(workspace).path)
    }
}

#[async_trait]
impl RawLocks for LockItems {
    async fn put(&self, workspace: &Workspace, bytes: Bytes) {
        let info = AttributeValue::S(String::from_utf8_lossy(&bytes).into_owned());
        let put = self
            .client
            .put_item()
            .table_name(crate::common::TABLE)
            .item("LockID", self.id(workspace));
        drop(put.item("Info", info).send().await.expect("the item is written"));
    }

    async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
        let get = self
            .client
            .get_item()
            .table_name(crate::common::TABLE)
            .key("LockID", self.id(workspace));
        let item = get.consistent_read(true).send().await.expect("the item is read").item?;
        let info = item.get("Info").and_then(|info| info.as_s().ok()).cloned().unwrap_or_default();
        Some(Bytes::from(info))
    }
}
