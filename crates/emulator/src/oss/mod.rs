//! OSS, on the same port and over the same buckets as S3.
//!
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/list-of-operations-by-function>.

mod address;
mod answer;
mod append;
mod buckets;
mod call;
mod headers;
mod listing;
mod objects;
mod refusal;
mod select;
mod signature;
mod xml;

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use s3s::{HttpResponse, StdError};

use self::address::Operation;
use self::call::Call;
use self::refusal::Refusal;
use crate::clock::Clock;
use crate::database::Storage;
use crate::faults::{IgnoredConditions, Plan};
use crate::keyring::Keyring;
use crate::protocol::{Protocol, Target, Traits};

/// The region of buckets if the emulator has none: the default of the service.
const DEFAULT_REGION: &str = "cn-hangzhou";

/// Answers requests for OSS.
#[derive(Debug, Clone)]
pub(crate) struct Oss {
    pub(crate) storage: Storage,
    pub(crate) keys: Keyring,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) clock: Clock,
}

impl Protocol for Oss {
    type Call = Call;

    fn claims(&self, head: &Parts) -> bool {
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match authorization {
            Some(authorization) => signature::is_claimed(authorization),
            // An anonymous request with a header of OSS.
            None => head.headers.keys().any(|name| name.as_str().starts_with("x-oss-")),
        }
    }

    async fn read(&self, head: Parts, mut body: Incoming) -> Result<Call, StdError> {
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.extend(frame?.into_data());
        }
        Ok(Call::new(&head, pieces))
    }

    fn target(&self, call: &Call) -> Target {
        Target {
            operation: call.operation.map(|operation| operation.name().into()).unwrap_or_default(),
            bucket: call.address.bucket.clone(),
            key: call.address.key.clone(),
            traits: Traits { is_conditional: call.is_conditional(), ..Traits::default() },
        }
    }

    async fn answer(
        &self,
        mut call: Call,
        plan: &Plan,
        id: &str,
    ) -> Result<HttpResponse, StdError> {
        call.page_limit = plan.page_limit;
        call.forgets_versioning = plan.forget_versioning;
        let is_head = call.method == Method::HEAD;
        let mut answer = match self.carry_out(&mut call, plan.ignored).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.render(is_head, address::host(&call.headers), id),
        };
        identify(&mut answer, id);
        Ok(answer)
    }

    fn fail(
        &self,
        is_head: bool,
        status: u16,
        code: &str,
        message: &str,
        id: &str,
    ) -> HttpResponse {
        let mut answer = Refusal::new(status, code, message).render(is_head, "", id);
        identify(&mut answer, id);
        answer
    }

    fn spoil_checksum(&self, answer: &mut HttpResponse) {
        if let Some(value) = answer.headers_mut().get_mut(headers::CRC64) {
            let right: u64 =
                value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or_default();
            *value = HeaderValue::from(right.wrapping_add(1));
        }
    }
}

impl Oss {
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

fn identify(answer: &mut HttpResponse, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-oss-request-id", id);
    }
    answer.headers_mut().insert("server", HeaderValue::from_static("AliyunOSS"));
}
