//! The lock object beside a state. How a lock is taken and released whatever answers are lost is the
//! same for all providers: see [`remote_state_core::provider`].

mod create;

pub(crate) use create::LockObject;
