#![doc = include_str!("../README.md")]

mod bucket;
mod chain;
mod checksum;
mod client;
mod config;
mod connect;
mod credentials;
mod dialect;
mod download;
mod dynamodb;
mod encrypted;
mod error;
mod first_bytes;
mod guard;
mod identity;
mod layout;
mod lock;
mod logins;
mod payload;
mod process;
mod provider;
mod role;
mod sts;
mod transport;
mod upload;
mod versions;
mod write;

pub use config::{Encryption, PROVIDER, S3Config, keys};
pub use credentials::OwnKeys;
pub use dialect::{
    Addressing, BodySignature, Checksum, Creates, Dialect, DialectName, SigningRegion, Updates,
    Versioned,
};
pub use provider::S3;
