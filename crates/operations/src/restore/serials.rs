//! The serials that a state has had.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use remote_state_core::{
    Advice, Error, ErrorKind, Result, Serial, StateHeader, StateStore, StateVersion, VersionId,
    Workspace, with_serial,
};

use super::types::{RestoreOptions, Stored};
use crate::heading::{Depth, read_heading};
use crate::reference::options as version_options;

/// How many headers are read at the same time.
const PARALLEL_READS: usize = 8;

/// What is known of the serials of one lineage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serials {
    /// The highest one.
    pub(super) highest: Serial,
    /// How many versions could not be read.
    pub(super) unread: usize,
}

impl Serials {
    /// Only the serial of the chosen version is known.
    pub(super) fn of(chosen: &Stored) -> Self {
        Self { highest: chosen.header.serial, unread: 0 }
    }
}

/// Returns the serial of a state if it has the lineage of the chosen one.
pub(super) fn of_lineage(header: &StateHeader, chosen: &Stored) -> Option<Serial> {
    (header.lineage == chosen.header.lineage).then_some(header.serial)
}

/// Finds the highest serial that the lineage of the chosen state has among the stored versions.
///
/// # Errors
/// The reason why the header of a version cannot be read, unless that was allowed: its serial may
/// be the highest.
pub(super) async fn serials(
    store: &dyn StateStore,
    workspace: &Workspace,
    versions: &[StateVersion],
    chosen: &Stored,
    options: RestoreOptions,
) -> Result<Serials> {
    let states = versions.iter().filter(|version| !version.is_delete_marker);
    let reads = states.map(|version| serial_of(store, workspace, version, chosen));
    let mut known = Serials::of(chosen);
    let mut found = stream::iter(reads).buffered(PARALLEL_READS);
    while let Some(serial) = found.next().await {
        match serial {
            Ok(serial) => known.highest = known.highest.max(serial.unwrap_or(known.highest)),
            Err(_) if options.is_forced => known.unread += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(known)
}

async fn serial_of(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: &StateVersion,
    chosen: &Stored,
) -> Result<Option<Serial>> {
    let id = version.meta.version.clone();
    let named = id.as_ref().map_or("", VersionId::as_str).to_owned();
    let read = version_options(id).ignoring_digest();
    let unknown = |error: Error| {
        error
            .with_context("version", named)
            .with_context("note", "its serial may be the highest, and has to be known")
            .with_advice(Advice::Force)
    };
    match read_heading(store, workspace, &read, Depth::Whole).await {
        Ok(Some(heading)) => match heading.header {
            Ok(header) => Ok(header.and_then(|header| of_lineage(&header, chosen))),
            Err(error) if heading.may_be_state => Err(unknown(error)),
            // What is no state has no serial.
            Err(_) => Ok(None),
        },
        Ok(None) => Ok(None),
        // It was removed since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unknown(error)),
    }
}

/// Returns the chosen state with the next serial.
pub(super) fn raised(chosen: &Stored, highest: Serial) -> Result<Bytes> {
    let refused = |message: &str| {
        let error = Error::new(ErrorKind::PreconditionFailed, "restore", message);
        error.with_advice(Advice::Verbatim)
    };
    if chosen.is_encrypted() {
        return Err(refused(
            "the version is encrypted, and its serial is inside, where it cannot be raised",
        ));
    }
    let next = highest.max(chosen.header.serial).0.checked_add(1);
    let next =
        next.ok_or_else(|| refused("the highest serial of this state is the last there is"))?;
    with_serial(&chosen.bytes, Serial(next))
        .map_err(|error| refused("the serial of the version cannot be raised").because(error))
}
