//! The bucket, the object and the parameters of a request.
//!
//! See <https://www.alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints>.

use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// The parameters of a request, decoded, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let decode = |text: &str| {
            // Older SDKs write a space as a plus, as forms do.
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns a parameter's value unless it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// The bucket and the object of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
}

impl Address {
    /// Reads host and path. In a key that is not UTF-8 this puts replacement characters, and
    /// [`check`](Self::check) refuses it.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let some = |text: &str| {
            let text = percent_decode_str(text).decode_utf8_lossy().into_owned();
            Some(text).filter(|text| !text.is_empty())
        };
        let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
        if let Some(bucket) = bucket_of_host(host(headers)) {
            return Self { bucket: Some(bucket.to_owned()), key: some(path) };
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self { bucket: some(bucket), key: some(key) }
    }

    /// Refuses names that the service refuses, and paths where the service requires the bucket in
    /// the name of the host.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = host(headers);
        if is_service(host) && bucket_of_host(host).is_none() && self.bucket.is_some() {
            return Err(Refusal::new(
                403,
                "SecondLevelDomainForbidden",
                "Please use virtual hosted style to access.",
            ));
        }
        if self.bucket.as_ref().is_some_and(|bucket| !is_bucket_name(bucket)) {
            return Err(Refusal::new(
                400,
                "InvalidBucketName",
                "The specified bucket is not valid.",
            ));
        }
        let is_text = percent_decode_str(uri.path()).decode_utf8().is_ok();
        let is_key = |key: &String| key.len() <= 1023 && !key.starts_with(['/', '\\']);
        if !is_text || !self.key.as_ref().is_none_or(is_key) {
            return Err(Refusal::new(
                400,
                "InvalidObjectName",
                "The specified object is not valid.",
            ));
        }
        Ok(())
    }

    /// The resource that signature version 1 covers, not encoded.
    pub(super) fn resource(&self) -> String {
        match (&self.bucket, &self.key) {
            (None, _) => "/".to_owned(),
            (Some(bucket), None) => format!("/{bucket}/"),
            (Some(bucket), Some(key)) => format!("/{bucket}/{key}"),
        }
    }
}

/// The host that a request was sent to, without its port.
pub(super) fn host(headers: &HeaderMap) -> &str {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // The colons in `[::1]` do not separate a port.
    host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name)
}

/// Returns the bucket in the name of a host: a subdomain of `localhost`, which resolves to this
/// machine, or of the service's own names, which a client may resolve itself or reach through a
/// proxy.
fn bucket_of_host(host: &str) -> Option<&str> {
    let bucket = if is_service(host) {
        let (first, rest) = host.split_once('.')?;
        let names_an_endpoint = rest.starts_with("oss-") || rest.contains(".oss.");
        names_an_endpoint.then_some(first)
    } else {
        host.strip_suffix(".localhost")
    };
    bucket.filter(|bucket| !bucket.is_empty())
}

fn is_service(host: &str) -> bool {
    host.ends_with(".aliyuncs.com")
}

/// <https://www.alibabacloud.com/help/en/oss/user-guide/bucket-naming-conventions>
fn is_bucket_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || c == '-')
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

/// An operation of OSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    AppendObject,
    DeleteBucket,
    DeleteObject,
    GetBucketAcl,
    GetBucketInfo,
    GetBucketLocation,
    GetBucketVersioning,
    GetObject,
    GetObjectAcl,
    GetObjectMeta,
    HeadObject,
    ListBuckets,
    ListObjectVersions,
    ListObjects,
    ListObjectsV2,
    PutBucket,
    PutBucketVersioning,
    PutObject,
    PutObjectAcl,
}

/// Parameters that name another operation than the plain one of the method. Those unknown to the
/// service are ignored by it.
const SUBRESOURCES: [&str; 37] = [
    "accessmonitor",
    "acl",
    "append",
    "bucketInfo",
    "comp",
    "cname",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "live",
    "location",
    "logging",
    "meta",
    "objectMeta",
    "overwriteConfig",
    "policy",
    "qos",
    "referer",
    "replication",
    "requestPayment",
    "resourceGroup",
    "restore",
    "stat",
    "style",
    "symlink",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "vod",
    "website",
    "worm",
    "x-oss-process",
];

