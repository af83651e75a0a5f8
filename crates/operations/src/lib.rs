#![doc = include_str!("../README.md")]

pub mod diff;
mod heading;
pub mod history;
mod json;
pub mod masking;
mod pattern;
pub mod reference;
pub mod restore;
mod text;

pub use pattern::Pattern;
pub use text::StateText;
