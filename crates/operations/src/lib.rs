#![doc = include_str!("../README.md")]

pub mod diff;
pub mod find;
mod heading;
pub mod history;
mod json;
pub mod masking;
pub mod migrate;
mod parsed;
mod path;
mod pattern;
pub mod reference;
pub mod rename;
pub mod restore;
pub mod seal;
mod text;
pub mod transfer;

pub use path::AttributePath;
pub use pattern::Pattern;
pub use text::StateText;
