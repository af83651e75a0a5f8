//! Signatures of requests and of answers:
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/http-message>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use jiff::Timestamp;
use s3s::crypto::{Checksum as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::refusal::Refusal;
use crate::keyring::{Keyring, Rejection};

/// How far a client's clock may be off.
const SKEW_SECONDS: u64 = 15 * 60;

/// The two headers that may hold a signature. The signature does not cover them.
const SIGNATURES: [&str; 2] = ["x-ots-signature", "x-ots-signaturev4"];

/// The key that signed a request and signs the answer.
#[derive(Debug)]
pub(super) struct Signer {
    access_key: String,
    signing_key: String,
}

/// Refuses a request unless it was signed, at about this time, with a key of `keys`.
pub(super) fn check(
    headers: &HeaderMap,
    path: &str,
    body: &[u8],
    keys: &Keyring,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let required = |name: &str| header(name).ok_or_else(|| Refusal::missing_header(name));
    let (date, version) = (required("x-ots-date")?, required("x-ots-apiversion")?);
    let (access_key, md5) = (required("x-ots-accesskeyid")?, required("x-ots-contentmd5")?);
    required("x-ots-instancename")?;
    if version != "2015-12-31" {
        return Err(Refusal::unsupported(format!("API version '{version}'")));
    }
    let secret = keys.secret(access_key, header("x-ots-ststoken")).map_err(|rejection| {
        Refusal::auth_failed(match rejection {
            Rejection::Expired => "The STS token has expired.",
            Rejection::UnknownKey => "The AccessKeyID does not exist.",
            Rejection::WrongToken => "The STS token is invalid.",
        })
    })?;
    let text = string_to_sign(headers, path);
    let (signature, computed, signing_key) = match header("x-ots-signaturev4") {
        Some(signature) => {
            let (day, region) = (required("x-ots-signdate")?, required("x-ots-signregion")?);
            let key = signing_key(&secret, day, region);
            let computed = BASE64.encode(sha256(key.as_bytes(), format!("{text}ots").as_bytes()));
            (signature, computed, key)
        }
        None => (required("x-ots-signature")?, sha1(&secret, &text), secret),
    };
    if computed != signature {
        return Err(Refusal::auth_failed("Signature mismatch."));
    }
    if BASE64.encode(Md5::checksum(body)) != md5 {
        return Err(Refusal::invalid("The body does not match its x-ots-contentmd5."));
    }
    let date: Timestamp =
        date.parse().map_err(|_| Refusal::invalid(format!("Invalid date format: '{date}'.")))?;
    if date.duration_since(now).unsigned_abs().as_secs() > SKEW_SECONDS {
        return Err(Refusal::auth_failed(format!(
            "Mismatch between system time and x-ots-date: {date}."
        )));
    }
    Ok(Signer { access_key: access_key.to_owned(), signing_key })
}

impl Signer {
    /// Returns the `Authorization` of an answer with these headers.
    pub(super) fn authorize(&self, headers: &HeaderMap, path: &str) -> String {
        let text = format!("{}{path}", sorted(headers));
        format!("OTS {}:{}", self.access_key, sha1(&self.signing_key, &text))
    }
}

fn string_to_sign(headers: &HeaderMap, path: &str) -> String {
    format!("{path}\nPOST\n\n{}", sorted(headers))
}

/// Returns the headers of the protocol, each on a line.
fn sorted(headers: &HeaderMap) -> String {
    let mut found: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| {
            (name.as_str(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        })
        .filter(|(name, _)| name.starts_with("x-ots-") && !SIGNATURES.contains(name))
        .collect();
    found.sort();
    found.into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
}

/// Returns the key of the newer kind of signature, which is valid for a day and a region.
fn signing_key(secret: &str, day: &str, region: &str) -> String {
    let first = format!("aliyun_v4{secret}").into_bytes();
    let key = [day, region, "ots", "aliyun_v4_request"]
        .into_iter()
        .fold(first, |key, part| sha256(&key, part.as_bytes()));
    BASE64.encode(key)
}

fn sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn sha1(key: &str, text: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use s3s::auth::SecretKey;

    use super::*;

    const DESCRIBE: &[u8] = b"\x0a\x09statelock";
    const TOKEN: &str = "STSTOKEN+/=";

    fn keys(token: Option<&str>) -> Keyring {
        let secret = SecretKey::from("SECRETEXAMPLE".to_owned());
        let tokens = token.map(|token| ("AKIDEXAMPLE".to_owned(), token.to_owned()));
        Keyring::new(Arc::new([("AKIDEXAMPLE".to_owned(), secret)].into()), tokens)
    }

    fn headers(instance: &str, date: &str, more: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let common = [
            ("x-ots-accesskeyid", "AKIDEXAMPLE"),
            ("x-ots-apiversion", "2015-12-31"),
            ("x-ots-contentmd5", "Na5fo/xHfUb1V/9p5OKYeA=="),
            ("x-ots-date", date),
            ("x-ots-instancename", instance),
        ];
        for (name, value) in common.iter().chain(more) {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    fn refusal(
        headers: &HeaderMap,
        keys: &Keyring,
        body: &[u8],
        now: &str,
    ) -> Option<(u16, &'static str)> {
        let checked = check(headers, "/DescribeTable", body, keys, now.parse().unwrap());
        checked.err().map(|refusal| (refusal.status, refusal.code))
    }

    const NOW: &str = "2024-01-02T03:04:05Z";
    const DATE: &str = "2024-01-02T03:04:05.000Z";
    const SIGNATURE: (&str, &str) = ("x-ots-signature", "64K/QVBLmeLdyug8+QDV9KR7ZXY=");

    #[test]
    fn what_terraform_and_the_vendors_sdk_sign_is_accepted() {
        let own = [("x-ots-signature", "CVPeNmd3A3C5hqaZNvEkbfZQM10=")];
        let terraform = headers("127", "2026-11-21T00:01:12.112112Z", &own);
        assert_eq!(refusal(&terraform, &keys(None), DESCRIBE, "2026-11-21T00:01:12Z"), None);
        let sdk = headers("tf-lock", DATE, &[SIGNATURE]);
        assert_eq!(refusal(&sdk, &keys(None), DESCRIBE, NOW), None);
        let own = [("x-ots-ststoken", TOKEN), ("x-ots-signature", "Js7m4hFt6db6e9t/Io+Iz6gBn/c=")];
        let temporary = headers("tf-lock", DATE, &own);
        assert_eq!(refusal(&temporary, &keys(Some(TOKEN)), DESCRIBE, NOW), None);
        let own = [
            ("x-ots-signdate", "20240102"),
            ("x-ots-signregion", "cn-beijing"),
            ("x-ots-signaturev4", "F1LhK6C5z/80YNOjA74XPBHt086ZOUeOT902cPpEZWo="),
        ];
        assert_eq!(refusal(&headers("tf-lock", DATE, &own), &keys(None), DESCRIBE, NOW), None);
    }

    #[test]
    fn what_is_not_signed_rightly_is_refused_for_its_reason() {
        let right = headers("tf-lock", DATE, &[SIGNATURE]);
        let auth_failed = Some((403, "OTSAuthFailed"));
        assert_eq!(refusal(&right, &keys(None), DESCRIBE, "2024-01-02T03:19:05Z"), None);
        assert_eq!(refusal(&right, &keys(None), DESCRIBE, "2024-01-02T03:19:06Z"), auth_failed);
        assert_eq!(refusal(&right, &keys(Some(TOKEN)), DESCRIBE, NOW), auth_failed);
        assert_eq!(refusal(&right, &Keyring::default(), DESCRIBE, NOW), auth_failed);
        assert_eq!(refusal(&right, &keys(None), b"other", NOW), Some((400, "OTSParameterInvalid")));
        let other = headers("other", DATE, &[SIGNATURE]);
        assert_eq!(refusal(&other, &keys(None), DESCRIBE, NOW), auth_failed);
        let unsigned = headers("tf-lock", DATE, &[]);
        assert_eq!(refusal(&unsigned, &keys(None), DESCRIBE, NOW), Some((400, "OTSMissingHeader")));
    }

    #[test]
    fn answers_are_signed_as_the_vendors_sdk_checks_them() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ots-contentmd5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("x-ots-requestid", "r"),
            ("x-ots-date", DATE),
            ("x-ots-contenttype", "protocol buffer"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let signer = Signer {
            access_key: "AKIDEXAMPLE".to_owned(),
            signing_key: "SECRETEXAMPLE".to_owned(),
        };
        assert_eq!(
            signer.authorize(&headers, "/DescribeTable"),
            "OTS AKIDEXAMPLE:kXECydQurONnmQvycSmx+5Oivyo="
        );
    }
}
