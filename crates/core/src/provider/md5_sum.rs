//! MD5, the hash of state digests and of request checksums.

use std::fmt;

use md5::{Digest as _, Md5};

/// An MD5 sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Md5Sum([u8; 16]);

impl Md5Sum {
    /// Computes the sum of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Md5::digest(bytes).into())
    }

    /// Parses 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sum = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(Self(sum.to_be_bytes()))
    }
}

/// Returns the 16 bytes.
impl AsRef<[u8]> for Md5Sum {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Writes lower-case hexadecimal digits.
impl fmt::Display for Md5Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Computes an [`Md5Sum`] from bytes as they arrive.
#[derive(Clone, Debug, Default)]
pub struct Md5Hasher(Md5);

impl Md5Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the sum of all bytes.
    pub fn finish(self) -> Md5Sum {
        Md5Sum(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_is_written_in_lower_case_and_read_in_either() {
        let text = "0cc175b9c0f1b6a831c399e269772661";
        assert_eq!(Md5Sum::of(b"a").to_string(), text);
        for spelling in [text.to_owned(), text.to_uppercase()] {
            assert_eq!(Md5Sum::parse(&spelling), Some(Md5Sum::of(b"a")), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_sum_is_not_read_as_one() {
        for text in [
            "",
            "0cc1",
            "+cc175b9c0f1b6a831c399e269772661",
            "0cc175b9c0f1b6a831c399e2697726610",
            "xyz",
        ] {
            assert_eq!(Md5Sum::parse(text), None, "{text}");
        }
    }
}
