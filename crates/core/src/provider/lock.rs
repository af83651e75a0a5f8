//! The lock of one state, which may consist of several.
//!
//! Exclusion rests on one thing: the store carries out a conditional create for one of any number
//! of clients, and refuses it to the others. Native clients use the same request on the same
//! object, so they and we exclude each other.
//!
//! With two mechanisms configured a lock is both, taken in the order given. So of two clients that
//! use both, one stops at the first; and a client that uses only one of them meets the same object.
//! Whoever creates the first and then does not get the second gives the first back; what
//! stood there with the same id already stays, for an earlier attempt may have won it. An unlock
//! always attempts both, so that what one of them left behind does not stand in the way for ever.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::names::LockId;
use crate::provider::single::{Taken, still_held, unlock};
use crate::provider::{ClaimWait, Failure, Outcome};
use crate::store::{Capabilities, LockRecord, LockTarget, Released, StateLocation};

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

/// The lock of one workspace's state: everything that has to be taken, in order.
pub struct StateLock<'a> {
    pub(super) location: StateLocation,
    pub(super) capabilities: Capabilities,
    pub(super) mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    pub(super) claim_wait: ClaimWait,
}

impl fmt::Debug for StateLock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateLock").field("location", &self.location).finish_non_exhaustive()
    }
}

impl<'a> StateLock<'a> {
    /// Puts together what a lock consists of. Without any mechanism no lock is configured, and
    /// taking it fails.
    pub fn new(
        location: StateLocation,
        capabilities: Capabilities,
        mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    ) -> Self {
        Self { location, capabilities, mechanisms, claim_wait: ClaimWait::default() }
    }

    /// Sets how long a release waits for others.
    #[must_use]
    pub fn with_claim_wait(mut self, wait: ClaimWait) -> Self {
        self.claim_wait = wait;
        self
    }

    /// Takes the lock, as [`StateStore::acquire`](crate::StateStore::acquire) promises it.
    ///
    /// # Errors
    /// Those of [`StateStore::acquire`](crate::StateStore::acquire).
    pub async fn take(&self, info: &LockInfo) -> Result<LockInfo> {
        self.require_any("lock")?;
        let info = info.clone().with_path(&*self.location.path);
        let size = info.to_json().len();
        // Nobody would read it back, and then nobody could release it by its id.
        if size > MAX_LOCK_RECORD_BYTES {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "lock",
                format!(
                    "a lock record of {size} bytes is too long: {MAX_LOCK_RECORD_BYTES} are read \
                     back at most"
                ),
            )
            .with_hint("say less about what the lock is for"));
        }
        let mut ours = Vec::new();
        for mechanism in &self.mechanisms {
            match self.take_one(&**mechanism, &info).await {
                Ok(taken) => ours.push((&**mechanism, taken)),
                Err(error) => {
                    let error = self.roll_back(&ours, &info, error).await;
                    self.mechanisms.iter().for_each(|mechanism| mechanism.not_taken(&info.id));
                    return Err(error);
                }
            }
        }
        for mechanism in &self.mechanisms {
            mechanism.taken(&info.id).await;
        }
        Ok(info)
    }

    /// Gives back what this call created before the rest could not be had, and says what stays.
    async fn roll_back(
        &self,
        ours: &[(&(dyn LockMechanism + 'a), Taken)],
        info: &LockInfo,
        mut error: Error,
    ) -> Error {
        let target = LockTarget::Id(info.id.clone());
        for (mechanism, taken) in ours {
            if *taken == Taken::Found {
                error = still_held(error, *mechanism, info);
            } else if let Err(left) = self.give_one_back(*mechanism, &target).await {
                error = error.with_leftover(
                    "left behind",
                    format!("{}: {left}", mechanism.object()),
                    format!("release what was left with `{}`", unlock(info)),
                );
            }
        }
        error
    }

    /// Returns whichever is held first, in order.
    ///
    /// # Errors
    /// Those of [`StateStore::inspect`](crate::StateStore::inspect).
    pub async fn inspect(&self, operation: &'static str) -> Result<Option<LockRecord>> {
        for mechanism in &self.mechanisms {
            if let Some(found) = mechanism.look(operation).await? {
                return Ok(Some(found.record().clone()));
            }
        }
        Ok(None)
    }

    /// Returns every lock that is held, but the same holder's once.
    ///
    /// # Errors
    /// Those of [`StateStore::inspect`](crate::StateStore::inspect).
    pub async fn inspect_all(&self, operation: &'static str) -> Result<Vec<LockRecord>> {
        let mut held: Vec<LockRecord> = Vec::new();
        for mechanism in &self.mechanisms {
            let Some(found) = mechanism.read(operation).await? else { continue };
            let beside = found.beside().await?;
            for record in std::iter::once(found.record()).chain(&beside) {
                if !held.iter().any(|known| known.id().is_some() && known.id() == record.id()) {
                    held.push(record.clone());
                }
            }
        }
        Ok(held)
    }

    pub(super) fn require_any(&self, operation: &'static str) -> Result<()> {
        if self.mechanisms.is_empty() {
            return Err(self.capabilities.no_lock(operation, &self.location));
        }
        Ok(())
    }
}
