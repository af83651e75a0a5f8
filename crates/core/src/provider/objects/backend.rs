//! What a provider implements.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::names::VersionId;
use crate::outgoing::Outgoing;
use crate::provider::{Failure, LockMechanism, Md5Sum, Outcome, Page, Present, StateObject};
use crate::store::{Capabilities, StateMeta, StateRead, StateVersion, WriteMode, WriteOptions};
use crate::workspace::Workspace;

/// Under which keys native clients keep the states of one state key.
pub trait Layout: Debug + Send + Sync + 'static {
    /// Returns the key of a workspace's state.
    fn state_key(&self, workspace: &Workspace) -> String;

    /// Returns what every key of a named workspace starts with, or an empty text where all keys of
    /// the bucket have to be looked through.
    fn listing_prefix(&self) -> String;

    /// Returns the named workspace whose state is kept under `key`, if there can be one.
    fn workspace_of(&self, key: &str) -> Option<Workspace>;

    /// Returns the layout of another state key in the same bucket.
    ///
    /// # Errors
    /// Why no state can be kept under that key.
    fn with_state_key(&self, key: &str) -> Result<Arc<dyn Layout>, String>;

    /// Returns why a new workspace cannot be kept beside the others, if so. One that exists is
    /// left alone.
    fn refuses_new(&self, _workspace: &Workspace) -> Option<String> {
        None
    }
}

/// Where one workspace's state and its lock are kept.
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

/// What a lock object's key ends with.
pub(super) const LOCK_SUFFIX: &str = ".tflock";

/// What the id of a digest's row ends with.
pub(super) const DIGEST_SUFFIX: &str = "-md5";

/// Where a listing goes on: behind this key, and behind this version of it. Only the store that
/// named it understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursor {
    /// The store's token, marker or key.
    pub key: String,
    /// The store's marker of a version.
    pub version: Option<String>,
}

impl Cursor {
    /// Names where a listing of keys goes on.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), version: None }
    }

    /// Names where a listing of versions goes on.
    pub fn behind_version(key: impl Into<String>, version: impl Into<String>) -> Self {
        Self { key: key.into(), version: Some(version.into()) }
    }
}

/// A state that is to be written.
#[derive(Debug)]
#[non_exhaustive]
pub struct StateWrite<'a> {
    /// Where it goes.
    pub place: &'a StatePlace,
    /// Its bytes, and the decision that makes them visible.
    pub outgoing: Outgoing,
    /// When it may be written, and what is kept beside it.
    pub options: &'a WriteOptions,
    /// The MD5 of its bytes is needed too.
    pub needs_md5: bool,
}

/// What became of a state that was written.
#[derive(Debug)]
pub struct Written {
    /// What the store says about it, or why it was not stored or may not have been.
    pub meta: Result<StateMeta>,
    /// The MD5 of its bytes, or why it could not be computed; `None` if it was not asked for.
    pub md5: Option<Result<Md5Sum>>,
}

