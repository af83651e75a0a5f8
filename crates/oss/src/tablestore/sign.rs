//! The signature of requests:
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/http-message-header-and-signature>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use remote_state_core::provider::Md5Sum;
use secrecy::ExposeSecret as _;

use crate::credentials::Credentials;
use crate::sign::hmac_sha1;

/// The version of the protocol.
const API_VERSION: &str = "2015-12-31";

/// Returns the headers of a request.
pub(super) fn headers(
    operation: &str,
    instance: &str,
    body: &[u8],
    credentials: &Credentials,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    headers_at(
        operation,
        instance,
        body,
        credentials,
        now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    )
}

pub(super) fn headers_at(
    operation: &str,
    instance: &str,
    body: &[u8],
    credentials: &Credentials,
    date: String,
) -> Vec<(&'static str, String)> {
    // Sorted by name, as the signature requires.
    let mut headers = vec![
        ("x-ots-accesskeyid", credentials.access_key.clone()),
        ("x-ots-apiversion", API_VERSION.to_owned()),
        ("x-ots-contentmd5", BASE64.encode(Md5Sum::of(body))),
        ("x-ots-date", date),
        ("x-ots-instancename", instance.to_owned()),
    ];
    let token = credentials.security_token.as_ref();
    headers.extend(token.map(|token| ("x-ots-ststoken", token.expose_secret().to_owned())));
    let signed: String =
        headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let text = format!("/{operation}\nPOST\n\n{signed}");
    let signature = hmac_sha1(credentials.secret_key.expose_secret().as_bytes(), text.as_bytes());
    headers.push(("x-ots-signature", signature));
    headers
}
