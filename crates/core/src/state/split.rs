//! Splitting a state into its top-level members as the bytes arrive, without parsing them.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::state::members::fold;

/// Why the bytes are not a JSON object. It never quotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The text does not start with an object, something follows the object, or a separator is
    /// missing.
    NotAnObject,
    /// The text ends inside the object.
    EndsEarly,
    /// The text is empty.
    Empty,
    /// A member is longer than it should be.
    TooLong,
}

impl Malformed {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NotAnObject => "it is not a JSON object",
            Self::EndsEarly => "it ends in the middle",
            Self::Empty => "it is empty",
            Self::TooLong => "one of its header fields is longer than any program writes",
        }
    }
}

/// What to do with a top-level member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Return its text if it is short, as header fields are.
    Short,
    /// Return its text, however long.
    Whole,
    /// Report only whether it is empty.
    Emptiness,
}

/// A piece of the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The text of a wanted member.
    Member(&'a str, &'a [u8]),
    /// The start of a member of which only the emptiness is wanted. It comes with the member's
    /// first token, long before its end.
    Emptiness(&'a str, bool),
}

/// The most bytes of a member that is wanted [`Want::Short`].
const SHORT_BYTES: usize = 4096;

/// The bytes outside of strings that matter for finding the end of a value.
const IS_STRUCTURE: [bool; 256] = {
    let mut table = [false; 256];
    let mut structure: &[u8] = b"\"{}[]";
    while let [byte, rest @ ..] = structure {
        table[*byte as usize] = true;
        structure = rest;
    }
    table
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Key,
    InKey,
    Colon,
    Value,
    Scalar,
    Text,
    /// Inside an array or object, before its first token.
    JustOpened,
    Nested,
    TextInNested,
    AfterValue,
    End,
}

/// Who finds the end of an array or object that the caller does not want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Follow,
    Leave,
}

/// Splits a JSON object into its top-level members.
///
/// It does not validate skipped parts: it follows only strings and brackets, so reading one output
/// from a state of a hundred megabytes costs one look at each byte before it.
#[derive(Debug)]
pub(crate) struct Splitter {
    want: fn(&str) -> Option<Want>,
    at: At,
    is_escaped: bool,
    depth: u64,
    key: Vec<u8>,
    wanted: Option<Want>,
    text: Vec<u8>,
}

impl Splitter {
    pub(crate) fn new(want: fn(&str) -> Option<Want>) -> Self {
        Self {
            want,
            at: At::Start,
            is_escaped: false,
            depth: 0,
            key: Vec::new(),
            wanted: None,
            text: Vec::new(),
        }
    }

