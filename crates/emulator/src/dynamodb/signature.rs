//! Signature Version 4 for requests to tables:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! The S3 protocol layer checks signatures for S3 only.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use s3s::auth::SecretKey;
use s3s::crypto::{Checksum as _, Sha256};

use super::refusal::Refusal;
use crate::store::hex;

/// The length of the blocks that SHA-256 works on.
const BLOCK_BYTES: usize = 64;

pub(crate) fn check(
    head: &Parts,
    body: &[u8],
    keys: &BTreeMap<String, SecretKey>,
    region: Option<&str>,
) -> Result<(), Refusal> {
    let incomplete = |what: &str| {
        Refusal::new("IncompleteSignatureException", format!("the request has no {what}"))
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header("authorization").ok_or_else(|| {
        Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
    })?;
    let part = |name: &str| {
        authorization
            .split([',', ' '])
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let credential = part("Credential").ok_or_else(|| incomplete("credential"))?;
    let signed = part("SignedHeaders").ok_or_else(|| incomplete("signed headers"))?;
    let signature = part("Signature").ok_or_else(|| incomplete("signature"))?;
    let time = header("x-amz-date").ok_or_else(|| incomplete("date"))?;
    let scope: Vec<&str> = credential.split('/').collect();
    let [access_key, day, signed_region, service @ "dynamodb", end @ "aws4_request"] = scope[..]
    else {
        return Err(Refusal::new(
            "InvalidSignatureException",
            "Credential should be scoped to dynamodb",
        ));
    };
    if region.is_some_and(|region| region != signed_region) || !time.starts_with(day) {
        return Err(Refusal::new(
            "InvalidSignatureException",
            "Credential should be scoped to a valid region",
        ));
    }
    let secret = keys.get(access_key).ok_or_else(|| {
        Refusal::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    })?;

    let mut canonical =
        format!("POST\n{}\n{}\n", head.uri.path(), head.uri.query().unwrap_or_default());
    for name in signed.split(';') {
        let value = header(name).unwrap_or_default();
        canonical.push_str(&format!(
            "{name}:{}\n",
            value.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    canonical.push_str(&format!("\n{signed}\n{}", hex(&Sha256::checksum(body))));
    let scope = format!("{day}/{signed_region}/{service}/{end}");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::checksum(canonical.as_bytes()))
    );
    let secret = format!("AWS4{}", secret.expose());
    let key = [day, signed_region, service, end]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
    if hex(&hmac(&key, text.as_bytes())) == signature {
        Ok(())
    } else {
        Err(Refusal::new(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ))
    }
}

/// HMAC-SHA256: <https://www.rfc-editor.org/rfc/rfc2104#section-2>.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::checksum(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8, text: &[u8]| {
        Sha256::checksum(&[block.map(|byte| byte ^ pad).as_slice(), text].concat())
    };
    padded(0x5c, &padded(0x36, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_the_published_vectors() {
        // https://www.rfc-editor.org/rfc/rfc4231, test cases 2 and 6
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
