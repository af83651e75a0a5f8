//! Names as numbers: each is kept once, for both states.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

/// A name that [`Names`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u32);

impl Name {
    /// The name of no characters.
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// All names, one behind the other.
#[derive(Debug)]
pub(crate) struct Names {
    text: String,
    ends: Vec<usize>,
    /// By the hash of the name; of two names with one hash, the second is under the next free one.
    numbers: HashMap<u64, u32>,
    keys: RandomState,
}

impl Default for Names {
    fn default() -> Self {
        let keys = RandomState::new();
        let numbers = HashMap::from([(keys.hash_one(""), 0)]);
        Self { text: String::new(), ends: vec![0], numbers, keys }
    }
}

impl Names {
    /// Returns the number of a name, a new one if it was not known.
    pub(crate) fn add(&mut self, name: &str) -> Name {
        let mut hash = self.keys.hash_one(name);
        while let Some(number) = self.numbers.get(&hash) {
            if self.text(Name(*number)) == name {
                return Name(*number);
            }
            hash = hash.wrapping_add(1);
        }
        // More than four thousand million names do not fit into memory.
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let _: Option<u32> = self.numbers.insert(hash, number);
        Name(number)
    }

    pub(crate) fn text(&self, name: Name) -> &str {
        let at = name.number();
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or(0);
        self.text.get(start.unwrap_or(0)..end).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Name> {
        (0..).take(self.ends.len()).map(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_number() {
        let mut names = Names::default();
        let all = ["a", "", "bc", "ü", "a", "bc", ""];
        let numbers: Vec<_> = all.iter().map(|name| names.add(name)).collect();
        assert_eq!(numbers.iter().map(|name| names.text(*name)).collect::<Vec<_>>(), all);
        assert_eq!((numbers[0], numbers[1], numbers[2]), (numbers[4], Name::EMPTY, numbers[5]));
        assert_eq!(names.len(), 4);
    }
}
