#![doc = include_str!("../README.md")]

mod bucket;
mod causes;
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
mod identity;
mod layout;
mod lock;
mod payload;
mod provider;
mod transport;
mod upload;
mod versions;
mod write;

pub use config::{PROVIDER, S3Config, keys};
pub use dialect::DialectName;
#[doc(hidden)]
pub use dialect::dialects_in_words;
pub use provider::S3;

/// What `remote-state-spaces` takes from this crate. It may change in any release.
#[doc(hidden)]
pub mod for_spaces {
    pub use crate::config::{Encryption, S3Config};
    pub use crate::credentials::OwnKeys;
    pub use crate::dialect::{
        Addressing, BodySignature, Checksum, Claims, Creates, Dialect, SigningRegion, Updates,
        Versioned,
    };
}
