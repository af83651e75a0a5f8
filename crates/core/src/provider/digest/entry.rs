//! The entry of a table in which the digest of a state is recorded.

use async_trait::async_trait;

use crate::provider::{Failure, Md5Sum};

/// The entry of a table in which the digest of one state is recorded.
#[async_trait]
pub trait DigestEntry: Send + Sync {
    /// The state object, as a URL.
    fn state(&self) -> String;

    /// Where the entry is, for messages.
    fn place(&self) -> String;

    /// How to look at what is stored, as a sentence goes on: ``look at what is stored with `…` ``.
    fn how_to_look(&self) -> String;

    /// How to remove the entry by hand, as a sentence goes on: ``remove the item with `…` ``.
    fn how_to_remove(&self) -> String;

    /// Reads the entry, and sees what was written last.
    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure>;

    /// Writes the entry, whatever is there. The request may be repeated.
    async fn put(&self, operation: &'static str, digest: &str) -> Result<(), Failure>;

    /// Deletes the entry, if there is one. The request may be repeated.
    async fn delete(&self, operation: &'static str) -> Result<(), Failure>;
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// There is no entry.
    Nothing,
    /// There is one with this text in the place of a digest.
    Text(String),
    /// There is one without any text in the place of a digest.
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
