//! What a provider implements for one object that can hold a lock.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::{LockInfo, LockRecord};
use crate::names::LockId;
use crate::provider::{Failure, Outcome};
use crate::store::{LockTarget, Released};

/// The most bytes of a lock record, which usually has a few hundred. Longer objects are no lock
/// records, and are not read to their end.
pub const MAX_LOCK_RECORD_BYTES: usize = 64 * 1024;

/// Parses the record in a lock object, for [`LockRecord::new`]. It does not look for the mark of a
/// release: for a lock object that can be claimed,
/// [`read_lock_record`](crate::provider::read_lock_record) does.
///
/// # Errors
/// Why the text is no lock record, without quoting it.
pub fn parse_lock_record(text: &[u8]) -> Result<LockInfo, String> {
    if text.len() > MAX_LOCK_RECORD_BYTES {
        return Err(format!("it is longer than {MAX_LOCK_RECORD_BYTES} bytes"));
    }
    LockInfo::parse(text).map_err(|reason| reason.to_string())
}

/// One object that can hold the lock of one workspace's state: a lock file, or an item in a table.
#[async_trait]
pub trait LockMechanism: Send + Sync {
    /// Returns the name of such an object in messages: `lock file`.
    fn name(&self) -> &'static str;

    /// Returns the lock object, as a URL.
    fn object(&self) -> String;

    /// Returns whether the store is known to refuse a second create.
    fn is_proven(&self) -> bool;

    /// Sends one request to create the object if it does not exist. The request is never repeated,
    /// at any level below.
    ///
    /// # Errors
    /// [`ConditionFailed`](Outcome::ConditionFailed) if the object exists;
    /// [`Unknown`](Outcome::Unknown) if it may have been created; [`Unsent`](Outcome::Unsent) or
    /// [`Conflict`](Outcome::Conflict) if it was not and another attempt may succeed;
    /// [`Refused`](Outcome::Refused) if none will.
    async fn create_once(&self, record: Bytes) -> Result<(), Failure>;

    /// Verifies, after a create succeeded, that the store refuses a second one.
    ///
    /// # Errors
    /// `Unsupported` if the store carried the second create out.
    async fn prove(&self, record: Bytes) -> Result<()>;

    /// Learns what a release of the lock will need, while the lock is held that this process has
    /// just created. Correctness does not depend on it.
    async fn learn(&self, _record: Bytes) {}

    /// Reads the lock.
    async fn read(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>>;

    /// Reads the lock to release: the one that `target` names if the store can hold several records
    /// side by side, and otherwise the one that is stored.
    async fn find(
        &self,
        operation: &'static str,
        _target: &LockTarget,
    ) -> Result<Option<Box<dyn FoundLock + '_>>> {
        self.read(operation).await
    }

    /// Returns the lock with this id as this process created it, without reading it, and forgets
    /// it. Only where the store releases it on the condition that it still is what was created.
    fn remembered(&self, _id: &LockId) -> Option<Box<dyn FoundLock + '_>> {
        None
    }

    /// Reads the lock for a caller that relies on the answer.
    async fn look(&self, operation: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        self.read(operation).await
    }

    /// Reports that the lock that this object is a part of was taken under this id.
    async fn taken(&self, _id: &LockId) {}

    /// Reports that the lock that this object is a part of could not be taken under this id.
    fn not_taken(&self, _id: &LockId) {}

    /// Reports that this object holds no lock with this id any more.
    async fn released(&self, _id: &LockId, _released: &Released) {}

    /// Removes a record of this client that may be stored beside the holder's, if the store can
    /// hold several. `Ok` if none is left.
    async fn withdraw(&self, _id: &LockId) -> Result<()> {
        Ok(())
    }
}

/// A lock as it was found.
#[async_trait]
pub trait FoundLock: Send + Sync {
    /// Returns the record.
    fn record(&self) -> &LockRecord;

    /// Returns the records that are stored beside this one and do not give way to it, if the store
    /// can hold several.
    async fn beside(&self) -> Result<Vec<LockRecord>> {
        Ok(Vec::new())
    }

    /// Returns whether [`remove_once`](Self::remove_once) removes exactly what was read, and never
    /// a lock that has replaced it.
    fn removes_exactly(&self) -> bool {
        false
    }

    /// Returns the bytes that were read, if the store can replace them atomically on the condition
    /// that they are still stored.
    fn claimable(&self) -> Option<&[u8]> {
        None
    }

    /// Sends one request to replace what was read, if it is still stored. Not called unless the
    /// lock is [`claimable`](Self::claimable).
    async fn replace_once(&self, _record: Bytes) -> Result<(), Failure> {
        let error =
            Error::new(ErrorKind::Unsupported, "unlock", "nothing is replaced on a condition here");
        Err(Failure { outcome: Outcome::Refused, error })
    }

    /// Sends one request to remove the stored record, which carries this release's mark.
    async fn remove_claimed_once(&self) -> Result<(), Failure> {
        self.remove_once().await
    }

    /// Sends one request to remove the lock. If the store has a condition for that, the request
    /// removes no lock that has replaced it.
    ///
    /// # Errors
    /// [`Absent`](Outcome::Absent) if the lock is gone, which counts as released;
    /// [`ConditionFailed`](Outcome::ConditionFailed) if another one has replaced it;
    /// [`Unknown`](Outcome::Unknown) if it may have been removed.
    async fn remove_once(&self) -> Result<(), Failure>;
}
