//! The stored versions of a state: what each one is, and who wrote it.

mod entry;
mod notes;
#[cfg(test)]
mod tests;
mod writers;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use remote_state_core::{
    Author, Error, ErrorKind, ReadOptions, Result, StateStore, StateVersion, Workspace,
};

pub use self::entry::{HistoryEntry, Note, Writer, WriterSource};
use crate::heading::{Depth, read_heading};

/// How many headers are read at the same time.
const PARALLEL_READS: usize = 8;

/// Which versions to list, and how much to find out about them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HistoryOptions {
    /// List so many versions at most.
    pub most: Option<usize>,
    /// List only versions that were stored at this time or later.
    pub since: Option<Timestamp>,
    /// Whether the versions of the lock object tell who wrote a state without annotations.
    pub reads_locks: bool,
    /// Whether to read a whole state if its beginning does not have its header.
    pub reads_whole: bool,
}

impl HistoryOptions {
    /// Lists so many versions at most.
    #[must_use]
    pub fn with_most(mut self, most: Option<usize>) -> Self {
        self.most = most;
        self
    }

    /// Lists only versions that were stored at this time or later.
    #[must_use]
    pub fn with_since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// Sets whether the versions of the lock object tell who wrote a state without annotations.
    #[must_use]
    pub fn with_reads_locks(mut self, reads_locks: bool) -> Self {
        self.reads_locks = reads_locks;
        self
    }

    /// Sets whether to read a whole state if its beginning does not have its header.
    #[must_use]
    pub fn with_reads_whole(mut self, reads_whole: bool) -> Self {
        self.reads_whole = reads_whole;
        self
    }
}

/// Whether the bucket keeps versions, as far as the listed ids tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Versioning {
    /// The newest version has an id.
    Enabled,
    /// The newest version has no id of its own, and older ones have.
    Suspended,
    /// Only the current state is there, without an id of its own: no version was kept so far.
    Off,
    /// The store keeps no versions.
    NotOffered,
    /// Nothing is listed, or too little to tell.
    Unknown,
}

impl Versioning {
    /// Returns the name, as in JSON answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Suspended => "suspended",
            Self::Off => "off",
            Self::NotOffered => "not-offered",
            Self::Unknown => "unknown",
        }
    }
}

/// The versions of a state, the newest first.
#[derive(Debug)]
#[non_exhaustive]
pub struct History {
    /// Whether the bucket keeps versions.
    pub versioning: Versioning,
    /// The versions.
    pub entries: Vec<HistoryEntry>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Why the versions of the lock object could not be listed, if they were asked for.
    pub locks_error: Option<Error>,
}

/// Lists the versions of a workspace's state.
///
/// If the store keeps no versions, the result is the current state alone.
///
/// # Errors
/// Any error of the listing. A version that cannot be read is listed with its error.
pub async fn history(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: &HistoryOptions,
) -> Result<History> {
    let (listed, has_more, versioning) = list(store, workspace, options).await?;
    let reads = listed.into_iter().enumerate().map(|(number, version)| async move {
        entry(store, workspace, options, number, version).await
    });
    let mut entries: Vec<_> = stream::iter(reads).buffered(PARALLEL_READS).collect().await;
    let locks_error = if options.reads_locks {
        writers::add(store, workspace, &mut entries).await.err()
    } else {
        None
    };
    notes::add(&mut entries);
    Ok(History { versioning, entries, has_more, locks_error })
}

/// Returns the versions to show, and whether there are more.
async fn list(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: &HistoryOptions,
) -> Result<(Vec<StateVersion>, bool, Versioning)> {
    let is_wanted = |version: &StateVersion| match (options.since, version.meta.modified) {
        (Some(since), Some(modified)) => modified >= since,
        _ => true,
    };
    let mut found = Vec::new();
    let mut has_more = false;
    let mut versions = store.versions(workspace);
    loop {
        match versions.try_next().await {
            Ok(None) => break,
            // Versions are listed newest first, so no later one is wanted either.
            Ok(Some(version)) if !is_wanted(&version) => {
                has_more = true;
                break;
            }
            Ok(Some(_)) if options.most.is_some_and(|most| found.len() >= most) => {
                has_more = true;
                break;
            }
            Ok(Some(version)) => found.push(version),
            Err(error) if error.kind() == ErrorKind::Unsupported && found.is_empty() => {
                let current = current(store, workspace).await?;
                return Ok((current.into_iter().collect(), false, Versioning::NotOffered));
            }
            Err(error) => return Err(error),
        }
    }
    let versioning = match versioning(&found) {
        // Older versions may have ids.
        Versioning::Off if has_more => Versioning::Unknown,
        versioning => versioning,
    };
    Ok((found, has_more, versioning))
}

/// Describes the current state of a store that lists no versions.
async fn current(store: &dyn StateStore, workspace: &Workspace) -> Result<Option<StateVersion>> {
    let read = store.read(workspace, &ReadOptions::default().with_limit(1)).await?;
    Ok(read.map(|read| StateVersion::new(read.meta, true)))
}

/// Amazon S3, and the stores that follow it, give versions from a time without versioning the id
/// `null`: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>.
fn versioning(listed: &[StateVersion]) -> Versioning {
    let has_id = |version: &StateVersion| {
        version.meta.version.as_ref().is_some_and(|id| id.as_str() != "null")
    };
    match listed {
        [] => Versioning::Unknown,
        [newest, ..] if has_id(newest) => Versioning::Enabled,
        [_, older @ ..] if older.iter().any(has_id) => Versioning::Suspended,
        _ => Versioning::Off,
    }
}

async fn entry(
    store: &dyn StateStore,
    workspace: &Workspace,
    options: &HistoryOptions,
    number: usize,
    version: StateVersion,
) -> HistoryEntry {
    let mut entry = HistoryEntry {
        number,
        version: version.meta.version.clone(),
        is_deletion: version.is_delete_marker,
        is_latest: version.is_latest,
        modified: version.meta.modified,
        size_bytes: version.meta.size_bytes,
        etag: version.meta.etag,
        header: None,
        seal: None,
        error: None,
        writer: None,
        notes: Vec::new(),
    };
    if version.is_delete_marker {
        return entry;
    }
    let read = match &version.meta.version {
        Some(version) => ReadOptions::default().with_version(version.clone()),
        None => ReadOptions::default(),
    };
    let depth = if options.reads_whole { Depth::Whole } else { Depth::Beginning };
    match read_heading(store, workspace, &read, depth).await {
        Ok(Some(heading)) => {
            entry.seal = heading.seal;
            match heading.header {
                Ok(header) => entry.header = header,
                Err(error) => entry.error = Some(error),
            }
            entry.writer = Author::of(&heading.meta.annotations)
                .map(|author| Writer { author, source: WriterSource::Annotations });
        }
        Ok(None) => {
            let message = "it has no bytes, and so is no state";
            entry.error = Some(Error::new(ErrorKind::InvalidState, "read state", message));
        }
        Err(error) => entry.error = Some(error),
    }
    entry
}
