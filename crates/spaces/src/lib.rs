#![doc = include_str!("../README.md")]

mod config;
mod keys;
mod provider;

pub use config::SpacesConfig;
pub use keys::PROVIDER;
pub use provider::Spaces;
