//! Looking once more at what a migration has left.

use futures_util::TryStreamExt as _;
use remote_state_core::{
    ContentHash, Error, ErrorKind, Lineage, LockId, LockRecord, Result, Seal, Serial, StateHeader,
    StateVersion, VersionId,
};

use super::types::{Move, SourceMode};
use crate::seal::{Destination, covered_by};

/// How many versions above a seal are looked at.
const MOST_VERSIONS: usize = 100;

/// What is stored in one of the two places.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Nothing.
    Absent,
    /// The bytes that were copied.
    Copied,
    /// Another state.
    State {
        /// Its serial.
        serial: Serial,
        /// Its lineage.
        lineage: Lineage,
    },
    /// The seal that tells the other place.
    Sealed,
    /// A seal that tells a third place.
    SealedElsewhere(String),
    /// What is no state.
    NoState,
}

/// What a migration has left of one state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// What is in the old place.
    pub source: Finding,
    /// What is in the new place.
    pub target: Finding,
    /// The lock that is held in the old place.
    pub source_lock: Option<LockId>,
    /// The lock that is held in the new place.
    pub target_lock: Option<LockId>,
    /// The versions that clients without a lock have written over the seal.
    pub over_seal: Vec<VersionId>,
    /// The version of a client without a lock that the seal covers.
    pub under_seal: Option<VersionId>,
    /// Whether a migration holds the lock of the new place, which has not ended.
    pub is_unfinished: bool,
    /// Whether all is as it has to be: the new place has the copied state or a later one, and the
    /// old place is closed in the way that was asked for.
    pub is_good: bool,
}

/// Looks at what a migration has left of a state. `copied` is the SHA-256 of the copy, `lineage`
/// its lineage, and `serial` its serial.
///
/// # Errors
/// Any error of the stores.
pub async fn verify(
    item: &Move,
    mode: SourceMode,
    copied: &str,
    of: (&Lineage, Serial),
) -> Result<Verified> {
    let (here, there) = (item.from.url(), item.to.url());
    let source = look(item.from.place().look().await?, copied, &there);
    let target = look(item.to.place().look().await?, copied, &here);
    let (source_record, target_record) = (
        item.from.store.inspect(&item.from.workspace).await?,
        item.to.store.inspect(&item.to.workspace).await?,
    );
    let [source_id, target_id] = &item.locks;
    // Only this lock stops every client; that of an apply does not.
    let is_frozen = is_held(source_record.as_ref(), source_id.as_ref(), |operation| {
        operation == format!("moved to {there}")
    });
    let is_unfinished = is_held(target_record.as_ref(), target_id.as_ref(), |operation| {
        operation.starts_with("migration ")
    });
    let (source_lock, target_lock) = (holder(source_record), holder(target_record));
    let (over_seal, under_seal) = if mode == SourceMode::Seal {
        around_seal(item, &there).await?
    } else {
        (Vec::new(), None)
    };
    let (lineage, serial) = of;
    let is_there = match &target {
        Finding::Copied => true,
        Finding::State { serial: found, lineage: its } => its == lineage && *found > serial,
        _ => false,
    };
    let is_closed = match mode {
        SourceMode::Seal => source == Finding::Sealed,
        SourceMode::Freeze => source == Finding::Copied && is_frozen,
        SourceMode::Delete => source == Finding::Absent,
        SourceMode::Keep => true,
    };
    let is_good =
        is_there && is_closed && over_seal.is_empty() && under_seal.is_none() && !is_unfinished;
    Ok(Verified {
        source,
        target,
        source_lock,
        target_lock,
        over_seal,
        under_seal,
        is_unfinished,
        is_good,
    })
}

fn look(found: Option<remote_state_core::StateBytes>, copied: &str, other: &str) -> Finding {
    let Some(found) = found else { return Finding::Absent };
    if ContentHash::of(&found.bytes).to_string() == copied {
        return Finding::Copied;
    }
    match Seal::of(&found.bytes) {
        Some(seal) if Destination::Place(other).is_named_by(&seal) => Finding::Sealed,
        Some(seal) => Finding::SealedElsewhere(seal.to),
        None => match StateHeader::parse(&found.bytes) {
            Ok(header) => Finding::State { serial: header.serial, lineage: header.lineage },
            Err(_) => Finding::NoState,
        },
    }
}

fn holder(record: Option<LockRecord>) -> Option<LockId> {
    record.map(|record| record.id().cloned().unwrap_or_else(|| LockId::new("")))
}

/// Returns whether a lock is the recorded one, or one of such an operation.
fn is_held(
    record: Option<&LockRecord>,
    id: Option<&LockId>,
    is_such: impl FnOnce(&str) -> bool,
) -> bool {
    record.is_some_and(|record| {
        (id.is_some() && record.id() == id)
            || record.info().is_some_and(|info| is_such(&info.operation))
    })
}

/// Lists the versions above the newest seal, and finds the one below it that is not the one that
/// was sealed.
async fn around_seal(item: &Move, there: &str) -> Result<(Vec<VersionId>, Option<VersionId>)> {
    let place = item.from.place();
    if !place.store.capabilities().has_versions() {
        return Ok((Vec::new(), None));
    }
    let mut listed = place.store.versions(place.workspace);
    let mut above = Vec::new();
    loop {
        let version = match listed.try_next().await {
            Ok(Some(version)) => version,
            Ok(None) => return Ok((Vec::new(), None)),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                return Ok((Vec::new(), None));
            }
            Err(error) => return Err(error),
        };
        if is_seal(item, &version, there).await? {
            let Some(current) = place.look().await? else { return Ok((above, None)) };
            let Some(seal) = Seal::of(&current.bytes) else { return Ok((above, None)) };
            let before = seal.before.version.as_ref();
            let sealed = covered_by(place.store, place.workspace, &current, before).await?;
            return Ok((above, sealed.and_then(|version| version.meta.version)));
        }
        above.extend(version.meta.version);
        if above.len() > MOST_VERSIONS {
            let message = format!("`{}` has no seal among its newest versions", place.url());
            return Err(Error::new(ErrorKind::Unknown, "verify", message));
        }
    }
}

async fn is_seal(item: &Move, version: &StateVersion, there: &str) -> Result<bool> {
    if version.is_delete_marker || version.meta.size_bytes > Seal::MOST_BYTES {
        return Ok(false);
    }
    let Some(id) = version.meta.version.clone().filter(|id| id.as_str() != "null") else {
        return Ok(version.is_latest);
    };
    let options = remote_state_core::ReadOptions::default().ignoring_digest().with_version(id);
    let found = item.from.place().read(&options).await?;
    let seal = found.and_then(|found| Seal::of(&found.bytes));
    Ok(seal.is_some_and(|seal| Destination::Place(there).is_named_by(&seal)))
}
