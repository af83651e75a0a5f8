//! The entry of a table that records the digest of a state.

use async_trait::async_trait;

use crate::provider::{Failure, Md5Sum};

/// The entry of a table that records the digest of one state.
#[async_trait]
pub(crate) trait DigestEntry: Send + Sync {
    /// Returns the state object, as a URL.
    fn state(&self) -> String;

    /// Returns where the entry is, for messages.
    fn place(&self) -> String;

    /// Returns how to look at the stored entry, as part of a sentence: ``look at what is stored
    /// with `…` ``.
    fn how_to_look(&self) -> String;

    /// Returns how to remove the entry by hand, as part of a sentence: ``remove the item with `…`
    /// ``.
    fn how_to_remove(&self) -> String;

    /// Reads the entry as it was last written.
    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure>;

    /// Writes the entry, replacing any earlier one. The request may be repeated.
    async fn put(&self, operation: &'static str, digest: &str) -> Result<(), Failure>;

    /// Deletes the entry if there is one. The request may be repeated.
    async fn delete(&self, operation: &'static str) -> Result<(), Failure>;
}

/// The recorded digest of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordedDigest {
    /// The MD5 of the state's bytes.
    Md5(Md5Sum),
    /// Something else, which clients do not compare with the state.
    Unreadable,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// There is no entry.
    Nothing,
    /// The entry has this text in place of a digest.
    Text(String),
    /// The entry has no text in place of a digest.
    NoText,
}

impl Recorded {
    pub(super) fn sum(&self) -> Option<Md5Sum> {
        match self {
            Self::Text(text) => Md5Sum::parse(text),
            Self::Nothing | Self::NoText => None,
        }
    }
}