impl Operation {
    /// Returns the operation of a request, or `None` if the emulator does not implement it.
    pub(super) fn of(
        method: &Method,
        address: &Address,
        query: &Query,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let sub = SUBRESOURCES.into_iter().find(|name| query.has(name)).unwrap_or_default();
        let copies = headers.contains_key("x-oss-copy-source");
        Some(match (address.bucket.is_some(), address.key.is_some(), method.as_str(), sub) {
            (false, _, "GET", "") => Self::ListBuckets,
            (true, false, "GET", "") if query.get("list-type") == Some("2") => Self::ListObjectsV2,
            (true, false, "GET", "") => Self::ListObjects,
            (true, false, "GET", "acl") => Self::GetBucketAcl,
            (true, false, "GET", "bucketInfo") => Self::GetBucketInfo,
            (true, false, "GET", "location") => Self::GetBucketLocation,
            (true, false, "GET", "versioning") => Self::GetBucketVersioning,
            (true, false, "GET", "versions") => Self::ListObjectVersions,
            (true, false, "PUT", "") => Self::PutBucket,
            (true, false, "PUT", "versioning") => Self::PutBucketVersioning,
            (true, false, "DELETE", "") => Self::DeleteBucket,
            (true, true, "GET", "") => Self::GetObject,
            (true, true, "GET", "acl") => Self::GetObjectAcl,
            (true, true, "GET" | "HEAD", "objectMeta") => Self::GetObjectMeta,
            (true, true, "HEAD", "") => Self::HeadObject,
            (true, true, "PUT", "") if !copies => Self::PutObject,
            (true, true, "PUT", "acl") => Self::PutObjectAcl,
            (true, true, "POST", "append") => Self::AppendObject,
            (true, true, "DELETE", "") => Self::DeleteObject,
            _ => return None,
        })
    }

    /// The name under which the API is documented.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AppendObject => "AppendObject",
            Self::DeleteBucket => "DeleteBucket",
            Self::DeleteObject => "DeleteObject",
            Self::GetBucketAcl => "GetBucketAcl",
            Self::GetBucketInfo => "GetBucketInfo",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::GetObject => "GetObject",
            Self::GetObjectAcl => "GetObjectACL",
            Self::GetObjectMeta => "GetObjectMeta",
            Self::HeadObject => "HeadObject",
            Self::ListBuckets => "ListBuckets",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::PutBucket => "PutBucket",
            Self::PutBucketVersioning => "PutBucketVersioning",
            Self::PutObject => "PutObject",
            Self::PutObjectAcl => "PutObjectACL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, uri: &str) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let found = Address::of(&uri.parse().unwrap(), &headers);
        (found.bucket, found.key)
    }

    fn some(bucket: &str, key: &str) -> (Option<String>, Option<String>) {
        (Some(bucket.to_owned()), Some(key.to_owned()).filter(|key| !key.is_empty()))
    }

    #[test]
    fn the_bucket_is_in_the_host_or_first_in_the_path() {
        assert_eq!(address("127.0.0.1:80", "/b/env%3A%2Fa%20b"), some("b", "env:/a b"));
        assert_eq!(address("[::1]:80", "/b/"), some("b", ""));
        assert_eq!(address("b.localhost:80", "/env:/k"), some("b", "env:/k"));
        assert_eq!(address("localhost:80", "/b/k"), some("b", "k"));
        assert_eq!(address("b.oss-cn-beijing-internal.aliyuncs.com", "/k"), some("b", "k"));
        assert_eq!(address("b.cn-beijing.oss.aliyuncs.com", "/k"), some("b", "k"));
        assert_eq!(address("oss-cn-beijing.aliyuncs.com", "/"), (None, None));
    }

    #[test]
    fn the_service_wants_the_bucket_in_its_own_names() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "oss-cn-beijing.aliyuncs.com".parse().unwrap());
        let uri: Uri = "/bucket/k".parse().unwrap();
        let refused = Address::of(&uri, &headers).check(&uri, &headers).unwrap_err();
        assert_eq!(refused.code, "SecondLevelDomainForbidden");
    }

    #[test]
    fn parameters_are_decoded_and_a_plus_is_a_space() {
        let query = Query::parse("prefix=env%3A%2F&objectMeta&marker=a+b%2Bc&empty=");
        assert_eq!(query.get("prefix"), Some("env:/"));
        assert_eq!(query.get("objectMeta"), Some(""));
        assert_eq!(query.get("marker"), Some("a b+c"));
        assert_eq!((query.text("empty"), query.get("missing")), (None, None));
    }
}
