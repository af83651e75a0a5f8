//! The lock of one state, which may consist of several locks.
//!
//! Exclusion depends on one property: of any number of conditional creates for an object the store
//! carries out one and refuses the others. Native clients send the same request for the same
//! object, so this crate and native clients exclude each other.
//!
//! With two mechanisms configured a lock consists of both, taken in the order given. Two clients
//! that use both contend on the first; a client that uses only one contends on the object that they
//! share. A client that creates the first lock and fails to get the second gives the first back. A
//! lock that already existed with the same id stays, since an earlier attempt may have taken it. A
//! release always attempts both, so that a leftover of one mechanism does not block clients for
//! ever.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::advice::{Advice, LeftLock};
use crate::error::{Error, ErrorKind, Result};
use crate::lock_info::LockInfo;
use crate::provider::single::{Taken, still_held};
use crate::provider::{ClaimWait, LockMechanism, MAX_LOCK_RECORD_BYTES};
use crate::store::{Capabilities, LockRecord, LockTarget, StateLocation};

/// The lock of one workspace's state: all mechanisms that have to be taken, in order.
pub(crate) struct StateLock<'a> {
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
    /// Combines the mechanisms of a lock. Without any mechanism no lock is configured, and taking
    /// it fails.
    pub(crate) fn new(
        location: StateLocation,
        capabilities: Capabilities,
        mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    ) -> Self {
        Self { location, capabilities, mechanisms, claim_wait: ClaimWait::default() }
    }

    /// Sets how long a release waits for other releases.
    #[must_use]
    pub(crate) fn with_claim_wait(mut self, wait: ClaimWait) -> Self {
        self.claim_wait = wait;
        self
    }

    /// Takes the lock, as [`StateStore::acquire`](crate::StateStore::acquire) promises it.
    ///
    /// # Errors
    /// Those of [`StateStore::acquire`](crate::StateStore::acquire).
    pub(crate) async fn take(&self, info: &LockInfo) -> Result<LockInfo> {
        self.require_any("lock")?;
        let info = info.clone().with_path(&*self.location.path);
        let size = info.to_json().len();
        // No client would read back a longer record, so no client could release the lock by its id.
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

    /// Gives back the locks that this call created before a later one failed, and adds to the error
    /// those that stay.
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
                    Advice::ReleaseLock(info.id.clone(), LeftLock::LeftBehind),
                );
            }
        }
        error
    }

    /// Returns the first lock that is held, in order.
    ///
    /// # Errors
    /// Those of [`StateStore::inspect`](crate::StateStore::inspect).
    pub(crate) async fn inspect(&self, operation: &'static str) -> Result<Option<LockRecord>> {
        for mechanism in &self.mechanisms {
            if let Some(found) = mechanism.look(operation).await? {
                return Ok(Some(found.record().clone()));
            }
        }
        Ok(None)
    }

    /// Returns every lock that is held, but a holder of several only once.
    ///
    /// # Errors
    /// Those of [`StateStore::inspect`](crate::StateStore::inspect).
    pub(crate) async fn inspect_all(&self, operation: &'static str) -> Result<Vec<LockRecord>> {
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
