//! Whether a text is JSON, checked as its bytes arrive.
//!
//! States of a hundred megabytes are checked before they are stored, and never held in memory. The
//! checker therefore follows the rules of <https://www.rfc-editor.org/rfc/rfc8259> byte by byte,
//! with short cuts through strings and indentation, which are most of a state.

/// The place where a text stops being JSON. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// The line, counted from 1.
    pub(crate) line: u64,
    /// The number of bytes in the line up to the first wrong one, inclusive.
    pub(crate) column: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    NameOrEnd,
    Name,
    Colon,
    /// After a value: before a comma, the end of the enclosing value, or the end of the text.
    Next,
    Text,
    Escape,
    /// Inside `\u`, with this many digits to come.
    Digits(u8),
    /// Inside `true`, `false` or `null`, with these bytes to come.
    Word(&'static [u8]),
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// Checks a text from its first byte to its last.
#[derive(Debug)]
pub(crate) struct Validator {
    at: At,
    /// The open objects (true) and arrays (false), innermost last.
    inside: Vec<bool>,
    /// Whether the current string is a name.
    is_name: bool,
    /// The number of lines that ended, and where the current one began.
    lines: u64,
    line_start: u64,
    passed: u64,
}

impl Validator {
    pub(crate) fn new() -> Self {
        Self {
            at: At::Value,
            inside: Vec::new(),
            is_name: false,
            lines: 0,
            line_start: 0,
            passed: 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), NotJson> {
        while !bytes.is_empty() {
            bytes = &bytes[self.feed_within(bytes, 0)?..];
        }
        Ok(())
    }

    /// Takes the next bytes, up to and including one that leaves at most `depth` arrays and objects
    /// open, and returns how many it took.
    pub(crate) fn feed_within(&mut self, bytes: &[u8], depth: usize) -> Result<usize, NotJson> {
        let mut at = 0;
        while at < bytes.len() {
            at = match self.at {
                At::Text => in_text(bytes, at),
                _ => spaces(bytes, at, self.at),
            };
            let Some(&byte) = bytes.get(at) else { break };
            if !self.step(byte) {
                self.count(&bytes[..at]);
                return Err(self.here(1));
            }
            at += 1;
            if matches!(byte, b'}' | b']') && self.inside.len() <= depth && self.at == At::Next {
                break;
            }
        }
        let taken = &bytes[..at];
        self.count(taken);
        Ok(taken.len())
    }

    /// Returns how many arrays and objects are open.
    pub(crate) fn depth(&self) -> usize {
        self.inside.len()
    }

    /// Reports the end of the bytes.
    pub(crate) fn finish(&self) -> Result<(), NotJson> {
        let is_number = matches!(self.at, At::Zero | At::Whole | At::Fraction | At::ExponentDigits);
        if self.inside.is_empty() && (self.at == At::Next || is_number) {
            Ok(())
        } else {
            Err(self.here(0))
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line_start = self.passed + last as u64 + 1;
        }
        self.passed += bytes.len() as u64;
    }

    fn here(&self, further: u64) -> NotJson {
        NotJson { line: self.lines + 1, column: self.passed - self.line_start + further }
    }

    /// Takes one byte; returns false if it is wrong.
    fn step(&mut self, byte: u8) -> bool {
        let next = match (self.at, byte) {
            (At::Value | At::ValueOrEnd, _) => return self.value(byte),
            (At::NameOrEnd | At::Name, b'"') => {
                self.is_name = true;
                At::Text
            }
            (At::NameOrEnd, b'}') => return self.leave(true),
            (At::Colon, b':') => At::Value,
            (At::Next, _) => return self.next(byte),
            (At::Text, b'"') => {
                if self.is_name {
                    At::Colon
                } else {
                    At::Next
                }
            }
            (At::Text, b'\\') => At::Escape,
            (At::Text, 0x20..) => At::Text,
            (At::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => At::Text,
            (At::Escape, b'u') => At::Digits(4),
            (At::Digits(1), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => At::Text,
            (At::Digits(left), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => At::Digits(left - 1),
            (At::Word([expected]), _) if *expected == byte => At::Next,
            (At::Word([expected, rest @ ..]), _) if *expected == byte => At::Word(rest),
            (At::Minus, b'0') => At::Zero,
            (At::Minus, b'1'..=b'9') | (At::Whole, b'0'..=b'9') => At::Whole,
            (At::Zero | At::Whole, b'.') => At::Point,
            (At::Zero | At::Whole | At::Fraction, b'e' | b'E') => At::Exponent,
            (At::Point | At::Fraction, b'0'..=b'9') => At::Fraction,
            (At::Exponent, b'+' | b'-') => At::ExponentSign,
            (At::Exponent | At::ExponentSign | At::ExponentDigits, b'0'..=b'9') => {
                At::ExponentDigits
            }
            // A number ends only at the next byte.
            (At::Zero | At::Whole | At::Fraction | At::ExponentDigits, _) => {
                return self.next(byte);
            }
            _ => return false,
        };
        self.at = next;
        true
    }

    fn value(&mut self, byte: u8) -> bool {
        self.at = match byte {
            b'"' => {
                self.is_name = false;
                At::Text
            }
            b'{' => {
                self.inside.push(true);
                At::NameOrEnd
            }
            b'[' => {
                self.inside.push(false);
                At::ValueOrEnd
            }
            b']' if self.at == At::ValueOrEnd => return self.leave(false),
            b't' => At::Word(b"rue"),
            b'f' => At::Word(b"alse"),
            b'n' => At::Word(b"ull"),
            b'-' => At::Minus,
            b'0' => At::Zero,
            b'1'..=b'9' => At::Whole,
            _ => return false,
        };
        true
    }

    fn next(&mut self, byte: u8) -> bool {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => self.at = At::Next,
            b',' => match self.inside.last() {
                Some(true) => self.at = At::Name,
                Some(false) => self.at = At::Value,
                None => return false,
            },
            b'}' => return self.leave(true),
            b']' => return self.leave(false),
            _ => return false,
        }
        true
    }

    fn leave(&mut self, object: bool) -> bool {
        self.at = At::Next;
        self.inside.pop() == Some(object)
    }
}

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Returns the eight bytes at a position, the first one lowest.
fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns where a string's plain bytes end: at a quote, a backslash, or a control character.
fn in_text(bytes: &[u8], mut at: usize) -> usize {
    // A byte's top bit is set if it is zero, or below a bound. Bits of higher bytes may then be set
    // too, so only the lowest set bit counts.
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    while let Some(word) = eight(bytes, at) {
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let ends = control | has_zero(word ^ (ONES * 0x22)) | has_zero(word ^ (ONES * 0x5c));
        if ends != 0 {
            return at + ends.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// Skips white space between tokens.
fn spaces(bytes: &[u8], mut at: usize, place: At) -> usize {
    if !matches!(
        place,
        At::Value | At::ValueOrEnd | At::NameOrEnd | At::Name | At::Colon | At::Next
    ) {
        return at;
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            // Lines begin with many spaces.
            b' ' => match eight(bytes, at).map(|word| word ^ (ONES * 0x20)) {
                Some(0) => at += 8,
                Some(others) => at += others.trailing_zeros() as usize / 8,
                None => at += 1,
            },
            b'\n' | b'\r' | b'\t' => at += 1,
            _ => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn validate(text: &[u8], step: usize) -> Result<(), NotJson> {
        let mut validator = Validator::new();
        for chunk in text.chunks(step) {
            validator.feed(chunk)?;
        }
        validator.finish()
    }

    const TEXT: &str = "{\"a\": [1, -0.5e+10, 12E3, 0, true, false, null, {}, [], \
                        \"x\\\"\\u00e4\\\\ long enough for eight \
                        bytes\"],\r\n\t\"b\":{\"c\":{\"d\":[[[]]]}}, \"\\n\": -1 }\n";

    #[test]
    fn json_is_told_however_the_bytes_are_cut() {
        for step in 1..TEXT.len() {
            assert_eq!(validate(TEXT.as_bytes(), step), Ok(()), "step {step}");
        }
        for text in ["1", "-1.5", "0", "\"\"", "null ", " [] "] {
            assert_eq!(validate(text.as_bytes(), 1), Ok(()), "{text}");
        }
    }

    #[test]
    fn every_damage_is_judged_as_serde_judges_it() {
        let is_json = |text: &[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
        let damage = b"\"\\{}[],:0-.eE+ntx \x01\n";
        for at in 0..TEXT.len() {
            let cut = &TEXT.as_bytes()[..at];
            assert_eq!(validate(cut, 7).is_ok(), is_json(cut), "cut at {at}");
            for byte in damage {
                for keeps in [0, 1] {
                    let text = [cut, &[*byte], &TEXT.as_bytes()[at + keeps..]].concat();
                    let shown = String::from_utf8_lossy(&text);
                    assert_eq!(validate(&text, 5).is_ok(), is_json(&text), "{shown}");
                }
            }
        }
    }

    #[test]
    fn place_of_the_first_wrong_byte_is_known() {
        let text = b"{\n \"a\": 1,\n \"b\": x}";
        for step in 1..text.len() {
            assert_eq!(validate(text, step), Err(NotJson { line: 3, column: 7 }), "step {step}");
        }
        assert_eq!(validate(b"{\"a\":", 2), Err(NotJson { line: 1, column: 5 }));
    }
}
