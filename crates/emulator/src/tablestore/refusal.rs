//! Errors: <https://www.alibabacloud.com/help/en/tablestore/developer-reference/error-codes>.

use super::plain_buffer::Malformed;
use crate::store::Error;

/// An error in the words of Tablestore.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn auth_failed(message: impl Into<String>) -> Self {
        Self::new(403, "OTSAuthFailed", message)
    }

    pub(super) fn condition_failed() -> Self {
        Self::new(403, "OTSConditionCheckFail", "Condition check failed.")
    }

    pub(super) fn exists() -> Self {
        Self::new(409, "OTSObjectAlreadyExist", "Requested table already exists.")
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "OTSParameterInvalid", message)
    }

    pub(super) fn invalid_key(message: impl Into<String>) -> Self {
        Self::new(400, "OTSInvalidPK", message)
    }

    pub(super) fn missing_header(name: &str) -> Self {
        Self::new(400, "OTSMissingHeader", format!("Missing header: '{name}'."))
    }

    pub(super) fn no_table() -> Self {
        Self::new(404, "OTSObjectNotExist", "Requested table does not exist.")
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(400, "OTSUnsupportOperation", format!("Unsupported operation: {}.", what.into()))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        tracing::warn!(%error, "the store failed");
        Self::new(500, "OTSInternalServerError", "Internal server error.")
    }
}

impl From<prost::DecodeError> for Refusal {
    fn from(error: prost::DecodeError) -> Self {
        Self::invalid(format!("Failed to parse the ProtoBuf message: {error}."))
    }
}

impl From<Malformed> for Refusal {
    fn from(reason: Malformed) -> Self {
        Self::invalid(format!("Failed to parse the PlainBuffer: {reason}."))
    }
}
