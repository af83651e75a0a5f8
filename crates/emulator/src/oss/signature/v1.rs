//! Signature version 1:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/include-signatures-in-the-authorization-header>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::oss::call::Call;

/// The parameters that the signature covers.
const SIGNED: [&str; 66] = [
    "accessmonitor",
    "acl",
    "append",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "bucketInfo",
    "callback",
    "callback-var",
    "cname",
    "comp",
    "continuation-token",
    "cors",
    "delete",
    "encryption",
    "endTime",
    "group",
    "httpsConfig",
    "img",
    "inventory",
    "inventoryId",
    "lifecycle",
    "link",
    "live",
    "location",
    "logging",
    "meta",
    "metaQuery",
    "objectInfo",
    "objectMeta",
    "partNumber",
    "policy",
    "position",
    "qos",
    "qosInfo",
    "referer",
    "regionList",
    "replication",
    "replicationLocation",
    "replicationProgress",
    "requestPayment",
    "resourceGroup",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "rtc",
    "security-token",
    "startTime",
    "stat",
    "status",
    "style",
    "styleName",
    "symlink",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "vod",
    "website",
    "worm",
];

/// Further parameters, which have a prefix or were added later.
const SIGNED_TOO: [&str; 10] = [
    "wormExtend",
    "wormId",
    "x-oss-ac-source-ip",
    "x-oss-ac-subnet-mask",
    "x-oss-ac-vpc-id",
    "x-oss-async-process",
    "x-oss-process",
    "x-oss-request-payer",
    "x-oss-traffic-limit",
    "x-oss-write-get-object-response",
];

/// Returns the text to sign. The date is that of `x-oss-date`, if there is one.
pub(super) fn string_to_sign(call: &Call) -> String {
    let date = call.header("x-oss-date").or_else(|| call.header("date")).unwrap_or_default();
    let mut text = format!(
        "{}\n{}\n{}\n{date}\n",
        call.method,
        call.header("content-md5").unwrap_or_default(),
        call.header("content-type").unwrap_or_default(),
    );
    for (name, value) in call.sorted_headers(|name| name.starts_with("x-oss-")) {
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&call.address.resource());
    let mut signed: Vec<_> = call
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| SIGNED.contains(&&**name) || SIGNED_TOO.contains(&&**name))
        .collect();
    signed.sort();
    for (index, (name, value)) in signed.into_iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            text.push_str(&format!("={value}"));
        }
    }
    text
}

/// Signs a text.
pub(super) fn sign(secret: &str, text: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}
