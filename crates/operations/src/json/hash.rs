//! Hashes of values.

use std::hash::{BuildHasher as _, Hasher, RandomState};

use crate::json::Json;

/// Whether the order of the elements of an array counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArrayOrder {
    /// It does not: a state does not say which arrays are sets.
    #[default]
    Ignored,
    /// It does.
    Counts,
}

/// Hashes values so that equal ones have equal hashes: the order of members does not count.
///
/// The keys are random, so that the author of a state cannot choose values that collide.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonHasher {
    keys: [RandomState; 2],
    order: ArrayOrder,
}

impl JsonHasher {
    pub(crate) fn new(order: ArrayOrder) -> Self {
        Self { order, ..Self::default() }
    }

    /// Returns the hash of a value.
    pub(crate) fn hash(&self, value: &Json<'_>) -> u128 {
        match value {
            Json::Null => self.of(0, ""),
            Json::Bool(is_true) => self.of(1, if *is_true { "t" } else { "f" }),
            Json::Number(number) => self.of(2, number),
            Json::Text(text) => self.of(3, text),
            Json::Array(items) => {
                let all = items.iter().fold(0, |all: u128, item| match self.order {
                    ArrayOrder::Ignored => all.wrapping_add(self.hash(item)),
                    ArrayOrder::Counts => self.mix(8, all) ^ self.hash(item),
                });
                self.mix(4, all)
            }
            Json::Object(members) => {
                let all = members.iter().filter(|(_, value)| !value.is_null()).fold(
                    0,
                    |all: u128, (name, value)| {
                        let name = self.of(5, name);
                        all.wrapping_add(self.mix(6, name ^ self.hash(value).rotate_left(1)))
                    },
                );
                self.mix(7, all)
            }
        }
    }

    /// Returns the hash of a text of this kind.
    fn of(&self, kind: u8, text: &str) -> u128 {
        self.both(|hasher| {
            hasher.write_u8(kind);
            hasher.write(text.as_bytes());
        })
    }

    /// Returns the hash of a hash.
    pub(crate) fn mix(&self, kind: u8, value: u128) -> u128 {
        self.both(|hasher| {
            hasher.write_u8(kind);
            hasher.write_u128(value);
        })
    }

    fn both(&self, write: impl Fn(&mut dyn Hasher)) -> u128 {
        let half = |keys: &RandomState| {
            let mut hasher = keys.build_hasher();
            write(&mut hasher);
            u128::from(hasher.finish())
        };
        let [low, high] = &self.keys;
        half(low) | half(high) << 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_ignore_the_order_of_members_and_elements_and_nothing_else() {
        let hasher = JsonHasher::default();
        let hash = |text: &str| hasher.hash(&Json::parse(text).unwrap());
        let base = hash(r#"{"a":[1,2,{"x":"y"}],"b":"c"}"#);
        for same in
            [r#"{"b":"\u0063","a":[{"x":"y"},2,1]}"#, r#"{"b":"c","a":[1,2,{"x":"y","z":null}]}"#]
        {
            assert_eq!(hash(same), base, "{same}");
        }
        for other in [
            r#"{"a":[1,2,{"x":"y"}],"b":"d"}"#,
            r#"{"a":[1,2,2,{"x":"y"}],"b":"c"}"#,
            r#"{"a":["1",2,{"x":"y"}],"b":"c"}"#,
            r#"{"b":[1,2,{"x":"y"}],"a":"c"}"#,
            r#"{"a":[1.0,2,{"x":"y"}],"b":"c"}"#,
        ] {
            assert_ne!(hash(other), base, "{other}");
        }
    }
}
