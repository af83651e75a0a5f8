//! Locks: the lock file, the lock item in a DynamoDB table, or both, the file first, as native
//! clients take them.
//!
//! How a lock is taken and given back whatever answers are lost is the same for all providers: see
//! [`remote_state_core::provider`]. On a versioned bucket of Ceph's family the list of versions
//! decides, see [`by_list`], and [`guard`] looks again before each write. [`claim`] is how a lock
//! file is released where a delete carries no condition. See [`file`] and
//! [`dynamodb::lock`](crate::dynamodb) for what each of the two rests on.

mod by_list;
mod claim;
mod file;
mod guard;
mod memory;

use remote_state_core::Workspace;
use remote_state_core::provider::{LockMechanism, StateLock};

use crate::dynamodb::LockItem;
pub(crate) use crate::lock::by_list::RULE;
pub(crate) use crate::lock::claim::Claiming;
use crate::lock::file::LockFile;
pub(crate) use crate::lock::memory::Memory;
use crate::store::S3Store;

impl S3Store {
    /// The lock as it is configured.
    pub(crate) fn lock<'a>(&'a self, workspace: &'a Workspace) -> StateLock<'a> {
        self.state_lock(workspace, self.configured(workspace))
    }

    /// What may show a lock: the lock file too where this configuration takes none, since another
    /// client's may.
    pub(crate) fn visible_lock<'a>(&'a self, workspace: &'a Workspace) -> StateLock<'a> {
        let mut mechanisms = self.configured(workspace);
        if !self.layout.has_lock_file {
            mechanisms.push(Box::new(LockFile::new(self, workspace)));
        }
        self.state_lock(workspace, mechanisms)
    }

    fn configured<'a>(&'a self, workspace: &'a Workspace) -> Vec<Box<dyn LockMechanism + 'a>> {
        let mut mechanisms: Vec<Box<dyn LockMechanism + 'a>> = Vec::new();
        if self.layout.has_lock_file {
            mechanisms.push(Box::new(LockFile::new(self, workspace)));
        }
        if let Some(table) = &self.table {
            mechanisms.push(Box::new(LockItem { store: self, table, workspace }));
        }
        mechanisms
    }

    fn state_lock<'a>(
        &self,
        workspace: &Workspace,
        mechanisms: Vec<Box<dyn LockMechanism + 'a>>,
    ) -> StateLock<'a> {
        StateLock::new(self.layout.location(workspace), self.capable(), mechanisms)
            .with_claim_wait(self.claim_wait)
    }
}
