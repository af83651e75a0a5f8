//! The objects of a bucket that may be states.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::error::Result;
use crate::names::ETag;
use crate::store::StateStore;

/// All objects of a bucket that may be states, whatever their state key and workspace.
///
/// A [`StateStore`] knows the states of one state key only. Programs that look through a whole
/// bucket use this.
pub trait StateCatalog: Debug + Send + Sync + 'static {
    /// Lists the objects whose keys begin with `prefix` and that may be states, in the order of the
    /// store. Locks and this library's own objects are not among them; whether an object is a state
    /// only its bytes tell.
    fn objects(&self, prefix: &str) -> BoxStream<'static, Result<CatalogEntry>>;

    /// Returns a store whose default workspace is the state under exactly this key. Its other
    /// workspaces are of no meaning.
    ///
    /// # Errors
    /// `ConfigInvalid` if no state can be kept under that key.
    fn open(&self, key: &str) -> Result<Arc<dyn StateStore>>;
}

/// An object of a bucket, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogEntry {
    /// The key of the object.
    pub key: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its entity tag.
    pub etag: Option<ETag>,
    /// When it was stored, UTC, by the store's clock.
    pub modified: Option<Timestamp>,
}

impl CatalogEntry {
    /// Creates the entry of an object of `size_bytes` bytes.
    pub fn new(key: impl Into<String>, size_bytes: u64) -> Self {
        Self { key: key.into(), size_bytes, etag: None, modified: None }
    }

    /// Sets the entity tag.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<ETag>) -> Self {
        self.etag = etag;
        self
    }

    /// Sets the time of the write.
    #[must_use]
    pub fn with_modified(mut self, modified: Option<Timestamp>) -> Self {
        self.modified = modified;
        self
    }
}
