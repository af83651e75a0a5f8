//! Texts that equal or contain a hidden value.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

/// The shortest text whose copies are hidden, in characters. Shorter ones equal too much else.
const SHORTEST: usize = 4;

/// The shortest text that is looked for inside longer ones, in bytes.
const SHORTEST_INSIDE: usize = 8;

/// The longest one, in bytes. Longer ones, such as whole files, are found only as a whole.
const LONGEST_INSIDE: usize = 4096;

/// The most steps along a text, for all lengths together. A text that needs more counts as a copy:
/// that it is none would take too long to find out.
const MOST_STEPS: usize = 1 << 27;

/// Texts that many attributes have and that tell nothing.
const COMMON: [&str; 5] = ["true", "false", "null", "none", "default"];

/// The prime 2⁶¹ − 1, modulo which hashes are computed.
const PRIME: u64 = (1 << 61) - 1;

/// The hashes of all hidden texts, by their length in bytes.
///
/// A polynomial hash can be moved along a text in one step for each byte, so all places of a text
/// are looked at. Its base is random: nobody can choose a text that seems to be hidden.
pub(crate) struct Copies {
    base: u64,
    hashes: BTreeMap<usize, HashSet<u64>>,
    /// Those that are looked for inside longer texts too.
    inside: BTreeMap<usize, HashSet<u64>>,
}

/// Where copies of a text are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Where a text equals it.
    Equal,
    /// Where a text equals or contains it.
    Inside,
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").finish_non_exhaustive()
    }
}

impl Default for Copies {
    fn default() -> Self {
        let random = RandomState::new().hash_one(0_u8);
        Self {
            base: random % (PRIME - 1024) + 512,
            hashes: BTreeMap::new(),
            inside: BTreeMap::new(),
        }
    }
}

impl Copies {
    /// Hides a text and its copies.
    pub(crate) fn hide(&mut self, text: &str, reach: Reach) {
        for text in [text, text.trim()] {
            if text.chars().take(SHORTEST).count() == SHORTEST && !COMMON.contains(&text) {
                let hash = self.hash(text.as_bytes());
                let _: bool = self.hashes.entry(text.len()).or_default().insert(hash);
                if reach == Reach::Inside {
                    let _: bool = self.inside.entry(text.len()).or_default().insert(hash);
                }
            }
        }
    }

    /// Returns whether a text equals a hidden one.
    pub(crate) fn include(&self, text: &str) -> bool {
        let same_length = self.hashes.get(&text.len());
        same_length.is_some_and(|hashes| hashes.contains(&self.hash(text.as_bytes())))
    }

    /// Returns whether a text equals or contains a hidden one.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        if self.include(text) {
            return true;
        }
        let longest = text.len().min(LONGEST_INSIDE);
        if longest < SHORTEST_INSIDE {
            return false;
        }
        let mut shorter = self.inside.range(SHORTEST_INSIDE..=longest);
        shorter.clone().count().saturating_mul(text.len()) > MOST_STEPS
            || shorter.any(|(length, hashes)| self.is_inside(text.as_bytes(), *length, hashes))
    }

    /// Looks at each part of a text that has this length.
    fn is_inside(&self, text: &[u8], length: usize, hashes: &HashSet<u64>) -> bool {
        let Some((first, _)) = text.split_at_checked(length) else { return false };
        let mut hash = self.hash(first);
        if hashes.contains(&hash) {
            return true;
        }
        // What the first byte of the part contributes.
        let weight = (1..length).fold(1, |weight, _| times(weight, self.base));
        text.iter().zip(text.iter().skip(length)).any(|(out, new)| {
            let rest = (hash + PRIME - times(weight, digit(*out))) % PRIME;
            hash = (times(rest, self.base) + digit(*new)) % PRIME;
            hashes.contains(&hash)
        })
    }

    fn hash(&self, text: &[u8]) -> u64 {
        text.iter().fold(0, |hash, byte| (times(hash, self.base) + digit(*byte)) % PRIME)
    }
}

/// A byte as a digit other than zero.
fn digit(byte: u8) -> u64 {
    u64::from(byte) + 1
}

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    // Modulo 2⁶¹ − 1, the upper bits count once more.
    let folded = (product & u128::from(PRIME)) + (product >> 61);
    let folded = u64::try_from(folded).unwrap_or(0);
    if folded >= PRIME { folded - PRIME } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_text_is_found_at_every_place_of_a_longer_one() {
        let mut copies = Copies::default();
        copies.hide("hunter2-ü\n", Reach::Inside);
        copies.hide("s3cr", Reach::Inside);
        copies.hide("eu-central-1", Reach::Equal);
        for around in ["", "x", "hunter2", "ünter-hunter2-", "\u{1f600}"] {
            for text in [format!("{around}hunter2-ü"), format!("{around}hunter2-ü{around}")] {
                assert!(copies.are_in(&text), "{text}");
            }
            assert!(!copies.are_in(&format!("{around}hunter2-u{around}")));
        }
        assert!(copies.include("s3cr") && !copies.are_in("s3cr-and-more"));
        assert!(copies.are_in("eu-central-1") && !copies.are_in("eu-central-1a"));
    }

    #[test]
    fn short_and_common_texts_have_no_copies() {
        let mut copies = Copies::default();
        for text in ["", "abc", "üüü", "true", "false", "null", "   x   "] {
            copies.hide(text, Reach::Inside);
            assert!(!copies.include(text.trim()), "{text}");
        }
    }

    #[test]
    fn a_text_that_takes_too_long_counts_as_a_copy() {
        let mut copies = Copies::default();
        for length in 8..1032 {
            copies.hide(&"a".repeat(length), Reach::Inside);
        }
        assert!(copies.are_in(&"b".repeat(1 << 20)));
        assert!(!copies.are_in(&"b".repeat(1 << 10)));
    }

    #[test]
    fn products_are_those_of_the_residues() {
        for (one, other) in [(PRIME - 1, PRIME - 1), (PRIME - 1, 1), (0, 5), (1 << 60, 1 << 60)] {
            let expected = u128::from(one) * u128::from(other) % u128::from(PRIME);
            assert_eq!(u128::from(times(one, other)), expected);
        }
    }
}
