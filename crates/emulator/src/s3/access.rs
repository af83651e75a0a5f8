//! Access keys, and the region that a request is signed for.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use super::exchange::Exchange;

/// The access keys and their secrets.
#[derive(Debug)]
pub(crate) struct Keys(pub(crate) Arc<BTreeMap<String, SecretKey>>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.get(access_key).cloned().ok_or_else(|| {
            s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )
        })
    }
}

/// Accepts every signed request: there are no policies.
#[derive(Debug)]
pub(crate) struct SignedOnly;

#[async_trait::async_trait]
impl S3Access for SignedOnly {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name().to_owned();
        if let Some(exchange) = cx.extensions_mut().get::<Exchange>() {
            exchange.set_operation(operation);
        }
        match cx.credentials() {
            Some(_) => Ok(()),
            None => Err(s3_error!(AccessDenied, "Access Denied")),
        }
    }
}

/// Returns the region that a request is signed for: the part of the scope after the access key and
/// the date.
pub(crate) fn signed_region(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let third = |scope: &str| scope.split('/').nth(2).map(str::to_owned);
    if let Some(value) =
        headers.get(hyper::header::AUTHORIZATION).and_then(|value| value.to_str().ok())
    {
        return third(value.split_once("Credential=")?.1.split([',', ' ']).next()?);
    }
    let parameter =
        uri.query()?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    third(&percent_decode_str(parameter).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_found_in_a_header_and_in_a_presigned_query() {
        let mut headers = HeaderMap::new();
        let plain: Uri = "/b/k".parse().unwrap();
        let presigned: Uri = "/b/k?X-Amz-Credential=AK%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&\
                              X-Amz-Date=x"
            .parse()
            .unwrap();
        assert_eq!(signed_region(&plain, &headers), None);
        assert_eq!(signed_region(&presigned, &headers).as_deref(), Some("eu-west-1"));
        let value = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=0";
        headers.insert("authorization", value.parse().unwrap());
        assert_eq!(signed_region(&plain, &headers).as_deref(), Some("us-east-1"));
    }
}
