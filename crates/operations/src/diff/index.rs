//! What a comparison keeps of each instance: its address in numbers, its hash, and where its bytes
//! are. A state of a hundred megabytes has some hundred thousand instances.

use std::cmp::Ordering;
use std::ops::Range;

use remote_state_core::{InstanceAddress, InstanceKey, ResourceHead};

use crate::diff::names::{Name, Names};

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
    module: Name,
    pub(crate) kind: Name,
    name: Name,
    pub(crate) provider: Name,
    /// The empty name for one that is not deposed.
    deposed: Name,
    key: Key,
    is_managed: bool,
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
        Self {
            module: names.add(&head.module),
            kind: names.add(&head.kind),
            name: names.add(&head.name),
            provider: names.add(&head.provider),
            deposed: names.add(&pending.deposed),
            key: match &pending.key {
                InstanceKey::None => Key::None,
                InstanceKey::Number(number) => Key::Number(*number),
                InstanceKey::Text(text) => Key::Text(names.add(text)),
                InstanceKey::Other(json) => Key::Other(names.add(json)),
            },
            is_managed: !head.is_data(),
            hash: halves(pending.hash),
            start: pending.span.start,
            length: u32::try_from(pending.span.end - pending.span.start).unwrap_or(u32::MAX),
        }
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
        let mode = if self.is_managed { "managed" } else { "data" };
        let text = |name: Name| names.text(name);
        let key = match self.key {
            Key::None => InstanceKey::None,
            Key::Number(number) => InstanceKey::Number(number),
            Key::Text(name) => InstanceKey::Text(text(name).to_owned()),
            Key::Other(name) => InstanceKey::Other(text(name).to_owned()),
        };
        ResourceHead::new(text(self.module), mode, text(self.kind), text(self.name)).address(key)
    }
}

/// The order of `terraform state list`, in numbers.
#[derive(Debug)]
pub(crate) struct Order {
    /// The rank of each name among all, by its bytes.
    texts: Vec<u32>,
    /// The rank of each name among all, as the address of a module.
    modules: Vec<u32>,
}

impl Order {
    /// Finds the order of all names in these entries.
    pub(crate) fn new<'e>(names: &Names, entries: impl Iterator<Item = &'e Entry>) -> Self {
        let mut modules: Vec<Name> = entries.map(|entry| entry.module).collect();
        modules.sort_unstable();
        modules.dedup();
        modules.sort_by_cached_key(|module| {
            ResourceHead::new(names.text(*module), "", "", "").address(InstanceKey::None)
        });
        let mut all: Vec<Name> = names.all().collect();
        all.sort_unstable_by(|one, other| names.text(*one).cmp(names.text(*other)));
        let ranks = |sorted: &[Name]| {
            let mut ranks = vec![0; names.len()];
            for (rank, name) in (0_u32..).zip(sorted) {
                if let Some(place) = ranks.get_mut(name.number()) {
                    *place = rank;
                }
            }
            ranks
        };
        Self { texts: ranks(&all), modules: ranks(&modules) }
    }

    /// Compares the addresses of two entries; equal ones are those of one instance.
    pub(crate) fn compare(&self, one: &Entry, other: &Entry) -> Ordering {
        let rank = |ranks: &[u32], name: Name| ranks.get(name.number()).copied().unwrap_or(0);
        let module = |entry: &Entry| rank(&self.modules, entry.module);
        let text = |name: Name| rank(&self.texts, name);
        (module(one).cmp(&module(other)))
            .then_with(|| one.is_managed.cmp(&other.is_managed))
            .then_with(|| text(one.kind).cmp(&text(other.kind)))
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
        let order = Order::new(&names, entries.iter());
        let mut by_address = entries.clone();
        by_address.sort_by_key(|entry| entry.address(&names));
        entries.sort_by(|one, other| order.compare(one, other));
        let written = |entries: &[Entry]| {
            entries.iter().map(|entry| entry.address(&names).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(written(&entries), written(&by_address));
    }
}
