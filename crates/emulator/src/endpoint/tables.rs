//! Requests for tables, of DynamoDB and of Tablestore.

use http_body_util::{BodyExt as _, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use s3s::{Body, HttpResponse, StdError};

use super::{Endpoint, next_request_id, record};
use crate::dynamodb;
use crate::faults::{IgnoredConditions, Plan, Target};
use crate::tablestore;

/// The longest request for a table. The service takes 16 MiB, and a lock is a few hundred bytes.
const TABLE_REQUEST_BYTES: usize = 1 << 20;

impl Endpoint {
    /// Answers a request for a table, with the same faults.
    pub(super) async fn answer_table(
        &self,
        head: Parts,
        operation: String,
        body: Incoming,
    ) -> Result<HttpResponse, StdError> {
        let body = Limited::new(body, TABLE_REQUEST_BYTES).collect().await?.to_bytes();
        let (table, key, is_conditional) = dynamodb::target(&body);
        let plan = self.faults.plan(&Target {
            method: head.method.as_str(),
            operation: Some(&operation),
            key: key.as_deref(),
            query: head.uri.query().unwrap_or_default(),
            is_conditional,
            is_update: false,
            is_chunked: false,
        });
        let mut record = record(&head, table, key);
        record.operation = Some(operation.clone());
        let answer = self.attempt_table(&head, &operation, &body, &plan).await;
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        answer
    }

    async fn attempt_table(
        &self,
        head: &Parts,
        operation: &str,
        body: &[u8],
        plan: &Plan,
    ) -> Result<HttpResponse, StdError> {
        let ignores_conditions = plan.ignored == IgnoredConditions::Everywhere;
        let work = async {
            let clock = self.faults.clock();
            if let Some(signed) = clock.refuses(&head.headers) {
                let (signed, now) =
                    (signed.strftime("%Y%m%dT%H%M%SZ"), clock.now().strftime("%Y%m%dT%H%M%SZ"));
                let message = format!("Signature expired: {signed} is now earlier than {now}");
                return table_error(400, "InvalidSignatureException", &message);
            }
            match self.tables.answer(head, operation, body, ignores_conditions).await {
                Ok(answer) => table_answer(200, &answer),
                Err(refusal) => table_error(refusal.status, refusal.code, &refusal.message),
            }
        };
        plan.carry_out(|status, code| table_error(status, code, "A fault was asked for."), work)
            .await
    }

    /// Answers a request for Tablestore, with the same faults.
    pub(super) async fn answer_rows(
        &self,
        head: Parts,
        body: Incoming,
    ) -> Result<HttpResponse, StdError> {
        let body = Limited::new(body, TABLE_REQUEST_BYTES).collect().await?.to_bytes();
        let path = head.uri.path();
        let operation = tablestore::operation(&head.headers, path).unwrap_or_default();
        let target = tablestore::target(operation, &body);
        let plan = self.faults.plan(&Target {
            method: head.method.as_str(),
            operation: Some(operation),
            key: target.key.as_deref(),
            query: head.uri.query().unwrap_or_default(),
            is_conditional: target.is_conditional,
            is_update: false,
            is_chunked: false,
        });
        let conditions = match plan.ignored {
            IgnoredConditions::Everywhere => tablestore::Conditions::Ignored,
            IgnoredConditions::None
            | IgnoredConditions::OfUpdates
            | IgnoredConditions::OnVersionedBuckets => tablestore::Conditions::Heeded,
        };
        let id = next_request_id();
        let fail =
            |status, code: &str| tablestore::failure(status, code, "A fault was asked for.", &id);
        let work = self.tablestore.answer(&head.headers, path, &body, conditions, &id);
        let answer = plan.carry_out(fail, work).await;
        let mut record = record(&head, target.table, target.key);
        record.operation = Some(operation.to_owned());
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        answer
    }
}

fn table_answer(status: u16, answer: &serde_json::Value) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(answer.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Ok(id) = HeaderValue::from_str(&next_request_id()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// An error as DynamoDB writes it.
fn table_error(status: u16, code: &str, message: &str) -> HttpResponse {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
    table_answer(status, &serde_json::json!({"__type": kind, "message": message}))
}
