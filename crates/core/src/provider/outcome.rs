//! What became of a request.

use crate::error::Error;

/// What a failed request leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object does not exist, and its bucket does.
    Absent,
    /// The store refused because the object is not as the request demanded.
    ConditionFailed,
    /// The store is busy with another conditional request for this object, and decided nothing.
    Conflict,
    /// The store refused; nothing was done.
    Refused,
    /// Nobody knows: the request may have been carried out.
    Unknown,
    /// No connection came about, or the service turned the request away for now; nothing was done.
    Unsent,
}

/// A failed request: what it left behind, and the error for whoever is not interested in that.
#[derive(Debug)]
pub struct Failure {
    /// What it left behind.
    pub outcome: Outcome,
    /// What to tell.
    pub error: Error,
}

/// Lets `?` drop the outcome where only success counts.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
