#![doc = include_str!("../README.md")]

mod app;
mod auth;
mod body;
mod connection;
mod crowd;
mod events;
mod failure;
mod intent;
mod locks;
mod memory;
mod names;
mod observe;
mod patience;
mod policy;
mod server;
mod states;
mod write;

pub use auth::Auth;
pub use events::{Event, PolicyChoice};
pub use intent::Action;
pub use locks::UNREADABLE_LOCK_ID;
pub use names::States;
pub use patience::Patience;
pub use policy::{Emptied, Policy};
pub use server::{BoundServer, Server, ServerBuilder, Timeouts};
