//! The traits and types that a provider implements.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::names::VersionId;
use crate::outgoing::Outgoing;
use crate::provider::{Failure, LockMechanism, Md5Sum, Outcome, Page, Present, StateObject};
use crate::store::{
    Capabilities, CatalogEntry, ReadOptions, StateMeta, StateRead, StateVersion, WriteMode,
    WriteOptions,
};
use crate::workspace::Workspace;

/// The keys under which native clients keep the states of one state key.
pub trait Layout: Debug + Send + Sync + 'static {
    /// Returns the key of a workspace's state.
    fn state_key(&self, workspace: &Workspace) -> String;

    /// Returns the prefix of every key of a named workspace, or an empty text if all keys of the
    /// bucket have to be listed.
    fn listing_prefix(&self) -> String;

    /// Returns the named workspace whose state has this key, if there can be one.
    fn workspace_of(&self, key: &str) -> Option<Workspace>;

    /// Returns the layout of another state key in the same bucket.
    ///
    /// # Errors
    /// The reason why no state can be kept under that key.
    fn with_state_key(&self, key: &str) -> Result<Arc<dyn Layout>, String>;

    /// Returns a layout in which the state of the default workspace has exactly this key.
    ///
    /// # Errors
    /// The reason why no state can be kept under that key.
    fn of_object(&self, key: &str) -> Result<Arc<dyn Layout>, String> {
        self.with_state_key(key)
    }

    /// Returns the reason why a new workspace cannot be added beside the others, if there is one.
    /// Existing workspaces are not affected.
    fn refuses_new(&self, _workspace: &Workspace) -> Option<String> {
        None
    }
}

/// The keys of one workspace's state and its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatePlace {
    /// The key of the state's object.
    pub key: String,
    /// The key of its lock object.
    pub lock_key: String,
    /// `<bucket>/<key>`: the id of the lock's row in a table, and the path in lock records.
    pub path: String,
}

impl StatePlace {
    pub(super) fn new(bucket: &str, key: String) -> Self {
        let lock_key = format!("{key}{LOCK_SUFFIX}");
        Self { path: format!("{bucket}/{key}"), lock_key, key }
    }
}

/// The end of a lock object's key.
pub(super) const LOCK_SUFFIX: &str = ".tflock";

/// The prefix of this library's own objects. It begins at the root of the bucket: native OSS
/// clients take any first part below their own prefix for a workspace.
pub(super) const OWN_PREFIX: &str = ".remote-state/";

/// The end of the id of a digest's row.
pub(super) const DIGEST_SUFFIX: &str = "-md5";

/// Where a listing continues: after this key, and after this version of it. Only the store that
/// returned it understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursor {
    /// The store's token, marker or key.
    pub key: String,
    /// The store's marker of a version.
    pub version: Option<String>,
}

impl Cursor {
    /// Creates the marker of a listing of keys.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), version: None }
    }

    /// Creates the marker of a listing of versions.
    pub fn behind_version(key: impl Into<String>, version: impl Into<String>) -> Self {
        Self { key: key.into(), version: Some(version.into()) }
    }
}

/// A state to write.
#[derive(Debug)]
#[non_exhaustive]
pub struct StateWrite<'a> {
    /// The place to write to.
    pub place: &'a StatePlace,
    /// The bytes, and the decision that makes them visible.
    pub outgoing: Outgoing,
    /// The precondition of the write, and the annotations to store with it.
    pub options: &'a WriteOptions,
    /// Whether to compute the MD5 of the bytes.
    pub needs_md5: bool,
}

/// The result of writing a state.
#[derive(Debug)]
pub struct Written {
    /// The store's description of the state, or the error if it was not stored or may not have
    /// been.
    pub meta: Result<StateMeta>,
    /// The MD5 of the bytes, or the error if it could not be computed; `None` if it was not
    /// requested.
    pub md5: Option<Result<Md5Sum>>,
}

