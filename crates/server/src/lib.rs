#![doc = include_str!("../README.md")]

mod action;
mod advice;
mod app;
mod auth;
mod body;
mod connection;
mod events;
mod failure;
mod intent;
mod known;
mod locks;
mod memory;
mod names;
mod observe;
mod patience;
mod policy;
mod record;
mod routes;
mod server;
mod slots;
mod spool;
mod states;
mod timeouts;
mod turns;
mod write;

pub use action::Action;
pub use auth::Auth;
pub use events::{Event, PolicyChoice};
pub use names::States;
pub use patience::Patience;
pub use policy::{Emptied, Policy};
pub use record::UNREADABLE_LOCK_ID;
pub use server::{BoundServer, Server, ServerBuilder};
pub use timeouts::Timeouts;
