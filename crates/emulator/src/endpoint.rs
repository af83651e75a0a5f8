//! One request, from its head to its answer, with the faults in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use s3s::{HttpResponse, StdError};

use crate::dynamodb::Tables;
use crate::faults::{Faults, Plan, truncate};
use crate::oss::Oss;
use crate::protocol::Protocol;
use crate::recorder::{Recorder, Request};
use crate::s3::S3;
use crate::store::hex;
use crate::sts::Sts;
use crate::tablestore::Tablestore;

/// The message of an error that a fault asks for.
const FAULT: &str = "A fault was asked for.";

/// Answers requests for one emulator.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) oss: Oss,
    pub(crate) s3: S3,
    pub(crate) sts: Sts,
    pub(crate) tables: Tables,
    pub(crate) tablestore: Tablestore,
}

impl Endpoint {
    /// Answers a request. An error closes the connection without an answer.
    pub(crate) async fn answer(
        self,
        request: hyper::Request<Incoming>,
    ) -> Result<HttpResponse, StdError> {
        let (head, body) = request.into_parts();
        let mut answer = if self.tables.claims(&head) {
            self.serve(&self.tables, head, body).await?
        } else if self.sts.claims(&head) {
            self.serve(&self.sts, head, body).await?
        } else if self.oss.claims(&head) {
            self.serve(&self.oss, head, body).await?
        } else if self.tablestore.claims(&head) {
            self.serve(&self.tablestore, head, body).await?
        } else {
            self.serve(&self.s3, head, body).await?
        };
        self.faults.clock().stamp(&mut answer);
        Ok(answer)
    }

    async fn serve<P: Protocol>(
        &self,
        protocol: &P,
        head: Parts,
        body: Incoming,
    ) -> Result<HttpResponse, StdError> {
        let is_head = head.method == Method::HEAD;
        let mut record = record(&head);
        let call = protocol.read(head, body).await?;
        let target = protocol.target(&call);
        (record.bucket, record.key) = (target.bucket, target.key);
        record.operation = target.operation.name();
        let plan = self.faults.plan(&record, target.traits);
        let answer = carry_out(protocol, call, &plan, is_head).await;
        record.operation = target.operation.name();
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.recorder.add(record);
        let mut answer = answer?;
        if plan.misstate_checksum {
            protocol.spoil_checksum(&mut answer);
        }
        Ok(match plan.truncate_after {
            Some(after_bytes) => truncate(answer, after_bytes),
            None => answer,
        })
    }
}

/// Does the work of a request, and what the plan adds before and after it. An error closes the
/// connection without an answer.
async fn carry_out<P: Protocol>(
    protocol: &P,
    call: P::Call,
    plan: &Plan,
    is_head: bool,
) -> Result<HttpResponse, StdError> {
    let id = next_request_id();
    plan.wait().await;
    if plan.lose_request {
        return Err("the request is lost, as a fault asks".into());
    }
    if let Some((status, code)) = &plan.answer_without {
        protocol.discard(call).await;
        return Ok(protocol.fail(is_head, *status, code, FAULT, &id));
    }
    let answer = protocol.answer(call, plan, &id).await?;
    if plan.lose_reply {
        return Err("the reply is lost, as a fault asks".into());
    }
    Ok(match &plan.answer_after {
        Some((status, code)) => protocol.fail(is_head, *status, code, FAULT, &id),
        None => answer,
    })
}

/// Records a request by its head.
fn record(head: &Parts) -> Request {
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .filter(|(name, _)| *name != hyper::header::AUTHORIZATION)
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Request {
        method: head.method.to_string(),
        operation: None,
        path: head.uri.path().to_owned(),
        bucket: None,
        key: None,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        status: None,
    }
}

fn next_request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    hex(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).to_uppercase()
}
