//! Signature V1:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/include-signatures-in-the-authorization-header>.

use secrecy::ExposeSecret as _;

use crate::sign::{Signer, Unsigned, hmac_sha1, http_date};

/// The parameters that name a resource. The signature covers only these.
const SUB_RESOURCES: &[&str] = &[
    "acl",
    "append",
    "bucketInfo",
    "continuation-token",
    "delete",
    "encryption",
    "location",
    "objectMeta",
    "partNumber",
    "position",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
];

pub(super) fn sign(signer: &Signer<'_>, request: Unsigned<'_>) -> Vec<(&'static str, String)> {
    let date = http_date(signer.now);
    let mut added = Vec::from_iter(signer.token());
    let mut text = format!(
        "{}\n{}\n{}\n{date}\n",
        request.method,
        request.header("content-md5"),
        request.header("content-type")
    );
    for (name, value) in request.signed_headers(&added, |name| name.starts_with("x-oss-")) {
        text += &format!("{name}:{value}\n");
    }
    text += &resource(request);
    let signature =
        hmac_sha1(signer.credentials.secret_key.expose_secret().as_bytes(), text.as_bytes());
    added.push(("date", date));
    added.push(("authorization", format!("OSS {}:{signature}", signer.credentials.access_key)));
    added
}

/// Returns `/bucket/key?sub=resource`, without encoding.
fn resource(request: Unsigned<'_>) -> String {
    let mut named: Vec<_> =
        request.query.iter().filter(|(name, _)| SUB_RESOURCES.contains(name)).collect();
    named.sort_unstable();
    let named: Vec<_> = named
        .into_iter()
        .map(|(name, value)| match value.as_deref() {
            None | Some("") => (*name).to_owned(),
            Some(value) => format!("{name}={value}"),
        })
        .collect();
    let mark = if named.is_empty() { "" } else { "?" };
    format!("/{}/{}{mark}{}", request.bucket, request.key.unwrap_or_default(), named.join("&"))
}
