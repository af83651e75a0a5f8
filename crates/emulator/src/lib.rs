#![doc = include_str!("../README.md")]

mod clock;
mod emulator;
mod endpoint;
mod faults;
mod gate;
mod keyring;
mod link;
mod protocol;
mod quirks;
mod recorder;

mod body;
mod dynamodb;
mod oss;
mod s3;
mod sts;
mod tablestore;

mod database;
mod store;

pub use database::Storage;
pub use emulator::{Emulator, EmulatorBuilder};
pub use faults::{Fault, Faults, Misbehaviour};
pub use gate::Gate;
pub use quirks::Quirks;
pub use recorder::{Recorder, Request};
pub use sts::MetadataMode;
