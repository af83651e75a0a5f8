//! Moving a state to any other place, with proof, and with a fence at the old one.
//!
//! At each moment at most one of the two places accepts writes from a client that takes locks. Both
//! are locked; the exact bytes are copied, with their digest, and read back; then the source is
//! [sealed](crate::seal), if it still is what was copied. From that moment the target is the truth,
//! and the seal tells every client of the old place where the state is.

pub mod journal;
mod leftover;
mod locks;
#[cfg(test)]
mod outcomes;
mod run;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod types;
mod verify;

pub use self::leftover::{is_live, release_recorded, remove_seal, was_deleted};
pub use self::run::{migrate, plan};
pub use self::types::{
    Event, Left, MigrateOptions, Move, Moved, Run, Side, SourceMode, StateFacts, StateRef, Watch,
};
pub use self::verify::{Finding, Verified, verify};
