//! Headers that are stored with an object, and headers about a body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use s3s::HttpResponse;
use s3s::crypto::{Checksum as _, Md5};

use super::answer::set;
use super::call::Call;
use super::refusal::Refusal;
use crate::store::{Content, Headers};

/// The header with the checksum of an object, in decimal:
/// <https://www.alibabacloud.com/help/en/oss/developer-reference/check-data-transmission-integrity-by-using-crc-64>.
pub(super) const CRC64: &str = "x-oss-hash-crc64ecma";

/// CRC-64 with the polynomial of ECMA-182, reflected.
pub(super) const CRC64_ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Xz;

const META: &str = "x-oss-meta-";

/// A body that matches the digest that its sender stated.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) pieces: Vec<Bytes>,
    pub(super) size_bytes: u64,
    pub(super) md5: [u8; 16],
    pub(super) crc64: u64,
}

impl Received {
    /// Takes the body out of a request.
    pub(super) fn take(call: &mut Call) -> Result<Self, Refusal> {
        let pieces = std::mem::take(&mut call.body);
        let (mut md5, mut crc64) = (Md5::new(), Digest::new(CRC64_ALGORITHM));
        for piece in &pieces {
            md5.update(piece);
            crc64.update(piece);
        }
        let md5 = md5.finalize();
        if let Some(claimed) = call.header("content-md5") {
            let is_digest = |digest: &Vec<u8>| digest.len() == 16;
            let invalid = || {
                Refusal::new(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
            };
            let claimed = BASE64.decode(claimed).ok().filter(is_digest).ok_or_else(invalid)?;
            // The service has one code for a malformed digest and for one that does not match.
            if claimed != md5 {
                return Err(invalid());
            }
        }
        let size_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Ok(Self { pieces, size_bytes, md5, crc64: crc64.finalize() })
    }
}

/// Whether the key for KMS may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KmsKeys {
    Chosen,
    DefaultOnly,
}

/// Reads the headers to store. Like the service, this ignores headers that the operation does not
/// have.
pub(super) fn stored(call: &Call, keys: KmsKeys) -> Result<Headers, Refusal> {
    let text = |name: &str| call.header(name).map(str::to_owned);
    let encryption = text("x-oss-server-side-encryption");
    if encryption.as_deref().is_some_and(|method| !matches!(method, "AES256" | "KMS" | "SM4")) {
        return Err(Refusal::new(
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256/KMS/SM4.",
        ));
    }
    let is_kms = encryption.as_deref() == Some("KMS") && keys == KmsKeys::Chosen;
    let metadata = call.headers.iter().filter_map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Some((name.as_str().strip_prefix(META)?.to_owned(), value))
    });
    Ok(Headers {
        bucket_key_enabled: None,
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: text("content-encoding"),
        content_language: text("content-language"),
        content_type: text("content-type"),
        encryption,
        kms_key_id: text("x-oss-server-side-encryption-key-id").filter(|_| is_kms),
        metadata: metadata.collect(),
    })
}

/// Reads the ACL for an object, if the request names one.
pub(super) fn acl(call: &Call) -> Result<Option<String>, Refusal> {
    let acl = call.header("x-oss-object-acl");
    if acl.is_some_and(|acl| {
        !matches!(acl, "default" | "private" | "public-read" | "public-read-write")
    }) {
        return Err(Refusal::invalid_argument("The object acl is invalid."));
    }
    Ok(acl.filter(|acl| *acl != "default").map(str::to_owned))
}

/// Returns whether `x-oss-forbid-overwrite` protects an existing object.
pub(super) fn forbids_overwrite(call: &Call) -> Result<bool, Refusal> {
    match call.header("x-oss-forbid-overwrite") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            Err(Refusal::invalid_argument("The value of x-oss-forbid-overwrite is invalid.")
                .with_ec("0017-00000279"))
        }
    }
}

/// Refuses conditions that the service has for reads only.
pub(super) fn refuse_conditions(call: &Call) -> Result<(), Refusal> {
    for name in ["if-match", "if-none-match"] {
        if call.headers.contains_key(name) {
            return Err(Refusal::not_implemented(
                "A header you provided implies functionality that is not implemented.",
            )
            .with_header("x-oss-unsupported", name));
        }
    }
    Ok(())
}

/// Sets the headers about the encryption of an object.
pub(super) fn set_encryption(answer: &mut HttpResponse, headers: &Headers) {
    if let Some(method) = &headers.encryption {
        set(answer, "x-oss-server-side-encryption", method);
    }
    if let Some(key) = &headers.kms_key_id {
        set(answer, "x-oss-server-side-encryption-key-id", key);
    }
}

/// Sets the headers that are stored with an object.
pub(super) fn set_stored(answer: &mut HttpResponse, headers: &Headers) {
    let plain = [
        ("cache-control", &headers.cache_control),
        ("content-disposition", &headers.content_disposition),
        ("content-encoding", &headers.content_encoding),
        ("content-language", &headers.content_language),
    ];
    for (name, value) in plain {
        if let Some(value) = value {
            set(answer, name, value);
        }
    }
    set(
        answer,
        "content-type",
        headers.content_type.as_deref().unwrap_or("application/octet-stream"),
    );
    for (name, value) in &headers.metadata {
        let name = hyper::header::HeaderName::try_from(format!("{META}{name}"));
        if let (Ok(name), Ok(value)) = (name, hyper::header::HeaderValue::from_str(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    set_encryption(answer, headers);
}

/// Sets the entity tag and the checksum of an object. Entity tags are in upper case.
pub(super) fn set_digests(answer: &mut HttpResponse, content: &Content) {
    set(answer, "etag", &etag(content));
    if let Some(crc64) = content.oss.crc64 {
        set(answer, CRC64, &crc64.to_string());
    }
}

/// An ETag in quotes.
pub(super) fn etag(content: &Content) -> String {
    format!("\"{}\"", content.etag.to_uppercase())
}
