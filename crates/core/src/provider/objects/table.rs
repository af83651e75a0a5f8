//! The lock and the digest of a state as rows of a table.
//!
//! A lock row holds the lock record in its column `Info`, under the id `<bucket>/<state key>`. A
//! release deletes it only if `Info` still is, byte for byte, what it read, so neither a delayed
//! request nor a repeated one can hit the next holder's lock. Native clients compare ids first too;
//! Terraform then deletes the row without a condition, OpenTofu with this same condition.
//!
//! A digest row holds the MD5 of the state in its column `Digest`, in lower-case hexadecimal, under
//! the id of the lock row followed by `-md5`.

use async_trait::async_trait;
use bytes::Bytes;

use super::backend::{DIGEST_SUFFIX, TableBackend, TableRow};
use crate::error::Result;
use crate::provider::{
    DigestEntry, Failure, FoundLock, LockMechanism, Recorded, parse_lock_record,
};
use crate::store::LockRecord;

const INFO: &str = "Info";
const DIGEST: &str = "Digest";

/// The lock row of a state.
pub(super) struct TableLock<'a> {
    pub(super) table: &'a dyn TableBackend,
    pub(super) id: &'a str,
}

#[async_trait]
impl LockMechanism for TableLock<'_> {
    fn name(&self) -> &'static str {
        self.table.lock_name()
    }

    fn object(&self) -> String {
        self.table.url(self.id)
    }

    /// The condition is part of the protocol: every service that speaks it checks the condition.
    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(&record);
        self.table.create_once("lock", self.id, INFO, &text).await
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(row) = self.table.get(operation, self.id, INFO).await? else { return Ok(None) };
        let record = LockRecord::new(row.text().and_then(parse_lock_record), self.object());
        Ok(Some(Box::new(FoundRow { row, record })))
    }
}

struct FoundRow<'a> {
    row: Box<dyn TableRow + 'a>,
    record: LockRecord,
}

#[async_trait]
impl FoundLock for FoundRow<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        self.row.delete_if_unchanged("unlock").await
    }
}

/// The digest row of a state.
#[derive(Debug)]
pub(super) struct TableDigest<'a> {
    table: &'a dyn TableBackend,
    id: String,
    state: String,
    how_to_look: String,
}

impl<'a> TableDigest<'a> {
    pub(super) fn new(
        table: &'a dyn TableBackend,
        path: &str,
        state: String,
        how_to_look: String,
    ) -> Self {
        Self { table, id: format!("{path}{DIGEST_SUFFIX}"), state, how_to_look }
    }
}

#[async_trait]
impl DigestEntry for TableDigest<'_> {
    fn state(&self) -> String {
        self.state.clone()
    }

    fn place(&self) -> String {
        self.table.place(&self.id)
    }

    fn how_to_look(&self) -> String {
        self.how_to_look.clone()
    }

    fn how_to_remove(&self) -> String {
        self.table.how_to_remove(&self.id)
    }

    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure> {
        let Some(row) = self.table.get(operation, &self.id, DIGEST).await? else {
            return Ok(Recorded::Nothing);
        };
        let text = row.text().ok().and_then(|text| str::from_utf8(text).ok());
        Ok(text.map_or(Recorded::NoText, |text| Recorded::Text(text.to_owned())))
    }

    async fn put(&self, operation: &'static str, digest: &str) -> Result<(), Failure> {
        self.table.put(operation, &self.id, DIGEST, digest).await
    }

    async fn delete(&self, operation: &'static str) -> Result<(), Failure> {
        self.table.delete(operation, &self.id, DIGEST).await
    }
}
