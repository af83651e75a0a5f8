//! One version of a state.

use jiff::Timestamp;
use remote_state_core::{Author, ETag, Error, Seal, SealKind, StateHeader, VersionId};

/// One version of a state.
#[derive(Debug)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Its number: `@0` is the newest.
    pub number: usize,
    /// Its id, if the store gave it one.
    pub version: Option<VersionId>,
    /// Whether it records a deletion, and so has no bytes.
    pub is_deletion: bool,
    /// Whether it is the current one.
    pub is_latest: bool,
    /// When it was stored, UTC, by the store's clock.
    pub modified: Option<Timestamp>,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its entity tag.
    pub etag: Option<ETag>,
    /// Its header, if the bytes that were read have it.
    pub header: Option<StateHeader>,
    /// What it says if it is sealed.
    pub seal: Option<Seal>,
    /// Why its header cannot be read.
    pub error: Option<Error>,
    /// Who wrote it, if that is known.
    pub writer: Option<Writer>,
    /// What is remarkable about it.
    pub notes: Vec<Note>,
}

/// Something that is remarkable about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// It is the current state.
    Current,
    /// It records a deletion.
    Deleted,
    /// It has the same bytes as an older version with this number.
    SameBytes(usize),
    /// Its lineage is not that of the version before: the two are different states.
    OtherLineage,
    /// Its serial is lower than that of the version before: somebody stored an old state again.
    SerialWentBack,
    /// It is encrypted by OpenTofu.
    Encrypted,
    /// It is sealed: the state went on in another place.
    Sealed(SealKind),
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// Who wrote a version, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Writer {
    /// The author.
    pub author: Author,
    /// How that is known.
    pub source: WriterSource,
}

/// How the writer of a version is known. Neither source is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriterSource {
    /// The annotations of the state.
    Annotations,
    /// The lock file that was held when the state was stored.
    LockFile,
}

impl WriterSource {
    /// Returns the name, as in JSON answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotations => "annotations",
            Self::LockFile => "lock-file",
        }
    }
}
