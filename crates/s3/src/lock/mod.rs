//! Locks: the lock file, the lock item in a DynamoDB table, or both.
//!
//! Exclusion rests on one thing: the store carries out a conditional create for one of any number of clients, and refuses it to the others.
//! Native clients use the same request on the same object or item, so they and we exclude each other. See [`file`] and
//! [`dynamodb::lock`](crate::dynamodb) for what each of them rests on, and [`single`] for how a lost answer is resolved.
//!
//! With both configured a lock is both: the file is created first and then the item, as native clients do. So of two clients that use both, one
//! stops at the file; and a client that uses only one of them meets the same file or the same item. Whoever gets the file and then not the item
//! gives the file back. An unlock always attempts both, so that what one of them left behind does not stand in the way for ever.

mod file;
mod single;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_core::{Error, ErrorKind, LockInfo, LockRecord, LockTarget, Released, Result, Workspace};

use crate::dynamodb::LockItem;
use crate::error::Failure;
pub(crate) use crate::lock::file::LockFile;
use crate::store::S3Store;

/// How often to try again where the store did not decide.
pub(crate) const ATTEMPTS: u32 = 6;

/// The first pause between two attempts; it doubles each time.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// A lock record is a few hundred bytes. What is longer is none, and is not read to its end.
pub(crate) const MAX_RECORD_BYTES: usize = 64 * 1024;

/// One place that can hold a lock.
#[async_trait]
pub(crate) trait Mechanism: Send + Sync {
    /// What by, for messages: `lock file`.
    fn name(&self) -> &'static str;

    /// The lock object, as a URL.
    fn object(&self, workspace: &Workspace) -> String;

    /// The store is known to refuse a second create.
    fn is_proven(&self) -> bool;

    /// Asks the store, once, to create it if nothing is there.
    async fn create_once(&self, workspace: &Workspace, record: Bytes) -> Result<(), Failure>;

    /// Makes sure, after a create was carried out, that the store refuses a second one.
    async fn prove(&self, workspace: &Workspace, record: Bytes) -> Result<()>;

    /// Reads what is there.
    async fn read(&self, operation: &'static str, workspace: &Workspace) -> Result<Option<Found>>;

    /// Asks the store to remove what was found, once: the next time someone else's may be there.
    async fn remove_once(&self, workspace: &Workspace, found: &Found) -> Result<(), Failure>;
}

/// A lock as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: LockRecord,
    pub(crate) mark: Mark,
}

/// By what the store can tell that it is still the same.
#[derive(Debug)]
pub(crate) enum Mark {
    /// A lock file's entity tag.
    ETag(Option<String>),
    /// A lock item's attribute `Info`, exactly as it was read.
    Info(Option<aws_sdk_dynamodb::types::AttributeValue>),
}

/// Reads a record as it stands in either.
pub(crate) fn parse_record(text: &[u8]) -> Result<LockInfo, String> {
    if text.len() > MAX_RECORD_BYTES {
        return Err(format!("it is longer than {MAX_RECORD_BYTES} bytes"));
    }
    LockInfo::parse(text).map_err(|reason| reason.to_string())
}

impl S3Store {
    /// What the lock consists of, in the order in which it is taken and given back.
    pub(crate) fn mechanisms(&self) -> Vec<Box<dyn Mechanism + '_>> {
        let mut mechanisms: Vec<Box<dyn Mechanism + '_>> = Vec::new();
        if self.layout.has_lock_file {
            mechanisms.push(Box::new(LockFile(self)));
        }
        if let Some(table) = &self.table {
            mechanisms.push(Box::new(LockItem { store: self, table }));
        }
        mechanisms
    }

    /// What may show a lock: the lock file too where this configuration takes none, since another client's may.
    pub(crate) fn visible_mechanisms(&self) -> Vec<Box<dyn Mechanism + '_>> {
        let mut mechanisms = self.mechanisms();
        if !self.layout.has_lock_file {
            mechanisms.push(Box::new(LockFile(self)));
        }
        mechanisms
    }

    pub(crate) async fn take_lock(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        let mechanisms = self.mechanisms();
        if mechanisms.is_empty() {
            return Err(self.no_lock_configured(workspace));
        }
        let info = info.clone().with_path(self.layout.location(workspace).path);
        for (taken, mechanism) in mechanisms.iter().enumerate() {
            if let Err(error) = self.take(&**mechanism, workspace, &info).await {
                return Err(self.roll_back(&mechanisms[..taken], workspace, &info, error).await);
            }
        }
        Ok(info)
    }

    /// Gives back what was taken before the rest could not be, and says so if that fails too.
    async fn roll_back(
        &self,
        taken: &[Box<dyn Mechanism + '_>],
        workspace: &Workspace,
        info: &LockInfo,
        mut error: Error,
    ) -> Error {
        let target = LockTarget::Id(info.id.clone());
        for mechanism in taken {
            if let Err(left) = self.give_back(&**mechanism, workspace, &target).await {
                error = error
                    .with_context("left behind", format!("{}: {left}", mechanism.object(workspace)))
                    .with_hint(format!("release what was left with `remote-state unlock {}`", info.id));
            }
        }
        error
    }

    pub(crate) async fn release_lock(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        let mechanisms = self.mechanisms();
        if mechanisms.is_empty() {
            return Err(self.no_lock_configured(workspace));
        }
        let mut released = Released::AlreadyFree;
        let mut failure: Option<Error> = None;
        let mut others = Vec::new();
        for mechanism in &mechanisms {
            let object = mechanism.object(workspace);
            match self.give_back(&**mechanism, workspace, target).await {
                Ok(Released::Freed(info)) => {
                    others.push(("released", object));
                    released = match released {
                        Released::Freed(Some(first)) => Released::Freed(Some(first)),
                        _ => Released::Freed(info),
                    };
                }
                Ok(Released::AlreadyFree) => {
                    if mechanisms.len() > 1 {
                        tracing::warn!(%object, "the {} was free already", mechanism.name());
                    }
                    others.push(("free already", object));
                }
                // The same holder has both, and that they are not released is said once.
                Err(error) if failure.as_ref().is_some_and(|first| is_same_holder(first, &error)) => {}
                Err(error) => match failure.take() {
                    None => failure = Some(error),
                    Some(first) => failure = Some(first.with_context("also", format!("{object}: {error}"))),
                },
            }
        }
        match failure {
            None => Ok(released),
            Some(error) => Err(others
                .into_iter()
                .fold(error, |error, (label, object)| error.with_context(label, object))),
        }
    }

    /// Shows whichever is held, in order.
    pub(crate) async fn inspect_lock(
        &self,
        operation: &'static str,
        workspace: &Workspace,
    ) -> Result<Option<LockRecord>> {
        for mechanism in self.visible_mechanisms() {
            if let Some(found) = mechanism.read(operation, workspace).await? {
                return Ok(Some(found.record));
            }
        }
        Ok(None)
    }

    fn no_lock_configured(&self, workspace: &Workspace) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "lock",
            format!("no lock is configured for `{}`", self.layout.location(workspace).state),
        )
        .with_hint("set `use_lockfile = true` or `dynamodb_table` for every client of this state, or pass `--backend-config use_lockfile=true`")
    }
}

fn is_same_holder(first: &Error, second: &Error) -> bool {
    let id = |error: &Error| error.holder().and_then(|holder| holder.id().cloned());
    id(first).is_some() && id(first) == id(second)
}
