//! Errors:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.

use crate::store::Error;

/// An error in the words of DynamoDB.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::ItemKeyMissing => {
                Self::invalid("One of the required keys was not given a value")
            }
            Error::TableMissing => {
                Self::new("ResourceNotFoundException", "Requested resource not found")
            }
            error => {
                tracing::warn!(%error, "the store failed");
                Self {
                    status: 500,
                    code: "InternalServerError",
                    message: "The storage failed".to_owned(),
                }
            }
        }
    }
}
