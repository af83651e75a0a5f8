//! What a provider says of one object that can hold a lock.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::{LockInfo, LockRecord};
use crate::names::LockId;
use crate::provider::{Failure, Outcome};
use crate::store::{LockTarget, Released};

/// A lock record is a few hundred bytes. What is longer, in bytes, is none, and need not be read to
/// its end.
pub const MAX_LOCK_RECORD_BYTES: usize = 64 * 1024;

/// Reads a record as it stands in a lock object, for [`LockRecord::new`].
///
/// # Errors
/// Why it is none, in words that contain nothing of it.
pub fn parse_lock_record(text: &[u8]) -> Result<LockInfo, String> {
    if text.len() > MAX_LOCK_RECORD_BYTES {
        return Err(format!("it is longer than {MAX_LOCK_RECORD_BYTES} bytes"));
    }
    LockInfo::parse(text).map_err(|reason| reason.to_string())
}

/// One object that can hold the lock of one workspace's state: a lock file, or an item in a table.
#[async_trait]
pub trait LockMechanism: Send + Sync {
    /// What it is, for messages: `lock file`.
    fn name(&self) -> &'static str;

    /// The lock object, as a URL.
    fn object(&self) -> String;

    /// The store is known to refuse a second create.
    fn is_proven(&self) -> bool;

    /// Asks the store, once, to create it if nothing is there. Nothing below repeats the request.
    async fn create_once(&self, record: Bytes) -> Result<(), Failure>;

    /// Makes sure, after a create was carried out, that the store refuses a second one.
    async fn prove(&self, record: Bytes) -> Result<()>;

    /// Learns, while a lock is held that this process has just created, what it takes to release
    /// it. Nothing depends on it.
    async fn learn(&self, _record: Bytes) {}

    /// Reads what is there.
    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>>;

    /// Reads what is to be released: where several records can stand side by side, the one that
    /// `target` names, and else what is there.
    async fn find(
        &self,
        operation: &'static str,
        _target: &LockTarget,
    ) -> Result<Option<Box<dyn FoundLock + '_>>> {
        self.read(operation).await
    }

    /// Reads what is there for a caller that goes by the answer.
    async fn look(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        self.read(operation).await
    }

    /// Called when the lock that this is a part of was taken under this id.
    async fn taken(&self, _id: &LockId) {}

    /// Called when the lock that this is a part of could not be taken under this id.
    fn not_taken(&self, _id: &LockId) {}

    /// Called when no lock with this id is here any more.
    async fn released(&self, _id: &LockId, _released: &Released) {}

    /// Takes back a record of ours that may stand beside the holder's, where several can. `Ok` if
    /// none stands there any more.
    async fn withdraw(&self, _id: &LockId) -> Result<()> {
        Ok(())
    }
}

/// A lock as it was found.
#[async_trait]
pub trait FoundLock: Send + Sync {
    /// What it says.
    fn record(&self) -> &LockRecord;

    /// Reads what stands beside it and does not give way to it, where that can be.
    async fn beside(&self) -> Result<Vec<LockRecord>> {
        Ok(Vec::new())
    }

    /// Whether [`remove_once`](Self::remove_once) removes what was read and nothing else, whatever
    /// stands there by then.
    fn removes_exactly(&self) -> bool {
        false
    }

    /// The bytes that were read, if the store replaces them on the condition that they still stand
    /// there, and decides that atomically.
    fn claimable(&self) -> Option<&[u8]> {
        None
    }

    /// Asks the store, once, to put this in place of what was read, if that still stands there.
    /// Where nothing is [`claimable`](Self::claimable) it is not called.
    async fn replace_once(&self, _record: Bytes) -> Result<(), Failure> {
        let error =
            Error::new(ErrorKind::Unsupported, "unlock", "nothing is replaced on a condition here");
        Err(Failure { outcome: Outcome::Refused, error })
    }

    /// Asks the store, once, to remove what stands there: it carries our mark.
    async fn remove_claimed_once(&self) -> Result<(), Failure> {
        self.remove_once().await
    }

    /// Asks the store, once, to remove it, and nothing else that may stand there by then if the
    /// store can tell them apart.
    async fn remove_once(&self) -> Result<(), Failure>;
}
