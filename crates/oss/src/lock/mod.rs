//! The lock object beside a state. All providers take and release locks alike, also if answers are
//! lost: see [`remote_state_core::provider`].

mod create;

pub(crate) use create::LockObject;
