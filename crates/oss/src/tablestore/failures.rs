//! The error codes of Tablestore, and what a request that gets one leaves behind.

use prost::Message;
use remote_state_core::provider::TableBackend;
use remote_state_core::{Advice, Error, ErrorKind};

use crate::error::{Failure, Outcome};
use crate::tablestore::client::{KEY, Table};
use crate::tablestore::message::{DescribeTableRequest, DescribeTableResponse, KEY_STRING};

/// The requirements of a lock table, for hints.
const NEEDS: &str = "a lock table needs a primary key of one column, `LockID` of type string";

impl Table {
    pub(super) fn error(
        &self,
        operation: &'static str,
        id: &str,
        kind: ErrorKind,
        reason: &str,
    ) -> Error {
        Error::new(kind, operation, format!("cannot {operation} `{}`: {reason}", self.url(id)))
    }

    /// Codes and sentences:
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/error-codes>.
    pub(super) fn failure(
        &self,
        operation: &'static str,
        id: &str,
        status: u16,
        code: &str,
    ) -> Failure {
        let table = self.name();
        let say = |kind, reason: &str| self.error(operation, id, kind, reason);
        let code = if code.is_empty() { "no code" } else { code };
        let (outcome, error) = match code {
            // "Condition check failed."
            "OTSConditionCheckFail" => (
                Outcome::ConditionFailed,
                say(ErrorKind::PreconditionFailed, "it is not what it was expected to be"),
            ),
            // "Data is being modified by the other request."
            "OTSRowOperationConflict" => (
                Outcome::Conflict,
                say(ErrorKind::Unavailable, "the table is busy with another request for it"),
            ),
            // "Requested table does not exist.": a missing row is not an error.
            "OTSObjectNotExist" => (
                Outcome::Refused,
                Error::new(
                    ErrorKind::TableMissing,
                    operation,
                    format!(
                        "table `{table}` does not exist at `{}`",
                        self.settings.table.endpoint.as_str()
                    ),
                )
                .with_context("set in", &self.settings.origin)
                .with_advice(Advice::CheckKeys(vec!["tablestore_table", "tablestore_endpoint"]))
                .with_hint(NEEDS),
            ),
            // "You have no permission to access the requested resource."
            "OTSNoPermissionAccess" => (
                Outcome::Refused,
                say(ErrorKind::PermissionDenied, "access denied").with_hint(
                    "needed are `ots:GetRow`, `ots:PutRow` and `ots:DeleteRow` on the table",
                ),
            ),
            // "The AccessKeyID does not exist", "Signature mismatch" and similar.
            "OTSAuthFailed" => (
                Outcome::Refused,
                say(
                    ErrorKind::CredentialInvalid,
                    &format!(
                        "`{}` does not accept the credentials ({code})",
                        self.settings.table.endpoint.as_str()
                    ),
                )
                .with_context("credentials", self.sender.credentials_source())
                .with_hint(
                    "check `tablestore_instance_name`: the instance is part of what is signed",
                ),
            ),
            // "Validate PK name fail" and similar: the table has another primary key.
            "OTSParameterInvalid" | "OTSInvalidPK" => (
                Outcome::Refused,
                say(ErrorKind::Unsupported, &format!("table `{table}` does not take it ({code})"))
                    .with_hint(NEEDS),
            ),
            // "Capacity unit is not enough.", "Server is busy." and similar: the service refuses
            // before it does anything.
            "OTSNotEnoughCapacityUnit"
            | "OTSQuotaExhausted"
            | "OTSServerBusy"
            | "OTSStorageServerBusy"
            | "OTSTableNotReady"
            | "OTSPartitionUnavailable" => (
                Outcome::Unsent,
                say(ErrorKind::RateLimited, &format!("the table asks for patience ({code})")),
            ),
            _ if status >= 500 => (
                Outcome::Unknown,
                say(
                    ErrorKind::Unavailable,
                    &format!("the service failed (status {status}, {code})"),
                ),
            ),
            _ => (
                Outcome::Refused,
                say(
                    ErrorKind::Unexpected,
                    &format!("the service refused it (status {status}, {code})"),
                ),
            ),
        };
        Failure { outcome, error }
    }

    /// Explains a refused row by the kind of table: reads the table's description.
    pub(super) async fn explained(
        &self,
        operation: &'static str,
        id: &str,
        failure: Failure,
    ) -> Failure {
        if failure.error.kind() != ErrorKind::Unsupported {
            return failure;
        }
        let request = DescribeTableRequest { table_name: self.name().to_owned() };
        let answer = self.attempt(operation, "DescribeTable", id, &request.encode_to_vec()).await;
        let described = answer.ok().and_then(|answer| DescribeTableResponse::decode(&*answer).ok());
        let Some(meta) = described.and_then(|described| described.table_meta) else {
            return failure;
        };
        let columns: Vec<_> = meta
            .primary_key
            .iter()
            .map(|column| {
                let is_string = column.r#type == KEY_STRING;
                format!(
                    "`{}` of type {}",
                    column.name,
                    if is_string { "string" } else { "other than string" }
                )
            })
            .collect();
        let error = failure.error.with_context("primary key", columns.join(", "));
        let is_of_old = match &meta.primary_key[..] {
            [column] => column.name != KEY && column.r#type == KEY_STRING,
            _ => false,
        };
        let error = if is_of_old {
            error.with_hint(
                "Terraform 0.12 wanted such a table, and took one lock for all states in it; \
                 Terraform 0.13 and later want another: make a new one",
            )
        } else {
            error
        };
        Failure { error, ..failure }
    }
}
