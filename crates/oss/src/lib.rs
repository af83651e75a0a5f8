#![doc = include_str!("../README.md")]

mod body;
mod bucket;
mod client;
mod clock;
mod config;
mod credentials;
mod download;
mod endpoint;
mod endpoint_lookup;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod identity;
mod layout;
mod lock;
mod payload;
mod provider;
mod proxy;
mod request;
mod sign;
mod tablestore;
mod write;
mod xml;

pub use config::{OssConfig, PROVIDER, keys};
pub use endpoint::AddressStyle;
pub use provider::Oss;
pub use sign::SignatureVersion;
