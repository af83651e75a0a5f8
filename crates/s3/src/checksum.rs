//! The checksum that a store recorded of a whole object, checked against the bytes that arrive.
//!
//! The SDK would do this too, but would not see bytes that arrive in parts, and would report a
//! difference as a transfer that broke off. So its verification is off, and the header that
//! requests the checksum is set here.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::fmt;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The header that requests the checksum, and its only value.
pub(crate) const ASKED: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");

/// The checksum of a whole object, and that of the bytes that have arrived so far.
pub(crate) struct Recorded {
    title: &'static str,
    /// The header's value, in base64.
    expected: String,
    hasher: Box<dyn HttpChecksum>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, expected, hasher: _ } = self;
        f.debug_struct("Recorded")
            .field("title", title)
            .field("expected", expected)
            .finish_non_exhaustive()
    }
}

impl Recorded {
    /// Returns the checksum that a reply names; if it names several, the one that is the fastest to
    /// compute. `None` if all of them are checksums of the checksums of parts: those prove nothing
    /// without the parts.
    pub(crate) fn of(answer: &GetObjectOutput) -> Option<Self> {
        let named = [
            ("CRC64NVME", answer.checksum_crc64_nvme(), ChecksumAlgorithm::Crc64Nvme),
            ("CRC32C", answer.checksum_crc32_c(), ChecksumAlgorithm::Crc32c),
            ("CRC32", answer.checksum_crc32(), ChecksumAlgorithm::Crc32),
            ("SHA-256", answer.checksum_sha256(), ChecksumAlgorithm::Sha256),
            ("SHA-1", answer.checksum_sha1(), ChecksumAlgorithm::Sha1),
        ];
        named.into_iter().find_map(|(title, value, algorithm)| {
            let expected = value.map(str::trim).filter(|value| !is_composite(value))?.to_owned();
            Some(Self { title, expected, hasher: algorithm.into_impl() })
        })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Checks that the bytes have the checksum that the store recorded.
    ///
    /// # Errors
    /// What is wrong, as a reason.
    pub(crate) fn verify(self) -> Result<(), String> {
        let Self { title, expected, hasher } = self;
        if BASE64.encode(hasher.finalize()) == expected {
            return Ok(());
        }
        Err(format!("the {title} of the received bytes differs from the one the store recorded"))
    }
}

/// Whether this is a checksum of the checksums of parts, which ends with their number: `…-3`.
fn is_composite(value: &str) -> bool {
    let parts = value.rsplit_once('-').map(|(_, parts)| parts);
    parts.is_some_and(|parts| !parts.is_empty() && parts.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_object::builders::GetObjectOutputBuilder;

    use super::*;

    /// Returns what the store recorded of `Hello world`, by each algorithm, computed by other
    /// programs.
    fn answers() -> [(&'static str, GetObjectOutputBuilder); 5] {
        let answer = GetObjectOutput::builder;
        [
            ("CRC32", answer().checksum_crc32("i9aeUg==")),
            ("CRC32C", answer().checksum_crc32_c("crUfeA==")),
            ("CRC64NVME", answer().checksum_crc64_nvme("OOJZ0D8xKts=")),
            ("SHA-1", answer().checksum_sha1("e1AsOh9IyGCa4hLN+2Od7jlnP14=")),
            ("SHA-256", answer().checksum_sha256("ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw=")),
        ]
    }

    #[test]
    fn every_checksum_holds_for_its_bytes_in_any_pieces_and_for_no_others() {
        for (title, answer) in answers() {
            let answer = answer.build();
            let verified = |pieces: &[&str]| {
                let mut recorded = Recorded::of(&answer).unwrap();
                pieces.iter().for_each(|piece| recorded.update(piece.as_bytes()));
                recorded.verify()
            };
            assert_eq!(verified(&["Hello world"]), Ok(()), "{title}");
            assert_eq!(verified(&["Hel", "", "lo world"]), Ok(()), "{title}");
            for others in ["Hello worle", "Hello worl", ""] {
                let reason = verified(&[others]).unwrap_err();
                assert!(reason.starts_with(&format!("the {title} of the received")), "{reason}");
            }
        }
    }

    #[test]
    fn checksum_of_checksums_is_passed_over_and_anything_else_is_not() {
        let of_parts = "ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw=-3";
        let composite = || GetObjectOutput::builder().checksum_sha256(of_parts);
        assert!(Recorded::of(&composite().build()).is_none());
        let both = composite().checksum_sha1("e1AsOh9IyGCa4hLN+2Od7jlnP14=").build();
        assert_eq!(Recorded::of(&both).unwrap().title, "SHA-1");
        assert!(Recorded::of(&GetObjectOutput::builder().build()).is_none());
        for nonsense in ["", "AAAA", "no checksum", "x-", "-"] {
            let answer = GetObjectOutput::builder().checksum_sha256(nonsense).build();
            let mut recorded = Recorded::of(&answer).unwrap();
            recorded.update(b"Hello world");
            assert!(recorded.verify().is_err(), "{nonsense:?}");
        }
    }
}
