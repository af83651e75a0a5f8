//! Writing and deleting a state: the precondition of a write, and how to resolve a request whose
//! answer does not decide.

use std::future::Future;

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::names::ETag;
use crate::provider::{Failure, Outcome};
use crate::store::WriteMode;

/// The object under a state's key. An object of zero bytes exists, but is no state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// No object.
    No,
    /// An object of zero bytes, with its entity tag if the store sends one.
    Empty(Option<ETag>),
    /// A state, with its entity tag if the store sends one.
    State(Option<ETag>),
}

impl Present {
    fn is_expected_by(&self, mode: &WriteMode) -> bool {
        match (mode, self) {
            (WriteMode::Overwrite, _) | (WriteMode::Create, Self::No | Self::Empty(_)) => true,
            (WriteMode::Update(expected), Self::Empty(found) | Self::State(found)) => {
                found.as_ref() == Some(expected)
            }
            (WriteMode::Create, Self::State(_)) | (WriteMode::Update(_), Self::No) => false,
        }
    }
}

/// The object of a state, as messages describe it.
#[derive(Clone, Debug)]
pub struct StateObject {
    /// The object, as a URL.
    pub url: String,
    /// The store that holds it, as errors name it.
    pub store: String,
}

impl StateObject {
    /// Returns the stored object if it is what the mode expects.
    ///
    /// # Errors
    /// `PreconditionFailed` if it is not.
    pub fn require(&self, mode: &WriteMode, present: Present) -> Result<Present> {
        if present.is_expected_by(mode) { Ok(present) } else { Err(self.changed()) }
    }

    /// Returns the error for a write that the store did not carry out because the stored object is
    /// not the expected one.
    pub fn changed(&self) -> Error {
        let message = format!(
            "`{}` was changed by someone else since it was read; nothing was written",
            self.url
        );
        Error::new(ErrorKind::PreconditionFailed, "write", message)
            .with_advice(Advice::CompareStored)
    }

    /// Finds out whether a write that failed was carried out. `look` reads what is stored now, and
    /// returns it if it is what was to be written.
    ///
    /// This also checks a failed condition: the client repeats a request whose answer was lost, and
    /// the repetition then fails because of the client's own write.
    ///
    /// # Errors
    /// The reason if the write was refused or never sent; `PreconditionFailed` if the store decided
    /// against it; `Unknown` if it may have been carried out.
    pub async fn resolve_write<T>(
        &self,
        failure: Failure,
        look: impl Future<Output = Result<Option<T>>>,
    ) -> Result<T> {
        let Failure { outcome, error } = failure;
        if matches!(outcome, Outcome::Refused | Outcome::Unsent) {
            return Err(error);
        }
        match look.await {
            Ok(Some(stored)) => Ok(stored),
            // The store decided: it holds another object, and did not carry out this write.
            Ok(None) if outcome == Outcome::ConditionFailed => {
                Err(self.changed().with_source(error))
            }
            Ok(None) | Err(_) => {
                let message =
                    format!("the state may or may not have been written to `{}`", self.url);
                Err(Error::new(ErrorKind::Unknown, "write", message)
                    .with_context("store", &self.store)
                    .with_context("because", &error)
                    .with_advice(Advice::KeepAndCompare)
                    .with_source(error))
            }
        }
    }

