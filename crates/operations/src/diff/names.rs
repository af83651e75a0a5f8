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

/// What the instances of many resources have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) module: Name,
    pub(crate) is_managed: bool,
    pub(crate) kind: Name,
    pub(crate) provider: Name,
}

/// A [`Group`] that [`Names`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupNumber(u32);

impl GroupNumber {
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// All names, one behind the other, and all groups.
#[derive(Debug)]
pub(crate) struct Names {
    text: String,
    ends: Vec<usize>,
    /// By the hash of the name; of two names with one hash, the second is under the next free one.
    numbers: HashMap<u64, u32>,
    keys: RandomState,
    groups: Vec<Group>,
    group_numbers: HashMap<Group, GroupNumber>,
}

impl Default for Names {
    fn default() -> Self {
        let keys = RandomState::new();
        let numbers = HashMap::from([(keys.hash_one(""), 0)]);
        Self {
            text: String::new(),
            ends: vec![0],
            numbers,
            keys,
            groups: Vec::new(),
            group_numbers: HashMap::new(),
        }
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

    /// Returns the number of a group, a new one if it was not known.
    pub(crate) fn add_group(&mut self, group: Group) -> GroupNumber {
        *self.group_numbers.entry(group).or_insert_with(|| {
            self.groups.push(group);
            GroupNumber(u32::try_from(self.groups.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Drops what only [`add`](Self::add) and [`add_group`](Self::add_group) need, which is a good
    /// part of the memory. A name that is added later gets a new number.
    pub(crate) fn finish(&mut self) {
        self.numbers = HashMap::new();
        self.group_numbers = HashMap::new();
    }

    pub(crate) fn group(&self, number: GroupNumber) -> Group {
        let nameless = Group {
            module: Name::EMPTY,
            is_managed: true,
            kind: Name::EMPTY,
            provider: Name::EMPTY,
        };
        // Only this value gives out numbers.
        self.groups.get(number.number()).copied().unwrap_or(nameless)
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
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
