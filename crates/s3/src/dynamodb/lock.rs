//! The lock item: an item that only one client can create.
//!
//! Exclusion rests on DynamoDB carrying out `PutItem` with `attribute_not_exists(LockID)` for one
//! of any number of clients. An item is deleted only while its `Info` is, character for character,
//! the one that was read: so neither a delayed request nor a repeated one can hit the next holder's
//! lock. Native clients compare ids first too; Terraform then deletes whatever is there, OpenTofu
//! with this same condition.
//!
//! ```json
//! {"LockID": {"S": "<bucket>/<state key>"}, "Info": {"S": "<lock record>"}}
//! ```

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use remote_state_core::provider::{FoundLock, LockMechanism, parse_lock_record};
use remote_state_core::{LockRecord, Result, Workspace};

use crate::dynamodb::Table;
use crate::error::Failure;
use crate::store::S3Store;

/// The attribute that holds the record.
const INFO: &str = "Info";

/// The lock item of a workspace's state.
pub(crate) struct LockItem<'a> {
    pub(crate) store: &'a S3Store,
    pub(crate) table: &'a Table,
    pub(crate) workspace: &'a Workspace,
}

impl LockItem<'_> {
    fn id(&self) -> String {
        self.store.layout.location(self.workspace).path
    }
}

#[async_trait]
impl LockMechanism for LockItem<'_> {
    fn name(&self) -> &'static str {
        "lock item"
    }

    fn object(&self) -> String {
        self.table.url(&self.id())
    }

    /// The condition is part of the protocol: nothing that speaks it ignores it.
    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(&record).into_owned();
        self.table.create_once("lock", &self.id(), INFO, text).await
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(mut item) = self.table.get(operation, &self.id(), INFO).await? else {
            return Ok(None);
        };
        let info = item.remove(INFO);
        let record = match &info {
            Some(AttributeValue::S(text)) => parse_lock_record(text.as_bytes()),
            Some(_) => Err(format!("its attribute `{INFO}` is not a string")),
            None => Err(format!("it has no attribute `{INFO}`")),
        };
        let record = LockRecord::new(record, self.object());
        Ok(Some(Box::new(FoundItem { item: self, record, info })))
    }
}

struct FoundItem<'a> {
    item: &'a LockItem<'a>,
    record: LockRecord,
    /// The attribute, exactly as it was read.
    info: Option<AttributeValue>,
}

#[async_trait]
impl FoundLock for FoundItem<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        self.item.table.delete_once("unlock", &self.item.id(), INFO, self.info.as_ref()).await
    }
}
