//! Testing that a store refuses a second create.

use std::future::Future;

use crate::error::{Error, ErrorKind, Result};
use crate::provider::{Attempts, Failure, Outcome};

/// How a store answered a second create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondCreate<T> {
    /// It refused, as it must: the stored object keeps other clients out.
    Refused,
    /// It carried out the create, and so would it another client's.
    CarriedOut(T),
}

/// Sends a create for an existing object until the store decides.
///
/// # Errors
/// The reason why the store did not decide. Busy or lost does not count as refused, since a store
/// that ignores the condition may answer so too.
pub async fn second_create<T, F>(create: impl Fn() -> F) -> Result<SecondCreate<T>>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut attempts = Attempts::new();
    while attempts.next().await {
        match create().await {
            Ok(stored) => return Ok(SecondCreate::CarriedOut(stored)),
            Err(Failure { outcome: Outcome::ConditionFailed, .. }) => {
                return Ok(SecondCreate::Refused);
            }
            Err(failure) if attempts.is_last() || is_final(&failure) => return Err(failure.error),
            Err(_) => {}
        }
    }
    Err(Error::new(ErrorKind::Unexpected, "lock", "no attempt was made"))
}

/// Returns whether another attempt would have the same result. A server that is no store answers
/// the same for ever.
fn is_final(failure: &Failure) -> bool {
    matches!(failure.outcome, Outcome::Absent | Outcome::Refused)
        || failure.error.kind() == ErrorKind::Unexpected
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn failed(outcome: Outcome, kind: ErrorKind) -> Failure {
        Failure { outcome, error: Error::new(kind, "lock", "as answered") }
    }

    /// Runs the test on a store that gives these answers in turn, and returns the result and the
    /// number of requests.
    async fn ask(
        answers: &[fn() -> Result<u8, Failure>],
    ) -> (Result<SecondCreate<u8>, ErrorKind>, usize) {
        let asked = Cell::new(0);
        let proven = second_create(|| async {
            let answer = answers[asked.get().min(answers.len() - 1)]();
            asked.set(asked.get() + 1);
            answer
        });
        let proven = proven.await.map_err(|error| error.kind());
        (proven, asked.get())
    }

    #[tokio::test]
    async fn what_the_store_decides_counts_and_doubt_is_asked_again() {
        let busy = || Err(failed(Outcome::Conflict, ErrorKind::Unavailable));
        let lost = || Err(failed(Outcome::Unknown, ErrorKind::Unavailable));
        let refused = || Err(failed(Outcome::ConditionFailed, ErrorKind::PreconditionFailed));
        assert_eq!(ask(&[busy, lost, refused]).await, (Ok(SecondCreate::Refused), 3));
        assert_eq!(ask(&[lost, || Ok(7)]).await, (Ok(SecondCreate::CarriedOut(7)), 2));
    }

    #[tokio::test]
    async fn doubt_without_end_and_what_is_no_store_are_no_proof() {
        let busy = || Err(failed(Outcome::Conflict, ErrorKind::Unavailable));
        let denied = || Err(failed(Outcome::Refused, ErrorKind::PermissionDenied));
        let stranger = || Err(failed(Outcome::Unknown, ErrorKind::Unexpected));
        assert_eq!(ask(&[busy]).await, (Err(ErrorKind::Unavailable), 6));
        assert_eq!(ask(&[denied]).await, (Err(ErrorKind::PermissionDenied), 1));
        assert_eq!(ask(&[stranger]).await, (Err(ErrorKind::Unexpected), 1));
    }
}
