//! What a restore works with.

use bytes::Bytes;
use remote_state_core::{
    Result, Seal, Serial, StateBytes, StateFormat, StateHeader, StateMeta, WriteMode,
};

use crate::diff::Summary;

/// How to restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Write the bytes as they were, with their old serial.
    pub is_verbatim: bool,
    /// Restore although the current state has another lineage, or although older versions cannot be
    /// read.
    pub is_forced: bool,
    /// Restore over a sealed state, so that this place is used again.
    pub is_unsealing: bool,
    /// Restore although the bucket may keep no version of the state that is replaced.
    pub loses_current: bool,
}

impl RestoreOptions {
    /// Sets whether to write the bytes as they were.
    #[must_use]
    pub fn with_verbatim(mut self, is_verbatim: bool) -> Self {
        self.is_verbatim = is_verbatim;
        self
    }

    /// Sets whether to restore over another lineage, and without having read every version.
    #[must_use]
    pub fn with_force(mut self, is_forced: bool) -> Self {
        self.is_forced = is_forced;
        self
    }

    /// Sets whether to restore although the bucket may keep no version of the replaced state.
    #[must_use]
    pub fn with_loses_current(mut self, loses_current: bool) -> Self {
        self.loses_current = loses_current;
        self
    }

    /// Sets whether to restore over a sealed state.
    #[must_use]
    pub fn with_unseal(mut self, is_unsealing: bool) -> Self {
        self.is_unsealing = is_unsealing;
        self
    }
}

/// A stored state that a restore deals with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stored {
    /// The store's description of it.
    pub meta: StateMeta,
    /// Its header.
    pub header: StateHeader,
    /// What it says if it is sealed.
    pub seal: Option<Seal>,
    pub(super) bytes: Bytes,
}

impl Stored {
    pub(super) fn parse(StateBytes { meta, bytes, .. }: StateBytes) -> Result<Self> {
        let header = StateHeader::parse(&bytes)?;
        Ok(Self { meta, header, seal: Seal::of(&bytes), bytes })
    }

    /// Returns whether OpenTofu has encrypted it.
    pub fn is_encrypted(&self) -> bool {
        self.header.format == StateFormat::Encrypted
    }
}

/// What a restore would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The version to restore.
    pub chosen: Stored,
    /// The current state; `None` if there is none.
    pub current: Option<Stored>,
    /// The current object, if its bytes are no state.
    pub no_state: Option<StateMeta>,
    /// The serial of the restored state.
    pub serial: Serial,
    /// The highest serial that is known of the lineage of the chosen version.
    pub highest: Serial,
    /// How many versions could not be read, so that their serials are not known.
    pub unread: usize,
    /// Whether the current state already is the chosen one, apart from its serial: nothing is
    /// written then.
    pub is_current: bool,
    /// Whether the current state has another digest than the recorded one.
    pub has_wrong_digest: bool,
    /// What changes from the current state to the restored one; `None` if that is not known.
    pub changes: Option<Summary>,
    /// Whether the digest of the current state is to be recorded.
    pub(super) needs_digest: bool,
    pub(super) new: Bytes,
    pub(super) mode: WriteMode,
}
