//! Locks: the lock file, the lock item in a DynamoDB table, or both, the file first, as native
//! clients take them.
//!
//! How a lock is taken and released when replies are lost is the same for all providers: see
//! [`remote_state_core::provider`]. In a versioned bucket of Ceph's family the version list
//! decides, see [`version_list`], and [`before_write`] checks the lock again before each write.
//! [`claim`] is how a lock file is released if the store ignores conditions on a delete. See
//! [`create`] for what the lock file relies on; the item is core's, over
//! [`TableBackend`](remote_state_core::provider::TableBackend).

mod before_write;
mod claim;
mod create;
mod memory;
pub(crate) mod rule;
mod version_list;

pub(crate) use claim::Claiming;
pub(crate) use create::LockFile;
pub(crate) use memory::Memory;
