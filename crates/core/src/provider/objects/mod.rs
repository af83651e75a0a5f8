//! One state store over object stores: what a state is there, how it is read, listed and held
//! against its digest, and what its lock consists of.
//!
//! A provider implements [`ObjectBackend`], and [`TableBackend`] if its locks or digests can be
//! kept in a table; [`Layout`] says under which keys its native clients keep states.
//! [`ObjectStateStore`] is the [`StateStore`](crate::StateStore) over them. What differs from store
//! to store stays in the backend: how a create is made exclusive, which conditions a write can
//! carry, and what has to be looked at before and after it.

mod backend;
mod store;
mod table;

pub use backend::{
    Cursor, Layout, ObjectBackend, StatePlace, StateWrite, TableBackend, TableRow, Written,
};
pub use store::ObjectStateStore;
