//! Looking at the lock again before a write, where the list of versions decides about locks.
//!
//! A client that does not go by the list walks in, see [`version_list`](super::version_list): it cannot be
//! kept out, but it can be noticed, and nothing is written over its head. Between the look and the
//! write there is a moment in which it could still come: this narrows the danger, and does not
//! end it.

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

    /// Fails if somebody has walked into the lock under which a state is about to be changed.
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

    /// Looks at the list; goes on if it has changed meanwhile, so that another one is needed.
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
            // Somebody gave ours back by its id, and another came.
            let Some(standing) = file.read_version(operation, holder).await? else {
                return Ok(ControlFlow::Continue(()));
            };
            return Err(if standing.goes_by_list {
                self.taken_over(operation, file, held, standing.record)
            } else {
                self.walked_in(operation, file, standing.record)
            });
        }
        // Without a lock of our own to look for, this is about the holder's, if it is one that goes
        // by the list.
        if !is_ours && !others.is_empty() {
            match file.read_version(operation, holder).await? {
                Some(standing) if standing.goes_by_list => {}
                Some(_) => return DONE,
                None => return Ok(ControlFlow::Continue(())),
            }
        }
        match file.strangers(operation, others).await?.into_iter().next() {
            Some(stranger) => Err(self.walked_in(operation, file, stranger)),
            None => DONE,
        }
    }

    /// Says who put a delete marker over our lock, as far as can be told.
    async fn buried(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
        held: &Held,
        above: Option<Vec<&str>>,
    ) -> Result<()> {
        // Ours is not there any more: it was given back by its id, and that is for the caller to
        // judge.
        let Some(above) = above else { return Ok(()) };
        if let Some(stranger) = file.strangers(operation, &above).await?.into_iter().next() {
            return Err(self.walked_in(operation, file, stranger).with_context(
                "note",
                "it has released its lock since, and a delete marker of its lies over ours",
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

    fn walked_in(
        &self,
        operation: &'static str,
        file: &LockFile<'_>,
        stranger: LockRecord,
    ) -> Error {
        let state = self.url(&file.place.key);
        Error::lock_held(
            operation,
            format!("state `{state}` is locked by another client too, which does not see our lock"),
            stranger,
        )
        .with_context("note", "nothing was written")
        .with_context("because", self.caveat())
        .with_hint("wait until that client has ended")
        .with_advice(Advice::CompareStored)
    }

    fn caveat(&self) -> String {
        format!(
            "bucket `{}` keeps versions, and there {} takes no notice of `If-None-Match`: locks \
             hold between clients of `remote-state`, but native Terraform and OpenTofu do not see \
             them, nor each other's",
            self.client.bucket(),
            self.client.store()
        )
    }

    /// Says what native clients risk on this bucket; nothing where they see our locks.
    pub(crate) async fn lock_caveat_of_bucket(&self) -> Result<Option<String>> {
        if !self.decides_by_list() {
            return Ok(None);
        }
        Ok(self.is_versioned("look at").await?.then(|| self.caveat()))
    }

    /// Whether the bucket keeps versions. The store is asked if nothing that was written has shown
    /// it.
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

    /// Whether a bucket that was taken for one without versioning has it by now. If that cannot be
    /// found out, it has not.
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

    /// Whether the store honours the conditions of a write. If that cannot be found out, it does
    /// not.
    pub(crate) async fn honours_conditions(&self) -> bool {
        match self.dialect.versioned {
            Versioned::Same => true,
            Versioned::ByList => matches!(self.is_versioned("write").await, Ok(false)),
        }
    }
}

impl LockFile<'_> {
    /// The records, of these versions, whose owners do not go by the list.
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