/// A bucket, as [`ObjectStateStore`](super::ObjectStateStore) uses it.
#[async_trait]
pub trait ObjectBackend: Debug + Send + Sync + 'static {
    /// Returns the name of the bucket.
    fn bucket(&self) -> &str;

    /// Returns the name of the store for errors.
    fn store(&self) -> &str;

    /// Returns the name of an object for people, as a URL such as `s3://bucket/key`.
    fn url(&self, key: &str) -> String;

    /// Returns what the store can do as configured, locks and digests aside.
    fn capabilities(&self) -> Capabilities;

    /// Returns the length of the longest key in bytes: 1,024 in
    /// [Amazon S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
    fn longest_key(&self) -> usize {
        1024
    }

    /// Returns how to look at an object without this library, as part of a sentence: ``look at what
    /// is stored with `…` ``.
    fn how_to_look(&self, _key: &str) -> String {
        "look at what is stored".to_owned()
    }

    /// Opens an object for reading. An object of zero bytes exists.
    ///
    /// Of the options, a backend heeds the version. With a [limit](ReadOptions::limit) it may
    /// request that many bytes only, or send all; the rest is not read.
    ///
    /// # Errors
    /// [`Absent`](crate::provider::Outcome::Absent) if the bucket exists and has no such object, or
    /// no such version of it.
    async fn get(
        &self,
        operation: &'static str,
        key: &str,
        options: &ReadOptions,
    ) -> Result<StateRead, Failure>;

    /// Writes a state. If the answer is lost, finds out whether the store carried out the request.
    ///
    /// # Errors
    /// The decision, if it is no; the reason if the state could not be sent at all.
    async fn put_state(&self, write: StateWrite<'_>) -> Result<Written>;

    /// Deletes a state. If the answer is lost, finds out whether the store carried out the request.
    ///
    /// # Errors
    /// Those of [`StateStore::delete`](crate::StateStore::delete).
    async fn delete_state(&self, place: &StatePlace) -> Result<()>;

    /// Lists the objects whose keys begin with `prefix`.
    ///
    /// # Errors
    /// The reason if this page cannot be read.
    async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        at: Option<Cursor>,
    ) -> Result<Page<CatalogEntry, Cursor>>;

    /// Lists the versions of one object, newest first.
    ///
    /// # Errors
    /// `Unsupported` if the store keeps no versions; the reason if this page cannot be read.
    async fn versions(
        &self,
        _key: &str,
        _at: Option<Cursor>,
    ) -> Result<Page<StateVersion, Cursor>> {
        let message = format!("{} keeps no versions", self.store());
        Err(Error::new(ErrorKind::Unsupported, "list versions", message))
    }

    /// Lists the keys that begin with `prefix` and whose newest version is a deletion.
    ///
    /// # Errors
    /// `Unsupported` if the store keeps no versions; the reason if this page cannot be read.
    async fn deleted(&self, _prefix: &str, _at: Option<Cursor>) -> Result<Page<String, Cursor>> {
        let message = format!("{} keeps no versions", self.store());
        Err(Error::new(ErrorKind::Unsupported, "list versions", message))
    }

    /// Returns the lock object of a state, which only one client can create.
    fn lock_object<'a>(&'a self, place: &'a StatePlace) -> Box<dyn LockMechanism + 'a>;

    /// Returns the name of a lock object in messages: `lock file`.
    fn lock_object_name(&self) -> &'static str {
        "lock object"
    }

    /// Returns whether a state exists.
    ///
    /// A HEAD has no body that says whether the bucket or the key is missing. A GET has one, and
    /// the client need not read it.
    ///
    /// # Errors
    /// The reason if that cannot be determined.
    async fn present(&self, operation: &'static str, key: &str) -> Result<Present> {
        match self.get(operation, key, &ReadOptions::default()).await {
            Ok(read) if read.meta.size_bytes == 0 => Ok(Present::Empty(read.meta.etag)),
            Ok(read) => Ok(Present::State(read.meta.etag)),
            Err(failure) if failure.outcome == Outcome::Absent => Ok(Present::No),
            Err(failure) => Err(failure.error),
        }
    }

    /// Returns the stored object if it is what a write in this mode expects. For stores that do not
    /// check the precondition themselves: the lock, not this check, keeps others out until the
    /// write.
    ///
    /// # Errors
    /// `PreconditionFailed` if it is not; the reason if that cannot be determined.
    async fn expect_present(&self, key: &str, mode: &WriteMode) -> Result<Present> {
        self.state_object(key).require(mode, self.present("write", key).await?)
    }

    /// Reads back what a write may have stored, if it is `size_bytes` long, and passes its bytes to
    /// `each`. `None` if there is no object, or one of another length.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn read_back(
        &self,
        key: &str,
        version: Option<&VersionId>,
        size_bytes: u64,
        each: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Option<StateMeta>> {
        let options = ReadOptions { version: version.cloned(), ..ReadOptions::default() };
        let mut read = match self.get("write", key, &options).await {
            Ok(read) if read.meta.size_bytes == size_bytes => read,
            Ok(_) => return Ok(None),
            Err(failure) if failure.outcome == Outcome::Absent => return Ok(None),
            Err(failure) => return Err(failure.error),
        };
        while let Some(bytes) = read.body.try_next().await? {
            each(&bytes);
        }
        Ok(Some(read.meta))
    }

    /// Returns the state's object for messages about a write.
    fn state_object(&self, key: &str) -> StateObject {
        StateObject { url: self.url(key), store: self.store().to_owned() }
    }

    /// Describes clients that a lock object here cannot exclude; `None` if it excludes all.
    ///
    /// # Errors
    /// The reason if the store was needed and did not answer.
    async fn lock_caveat(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Describes what can go wrong if two clients release a lock object at the same time; `None` if
    /// each release removes only the lock that it was meant for.
    fn release_caveat(&self) -> Option<String> {
        None
    }
}

