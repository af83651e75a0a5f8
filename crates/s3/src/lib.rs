#![doc = include_str!("../README.md")]

mod client;
mod config;
mod connect;
mod credentials;
mod dialect;
mod dynamodb;
mod error;
mod keys;
mod list;
mod lock;
mod role;
mod store;
mod sts;
mod write;

pub use config::{Encryption, PROVIDER, S3Config};
pub use dialect::{Checksum, Dialect, DialectName};
pub use store::S3Store;
