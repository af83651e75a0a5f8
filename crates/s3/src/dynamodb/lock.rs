//! The lock item: an item that only one client can create.
//!
//! Exclusion rests on DynamoDB carrying out `PutItem` with `attribute_not_exists(LockID)` for one of any number of clients. An item is deleted
//! only while its `Info` is, character for character, the one that was read: so neither a delayed request nor a repeated one can hit the next
//! holder's lock. Native clients compare ids first too; Terraform then deletes whatever is there, OpenTofu with this same condition.
//!
//! ```json
//! {"LockID": {"S": "<bucket>/<state key>"}, "Info": {"S": "<lock record>"}}
//! ```

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use remote_state_core::{LockRecord, Result, Workspace};

use crate::dynamodb::Table;
use crate::error::Failure;
use crate::lock::{Found, Mark, Mechanism, parse_record};
use crate::store::S3Store;

/// The attribute that holds the record.
const INFO: &str = "Info";

/// The lock items of a store.
pub(crate) struct LockItem<'a> {
    pub(crate) store: &'a S3Store,
    pub(crate) table: &'a Table,
}

impl LockItem<'_> {
    fn id(&self, workspace: &Workspace) -> String {
        self.store.layout.location(workspace).path
    }
}

#[async_trait]
impl Mechanism for LockItem<'_> {
    fn name(&self) -> &'static str {
        "lock item"
    }

    fn object(&self, workspace: &Workspace) -> String {
        self.table.url(&self.id(workspace))
    }

    /// The condition is part of the protocol: nothing that speaks it ignores it.
    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, workspace: &Workspace, record: Bytes) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(&record).into_owned();
        self.table.create_once("lock", &self.id(workspace), INFO, text).await
    }

    async fn prove(&self, _: &Workspace, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, operation: &'static str, workspace: &Workspace) -> Result<Option<Found>> {
        let Some(mut item) = self.table.get(operation, &self.id(workspace), INFO).await? else {
            return Ok(None);
        };
        let info = item.remove(INFO);
        let record = match &info {
            Some(AttributeValue::S(text)) => parse_record(text.as_bytes()),
            Some(_) => Err(format!("its attribute `{INFO}` is not a string")),
            None => Err(format!("it has no attribute `{INFO}`")),
        };
        Ok(Some(Found { record: LockRecord::new(record, self.object(workspace)), mark: Mark::Info(info) }))
    }

    async fn remove_once(&self, workspace: &Workspace, found: &Found) -> Result<(), Failure> {
        let info = match &found.mark {
            Mark::Info(info) => info.as_ref(),
            Mark::ETag(_) => None,
        };
        self.table.delete_once("unlock", &self.id(workspace), INFO, info).await
    }
}
