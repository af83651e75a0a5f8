#![doc = include_str!("../README.md")]

mod clock;
mod emulator;
mod endpoint;
mod faults;
mod guard;
mod identity;
mod interleave;
mod keyring;
mod link;
mod manners;
mod recorder;

mod body;
mod dynamodb;
mod oss;
mod s3;
mod sts;
mod tablestore;

mod storage;
mod store;

pub use emulator::{Emulator, EmulatorBuilder};
pub use faults::{Fault, Faults, Misbehaviour};
pub use manners::Manners;
pub use recorder::{Recorder, Request};
pub use storage::Storage;
pub use sts::MetadataMode;
