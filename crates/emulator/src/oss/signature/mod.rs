//! Both versions of the signature in the `Authorization` header.
//!
//! Written from the vendor's documentation and tested with signatures of its SDKs. It shares no
//! code with the clients in this repository.

mod v1;
mod v4;

#[cfg(test)]
mod vectors;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::call::Call;
use super::refusal::{Details, Refusal};
use crate::keyring::{Keyring, Rejection};

/// How far a client's clock may be off.
const SKEW_SECONDS: u64 = 15 * 60;

/// Refuses a request unless it was signed, at about this time, with a key of the ring.
pub(super) fn check(
    call: &Call,
    keys: &Keyring,
    region: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let authorization = call.header("authorization").unwrap_or_default();
    if let Some(claim) = authorization.strip_prefix("OSS ") {
        check_v1(call, claim, keys, now)
    } else if let Some(claim) = authorization.strip_prefix("OSS4-HMAC-SHA256 ") {
        check_v4(call, claim, keys, region, now)
    } else {
        Err(malformed())
    }
}

/// Returns whether an `Authorization` header is one of OSS.
pub(super) fn is_claimed(authorization: &str) -> bool {
    authorization.starts_with("OSS ") || authorization.starts_with("OSS4-HMAC-SHA256")
}

fn check_v1(call: &Call, claim: &str, keys: &Keyring, now: Timestamp) -> Result<(), Refusal> {
    let (access_key, signature) = claim.trim().rsplit_once(':').ok_or_else(malformed)?;
    let secret = secret(call, keys, access_key)?;
    let date = call.header("x-oss-date").or_else(|| call.header("date")).unwrap_or_default();
    let date = rfc2822::DateTimeParser::new().parse_timestamp(date).map_err(|_| no_date())?;
    check_time(date, now)?;
    let text = v1::string_to_sign(call);
    if v1::sign(&secret, &text) == signature {
        return Ok(());
    }
    Err(mismatch(access_key, signature, text, None))
}

fn check_v4(
    call: &Call,
    claim: &str,
    keys: &Keyring,
    region: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let claim = v4::Claim::parse(claim).ok_or_else(malformed)?;
    let secret = secret(call, keys, claim.access_key)?;
    if region.is_some_and(|region| region != claim.region) {
        return Err(Refusal::invalid_argument("Invalid signing region in Authorization header."));
    }
    if call.header("x-oss-content-sha256").is_none() {
        return Err(Refusal::invalid_argument("Missing x-oss-content-sha256 header."));
    }
    let time = call.header("x-oss-date").unwrap_or_default();
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).map_err(|_| no_date())?;
    let parsed = parsed.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| no_date())?.timestamp();
    if !time.starts_with(claim.day) {
        return Err(Refusal::invalid_argument("Invalid signing date in Authorization header."));
    }
    check_time(parsed, now)?;
    let canonical = v4::canonical_request(call, &claim);
    let text = v4::string_to_sign(&canonical, time, &claim);
    if v4::sign(&secret, &claim, &text) == claim.signature {
        return Ok(());
    }
    Err(mismatch(claim.access_key, claim.signature, text, Some(canonical)))
}

fn secret(call: &Call, keys: &Keyring, access_key: &str) -> Result<String, Refusal> {
    keys.secret(access_key, call.header("x-oss-security-token")).map_err(
        |rejection| match rejection {
            Rejection::Expired => Refusal::new(
                403,
                "SecurityTokenExpired",
                "The security token you provided has expired.",
            ),
            Rejection::UnknownKey => Refusal::new(
                403,
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
            .with_ec("0002-00000902")
            .with_details(Details {
                access_key: Some(access_key.to_owned()),
                ..Details::default()
            }),
            Rejection::WrongToken => Refusal::new(
                403,
                "InvalidSecurityToken",
                "The security token you provided is invalid.",
            ),
        },
    )
}

fn check_time(date: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if date.duration_since(now).unsigned_abs().as_secs() <= SKEW_SECONDS {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    )
    .with_ec("0002-00000504"))
}

fn malformed() -> Refusal {
    Refusal::invalid_argument("Authorization header is invalid.")
}

fn no_date() -> Refusal {
    Refusal::new(403, "AccessDenied", "OSS authentication requires a valid Date.")
}

fn mismatch(access_key: &str, signature: &str, text: String, canonical: Option<String>) -> Refusal {
    Refusal::new(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check \
         your key and signing method.",
    )
    .with_ec("0002-00000040")
    .with_details(Details {
        access_key: Some(access_key.to_owned()),
        signature_provided: Some(signature.to_owned()),
        string_to_sign: Some(text),
        canonical_request: canonical,
    })
}
