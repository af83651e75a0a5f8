//! Requests for temporary keys.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use s3s::{HttpResponse, StdError};

use super::{Endpoint, next_request_id, record};
use crate::faults::Target;
use crate::sts;

/// The longest request. A policy may have 2 KiB, a token of an identity provider more.
const REQUEST_BYTES: usize = 64 << 10;

impl Endpoint {
    /// Answers a request for temporary keys, with the same faults.
    pub(super) async fn answer_keys(
        &self,
        head: Parts,
        body: Incoming,
    ) -> Result<HttpResponse, StdError> {
        let body = Limited::new(body, REQUEST_BYTES).collect().await?.to_bytes();
        let operation = sts::operation(&head, &body);
        let plan = self.faults.plan(&Target {
            method: head.method.as_str(),
            operation: Some(&operation),
            key: None,
            query: head.uri.query().unwrap_or_default(),
            is_conditional: false,
            is_update: false,
            is_chunked: false,
        });
        let id = next_request_id();
        let fail = |status, code: &str| sts::failure(status, code, "A fault was asked for.", &id);
        let answer = plan.carry_out(fail, async { self.sts.answer(&head, &body, &id) }).await;
        let mut record = record(&head, None, None);
        record.operation = Some(operation);
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        answer
    }
}
