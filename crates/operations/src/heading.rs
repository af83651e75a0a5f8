//! Reading no more of a state than its header.

use bytes::Bytes;
use remote_state_core::{
    HeaderReader, Progress, ReadOptions, Result, Seal, StateHeader, StateMeta, StateStore,
    Workspace,
};

/// The header of a state that Terraform wrote is in so many bytes.
const BEGINNING_BYTES: u64 = 4 << 10;

/// Some programs write a few members before those of the header.
const LONG_BEGINNING_BYTES: u64 = 64 << 10;

/// How much of a state to read in search of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The beginning: a state whose members were sorted has its serial at the end.
    Beginning,
    /// All of it if need be.
    Whole,
}

/// The beginning of a state.
#[derive(Debug)]
pub(crate) struct Heading {
    /// The store's description of the state.
    pub(crate) meta: StateMeta,
    /// The header; `None` if the beginning does not have it. The error says why the bytes are no
    /// state.
    pub(crate) header: Result<Option<StateHeader>>,
    /// What it says if it is sealed.
    pub(crate) seal: Option<Seal>,
}

/// Reads the header of a state. `None` if there is no state.
///
/// # Errors
/// Any error of the store.
pub(crate) async fn read_heading(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: &ReadOptions,
    depth: Depth,
) -> Result<Option<Heading>> {
    let whole = (depth == Depth::Whole).then_some(u64::MAX);
    let mut found = None;
    for limit in [BEGINNING_BYTES, LONG_BEGINNING_BYTES].into_iter().chain(whole) {
        let options = options.clone().with_limit(limit);
        let Some(read) = store.read(workspace, &options).await? else { return Ok(None) };
        let read = read.collect().await?;
        let is_all = read.bytes.len() as u64 >= read.meta.size_bytes;
        let header = header_of(&read.bytes, is_all);
        let is_over = is_all || !matches!(header, Ok(None));
        let seal = if is_all { Seal::of(&read.bytes) } else { None };
        found = Some(Heading { meta: read.meta, header, seal });
        if is_over {
            break;
        }
    }
    Ok(found)
}

/// Returns the header, if it is in these bytes.
fn header_of(bytes: &Bytes, are_all: bool) -> Result<Option<StateHeader>> {
    if are_all {
        return StateHeader::parse(bytes).map(Some);
    }
    let mut reader = HeaderReader::of_beginning();
    match reader.feed(bytes)? {
        Progress::Done => reader.finish().map(Some),
        Progress::NeedsMore => Ok(None),
    }
}
