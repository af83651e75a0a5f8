#![doc = include_str!("../README.md")]

mod body;
mod client;
mod clock;
mod config;
mod credentials;
mod endpoint;
mod endpoint_lookup;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod identity;
mod keys;
mod list;
mod lock;
mod payload;
mod proxy;
mod request;
mod sign;
mod store;
mod tablestore;
mod write;
mod xml;

pub use config::{Encryption, OssConfig, PROVIDER, Tablestore};
pub use endpoint::AddressStyle;
pub use sign::SignatureVersion;
pub use store::OssStore;
