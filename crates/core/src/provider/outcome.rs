//! Results of failed requests.

use crate::error::Error;

/// What a failed request leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object does not exist, and its bucket does.
    Absent,
    /// The store refused because the object does not meet the request's condition.
    ConditionFailed,
    /// The store is busy with another conditional request for this object, and decided nothing.
    Conflict,
    /// The store refused; nothing was done.
    Refused,
    /// It is unknown whether the store carried out the request.
    Unknown,
    /// The client could not connect, or the service turned the request away for now; nothing was
    /// done.
    Unsent,
}

/// A failed request: its outcome, and the error for callers that ignore the outcome.
#[derive(Debug)]
pub struct Failure {
    /// What the request left behind.
    pub outcome: Outcome,
    /// The error to report.
    pub error: Error,
}

/// Lets `?` drop the outcome in callers that ignore it.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
