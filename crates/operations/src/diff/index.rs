//! What a comparison keeps of each instance: its address in numbers, its hash, and where its bytes
//! are. A state of a hundred megabytes has some hundred thousand instances.

use std::cmp::Ordering;
use std::ops::Range;

use remote_state_core::{InstanceAddress, InstanceKey, ResourceHead};

use crate::diff::names::{Group, GroupNumber, Name, Names};

/// The key of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    None,
    Number(i64),
    Text(Name),
    Other(Name),
}

/// An instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    group: GroupNumber,
    name: Name,
    /// The empty name for one that is not deposed.
    deposed: Name,
    key: Key,
    /// Of everything that is compared. A number of 128 bits would have to be aligned.
    hash: [u64; 2],
    start: u64,
    length: u32,
}

/// What is known of an instance before its resource has ended.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) key: InstanceKey,
    pub(crate) deposed: String,
    pub(crate) hash: u128,
    pub(crate) span: Range<u64>,
}

impl Entry {
    pub(crate) fn new(names: &mut Names, head: &ResourceHead, pending: &Pending) -> Self {
        let group = Group {
            module: names.add(&head.module),
            is_managed: !head.is_data(),
            kind: names.add(&head.kind),
            provider: names.add(&head.provider),
        };
        Self {
            group: names.add_group(group),
            name: names.add(&head.name),
            deposed: names.add(&pending.deposed),
            key: match &pending.key {
                InstanceKey::None => Key::None,
                InstanceKey::Number(number) => Key::Number(*number),
                InstanceKey::Text(text) => Key::Text(names.add(text)),
                InstanceKey::Other(json) => Key::Other(names.add(json)),
            },
            hash: halves(pending.hash),
            start: pending.span.start,
            length: u32::try_from(pending.span.end - pending.span.start).unwrap_or(u32::MAX),
        }
    }

    /// Returns what the instance has in common with others.
    pub(crate) fn group(&self, names: &Names) -> Group {
        names.group(self.group)
    }

    /// Returns where the bytes are.
    pub(crate) fn span(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.length)
    }

    /// Returns whether all that is compared is equal.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    pub(crate) fn is_deposed(&self) -> bool {
        self.deposed != Name::EMPTY
    }

    pub(crate) fn deposed(&self, names: &Names) -> Option<String> {
        self.is_deposed().then(|| names.text(self.deposed).to_owned())
    }

    pub(crate) fn address(&self, names: &Names) -> InstanceAddress {
        let Group { module, is_managed, kind, .. } = self.group(names);
        let mode = if is_managed { "managed" } else { "data" };
        let text = |name: Name| names.text(name);
        let key = match self.key {
            Key::None => InstanceKey::None,
            Key::Number(number) => InstanceKey::Number(number),
            Key::Text(name) => InstanceKey::Text(text(name).to_owned()),
            Key::Other(name) => InstanceKey::Other(text(name).to_owned()),
        };
        ResourceHead::new(text(module), mode, text(kind), text(self.name)).address(key)
    }
}

/// The order of `terraform state list`, in numbers.
#[derive(Debug)]
pub(crate) struct Order {
    /// The rank of each name among all, by its bytes.
    texts: Vec<u32>,
    /// The rank of each group, by the module, the mode and the type.
    groups: Vec<u32>,
}

impl Order {
    /// Finds the order of all names.
    pub(crate) fn new(names: &Names) -> Self {
        let mut all: Vec<Name> = names.all().collect();
        all.sort_unstable_by(|one, other| names.text(*one).cmp(names.text(*other)));
        let mut texts = vec![0; names.len()];
        for (rank, name) in (0_u32..).zip(&all) {
            if let Some(place) = texts.get_mut(name.number()) {
                *place = rank;
            }
        }
        let address = |group: &Group| {
            let mode = if group.is_managed { "managed" } else { "data" };
            ResourceHead::new(names.text(group.module), mode, names.text(group.kind), "")
                .address(InstanceKey::None)
        };
        let mut sorted: Vec<_> =
            names.groups().iter().enumerate().map(|(at, group)| (address(group), at)).collect();
        sorted.sort();
        let mut groups = vec![0; sorted.len()];
        let mut rank = 0;
        let mut last = None;
        for (address, at) in &sorted {
            // Groups that differ in the provider alone hold the same addresses.
            if last.is_some_and(|last| last != address) {
                rank += 1;
            }
            last = Some(address);
            if let Some(place) = groups.get_mut(*at) {
                *place = rank;
            }
        }
        Self { texts, groups }
    }

    /// Compares the addresses of two entries; equal ones are those of one instance.
    pub(crate) fn compare(&self, one: &Entry, other: &Entry) -> Ordering {
        let text = |name: Name| self.texts.get(name.number()).copied().unwrap_or(0);
        let group = |entry: &Entry| self.groups.get(entry.group.number()).copied().unwrap_or(0);
        (group(one).cmp(&group(other)))
            .then_with(|| text(one.name).cmp(&text(other.name)))
            .then_with(|| match (one.key, other.key) {
                (Key::Number(one), Key::Number(other)) => one.cmp(&other),
                (Key::Text(one), Key::Text(other)) | (Key::Other(one), Key::Other(other)) => {
                    text(one).cmp(&text(other))
                }
                (one, other) => class(one).cmp(&class(other)),
            })
            .then_with(|| text(one.deposed).cmp(&text(other.deposed)))
    }
}

fn halves(hash: u128) -> [u64; 2] {
    let low = hash & u128::from(u64::MAX);
    [low, hash >> 64].map(|half| u64::try_from(half).unwrap_or(0))
}

fn class(key: Key) -> u8 {
    match key {
        Key::None => 0,
        Key::Number(_) => 1,
        Key::Text(_) => 2,
        Key::Other(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_sort_as_their_addresses_do() {
        let mut names = Names::default();
        let mut entries = Vec::new();
        let heads =
            ["", "module.b", "module.a[10]", "module.a[9]", "module.a.module.b", "module.a"];
        for module in heads {
            for mode in ["managed", "data"] {
                for (kind, name) in [("t", "n"), ("t", "m"), ("s", "z")] {
                    let head = ResourceHead::new(module, mode, kind, name);
                    for key in ["null", "10", "9", "\"a\"", "\"B\"", "{}"] {
                        let key =
                            if key == "null" { InstanceKey::None } else { InstanceKey::parse(key) };
                        let pending = Pending { key, deposed: String::new(), hash: 0, span: 0..0 };
                        entries.push(Entry::new(&mut names, &head, &pending));
                    }
                }
            }
        }
        let order = Order::new(&names);
        let mut by_address = entries.clone();
        by_address.sort_by_key(|entry| entry.address(&names));
        entries.sort_by(|one, other| order.compare(one, other));
        let written = |entries: &[Entry]| {
            entries.iter().map(|entry| entry.address(&names).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(written(&entries), written(&by_address));
    }
}
