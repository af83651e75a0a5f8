//! The memory that states may take up.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::Failure;

/// The server reads a state of at most this many bytes before it answers, so that the answer has a
/// digest, and an error of the store becomes a status. It streams a longer state.
pub(crate) const READ_WHOLE_BYTES: u64 = 4 << 20;

/// The bytes that a streamed state counts for: stores read ahead.
const STREAM_BYTES: u64 = 8 << 20;

/// The unit of the semaphore, whose greatest value is less than the number of bytes may be.
const UNIT_BYTES: u64 = 1 << 10;

/// A limit for the bytes of states that all requests hold at once.
#[derive(Debug)]
pub(crate) struct Memory(Arc<Semaphore>);

/// A share of the memory, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share(OwnedSemaphorePermit);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT_BYTES as usize).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(units)))
    }

    /// Takes a share of this many bytes.
    ///
    /// # Errors
    /// A failure after which clients repeat the request, if no such share is left. Waiting for one
    /// would keep more connections open.
    pub(crate) fn hold(&self, bytes: u64) -> Result<Share, Failure> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map(Share).map_err(|_| Failure::busy())
    }

    /// Takes a share for the answer to a read.
    pub(crate) fn hold_for_reading(&self, size_bytes: u64) -> Result<Share, Failure> {
        self.hold(if size_bytes > READ_WHOLE_BYTES { STREAM_BYTES } else { size_bytes })
    }
}

impl Share {
    pub(crate) fn add(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// Ties the share to `bytes`: it ends when their last clone is dropped.
    pub(crate) fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Tied { bytes, _share: self })
    }
}

struct Tied {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Tied {
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
