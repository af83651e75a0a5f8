//! Requests of OSS.

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use s3s::{HttpResponse, StdError};

use super::{Endpoint, next_request_id, record, truncate};
use crate::faults::Target;
use crate::oss::{self, Oss};

impl Endpoint {
    /// Answers a request for OSS, with the same faults.
    pub(super) async fn answer_oss(
        &self,
        head: Parts,
        mut body: Incoming,
    ) -> Result<HttpResponse, StdError> {
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.extend(frame?.into_data());
        }
        let mut call = oss::Call::new(&head, pieces);
        let plan = self.faults.plan(&Target {
            method: head.method.as_str(),
            operation: call.operation(),
            key: call.key(),
            query: head.uri.query().unwrap_or_default(),
            is_conditional: call.is_conditional(),
            is_update: false,
            is_chunked: false,
        });
        call.page_limit = plan.page_limit;
        call.forgets_versioning = plan.forget_versioning;
        let mut record =
            record(&head, call.bucket().map(str::to_owned), call.key().map(str::to_owned));
        record.operation = call.operation().map(str::to_owned);
        let (is_head, id) = (head.method == Method::HEAD, next_request_id());
        let fail = |status, code: &str| Oss::fail(is_head, status, code, &id);
        let answer = plan.carry_out(fail, self.oss.answer(call, plan.ignored, &id)).await;
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        let mut answer = answer?;
        if plan.misstate_checksum {
            oss::spoil_checksum(&mut answer);
        }
        Ok(match plan.truncate_after {
            Some(after_bytes) => truncate(answer, after_bytes),
            None => answer,
        })
    }
}
