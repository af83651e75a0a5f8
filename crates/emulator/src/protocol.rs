//! What the services on one port have in common.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use s3s::{HttpResponse, StdError};

use crate::faults::Plan;
pub(crate) use crate::faults::Traits;

/// A service on the port.
pub(crate) trait Protocol: Sync {
    /// A request, read as far as [`target`](Self::target) needs it.
    type Call: Send;

    /// Returns whether a request is for this service.
    fn claims(&self, head: &Parts) -> bool;

    /// Reads a request. An error closes the connection without an answer.
    fn read(
        &self,
        head: Parts,
        body: Incoming,
    ) -> impl Future<Output = Result<Self::Call, StdError>> + Send;

    /// Returns what a request is about.
    fn target(&self, call: &Self::Call) -> Target;

    /// Does the work of a request. An error closes the connection without an answer.
    fn answer(
        &self,
        call: Self::Call,
        plan: &Plan,
        id: &str,
    ) -> impl Future<Output = Result<HttpResponse, StdError>> + Send;

    /// Reads what is left of a request that a fault answers.
    fn discard(&self, call: Self::Call) -> impl Future<Output = ()> + Send {
        async { drop(call) }
    }

    /// Writes an error. `is_head` says whether it answers a HEAD, which has no body.
    fn fail(&self, is_head: bool, status: u16, code: &str, message: &str, id: &str)
    -> HttpResponse;

    /// Replaces the checksum of the body in an answer, if the service writes one, by a wrong one.
    fn spoil_checksum(&self, _answer: &mut HttpResponse) {}
}

/// A request whose body has been read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

impl Call {
    /// Reads a body of at most `limit_bytes`.
    pub(crate) async fn read(
        head: Parts,
        body: Incoming,
        limit_bytes: usize,
    ) -> Result<Self, StdError> {
        let body = Limited::new(body, limit_bytes).collect().await?.to_bytes();
        Ok(Self { head, body })
    }
}

/// What a request is about, as far as faults and the recorder need it.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) operation: Operation,
    /// The bucket, or the table.
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) traits: Traits,
}

/// The name of an operation. That of S3 is known only while the request is answered. Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operation(Arc<OnceLock<String>>);

impl Operation {
    pub(crate) fn set(&self, name: impl Into<String>) {
        // A request has one operation, so the first name stays.
        let _first = self.0.set(name.into());
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

impl From<&str> for Operation {
    fn from(name: &str) -> Self {
        let operation = Self::default();
        operation.set(name);
        operation
    }
}
