//! OSS, on the same port and over the same buckets as S3.
//!
//! See <https://www.alibabacloud.com/help/en/oss/developer-reference/list-of-operations-by-function>.

mod address;
mod append;
mod buckets;
mod headers;
mod listing;
mod objects;
mod refusal;
mod select;
mod signature;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};
use jiff::Timestamp;
use s3s::{Body, HttpResponse};

use self::address::{Address, Operation, Query};
use self::refusal::Refusal;
use crate::clock::Clock;
use crate::database::Storage;
use crate::faults::IgnoredConditions;
use crate::keyring::Keyring;

/// The region of buckets if the emulator has none: the one that the service takes if it is not
/// told.
const DEFAULT_REGION: &str = "cn-hangzhou";

/// Answers requests for OSS.
#[derive(Debug, Clone)]
pub(crate) struct Oss {
    pub(crate) storage: Storage,
    pub(crate) keys: Keyring,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) clock: Clock,
}

/// A request, taken apart as far as every operation needs it.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    address: Address,
    query: Query,
    operation: Option<Operation>,
    body: Vec<Bytes>,
    /// How long a page of a listing is at most, if a fault says so.
    pub(crate) page_limit: Option<usize>,
    pub(crate) forgets_versioning: bool,
}

/// Whether a request speaks this protocol rather than another one of the same port.
pub(crate) fn is_addressed(headers: &HeaderMap) -> bool {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization.is_some_and(signature::is_claimed)
        // Anonymous, but unmistakable.
        || (authorization.is_none() && headers.keys().any(|name| name.as_str().starts_with("x-oss-")))
}

impl Call {
    pub(crate) fn new(head: &Parts, body: Vec<Bytes>) -> Self {
        let address = Address::of(&head.uri, &head.headers);
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let operation = Operation::of(&head.method, &address, &query, &head.headers);
        let (method, uri, headers) = (head.method.clone(), head.uri.clone(), head.headers.clone());
        Self {
            method,
            uri,
            headers,
            address,
            query,
            operation,
            body,
            page_limit: None,
            forgets_versioning: false,
        }
    }

    pub(crate) fn bucket(&self) -> Option<&str> {
        self.address.bucket.as_deref()
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.address.key.as_deref()
    }

    pub(crate) fn operation(&self) -> Option<&'static str> {
        self.operation.map(Operation::name)
    }

    /// Whether the request is to fail if the object exists.
    pub(crate) fn is_conditional(&self) -> bool {
        self.operation == Some(Operation::AppendObject)
            || self.header("x-oss-forbid-overwrite").is_some_and(|value| value != "false")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bucket of an operation that has one.
    fn own_bucket(&self) -> String {
        self.address.bucket.clone().unwrap_or_default()
    }

    /// The key of an operation that has one.
    fn own_key(&self) -> String {
        self.address.key.clone().unwrap_or_default()
    }
}

impl Oss {
    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        mut call: Call,
        ignored: IgnoredConditions,
        request_id: &str,
    ) -> HttpResponse {
        let is_head = call.method == Method::HEAD;
        let mut answer = match self.carry_out(&mut call, ignored).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.render(is_head, address::host(&call.headers), request_id),
        };
        identify(&mut answer, request_id);
        answer
    }

    /// An answer that a fault asks for.
    pub(crate) fn fail(is_head: bool, status: u16, code: &str, request_id: &str) -> HttpResponse {
        let refusal = Refusal::new(status, code, "A fault was asked for.");
        let mut answer = refusal.render(is_head, "", request_id);
        identify(&mut answer, request_id);
        answer
    }

    async fn carry_out(
        &self,
        call: &mut Call,
        ignored: IgnoredConditions,
    ) -> Result<HttpResponse, Refusal> {
        if call.header("authorization").is_none() {
            return Err(Refusal::new(
                403,
                "AccessDenied",
                "You have no right to access this object because of bucket acl.",
            )
            .with_ec("0003-00000001"));
        }
        signature::check(call, &self.keys, self.region.as_deref(), self.clock.now())?;
        call.address.check(&call.uri, &call.headers)?;
        let operation = call.operation.ok_or_else(|| {
            Refusal::not_implemented(
                "The emulator does not implement what this method and these parameters ask for.",
            )
        })?;
        match operation {
            Operation::AppendObject => self.append_object(call, ignored).await,
            Operation::DeleteBucket => self.delete_bucket(call).await,
            Operation::DeleteObject => self.delete_object(call).await,
            Operation::GetBucketAcl => self.bucket_acl(call).await,
            Operation::GetBucketInfo => self.bucket_info(call).await,
            Operation::GetBucketLocation => self.bucket_location(call).await,
            Operation::GetBucketVersioning => self.bucket_versioning(call).await,
            Operation::GetObject => self.object(call).await,
            Operation::GetObjectAcl => self.object_acl(call).await,
            Operation::GetObjectMeta => self.object_meta(call).await,
            Operation::HeadObject => self.object_head(call).await,
            Operation::ListBuckets => self.list_buckets(call).await,
            Operation::ListObjectVersions => self.list_object_versions(call).await,
            Operation::ListObjects => self.list_objects(call).await,
            Operation::ListObjectsV2 => self.list_objects_v2(call).await,
            Operation::PutBucket => self.put_bucket(call).await,
            Operation::PutBucketVersioning => self.put_bucket_versioning(call).await,
            Operation::PutObject => self.put_object(call, ignored).await,
            Operation::PutObjectAcl => self.put_object_acl(call).await,
        }
    }

    fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(DEFAULT_REGION)
    }
}

/// Makes the checksum that an answer carries one of something else.
pub(crate) fn spoil_checksum(answer: &mut HttpResponse) {
    if let Some(value) = answer.headers_mut().get_mut(headers::CRC64) {
        let right: u64 = value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or_default();
        *value = HeaderValue::from(right.wrapping_add(1));
    }
}

fn identify(answer: &mut HttpResponse, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-oss-request-id", id);
    }
    answer.headers_mut().insert("server", HeaderValue::from_static("AliyunOSS"));
}

fn empty(status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn xml_answer<T: serde::Serialize>(root: &str, value: &T) -> Result<HttpResponse, Refusal> {
    let mut answer = HttpResponse::new(Body::from(xml::document(root, value)?));
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(answer)
}

/// A header whose value may turn out to be none that HTTP can carry, and is left out then.
fn set(answer: &mut HttpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// A time as documents have it, such as `2024-01-01T00:00:00.000Z`.
fn document_time(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// A time as headers have it.
fn header_time(ms: u64) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}
