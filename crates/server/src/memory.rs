//! How much of states is in memory at once.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::Failure;

/// A state of at most this many bytes is read whole before it is answered, so that the answer
/// carries its digest, and a store that fails midway is told as such. A longer one goes out as it
/// comes in.
pub(crate) const READ_WHOLE_BYTES: u64 = 4 << 20;

/// What a state that goes out as it comes in counts for: stores read ahead.
const STREAM_BYTES: u64 = 8 << 20;

/// What is counted in: a semaphore counts to fewer than there are bytes.
const UNIT_BYTES: u64 = 1 << 10;

/// A ceiling on the bytes of states that requests hold at once.
#[derive(Debug)]
pub(crate) struct Memory(Arc<Semaphore>);

/// A share of the memory, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(OwnedSemaphorePermit);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT_BYTES as usize).min(Semaphore::MAX_PERMITS))))
    }

    /// Takes a share for so many bytes.
    ///
    /// # Errors
    /// A failure that clients repeat, if there is no such share: waiting for one would only hold
    /// more connections.
    pub(crate) fn hold(&self, bytes: u64) -> Result<Held, Failure> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map(Held).map_err(|_| Failure::busy())
    }

    /// Takes a share for the answer to a read.
    pub(crate) fn hold_for_reading(&self, size_bytes: u64) -> Result<Held, Failure> {
        self.hold(if size_bytes > READ_WHOLE_BYTES { STREAM_BYTES } else { size_bytes })
    }
}

impl Held {
    pub(crate) fn add(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// Ties the share to bytes: it ends with the last of their copies, wherever that one goes.
    pub(crate) fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept { bytes, _held: self })
    }
}

struct Kept {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_ends_with_the_last_copy_of_the_bytes() {
        let memory = Memory::new(10 << 10);
        let mut held = memory.hold(6 << 10).unwrap();
        assert!(memory.hold(5 << 10).is_err());
        held.add(memory.hold(1).unwrap());
        let bytes = held.keep(Bytes::from_static(b"state"));
        let part = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(part, "t");
        assert!(memory.hold(4 << 10).is_err());
        drop(part);
        assert!(memory.hold(10 << 10).is_ok());
    }

    #[test]
    fn a_long_state_counts_for_what_is_read_ahead() {
        let memory = Memory::new(usize::try_from(2 * STREAM_BYTES).unwrap());
        let held: Vec<_> = (0..2).map(|_| memory.hold_for_reading(u64::MAX).unwrap()).collect();
        assert!(memory.hold_for_reading(1).is_err());
        drop(held);
        assert!(memory.hold_for_reading(READ_WHOLE_BYTES).is_ok());
    }
}
