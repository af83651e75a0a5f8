//! Cutting a state into its top-level members as the bytes arrive, without building any of them.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::state::members::fold;

/// Why the bytes are not a JSON object. Never quotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The text does not start with an object, or something follows it, or a separator is missing.
    NotAnObject,
    /// The text ends inside the object.
    EndsEarly,
    /// There is no text.
    Empty,
    /// A member that should be short is not.
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
    /// Hand over its text if it is short, as header fields are.
    Short,
    /// Hand over its text, however long.
    Whole,
    /// Say only whether it holds anything.
    Emptiness,
}

/// A piece of the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A wanted member's text.
    Member(&'a str, &'a [u8]),
    /// A member began that is wanted for its emptiness alone. Said at its first token, long before
    /// its end.
    Emptiness(&'a str, bool),
}

/// A member whose text is wanted [`Want::Short`] may have this many bytes.
const SHORT_BYTES: usize = 4096;

/// The bytes that mean something outside of strings, to whoever looks for the end of a value only.
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
    /// Inside an array or object; the first token within is still to come.
    JustOpened,
    Nested,
    TextInNested,
    AfterValue,
    End,
}

/// Who finds the end of an array or object of which nothing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Follow,
    Leave,
}

/// Cuts a JSON object into its top-level members.
///
/// This does not validate what it skips: it follows strings and brackets only, so that reading one
/// output from a state of a hundred megabytes costs no more than looking at each byte up to it
/// once.
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

    /// Takes the next bytes. `sink` may break, and then nothing more is looked at.
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

    /// As [`feed`](Self::feed), for a caller who follows the brackets too: returns after how many
    /// bytes it stopped, at the latest where an array or object began of which nothing is
    /// wanted. What is in there is not to be fed, see [`is_passing`](Self::is_passing).
    pub(crate) fn feed_until_passing<B>(
        &mut self,
        bytes: &[u8],
        sink: impl FnMut(Piece<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, usize>, Malformed> {
        self.run(bytes, Within::Leave, sink)
    }

    /// Whether nothing is wanted of what comes until the array or object in hand ends, which the
    /// caller says by [`passed`](Self::passed).
    pub(crate) fn is_passing(&self) -> bool {
        self.at == At::Nested && !matches!(self.wanted, Some(Want::Short | Want::Whole))
    }

    /// Says that the array or object in hand has ended.
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
                        // `null`, or a type that no state has there: nothing is held.
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
                    // It belongs to what follows.
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

    /// Says that no more bytes come.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        match self.at {
            At::End => Ok(()),
            At::Start => Err(Malformed::Empty),
            _ => Err(Malformed::EndsEarly),
        }
    }

    /// Whether the object has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.at != At::Start
    }

    /// Whether the object has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.at == At::End
    }

    /// Counts the bytes that follow and change nothing: they are most of a state.
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
        // No name that is looked for is this long, every letter of it escaped: what follows cannot
        // make it one.
        if self.key.len() < 128 {
            self.key.push(byte);
        }
    }

    /// Two spellings of a name are one name to every parser that reads the state after us.
    fn normalise_key(&mut self) {
        if self.key.contains(&b'\\') {
            let quoted = [b"\"", &*self.key, b"\""].concat();
            // What is no string, or was cut off, is no name that is looked for.
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

/// A key that is not UTF-8 is never wanted, so its text does not matter.
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
