//! Objects of a state, parsed as Go parses them: `null` equals a missing member, and of two members
//! with one name the last counts. Serialisers of other languages and bad merges write both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Returns the text of a state. Invalid UTF-8 is replaced, as clients replace it when they read.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Returns the name of a member as Go matches it with a field of a record: in lower case. Two
/// letters outside of ASCII count as letters inside of it.
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    let is_small = |c: char| c.is_ascii() && !c.is_ascii_uppercase();
    if name.chars().all(is_small) {
        return Cow::Borrowed(name);
    }
    let small = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    Cow::Owned(name.chars().map(small).collect())
}

/// The members of one object, with their values as they were written.
#[derive(Default)]
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

/// The error for a member of the wrong type.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrongType;

impl<'a> Members<'a> {
    /// Parses an object. `null` is one without members.
    pub(super) fn parse(json: &'a str) -> Result<Self, WrongType> {
        serde_json::from_str::<Option<BTreeMap<String, &RawValue>>>(json)
            .map(|members| Self(members.unwrap_or_default()))
            .map_err(|_| WrongType)
    }

    /// Returns a member's value unless it is `null`. A name in upper case matches if the name in
    /// lower case is missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let folded =
            || self.0.iter().find(|(other, _)| fold(other) == name).map(|(_, value)| value);
        let value = self.0.get(name).or_else(folded).copied();
        value.filter(|value| value.get() != "null")
    }

    /// Returns a string; an empty one if it is missing.
    pub(super) fn text(&self, name: &str) -> Result<String, WrongType> {
        self.get(name).map_or(Ok(String::new()), |value| text(value.get()).ok_or(WrongType))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, WrongType> {
        self.get(name).map_or(Ok(false), |value| value.get().parse().map_err(|_| WrongType))
    }

    /// Returns an object; one without members if it is missing.
    pub(super) fn object(&self, name: &str) -> Result<Self, WrongType> {
        self.get(name).map_or(Ok(Self::default()), |value| Self::parse(value.get()))
    }

    /// Returns an array; one without elements if it is missing.
    pub(super) fn array(&self, name: &str) -> Result<Vec<&'a RawValue>, WrongType> {
        self.get(name).map_or(Ok(Vec::new()), |value| elements(value.get()))
    }

    /// Returns all members sorted by name, `null` ones too.
    pub(super) fn into_all(self) -> BTreeMap<String, &'a RawValue> {
        self.0
    }
}

/// Parses an array. `null` is one without elements.
pub(super) fn elements(json: &str) -> Result<Vec<&RawValue>, WrongType> {
    serde_json::from_str::<Option<Vec<&RawValue>>>(json)
        .map(Option::unwrap_or_default)
        .map_err(|_| WrongType)
}

/// Parses a string in JSON's quotes. Half of a surrogate pair becomes U+FFFD, as in Go.
pub fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok().or_else(|| serde_json::from_str(&without_halves(json)).ok())
}

/// Replaces each escape of half a surrogate pair by `\ufffd`.
fn without_halves(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                text.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // The escaped character may be any.
            (None, _) => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
        };
        text.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    text.push_str(rest);
    text
}

/// Parses `\uXXXX` at the start.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_there_and_the_last_of_two_counts() {
        let members = Members::parse(r#"{"a":1,"a":"x","b":null,"c":true,"c":null}"#).unwrap();
        assert_eq!(members.text("a").unwrap(), "x");
        assert_eq!(members.text("b").unwrap(), "");
        assert!(!members.flag("c").unwrap());
        assert!(
            members.flag("a").is_err()
                && members.object("a").is_err()
                && members.array("a").is_err()
        );
        assert!(members.array("z").unwrap().is_empty());
        assert!(Members::parse("null").unwrap().into_all().is_empty());
        assert!(Members::parse("[]").is_err());
    }

    #[test]
    fn a_name_with_capitals_is_the_name_in_small_letters() {
        let members = Members::parse(r#"{"Mode":"data","ſtatus":"tainted","A":1,"a":2}"#);
        let members = members.unwrap();
        assert_eq!(members.text("mode").unwrap(), "data");
        assert_eq!(members.text("status").unwrap(), "tainted");
        assert_eq!(members.get("a").unwrap().get(), "2");
    }

    #[test]
    fn half_a_surrogate_pair_is_a_replacement_character() {
        for (json, expected) in [
            (r#""x\ud83dy""#, "x\u{fffd}y"),
            (r#""\ude00\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\\ud83d\ud83d""#, "\\ud83d\u{fffd}"),
            (r#""\ud83d\n\"é\\""#, "\u{fffd}\n\"é\\"),
        ] {
            assert_eq!(text(json).as_deref(), Some(expected), "{json}");
        }
        assert_eq!(text("5"), None);
    }
}
