//! Reading no more of a state than its header.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
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
    /// The header; `None` if the bytes that were read do not have it. The error says why they are
    /// no state.
    pub(crate) header: Result<Option<StateHeader>>,
    /// Whether the bytes begin as those of every state do, so that they may have a serial although
    /// the header cannot be read.
    pub(crate) may_be_state: bool,
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
    let mut found = None;
    for limit in [BEGINNING_BYTES, LONG_BEGINNING_BYTES] {
        let options = options.clone().with_limit(limit);
        let Some(read) = store.read(workspace, &options).await? else { return Ok(None) };
        let read = read.collect().await?;
        let is_all = read.bytes.len() as u64 >= read.meta.size_bytes;
        let header = header_of(&read.bytes, is_all);
        let is_over = is_all || !matches!(header, Ok(None));
        let may_be_state = read.bytes.trim_ascii_start().first() == Some(&b'{');
        let seal = if is_all { Seal::of(&read.bytes) } else { None };
        found = Some(Heading { meta: read.meta, header, may_be_state, seal });
        if is_over {
            return Ok(found);
        }
    }
    match depth {
        Depth::Beginning => Ok(found),
        Depth::Whole => read_through(store, workspace, options).await,
    }
}

/// Reads a state until its header is known, and keeps none of it.
async fn read_through(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: &ReadOptions,
) -> Result<Option<Heading>> {
    let Some(mut read) = store.read(workspace, options).await? else { return Ok(None) };
    let mut reader = HeaderReader::of_beginning();
    let mut failed = None;
    while let Some(bytes) = read.body.try_next().await? {
        match reader.feed(&bytes) {
            Ok(Progress::NeedsMore) => {}
            Ok(Progress::Done) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let header = failed.map_or_else(|| reader.finish().map(Some), Err);
    Ok(Some(Heading { meta: read.meta, header, may_be_state: true, seal: None }))
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
