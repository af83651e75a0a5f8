//! The signature of RPC services such as STS.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>

use secrecy::ExposeSecret as _;

use crate::credentials::Credentials;
use crate::sign::{encode, hmac_sha1};

/// Returns the encoded parameters with the signature appended, for a URL or a form.
pub(crate) fn sign_rpc(
    method: &str,
    parameters: &[(&str, &str)],
    credentials: &Credentials,
) -> String {
    let canonical = canonical(parameters);
    let text = format!("{method}&%2F&{}", encode(&canonical));
    let key = format!("{}&", credentials.secret_key.expose_secret());
    let signature = hmac_sha1(key.as_bytes(), text.as_bytes());
    format!("{canonical}&Signature={}", encode(&signature))
}

fn canonical(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<_> = sorted
        .into_iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}