    /// Finds out whether a deletion that failed was carried out. `look` reads what is stored now.
    ///
    /// # Errors
    /// The reason if it was refused or never sent; `Unknown` if it may have been carried out.
    pub async fn resolve_delete(
        &self,
        failure: Failure,
        look: impl Future<Output = Result<Present>>,
    ) -> Result<()> {
        let Failure { outcome, error } = failure;
        match outcome {
            Outcome::Absent => Ok(()),
            Outcome::Refused | Outcome::Unsent => Err(error),
            Outcome::ConditionFailed | Outcome::Conflict | Outcome::Unknown => {
                if let Ok(Present::No) = look.await {
                    return Ok(());
                }
                let message = format!("the state `{}` may or may not have been deleted", self.url);
                Err(Error::new(ErrorKind::Unknown, "delete", message)
                    .with_context("because", &error)
                    .with_hint("delete it again when the store answers again; that does no harm")
                    .with_source(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Outcome; 6] = [
        Outcome::Absent,
        Outcome::ConditionFailed,
        Outcome::Conflict,
        Outcome::Refused,
        Outcome::Unknown,
        Outcome::Unsent,
    ];

    fn object() -> StateObject {
        StateObject { url: "mem://bucket/state".to_owned(), store: "memory".to_owned() }
    }

    fn failed(outcome: Outcome) -> Failure {
        Failure { outcome, error: Error::new(ErrorKind::Unavailable, "write", "as answered") }
    }

    fn unseen<T>() -> Result<T> {
        Err(Error::new(ErrorKind::Unavailable, "write", "cannot look"))
    }

    #[test]
    fn a_write_goes_on_where_what_stands_there_is_what_it_expects() {
        let etag = |text: &str| Some(ETag::new(text));
        let update = WriteMode::Update(ETag::new("a"));
        let table = [
            (Present::No, [true, true, false]),
            (Present::Empty(None), [true, true, false]),
            (Present::Empty(etag("a")), [true, true, true]),
            (Present::State(None), [true, false, false]),
            (Present::State(etag("a")), [true, false, true]),
            (Present::State(etag("b")), [true, false, false]),
        ];
        for (present, expected) in table {
            for (mode, expected) in
                [WriteMode::Overwrite, WriteMode::Create, update.clone()].iter().zip(expected)
            {
                let kind = object().require(mode, present.clone()).map_err(|error| error.kind());
                let expected =
                    if expected { Ok(present.clone()) } else { Err(ErrorKind::PreconditionFailed) };
                assert_eq!(kind, expected, "{mode:?} {present:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_write_in_doubt_is_what_can_be_seen_of_it() {
        for outcome in OUTCOMES {
            let resolve = async |look: Result<Option<()>>| {
                let resolved = object().resolve_write(failed(outcome), async { look }).await;
                resolved.map_err(|error| error.kind())
            };
            let (seen, other, unseen) =
                (resolve(Ok(Some(()))).await, resolve(Ok(None)).await, resolve(unseen()).await);
            let expected = match outcome {
                Outcome::Refused | Outcome::Unsent => [Err(ErrorKind::Unavailable); 3],
                Outcome::ConditionFailed => {
                    [Ok(()), Err(ErrorKind::PreconditionFailed), Err(ErrorKind::Unknown)]
                }
                Outcome::Absent | Outcome::Conflict | Outcome::Unknown => {
                    [Ok(()), Err(ErrorKind::Unknown), Err(ErrorKind::Unknown)]
                }
            };
            assert_eq!([seen, other, unseen], expected, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_deletion_in_doubt_is_what_can_be_seen_of_it() {
        for outcome in OUTCOMES {
            let resolve = async |look: Result<Present>| {
                let resolved = object().resolve_delete(failed(outcome), async { look }).await;
                resolved.map_err(|error| error.kind())
            };
            let (gone, there, unseen) = (
                resolve(Ok(Present::No)).await,
                resolve(Ok(Present::Empty(None))).await,
                resolve(unseen()).await,
            );
            let expected = match outcome {
                Outcome::Absent => [Ok(()); 3],
                Outcome::Refused | Outcome::Unsent => [Err(ErrorKind::Unavailable); 3],
                Outcome::ConditionFailed | Outcome::Conflict | Outcome::Unknown => {
                    [Ok(()), Err(ErrorKind::Unknown), Err(ErrorKind::Unknown)]
                }
            };
            assert_eq!([gone, there, unseen], expected, "{outcome:?}");
        }
    }
}