    /// Takes the next bytes. If `sink` breaks, the rest is ignored.
    pub(crate) fn feed<B>(
        &mut self,
        bytes: &[u8],
        sink: impl FnMut(Piece<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Malformed> {
        Ok(match self.run(bytes, Within::Follow, sink)? {
            ControlFlow::Break(value) => ControlFlow::Break(value),
            ControlFlow::Continue(_) => ControlFlow::Continue(()),
        })
    }

    /// Works as [`feed`](Self::feed) for a caller that follows the brackets too: returns how many
    /// bytes it took, and stops at the latest where an unwanted array or object begins. The caller
    /// must not feed its contents, see [`is_passing`](Self::is_passing).
    pub(crate) fn feed_until_passing<B>(
        &mut self,
        bytes: &[u8],
        sink: impl FnMut(Piece<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, usize>, Malformed> {
        self.run(bytes, Within::Leave, sink)
    }

    /// Returns whether the rest of the current array or object is unwanted. The caller reports its
    /// end with [`passed`](Self::passed).
    pub(crate) fn is_passing(&self) -> bool {
        self.at == At::Nested && !matches!(self.wanted, Some(Want::Short | Want::Whole))
    }

    /// Reports that the current array or object has ended.
    pub(crate) fn passed(&mut self) {
        self.at = At::AfterValue;
    }

    fn run<B>(
        &mut self,
        bytes: &[u8],
        within: Within,
        mut sink: impl FnMut(Piece<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, usize>, Malformed> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if within == Within::Leave && self.is_passing() {
                break;
            }
            at += 1;
            let is_space = matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            let before = self.at;
            match self.at {
                At::Start if is_space => {}
                At::Start if byte == b'{' => self.at = At::Key,
                At::Key if is_space => {}
                At::Key if byte == b'"' => {
                    self.key.clear();
                    self.at = At::InKey;
                }
                At::Key if byte == b'}' => self.at = At::End,
                At::InKey => {
                    if self.is_escaped {
                        self.is_escaped = false;
                        self.push_key(byte);
                    } else if byte == b'"' {
                        self.at = At::Colon;
                    } else {
                        self.is_escaped = byte == b'\\';
                        self.push_key(byte);
                    }
                }
                At::Colon if is_space => {}
                At::Colon if byte == b':' => {
                    self.normalise_key();
                    self.wanted = std::str::from_utf8(&self.key).ok().and_then(self.want);
                    self.text.clear();
                    self.at = At::Value;
                }
                At::Value if is_space => {}
                At::Value => {
                    self.depth = 0;
                    self.at = match byte {
                        b'{' | b'[' => {
                            self.depth = 1;
                            At::JustOpened
                        }
                        b'"' => At::Text,
                        b',' | b'}' | b']' | b':' => return Err(Malformed::NotAnObject),
                        _ => At::Scalar,
                    };
                    if self.at != At::JustOpened && self.wanted == Some(Want::Emptiness) {
                        // `null`, or a type that no state has there, counts as empty.
                        if let ControlFlow::Break(value) =
                            sink(Piece::Emptiness(key(&self.key), true))
                        {
                            return Ok(ControlFlow::Break(value));
                        }
                    }
                    self.keep(byte)?;
                }
                At::Scalar if is_space || matches!(byte, b',' | b'}' | b']') => {
                    self.at = At::AfterValue;
                    // The byte belongs to what follows.
                    at -= 1;
                }
                At::Scalar => self.keep(byte)?,
                At::Text => {
                    self.keep(byte)?;
                    if self.ends_string(byte) {
                        self.at = At::AfterValue;
                    }
                }
                At::JustOpened if is_space => self.keep(byte)?,
                At::JustOpened => {
                    self.at = At::Nested;
                    if self.wanted == Some(Want::Emptiness)
                        && let ControlFlow::Break(value) =
                            sink(Piece::Emptiness(key(&self.key), matches!(byte, b'}' | b']')))
                    {
                        return Ok(ControlFlow::Break(value));
                    }
                    at -= 1;
                }
                At::Nested => {
                    self.keep(byte)?;
                    match byte {
                        b'"' => self.at = At::TextInNested,
                        b'{' | b'[' => self.depth += 1,
                        b'}' | b']' => {
                            self.depth -= 1;
                            if self.depth == 0 {
                                self.at = At::AfterValue;
                            }
                        }
                        _ => {}
                    }
                }
                At::TextInNested => {
                    self.keep(byte)?;
                    if self.ends_string(byte) {
                        self.at = At::Nested;
                    }
                }
                At::AfterValue if is_space => {}
                At::AfterValue if byte == b',' => self.at = At::Key,
                At::AfterValue if byte == b'}' => self.at = At::End,
                At::End if is_space => {}
                _ => return Err(Malformed::NotAnObject),
            }
            if self.at == At::AfterValue
                && before != At::AfterValue
                && matches!(self.wanted, Some(Want::Short | Want::Whole))
                && let ControlFlow::Break(value) = sink(Piece::Member(key(&self.key), &self.text))
            {
                return Ok(ControlFlow::Break(value));
            }
            at += match within {
                Within::Leave if self.is_passing() => 0,
                _ => self.skippable(bytes.get(at..).unwrap_or_default()),
            };
        }
        Ok(ControlFlow::Continue(at))
    }

    /// Reports the end of the bytes.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        match self.at {
            At::End => Ok(()),
            At::Start => Err(Malformed::Empty),
            _ => Err(Malformed::EndsEarly),
        }
    }

    /// Returns whether the object has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.at != At::Start
    }

    /// Returns whether the object has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.at == At::End
    }

    /// Counts the following bytes that change nothing: they are most of a state.
    fn skippable(&self, rest: &[u8]) -> usize {
        if matches!(self.wanted, Some(Want::Short | Want::Whole)) {
            return 0;
        }
        let end = match self.at {
            At::Text | At::TextInNested if !self.is_escaped => memchr::memchr2(b'"', b'\\', rest),
            At::Nested => rest.iter().position(|byte| IS_STRUCTURE[usize::from(*byte)]),
            _ => Some(0),
        };
        end.unwrap_or(rest.len())
    }

