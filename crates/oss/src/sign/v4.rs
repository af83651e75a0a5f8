//! Signature V4:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4>.

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::sign::{Signer, Unsigned, encode, encode_path, hex, hmac_sha256};

/// The placeholder for the hash of the body, which is unsigned: `Content-MD5` protects it instead.
const PAYLOAD: &str = "UNSIGNED-PAYLOAD";

pub(super) fn sign(signer: &Signer<'_>, request: Unsigned<'_>) -> Vec<(&'static str, String)> {
    let time = signer.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &time[..8];
    let mut added =
        vec![("x-oss-content-sha256", PAYLOAD.to_owned()), ("x-oss-date", time.clone())];
    added.extend(signer.token());
    let scope = format!("{day}/{}/oss/aliyun_v4_request", signer.region);
    let canonical = hex(&Sha256::digest(canonical_request(request, &added)));
    let text = format!("OSS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
    let secret = format!("aliyun_v4{}", signer.credentials.secret_key.expose_secret());
    let key = [day, signer.region, "oss", "aliyun_v4_request"]
        .into_iter()
        .fold(secret.into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()).to_vec());
    let signature = hex(&hmac_sha256(&key, text.as_bytes()));
    let access_key = &signer.credentials.access_key;
    added.push((
        "authorization",
        format!("OSS4-HMAC-SHA256 Credential={access_key}/{scope},Signature={signature}"),
    ));
    added
}

pub(super) fn canonical_request(request: Unsigned<'_>, added: &[(&'static str, String)]) -> String {
    let mut query: Vec<_> = request
        .query
        .iter()
        .map(|(name, value)| match value.as_deref() {
            None | Some("") => (encode(name), None),
            Some(value) => (encode(name), Some(encode(value))),
        })
        .collect();
    query.sort_unstable();
    let query: Vec<_> = query
        .into_iter()
        .map(|(name, value)| value.map_or_else(|| name.clone(), |value| format!("{name}={value}")))
        .collect();
    let is_signed =
        |name: &str| name.starts_with("x-oss-") || matches!(name, "content-md5" | "content-type");
    let headers: String = request
        .signed_headers(added, is_signed)
        .into_iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    // The empty line before the last is the list of additional headers, of which there are none.
    format!(
        "{}\n/{}/{}\n{}\n{headers}\n\n{PAYLOAD}",
        request.method,
        request.bucket,
        encode_path(request.key.unwrap_or_default()),
        query.join("&"),
    )
}
