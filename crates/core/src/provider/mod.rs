//! What providers share: what became of a request, and taking and giving back a lock whatever answers are lost.
//!
//! A provider says how its store creates, reads and removes a lock ([`LockMechanism`]); [`StateLock`] does the rest, so the argument for
//! exclusion stands in one place. Whoever only uses stores needs none of this.

mod attempts;
mod lock;
mod outcome;
mod single;

pub use attempts::Attempts;
pub use lock::{FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, StateLock, parse_lock_record};
pub use outcome::{Failure, Outcome};