/// A bucket, as [`ObjectStateStore`](super::ObjectStateStore) needs it.
#[async_trait]
pub trait ObjectBackend: Debug + Send + Sync + 'static {
    /// Returns the name of the bucket.
    fn bucket(&self) -> &str;

    /// Names the store in errors.
    fn store(&self) -> &str;

    /// Names an object for people, as a URL such as `s3://bucket/key`.
    fn url(&self, key: &str) -> String;

    /// Returns what the store can do, as configured and without regard to locks and digests.
    fn capabilities(&self) -> Capabilities;

    /// Returns the length of the longest key in bytes: 1,024 in
    /// [Amazon S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
    fn longest_key(&self) -> usize {
        1024
    }

    /// Returns how to look at an object without this library, as a sentence goes on:
    /// ``look at what is stored with `…` ``.
    fn how_to_look(&self, _key: &str) -> String {
        "look at what is stored".to_owned()
    }

    /// Opens an object for reading. One of zero bytes is an object.
    ///
    /// # Errors
    /// [`Absent`](crate::provider::Outcome::Absent) if there is no such object, or no such version
    /// of it, in a bucket that exists.
    async fn get(
        &self,
        operation: &'static str,
        key: &str,
        version: Option<&VersionId>,
    ) -> Result<StateRead, Failure>;

    /// Writes a state, and finds out what became of a request whose answer was lost.
    ///
    /// # Errors
    /// The decision, if it is no; and whatever kept the state from being sent at all.
    async fn put_state(&self, write: StateWrite<'_>) -> Result<Written>;

    /// Deletes a state, and finds out what became of a request whose answer was lost.
    ///
    /// # Errors
    /// Those of [`StateStore::delete`](crate::StateStore::delete).
    async fn delete_state(&self, place: &StatePlace) -> Result<()>;

    /// Lists the keys that begin with `prefix`.
    ///
    /// # Errors
    /// Why this page could not be had.
    async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        at: Option<Cursor>,
    ) -> Result<Page<String, Cursor>>;

    /// Lists the versions of one object, newest first.
    ///
    /// # Errors
    /// `Unsupported` if the store keeps none; why this page could not be had.
    async fn versions(
        &self,
        _key: &str,
        _at: Option<Cursor>,
    ) -> Result<Page<StateVersion, Cursor>> {
        let message = format!("{} keeps no versions", self.store());
        Err(Error::new(ErrorKind::Unsupported, "list versions", message))
    }

    /// Returns the lock object of a state, which only one client can create.
    fn lock_object<'a>(&'a self, place: &'a StatePlace) -> Box<dyn LockMechanism + 'a>;

    /// Returns what a lock object is called here: `lock file`.
    fn lock_object_name(&self) -> &'static str {
        "lock object"
    }

    /// Looks whether a state is there.
    ///
    /// A HEAD has no body to say which of bucket and key is missing. A GET has, and its body need
    /// not be read.
    ///
    /// # Errors
    /// If that could not be found out.
    async fn present(&self, operation: &'static str, key: &str) -> Result<Present> {
        match self.get(operation, key, None).await {
            Ok(read) if read.meta.size_bytes == 0 => Ok(Present::Empty(read.meta.etag)),
            Ok(read) => Ok(Present::State(read.meta.etag)),
            Err(failure) if failure.outcome == Outcome::Absent => Ok(Present::No),
            Err(failure) => Err(failure.error),
        }
    }

    /// Returns what is there, if it is what a write in this mode expects. For where the store
    /// does not decide that: the lock, not this, keeps others out until the write.
    ///
    /// # Errors
    /// `PreconditionFailed` if it is not; and if it could not be found out.
    async fn expect_present(&self, key: &str, mode: &WriteMode) -> Result<Present> {
        self.state_object(key).require(mode, self.present("write", key).await?)
    }

    /// Reads back what a write may have left, if it is `size_bytes` long, and passes its bytes to
    /// `each`. `None` if there is nothing, or something of another length.
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
        let mut read = match self.get("write", key, version).await {
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

    /// Names the object of a state for messages about a write.
    fn state_object(&self, key: &str) -> StateObject {
        StateObject { url: self.url(key), store: self.store().to_owned() }
    }

    /// Describes clients that a lock object here cannot exclude; `None` if it excludes all.
    ///
    /// # Errors
    /// If the store was asked and did not answer.
    async fn lock_caveat(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Describes what can happen if a lock object is released twice at the same time; `None` if
    /// each release removes the lock that it was meant for and no other.
    fn release_caveat(&self) -> Option<String> {
        None
    }
}

/// A table of locks and digests. A row has a text as its id, and one column beside it.
#[async_trait]
pub trait TableBackend: Debug + Send + Sync + 'static {
    /// Returns what a lock in this table is called: `lock item`.
    fn lock_name(&self) -> &'static str;

    /// Returns what a digest in this table is called: `digest item`.
    fn digest_name(&self) -> &'static str;

    /// Returns the length of the longest id in bytes.
    fn longest_id(&self) -> usize;

    /// Names a row for people, as a URL.
    fn url(&self, id: &str) -> String;

    /// Says in a few words where a row is.
    fn place(&self, id: &str) -> String;

    /// Returns how to remove a row without this library, as a sentence goes on:
    /// ``remove the item with `…` ``.
    fn how_to_remove(&self, id: &str) -> String;

    /// Creates a row if there is none with its id, without ever repeating the request: the second
    /// could fail on the first.
    async fn create_once(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure>;

    /// Reads a row, and sees what was written last; `None` if there is none.
    async fn get<'a>(
        &'a self,
        operation: &'static str,
        id: &str,
        column: &'static str,
    ) -> Result<Option<Box<dyn TableRow + 'a>>, Failure>;

    /// Writes a row, whatever is there. The request may be repeated.
    async fn put(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure>;

    /// Deletes a row, if there is one. The request may be repeated.
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
    /// Returns the column as it was read.
    ///
    /// # Errors
    /// Why it holds no text.
    fn text(&self) -> Result<&[u8], String>;

    /// Deletes the row if its column still is exactly what was read, absent included, without
    /// ever repeating the request.
    async fn delete_if_unchanged(&self, operation: &'static str) -> Result<(), Failure>;
}
