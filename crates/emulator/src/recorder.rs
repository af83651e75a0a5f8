//! A record of requests, so that tests can count round trips.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests are kept; a server that runs for days must not fill its memory with them.
const KEPT: usize = 65_536;

/// The requests an emulator answered. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    kept: Arc<Mutex<VecDeque<Request>>>,
}

/// A request, recorded when its answer was about to be sent, or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// For example `PUT`.
    pub method: String,
    /// The operation, such as `PutObject` or `PutItem`; none if the request was refused before its
    /// operation was known.
    pub operation: Option<String>,
    /// The path as it was sent.
    pub path: String,
    /// The bucket, decoded; for DynamoDB and Tablestore the table.
    pub bucket: Option<String>,
    /// The key, decoded; for DynamoDB the `LockID` of the item, for Tablestore the first part of
    /// the primary key.
    pub key: Option<String>,
    /// The query as it was sent, without the question mark; empty if there was none.
    pub query: String,
    /// Headers by their lower-case name, without `authorization`.
    pub headers: BTreeMap<String, String>,
    /// None if the connection was closed without an answer.
    pub status: Option<u16>,
}

impl Request {
    /// The names of the parameters of the query.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.query.split('&').filter_map(|parameter| parameter.split('=').next())
    }
}

impl Recorder {
    /// Returns the requests since the last call, oldest first, and forgets them. The newest 65,536
    /// are kept.
    pub fn take(&self) -> Vec<Request> {
        self.lock().drain(..).collect()
    }

    /// How many requests [`take`](Self::take) would return.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn add(&self, request: Request) {
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(request);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
