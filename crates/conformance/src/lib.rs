#![doc = include_str!("../README.md")]

mod fixtures;
mod setup;
mod suites;

pub mod catalog;
pub mod digests;
pub mod lock;
pub mod read_write;
pub mod versions;
pub mod workspaces;

pub mod http;

mod faults;
mod memory;
mod resolved;
mod socks;

pub use faults::{Faults, FaultyStore};
pub use http::{Answer, HttpTarget, Names};
pub use memory::MemoryStore;
pub use resolved::resolved;
pub use setup::{Outcome, RawLocks, Scale, Setup};
pub use socks::socks_proxy;
pub use suites::{Behaviour, HttpBehaviour, http_behaviours, store_behaviours};