/// A table of locks and digests. A row has a text as its id, and one more column.
#[async_trait]
pub trait TableBackend: Debug + Send + Sync + 'static {
    /// Returns the name of a lock in this table: `lock item`.
    fn lock_name(&self) -> &'static str;

    /// Returns the name of a digest in this table: `digest item`.
    fn digest_name(&self) -> &'static str;

    /// Returns the length of the longest id in bytes.
    fn longest_id(&self) -> usize;

    /// Returns the name of a row for people, as a URL.
    fn url(&self, id: &str) -> String;

    /// Returns in a few words where a row is.
    fn place(&self, id: &str) -> String;

    /// Returns how to remove a row without this library, as part of a sentence: ``remove the item
    /// with `…` ``.
    fn how_to_remove(&self, id: &str) -> String;

    /// Creates a row if its id is free. The request is never repeated: the second could fail
    /// because of the first.
    async fn create_once(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure>;

    /// Reads a row as it was last written; `None` if it does not exist.
    async fn get<'a>(
        &'a self,
        operation: &'static str,
        id: &str,
        column: &'static str,
    ) -> Result<Option<Box<dyn TableRow + 'a>>, Failure>;

    /// Writes a row, replacing any earlier one. The request may be repeated.
    async fn put(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure>;

    /// Deletes a row if it exists. The request may be repeated.
    async fn delete(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
    ) -> Result<(), Failure>;
}

/// A row of a table, as it was read.
#[async_trait]
pub trait TableRow: Send + Sync {
    /// Returns the column's text.
    ///
    /// # Errors
    /// The reason why it holds no text.
    fn text(&self) -> Result<&[u8], String>;

    /// Deletes the row if its column still is exactly what was read, or still is absent. The
    /// request is never repeated.
    async fn delete_if_unchanged(&self, operation: &'static str) -> Result<(), Failure>;
}
