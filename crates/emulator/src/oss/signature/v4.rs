//! Signature version 4:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4>.

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::oss::call::Call;
use crate::store::hex;

/// Characters that are not encoded in a parameter.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Characters that are not encoded in a path.
const PLAIN_PATH: &AsciiSet = &PLAIN.remove(b'/');

/// The parts of an `Authorization` header of this version.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) access_key: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) signature: &'a str,
    /// Names of headers that are signed although they need not be.
    additional: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    /// Reads what follows `OSS4-HMAC-SHA256 `.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let part = |name: &str| {
            text.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [access_key, day, region, "oss", "aliyun_v4_request"] = scope[..] else { return None };
        let additional = part("AdditionalHeaders")
            .unwrap_or_default()
            .split(';')
            .filter(|name| !name.is_empty())
            .collect();
        Some(Self { access_key, day, region, signature: part("Signature")?, additional })
    }

    fn scope(&self) -> String {
        format!("{}/{}/oss/aliyun_v4_request", self.day, self.region)
    }
}

/// Returns the canonical request, whose hash is in the text to sign.
pub(super) fn canonical_request(call: &Call, claim: &Claim<'_>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut parameters: Vec<_> =
        call.query.pairs().iter().map(|(name, value)| (encode(name), encode(value))).collect();
    parameters.sort();
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| if value.is_empty() { name } else { format!("{name}={value}") })
        .collect();
    let mut additional: Vec<String> =
        claim.additional.iter().map(|name| name.to_ascii_lowercase()).collect();
    additional.sort();
    let is_signed = |name: &str| {
        name.starts_with("x-oss-")
            || matches!(name, "content-md5" | "content-type")
            || additional.iter().any(|additional| additional == name)
    };
    let headers: String = call
        .sorted_headers(is_signed)
        .into_iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        call.method,
        utf8_percent_encode(&call.address.resource(), PLAIN_PATH),
        parameters.join("&"),
        additional.join(";"),
        call.header("x-oss-content-sha256").unwrap_or("UNSIGNED-PAYLOAD"),
    )
}

/// Returns the text to sign.
pub(super) fn string_to_sign(canonical_request: &str, time: &str, claim: &Claim<'_>) -> String {
    let hash = hex(&Sha256::digest(canonical_request.as_bytes()));
    format!("OSS4-HMAC-SHA256\n{time}\n{}\n{hash}", claim.scope())
}

/// Signs a text.
pub(super) fn sign(secret: &str, claim: &Claim<'_>, text: &str) -> String {
    let first = format!("aliyun_v4{secret}").into_bytes();
    let key = [claim.day, claim.region, "oss", "aliyun_v4_request"]
        .into_iter()
        .fold(first, |key, part| hmac(&key, part.as_bytes()));
    hex(&hmac(&key, text.as_bytes()))
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
