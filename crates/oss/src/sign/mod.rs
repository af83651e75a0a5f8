//! Signatures: both versions of OSS, and that of the RPC services (STS, location). No I/O here.
//!
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/authorization-signature>

mod rpc;
mod v1;
mod v4;
#[cfg(test)]
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;

use crate::credentials::Credentials;

pub(crate) use rpc::sign_rpc;

/// All characters except those that RFC 3986 calls unreserved.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The same without the slash, which paths keep: the service treats `%2F` as a slash, but signs a
/// slash.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Encodes a name or a value of a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Encodes an object's key for the path of a URL.
pub(crate) fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// The version of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureVersion {
    /// The older one: HMAC-SHA1. Not available to new accounts and buckets; some private clouds
    /// support no other.
    V1,
    /// HMAC-SHA256 with a scope of day and region.
    V4,
}

/// The parameters of a request, in any order. A name without a value is a sub-resource such as
/// `?versioning`.
pub(crate) type Query = Vec<(&'static str, Option<String>)>;

/// A request to be signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    pub(crate) bucket: &'a str,
    /// The object; `None` for a call about the bucket.
    pub(crate) key: Option<&'a str>,
    pub(crate) query: &'a Query,
    /// Headers in lower case. The signature covers only some of them.
    pub(crate) headers: &'a [(&'a str, String)],
}

/// The credentials and the scope of a signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signer<'a> {
    pub(crate) version: SignatureVersion,
    /// The plain name of the region, such as `cn-beijing`. V1 does not use it.
    pub(crate) region: &'a str,
    pub(crate) credentials: &'a Credentials,
    pub(crate) now: Timestamp,
}

impl Signer<'_> {
    /// Returns the headers to send along with those of the request, `authorization` among them.
    pub(crate) fn sign(&self, request: Unsigned<'_>) -> Vec<(&'static str, String)> {
        match self.version {
            SignatureVersion::V1 => v1::sign(self, request),
            SignatureVersion::V4 => v4::sign(self, request),
        }
    }

    fn token(&self) -> Option<(&'static str, String)> {
        let token = self.credentials.security_token.as_ref()?;
        Some(("x-oss-security-token", token.expose_secret().to_owned()))
    }
}

impl Unsigned<'_> {
    /// Returns the headers that the signature covers, of the request and of those that signing
    /// adds, sorted by name.
    fn signed_headers<'a>(
        &'a self,
        added: &'a [(&'static str, String)],
        counts: impl Fn(&str) -> bool,
    ) -> Vec<(&'a str, &'a str)> {
        let own = self.headers.iter().map(|(name, value)| (*name, value.trim()));
        let all = own.chain(added.iter().map(|(name, value)| (*name, value.trim())));
        let mut signed: Vec<_> = all.filter(|(name, _)| counts(name)).collect();
        signed.sort_unstable();
        signed
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// Formats the time as HTTP does: `Tue, 02 Jan 2024 03:04:05 GMT`.
pub(crate) fn http_date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn hmac_sha1(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    BASE64.encode(mac.finalize().into_bytes())
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Formats bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
