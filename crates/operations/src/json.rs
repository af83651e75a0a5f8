//! JSON as a tree, for comparisons: numbers as they were written, and of members with one name the
//! last.

mod hash;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

pub use self::hash::ArrayOrder;
pub(crate) use self::hash::JsonHasher;

/// The greatest depth of values. No program writes deeper ones, and the parser and its users call
/// themselves for each level.
const DEEPEST: usize = 256;

/// A value of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Object(BTreeMap<Cow<'a, str>, Self>),
}

/// The text is no JSON, or is nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

impl<'a> Json<'a> {
    /// Parses a text that holds one value.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotJson> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at == text.len() { Ok(value) } else { Err(NotJson) }
    }

    /// Parses the text of a string that holds an object or an array, as the arguments of many
    /// resources do.
    pub(crate) fn parse_inside(text: &'a str) -> Option<Self> {
        let begins = text.trim_start().bytes().next();
        if !matches!(begins, Some(b'{' | b'[')) {
            return None;
        }
        Self::parse(text).ok()
    }

    /// Returns a member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// Returns a member that is a string and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a string or the digits of a number.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns whether the value is `null`, which equals a missing one.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Writes the value on one line.
    pub(crate) fn write(&self, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(true) => to.push_str("true"),
            Self::Bool(false) => to.push_str("false"),
            Self::Number(number) => to.push_str(number),
            Self::Text(text) => push_quoted(to, text),
            Self::Array(items) => {
                to.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        to.push(',');
                    }
                    item.write(to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                to.push('{');
                for (number, (name, value)) in members.iter().enumerate() {
                    if number > 0 {
                        to.push(',');
                    }
                    push_quoted(to, name);
                    to.push(':');
                    value.write(to);
                }
                to.push('}');
            }
        }
    }

    /// Returns the value as one line of JSON.
    pub(crate) fn to_raw(&self) -> Box<RawValue> {
        let mut text = String::new();
        self.write(&mut text);
        // What was written is JSON.
        RawValue::from_string(text).unwrap_or_default()
    }
}

fn push_quoted(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => to.extend(['\\', c]),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if u32::from(c) < 0x20 => to.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => to.push(c),
        }
    }
    to.push('"');
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Result<(), NotJson> {
        if self.peek() == Some(expected) {
            self.at += 1;
            return Ok(());
        }
        Err(NotJson)
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        if depth > DEEPEST {
            return Err(NotJson);
        }
        self.skip_space();
        match self.peek().ok_or(NotJson)? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, NotJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Json<'a>, NotJson> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        // It knows which of these texts are numbers.
        let is_number = serde_json::from_str::<&RawValue>(digits).is_ok();
        if is_number { Ok(Json::Number(digits)) } else { Err(NotJson) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        self.take(b'"')?;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            match self.peek().ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    is_escaped = true;
                    self.at += 2;
                }
                0..0x20 => return Err(NotJson),
                _ => self.at += 1,
            }
        }
        let inner = self.text.get(start..self.at).ok_or(NotJson)?;
        let quoted = self.text.get(start - 1..=self.at).ok_or(NotJson)?;
        self.at += 1;
        if !is_escaped {
            return Ok(Cow::Borrowed(inner));
        }
        unquoted(quoted).map(Cow::Owned).ok_or(NotJson)
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        self.take(b'[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']').is_ok() {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']').is_ok() {
                return Ok(Json::Array(items));
            }
            self.take(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        self.take(b'{')?;
        let mut members = BTreeMap::new();
        self.skip_space();
        if self.take(b'}').is_ok() {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.take(b':')?;
            let value = self.value(depth + 1)?;
            drop(members.insert(name, value));
            self.skip_space();
            if self.take(b'}').is_ok() {
                return Ok(Json::Object(members));
            }
            self.take(b',')?;
        }
    }
}

/// Returns the text of a string in quotes. Half of a surrogate pair becomes U+FFFD, as clients read
/// it.
fn unquoted(quoted: &str) -> Option<String> {
    remote_state_core::json_text(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_as_it_was_read_without_the_space_between() {
        for (text, expected) in [
            (
                " { \"b\" : [ 1.10 ,\r\n{ } , [ ] ] , \"a\" : null } ",
                r#"{"a":null,"b":[1.10,{},[]]}"#,
            ),
            (r#"{"a":1,"a":2e400}"#, r#"{"a":2e400}"#),
            (r#""\u0041\"\\\n\ud83d\u00e9""#, "\"A\\\"\\\\\\n\u{fffd}é\""),
            ("[true,false,-0.0]", "[true,false,-0.0]"),
        ] {
            assert_eq!(Json::parse(text).unwrap().to_raw().get(), expected, "{text}");
        }
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            "--1",
            "\"a",
            "\"\n\"",
            "nul",
            "1 2",
            "\"\\x\"",
            "\"\\",
            "[1 2]",
            "{\"a\" 1}",
            "+1",
            "\"\\u12\"",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
            assert_eq!(Json::parse(text), Err(NotJson), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_too_deep_is_an_error_and_no_overflow() {
        let text = "[".repeat(1_000_000);
        assert_eq!(Json::parse(&text), Err(NotJson));
    }
}