    fn push_key(&mut self, byte: u8) {
        // No wanted name is this long, even with every letter escaped: the rest cannot make it one.
        if self.key.len() < 128 {
            self.key.push(byte);
        }
    }

    /// Unifies spellings: every later parser of the state treats two spellings of a name as one.
    fn normalise_key(&mut self) {
        if self.key.contains(&b'\\') {
            let quoted = [b"\"", &*self.key, b"\""].concat();
            // A key that is no string, or was cut off, is no wanted name.
            self.key = serde_json::from_slice::<String>(&quoted).unwrap_or_default().into_bytes();
        }
        if let Ok(Cow::Owned(small)) = std::str::from_utf8(&self.key).map(fold) {
            self.key = small.into_bytes();
        }
    }

    fn keep(&mut self, byte: u8) -> Result<(), Malformed> {
        match self.wanted {
            Some(Want::Short) if self.text.len() >= SHORT_BYTES => return Err(Malformed::TooLong),
            Some(Want::Short | Want::Whole) => self.text.push(byte),
            Some(Want::Emptiness) | None => {}
        }
        Ok(())
    }

    fn ends_string(&mut self, byte: u8) -> bool {
        if self.is_escaped {
            self.is_escaped = false;
            return false;
        }
        self.is_escaped = byte == b'\\';
        byte == b'"'
    }
}

/// Returns the key's text. A key that is not UTF-8 is never wanted, so its text does not matter.
fn key(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(key: &str) -> Option<Want> {
        match key {
            "a" => Some(Want::Whole),
            "s" => Some(Want::Short),
            "e" => Some(Want::Emptiness),
            _ => None,
        }
    }

    /// Feeds the text in pieces of `step` bytes.
    fn split(text: &str, step: usize) -> Result<Vec<String>, Malformed> {
        let mut found = Vec::new();
        let mut splitter = Splitter::new(want);
        for chunk in text.as_bytes().chunks(step) {
            let _: ControlFlow<()> = splitter.feed(chunk, |piece| {
                found.push(match piece {
                    Piece::Member(key, text) => format!("{key}={}", String::from_utf8_lossy(text)),
                    Piece::Emptiness(key, is_empty) => format!("{key}?{is_empty}"),
                });
                ControlFlow::Continue(())
            })?;
        }
        splitter.finish().map(|()| found)
    }

    #[test]
    fn members_come_out_whole_however_the_bytes_are_cut() {
        let text = " {\"x\": {\"a\": [1, \"}\\\"]\"]}, \"a\" : {\"k\": [\"\\\\\", {}]} \
                    ,\"s\":12.50,\"e\": [ ],\"a\":\"\\\"\", \"e\":{\"q\":1}, \"s\": true }\n";
        for step in 1..text.len() {
            assert_eq!(
                split(text, step).unwrap(),
                [
                    "a={\"k\": [\"\\\\\", {}]}",
                    "s=12.50",
                    "e?true",
                    "a=\"\\\"\"",
                    "e?false",
                    "s=true"
                ],
                "step {step}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "x", "{} {}", "{\"a\" 1}", "{\"a\":}", "{a:1}", "{\"a\":1]"] {
            assert_eq!(split(text, 1), Err(Malformed::NotAnObject), "{text}");
        }
        for text in ["{", "{\"a", "{\"a\":", "{\"a\":[1", "{\"a\":\"x"] {
            assert_eq!(split(text, 1), Err(Malformed::EndsEarly), "{text}");
        }
        assert_eq!(split("  ", 1), Err(Malformed::Empty));
    }

    #[test]
    fn names_are_recognised_however_they_are_escaped_and_with_capitals() {
        let text =
            r#"{"\u0061":1,"\u0073":2,"\u0065":[],"\ud800":3,"\x":4,"a\"":5,"A":6,"\u0053":7}"#;
        for step in 1..text.len() {
            let expected = ["a=1", "s=2", "e?true", "a=6", "s=7"];
            assert_eq!(split(text, step).unwrap(), expected, "step {step}");
        }
    }

    #[test]
    fn an_endless_header_field_is_refused_instead_of_kept() {
        let text = format!("{{\"s\":\"{}\"}}", "x".repeat(SHORT_BYTES));
        assert_eq!(split(&text, 1000), Err(Malformed::TooLong));
    }
}
