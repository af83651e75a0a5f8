//! The error codes of DynamoDB, and what a request that gets one leaves behind.

use remote_state_core::{Advice, Error, ErrorKind};

use crate::config::keys;
use crate::error::{About, Outcome};

/// For the reply of a proxy or a login page that accepts every request.
pub(super) const NO_TABLE: &str = "the server at this endpoint does not respond as DynamoDB does";

/// The requirements of a lock table, for hints.
const NEEDS: &str = "a lock table needs the partition key `LockID` of type string, and no sort key";

/// Codes and sentences:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.
pub(super) fn meaning(about: About<'_>, status: u16, code: &str) -> (Outcome, Error) {
    match code {
        // "The conditional request failed."
        "ConditionalCheckFailedException" => (
            Outcome::ConditionFailed,
            about.error(ErrorKind::PreconditionFailed, "it is not what it was expected to be"),
        ),
        // "Operation was rejected because there is an ongoing transaction for the item."
        "TransactionConflictException" => (
            Outcome::Conflict,
            about.error(ErrorKind::Unavailable, "the table is busy with another request for it"),
        ),
        // "Requested resource not found": a missing item is no error, so this is about the table.
        "ResourceNotFoundException" => (
            Outcome::Refused,
            Error::new(
                ErrorKind::TableMissing,
                about.operation,
                format!("table `{}` does not exist at {}", about.bucket, about.store),
            )
            .with_context("set in", about.config.origin(keys::DYNAMODB_TABLE))
            .with_advice(Advice::CheckKeys(vec!["dynamodb_table", "region", "endpoints.dynamodb"]))
            .with_hint(NEEDS),
        ),
        // "You do not have permission."
        "AccessDeniedException" => (
            Outcome::Refused,
            about.error(ErrorKind::PermissionDenied, "access denied").with_hint(
                "needed are `dynamodb:GetItem`, `dynamodb:PutItem` and `dynamodb:DeleteItem` on \
                 the table",
            ),
        ),
        // "The request must contain a valid (registered) AWS Access Key ID." and similar.
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException" => (
            Outcome::Refused,
            about
                .error(
                    ErrorKind::CredentialInvalid,
                    &format!("{} does not accept the credentials ({code})", about.store),
                )
                .with_context("credentials", about.credentials)
                .with_advice(Advice::CheckCredentials),
        ),
        // "You exceeded your maximum allowed provisioned throughput." DynamoDB refuses these
        // requests before it does anything.
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "Throttling"
        | "LimitExceededException" => (
            Outcome::Unsent,
            about
                .error(ErrorKind::RateLimited, "the table asks for fewer requests")
                .with_hint("raise the table's capacity, or let it bill on demand"),
        ),
        // "One or more of the required parameters was missing": the table has another key.
        "ValidationException" => (
            Outcome::Refused,
            about
                .error(
                    ErrorKind::Unsupported,
                    &format!("table `{}` does not take it ({code})", about.bucket),
                )
                .with_hint(NEEDS),
        ),
        // A 200 with contents that are not DynamoDB's.
        _ if status < 300 => (Outcome::Unknown, about.error(ErrorKind::Unavailable, NO_TABLE)),
        _ if status >= 500 => (
            Outcome::Unknown,
            about.error(
                ErrorKind::Unavailable,
                &format!("{} failed (status {status}, {code})", about.store),
            ),
        ),
        _ => (
            Outcome::Refused,
            about.error(
                ErrorKind::Unexpected,
                &format!("{} refused it (status {status}, {code})", about.store),
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use remote_state_core::config::{Origin, ResolvedConfig};

    use super::*;
    use crate::PROVIDER;

    #[test]
    fn codes_are_told_apart_by_what_they_leave_behind() {
        let pairs = [("bucket", "b"), ("key", "k"), ("region", "eu-west-1")];
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
        let table_set_in = Origin::file("main.tf", 5);
        let config = config.with(keys::DYNAMODB_TABLE, "locks".to_owned(), table_set_in);
        let about = About {
            operation: "lock",
            object: "dynamodb://locks/b/k",
            bucket: "locks",
            store: "DynamoDB in `eu-west-1`",
            region: "eu-west-1",
            config: &config,
            credentials: "the machine",
            endpoint: keys::ENDPOINTS_DYNAMODB,
        };
        for (status, code, outcome, kind) in [
            (
                400,
                "ConditionalCheckFailedException",
                Outcome::ConditionFailed,
                ErrorKind::PreconditionFailed,
            ),
            (400, "TransactionConflictException", Outcome::Conflict, ErrorKind::Unavailable),
            (400, "ResourceNotFoundException", Outcome::Refused, ErrorKind::TableMissing),
            (400, "AccessDeniedException", Outcome::Refused, ErrorKind::PermissionDenied),
            (400, "UnrecognizedClientException", Outcome::Refused, ErrorKind::CredentialInvalid),
            (
                400,
                "ProvisionedThroughputExceededException",
                Outcome::Unsent,
                ErrorKind::RateLimited,
            ),
            (400, "ThrottlingException", Outcome::Unsent, ErrorKind::RateLimited),
            (500, "InternalServerError", Outcome::Unknown, ErrorKind::Unavailable),
            (200, "", Outcome::Unknown, ErrorKind::Unavailable),
            (400, "SomethingNew", Outcome::Refused, ErrorKind::Unexpected),
        ] {
            let (found, error) = meaning(about, status, code);
            assert_eq!((found, error.kind()), (outcome, kind), "{code}");
        }
        let (_, error) = meaning(about, 400, "ResourceNotFoundException");
        assert_eq!(error.message(), "table `locks` does not exist at DynamoDB in `eu-west-1`");
        assert_eq!(error.context()[0].1, "main.tf:5");
    }
}
