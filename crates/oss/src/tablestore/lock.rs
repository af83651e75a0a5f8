//! The lock row: a row that only one client can create.
//!
//! Exclusion rests on Tablestore carrying out `PutRow` with `EXPECT_NOT_EXIST` for one of any
//! number of clients. A row is deleted only while its `Info` is, byte for byte, the one that was
//! read: so neither a delayed request nor a repeated one can hit the next holder's lock.
//! Native clients look first and then delete whatever is there.
//!
//! The row's `LockID` is `<bucket>/<state key>`, its `Info` the lock record.

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::provider::{Failure, FoundLock, LockMechanism, parse_lock_record};
use remote_state_core::{LockRecord, Result, Workspace};

use crate::store::OssStore;
use crate::tablestore::Table;
use crate::tablestore::plain_buffer::Value;

/// The column that holds the record.
const INFO: &str = "Info";

/// The lock row of a workspace's state.
pub(crate) struct LockRow<'a> {
    pub(crate) store: &'a OssStore,
    pub(crate) table: &'a Table,
    pub(crate) workspace: &'a Workspace,
}

impl LockRow<'_> {
    fn id(&self) -> String {
        self.store.layout.path(self.workspace)
    }
}

#[async_trait]
impl LockMechanism for LockRow<'_> {
    fn name(&self) -> &'static str {
        "lock row"
    }

    fn object(&self) -> String {
        self.table.url(&self.id())
    }

    /// The condition is part of the protocol: nothing that speaks it ignores it.
    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        self.table.create_once("lock", &self.id(), INFO, &String::from_utf8_lossy(&record)).await
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(info) = self.table.get(operation, &self.id(), INFO).await? else {
            return Ok(None);
        };
        let record = match &info {
            Some(value) => match value.text() {
                Some(text) => parse_lock_record(text),
                None => Err(format!("its column `{INFO}` is not a string")),
            },
            None => Err(format!("it has no column `{INFO}`")),
        };
        Ok(Some(Box::new(FoundRow {
            row: self,
            record: LockRecord::new(record, self.object()),
            info,
        })))
    }
}

struct FoundRow<'a> {
    row: &'a LockRow<'a>,
    record: LockRecord,
    info: Option<Value>,
}

#[async_trait]
impl FoundLock for FoundRow<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        self.row.table.delete_once("unlock", &self.row.id(), INFO, self.info.as_ref()).await
    }
}
