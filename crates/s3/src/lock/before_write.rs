//! Checks the lock again before a write, where the version list decides who holds it.
//!
//! A client that ignores the version list takes the lock too, see
//! [`version_list`](super::version_list). The store cannot refuse that client, but this check finds
//! it, and then the write does not happen. Another client can still come between the check and the
//! write: the check narrows that window, and does not close it.

use std::ops::ControlFlow;

use remote_state_core::provider::{Attempts, ObjectBackend as _, StatePlace};
use remote_state_core::{Advice, Error, ErrorKind, LockRecord, Result};

use crate::bucket::Bucket;
use crate::dialect::Versioned;
use crate::lock::create::LockFile;
use crate::lock::memory::{Held, Versioning};

impl Bucket {
    fn decides_by_list(&self) -> bool {
        self.dialect.versioned == Versioned::ByList && self.uses_lock_file
    }

    /// Fails if another client has also taken the lock under which a state is about to be changed.
    pub(crate) async fn look_again(
        &self,
        operation: &'static str,
        place: &StatePlace,
    ) -> Result<()> {
        if !self.decides_by_list() || self.memory.versioning() == Versioning::Off {
            return Ok(());
        }
        let file = LockFile::new(self, place);
        let mut attempts = Attempts::new();
        while attempts.next().await {
            if self.look_once(operation, &file).await?.is_break() {
                return Ok(());
            }
        }
        Err(file.too_fast(operation))
    }

    /// Checks the version list once; continues if it has changed meanwhile, so that another check
    /// is needed.
    async fn look_once(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
    ) -> Result<ControlFlow<()>> {
        const DONE: Result<ControlFlow<()>> = Ok(ControlFlow::Break(()));
        let held = self.memory.held(file.lock_key());
        let sought = held.as_ref().map(|held| held.version.as_str());
        let Some(list) = file.list_unless_off(operation, sought).await? else { return DONE };
        let live: Vec<&str> = list.live().collect();
        let Some((&holder, others)) = live.split_last() else {
            if let Some(held) = &held {
                self.buried(operation, file, held, list.buried_above(&held.version)).await?;
            }
            return DONE;
        };
        let is_ours = held.as_ref().is_some_and(|held| held.version == holder);
        if is_ours && others.is_empty() {
            return DONE;
        }
        if let Some(held) = &held
            && !is_ours
        {
            self.buried(operation, file, held, list.buried_above(&held.version)).await?;
            // Another client released this lock by its id, and a third one took the lock.
            let Some(standing) = file.read_version(operation, holder).await? else {
                return Ok(ControlFlow::Continue(()));
            };
            return Err(if standing.goes_by_list {
                self.taken_over(operation, file, held, standing.record)
            } else {
                self.locked_by_native(operation, file, standing.record)
            });
        }
        // Without a lock of this process to look for, the check is about the holder's lock, if the
        // holder follows the version list.
        if !is_ours && !others.is_empty() {
            match file.read_version(operation, holder).await? {
                Some(standing) if standing.goes_by_list => {}
                Some(_) => return DONE,
                None => return Ok(ControlFlow::Continue(())),
            }
        }
        match file.strangers(operation, others).await?.into_iter().next() {
            Some(stranger) => Err(self.locked_by_native(operation, file, stranger)),
            None => DONE,
        }
    }

    /// Names, as far as possible, the client that put a delete marker over this process's lock.
    async fn buried(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
        held: &Held,
        above: Option<Vec<&str>>,
    ) -> Result<()> {
        // The lock is not in the list any more: it was released by its id. The caller decides what
        // that means.
        let Some(above) = above else { return Ok(()) };
        if let Some(stranger) = file.strangers(operation, &above).await?.into_iter().next() {
            return Err(self.locked_by_native(operation, file, stranger).with_context(
                "note",
                "it has released its lock since, and its delete marker hides this lock",
            ));
        }
        let state = self.url(&file.place.key);
        Err(Error::new(
            ErrorKind::PreconditionFailed,
            operation,
            format!(
                "the lock `{}` of `{state}` is not held any more: another client deleted the lock \
                 file",
                held.id
            ),
        )
        .with_context("lock", file.url())
        .with_context("note", "nothing was written")
        .with_advice(Advice::CompareStored)
        .with_hint("then take the lock again"))
    }

    fn taken_over(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
        held: &Held,
        holder: LockRecord,
    ) -> Error {
        let state = self.url(&file.place.key);
        let message = format!(
            "the lock `{}` of `{state}` is not held any more: it was released by its id, and \
             another client holds the lock now",
            held.id
        );
        Error::lock_held(operation, message, holder)
            .with_context("note", "nothing was written")
            .with_hint("wait until that client has ended")
            .with_advice(Advice::CompareStored)
            .with_hint("then take the lock again")
    }

    fn locked_by_native(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
        stranger: LockRecord,
    ) -> Error {
        let state = self.url(&file.place.key);
        Error::lock_held(
            operation,
            format!("state `{state}` is locked by another client too, which ignores this lock"),
            stranger,
        )
        .with_context("note", "nothing was written")
        .with_context("because", self.caveat())
        .with_hint("wait until that client has ended")
        .with_advice(Advice::CompareStored)
    }

    fn caveat(&self) -> String {
        format!(
            "bucket `{}` keeps versions, and there {} ignores `If-None-Match`: clients that use \
             this library exclude each other, but native Terraform and OpenTofu do not see their \
             locks, nor each other's",
            self.client.bucket(),
            self.client.store()
        )
    }

    /// Describes what native clients risk in this bucket; `None` if they see the locks of this
    /// crate.
    pub(crate) async fn lock_caveat_of_bucket(&self) -> Result<Option<String>> {
        if !self.decides_by_list() {
            return Ok(None);
        }
        Ok(self.is_versioned("look at").await?.then(|| self.caveat()))
    }

    /// Whether the bucket keeps versions. Asks the store only if no write has shown it yet.
    async fn is_versioned(&self, operation: &'static str) -> Result<bool> {
        match self.memory.versioning() {
            Versioning::Enabled => Ok(true),
            Versioning::Off => Ok(false),
            Versioning::Unknown => {
                let is_versioned = self.client.is_versioned(operation).await?;
                self.memory.set_versioning(is_versioned);
                Ok(is_versioned)
            }
        }
    }

    /// Whether versioning is enabled by now in a bucket that seemed to have none. `false` if that
    /// cannot be determined.
    pub(crate) async fn has_become_versioned(&self) -> bool {
        if self.dialect.versioned != Versioned::ByList {
            return false;
        }
        let is_versioned = matches!(self.client.is_versioned("write").await, Ok(true));
        if is_versioned {
            self.memory.set_versioning(true);
        }
        is_versioned
    }

    /// Whether the store honours the conditions of a write. `false` if that cannot be determined.
    pub(crate) async fn honours_conditions(&self) -> bool {
        match self.dialect.versioned {
            Versioned::Same => true,
            Versioned::ByList => matches!(self.is_versioned("write").await, Ok(false)),
        }
    }
}

impl LockFile<'_> {
    /// Returns the records of those versions whose owners ignore the version list.
    pub(super) async fn strangers(
        &self,
        operation: &'static str,
        versions: &[&str],
    ) -> Result<Vec<LockRecord>> {
        let mut strangers = Vec::new();
        for version in versions {
            if let Some(standing) = self.read_version(operation, version).await?
                && !standing.goes_by_list
            {
                strangers.push(standing.record);
            }
        }
        Ok(strangers)
    }
}
