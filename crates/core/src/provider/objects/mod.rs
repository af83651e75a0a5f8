//! One state store for all object stores: how states are read, listed and compared with their
//! digests, and what locks them.
//!
//! A provider implements [`ObjectBackend`], and [`TableBackend`] if a table can keep its locks or
//! digests; [`Layout`] defines the keys under which its native clients keep states.
//! [`ObjectStateStore`] implements [`StateStore`](crate::StateStore) with them. The backend
//! contains what differs between stores: how a create is made exclusive, which conditions a write
//! can have, and which checks a write needs before and after it.

mod backend;
mod store;
mod table;
mod versions;

pub use backend::{
    Cursor, Layout, ObjectBackend, StatePlace, StateWrite, TableBackend, TableRow, Written,
};
pub use store::{ObjectStateStore, TableUse};
