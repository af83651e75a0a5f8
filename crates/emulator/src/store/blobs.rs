//! Bodies: written once, cut into rows, never changed, and deleted some time after the last version
//! that names them is gone.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use redb::{ReadableTable, WriteTransaction};

use super::{CHUNKS, Error, GARBAGE, Pins, Result, Segment, internal, next_number, now_ms};

/// The size of a row: just below a power of two, because redb rounds the size of a large row with
/// its header up to one.
pub(crate) const CHUNK_BYTES: usize = (1 << 20) - 4096;

/// How long an unreferenced body stays readable.
///
/// A reader takes many short transactions, perhaps in another process, and the body it streams must
/// not vanish in between. Readers of this process are protected by [`Pins`] for as long as they
/// need; this covers the others.
const GRACE_MS: u64 = 30_000;

/// How many bodies one write clears away at most, so that no single request pays for all of them.
const SWEEP_LIMIT: usize = 16;

/// Stores a body, taking it apart as it goes so that its memory is given back early.
pub(crate) fn write(txn: &WriteTransaction, pieces: Vec<Bytes>) -> Result<Segment> {
    let blob = next_number(txn, "blob")?;
    let mut rows = txn.open_table(CHUNKS).map_err(internal)?;
    let mut left: usize = pieces.iter().map(Bytes::len).sum();
    let size_bytes = left as u64;
    let mut pieces = pieces.into_iter();
    let mut piece = Bytes::new();
    let mut index = 0;
    while left > 0 {
        let length = left.min(CHUNK_BYTES);
        let mut row = rows.insert_reserve((blob, index), length).map_err(internal)?;
        let mut filled = 0;
        while filled < length {
            if piece.is_empty() {
                let Some(next) = pieces.next() else { break };
                piece = next;
            }
            let part = piece.split_to(piece.len().min(length - filled));
            row.as_mut()[filled..filled + part.len()].copy_from_slice(&part);
            filled += part.len();
        }
        left -= length;
        index += 1;
    }
    Ok(Segment { blob, size_bytes })
}

/// Reads bytes of a run of segments: at most `limit_bytes` of `range`, and at least one byte unless
/// the range is empty.
pub(crate) fn read(
    chunks: &impl ReadableTable<(u64, u32), &'static [u8]>,
    segments: &[Segment],
    range: Range<u64>,
    limit_bytes: usize,
) -> Result<Bytes> {
    let wanted = usize::try_from(range.end.saturating_sub(range.start))
        .unwrap_or(usize::MAX)
        .min(limit_bytes);
    let mut found = BytesMut::with_capacity(wanted);
    let mut position = range.start;
    let mut segment_start = 0;
    for segment in segments {
        let segment_end = segment_start + segment.size_bytes;
        while found.len() < wanted && position < segment_end {
            let within = position - segment_start;
            let index = u32::try_from(within / CHUNK_BYTES as u64)
                .map_err(|error| Error::Internal(error.into()))?;
            let skip = (within % CHUNK_BYTES as u64) as usize;
            let Some(row) = chunks.get((segment.blob, index)).map_err(internal)? else {
                return Err(Error::Internal("the body was deleted while it was being read".into()));
            };
            let row = row.value();
            let take = (row.len() - skip).min(wanted - found.len());
            found.extend_from_slice(&row[skip..skip + take]);
            position += take as u64;
        }
        segment_start = segment_end;
    }
    Ok(found.freeze())
}

/// Marks bodies as unreferenced.
pub(crate) fn discard(txn: &WriteTransaction, segments: &[Segment]) -> Result<()> {
    let mut garbage = txn.open_table(GARBAGE).map_err(internal)?;
    let now = now_ms();
    for segment in segments {
        garbage.insert((now, segment.blob), ()).map_err(internal)?;
    }
    Ok(())
}

/// Deletes bodies that were unreferenced for long enough and that no reader of this process holds.
pub(crate) fn sweep(txn: &WriteTransaction, pins: &Pins) -> Result<()> {
    let mut garbage = txn.open_table(GARBAGE).map_err(internal)?;
    let until = now_ms().saturating_sub(GRACE_MS);
    let mut due = Vec::new();
    for row in garbage.range(..(until, 0)).map_err(internal)? {
        let (time, blob) = row.map_err(internal)?.0.value();
        if !pins.holds(blob) {
            due.push((time, blob));
        }
        if due.len() == SWEEP_LIMIT {
            break;
        }
    }
    if due.is_empty() {
        return Ok(());
    }
    let mut chunks = txn.open_table(CHUNKS).map_err(internal)?;
    for (time, blob) in due {
        chunks.retain_in((blob, 0)..=(blob, u32::MAX), |_, _| false).map_err(internal)?;
        garbage.remove((time, blob)).map_err(internal)?;
    }
    Ok(())
}
