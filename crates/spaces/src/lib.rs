#![doc = include_str!("../README.md")]

mod config;
pub mod keys;
mod provider;

pub use config::SpacesConfig;
pub use keys::PROVIDER;
pub use provider::Spaces;
