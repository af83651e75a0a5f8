//! What providers share: what became of a request, walking through listings, naming objects as Go does, and taking and giving back a lock whatever
//! answers are lost.
//!
//! A provider says how its store creates, reads and removes a lock ([`LockMechanism`]); [`StateLock`] does the rest, so the argument for
//! exclusion stands in one place. Whoever only uses stores needs none of this.

mod attempts;
mod join;
mod lock;
mod outcome;
mod pages;
mod single;

pub use attempts::Attempts;
pub use join::join_clean;
pub use lock::{FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, StateLock, parse_lock_record};
pub use outcome::{Failure, Outcome};
pub use pages::{Page, pages};
