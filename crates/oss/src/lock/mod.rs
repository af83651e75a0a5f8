//! Locks: the lock object, the row in a Tablestore table, or both, the object first.
//!
//! How a lock is taken and given back whatever answers are lost is the same for all providers: see
//! [`remote_state_core::provider`]. See [`object`] and [`tablestore::lock`](crate::tablestore) for
//! what each of the two rests on.

mod object;

use remote_state_core::provider::{LockMechanism, StateLock};
use remote_state_core::{StateStore as _, Workspace};

use crate::lock::object::LockObject;
use crate::store::OssStore;
use crate::tablestore::LockRow;

impl OssStore {
    /// The lock as it is configured.
    pub(crate) fn lock<'a>(&'a self, workspace: &'a Workspace) -> StateLock<'a> {
        self.state_lock(workspace, self.configured(workspace))
    }

    /// What may show a lock: also what this configuration does not take, since another client may.
    pub(crate) fn visible_lock<'a>(&'a self, workspace: &'a Workspace) -> StateLock<'a> {
        let mut mechanisms = self.configured(workspace);
        if !self.uses_lock_object {
            mechanisms.push(Box::new(LockObject { store: self, workspace }));
        }
        if let Some(table) = self.table.as_ref().filter(|_| !self.locks_in_table) {
            mechanisms.push(Box::new(LockRow { store: self, table, workspace }));
        }
        self.state_lock(workspace, mechanisms)
    }

    fn configured<'a>(&'a self, workspace: &'a Workspace) -> Vec<Box<dyn LockMechanism + 'a>> {
        let mut mechanisms: Vec<Box<dyn LockMechanism + 'a>> = Vec::new();
        if self.uses_lock_object {
            mechanisms.push(Box::new(LockObject { store: self, workspace }));
        }
        if let Some(table) = self.table.as_ref().filter(|_| self.locks_in_table) {
            mechanisms.push(Box::new(LockRow { store: self, table, workspace }));
        }
        mechanisms
    }

    fn state_lock<'a>(
        &self,
        workspace: &Workspace,
        mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    ) -> StateLock<'a> {
        StateLock::new(self.location(workspace), self.capable(), mechanisms)
    }
}
