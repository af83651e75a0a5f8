#![doc = include_str!("../README.md")]

mod config;
mod keys;

pub use config::SpacesConfig;
pub use keys::PROVIDER;
