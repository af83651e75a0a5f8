//! Reading a state's outputs and resource instances one by one, as the bytes arrive.
//!
//! A state of a hundred megabytes is compared or searched without ever being in memory as a whole:
//! what is kept is the text of one instance.

use crate::error::Result;
use crate::state::header::{HeaderReader, StateHeader, invalid};
use crate::state::members::{self, fold};
use crate::state::outputs::Progress;
use crate::state::part::{ResourceHead, StatePart};
use crate::state::split::Malformed;

/// The longest name of a member, in bytes.
const LONGEST_NAME: usize = 1 << 16;

/// The containers that are entered. All others are passed, or kept as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Top,
    Outputs,
    Resources,
    Resource,
    Instances,
}

impl Level {
    fn is_array(self) -> bool {
        matches!(self, Self::Resources | Self::Instances)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Key,
    InKey,
    Colon,
    Value,
    /// In a value that is not entered.
    Passing,
    AfterValue,
    End,
}

/// A value that is passed: where it ends, and whether its text is kept.
#[derive(Debug, Default)]
struct Passing {
    is_kept: bool,
    is_scalar: bool,
    depth: u64,
    is_text: bool,
    is_escaped: bool,
}

/// Reads the root outputs and the resource instances of a state of format version 4 as its bytes
/// arrive.
///
/// States of older versions have none of these parts where this reader looks for them:
/// [`as_version_4`](crate::as_version_4) rewrites them. In encrypted states there are none either.
#[derive(Debug)]
pub struct InstanceReader {
    header: HeaderReader,
    header_is_done: bool,
    level: Level,
    at: At,
    key: Vec<u8>,
    is_escaped: bool,
    passing: Passing,
    text: Vec<u8>,
    head: ResourceHead,
    /// The number of bytes before those that are being read, and where the current value began.
    passed: u64,
    began: u64,
    wants_checks: bool,
}

impl Default for InstanceReader {
    fn default() -> Self {
        Self::new()
    }
}

type Sink<'s> = dyn FnMut(StatePart<'_>) -> Result<()> + 's;

impl InstanceReader {
    /// Creates a reader for a state from its first byte on.
    pub fn new() -> Self {
        Self {
            header: HeaderReader::new(),
            header_is_done: false,
            level: Level::Top,
            at: At::Start,
            key: Vec::new(),
            is_escaped: false,
            passing: Passing::default(),
            text: Vec::new(),
            head: ResourceHead::default(),
            passed: 0,
            began: 0,
            wants_checks: false,
        }
    }

    /// Makes the reader return the results of checks too.
    #[must_use]
    pub fn with_checks(mut self) -> Self {
        self.wants_checks = true;
        self
    }

    /// Takes the next bytes, and hands over the parts that end in them.
    ///
    /// # Errors
    /// `InvalidState` as soon as the bytes cannot be a state; any error of `sink`.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        if !self.header_is_done {
            self.header_is_done = self.header.feed(bytes)? == Progress::Done;
        }
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.at == At::Passing {
                let rest = bytes.get(at..).unwrap_or_default();
                at += self.pass(rest);
                if self.at == At::AfterValue {
                    self.end_value(self.passed + at as u64, sink)?;
                }
                continue;
            }
            self.step(byte, self.passed + at as u64, sink)?;
            // The first byte of a value that is passed belongs to it.
            at += usize::from(self.at != At::Passing);
        }
        self.passed += bytes.len() as u64;
        Ok(())
    }

    /// Returns the header, once all bytes have been read.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a whole state of a known version.
    pub fn finish(self) -> Result<StateHeader> {
        if self.at == At::End || self.at == At::Start {
            return self.header.finish();
        }
        Err(invalid(Malformed::EndsEarly.reason()))
    }

    /// Takes one byte outside of passed values.
    fn step(&mut self, byte: u8, place: u64, sink: &mut Sink<'_>) -> Result<()> {
        if self.at == At::InKey {
            return self.step_in_key(byte);
        }
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Ok(());
        }
        match (self.at, byte) {
            (At::Start, b'{') => self.at = At::Key,
            (At::Key, b'"') => {
                self.key.clear();
                self.at = At::InKey;
            }
            (At::Colon, b':') => self.at = At::Value,
            (At::AfterValue, b',') => {
                self.at = if self.level.is_array() { At::Value } else { At::Key };
            }
            (At::Key | At::AfterValue, b'}') if !self.level.is_array() => self.leave(sink)?,
            (At::Value | At::AfterValue, b']') if self.level.is_array() => self.leave(sink)?,
            (At::Value, b',' | b'}' | b']' | b':') => return Err(not_an_object()),
            (At::Value, _) => {
                self.began = place;
                self.enter(byte, sink)?;
            }
            _ => return Err(not_an_object()),
        }
        Ok(())
    }

    fn step_in_key(&mut self, byte: u8) -> Result<()> {
        if byte == b'"' && !self.is_escaped {
            self.at = At::Colon;
            return Ok(());
        }
        self.is_escaped = byte == b'\\' && !self.is_escaped;
        if self.key.len() >= LONGEST_NAME {
            return Err(invalid(Malformed::TooLong.reason()));
        }
        self.key.push(byte);
        Ok(())
    }

    /// Returns the name of the current member.
    fn name(&self) -> String {
        let name = String::from_utf8_lossy(&self.key);
        if !name.contains('\\') {
            return name.into_owned();
        }
        members::text(&format!("\"{name}\"")).unwrap_or_default()
    }

    /// Begins a value at its first byte.
    fn enter(&mut self, byte: u8, sink: &mut Sink<'_>) -> Result<()> {
        let mut is_kept = false;
        match self.level {
            Level::Top => match (&*fold(&self.name()), byte) {
                ("outputs", b'{') => {
                    self.level = Level::Outputs;
                    self.at = At::Key;
                    return Ok(());
                }
                ("resources", b'[') => {
                    self.level = Level::Resources;
                    self.at = At::Value;
                    return sink(StatePart::ResourcesBegin);
                }
                ("resources", b'n') => sink(StatePart::ResourcesBegin)?,
                ("resources", _) => return Err(unreadable()),
                ("check_results", _) => is_kept = self.wants_checks,
                _ => {}
            },
            Level::Resources if byte == b'{' => {
                self.head = ResourceHead::default();
                self.level = Level::Resource;
                self.at = At::Key;
                return Ok(());
            }
            Level::Resources if byte == b'n' => {}
            Level::Resources => return Err(unreadable()),
            Level::Resource => match (&*fold(&self.name()), byte) {
                ("instances", b'[') => {
                    self.level = Level::Instances;
                    self.at = At::Value;
                    return sink(StatePart::InstancesBegin);
                }
                ("instances", b'n') => sink(StatePart::InstancesBegin)?,
                ("instances", _) => return Err(unreadable()),
                ("module" | "mode" | "type" | "name" | "provider", _) => is_kept = true,
                _ => {}
            },
            Level::Outputs | Level::Instances => is_kept = true,
        }
        self.text.clear();
        self.passing = Passing { is_kept, is_scalar: true, ..Passing::default() };
        if matches!(byte, b'{' | b'[' | b'"') {
            self.passing.is_scalar = false;
        }
        self.at = At::Passing;
        Ok(())
    }

    /// Passes bytes of a value, at the latest to its end, and returns how many it passed.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let passing = &mut self.passing;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            if passing.is_text {
                if passing.is_escaped {
                    passing.is_escaped = false;
                    at += 1;
                    continue;
                }
                let Some(end) = memchr::memchr2(b'"', b'\\', rest) else {
                    at = bytes.len();
                    break;
                };
                at += end + 1;
                if rest.get(end) == Some(&b'\\') {
                    passing.is_escaped = true;
                    continue;
                }
                passing.is_text = false;
            } else if passing.is_scalar {
                if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                    self.at = At::AfterValue;
                    break;
                }
                at += 1;
                continue;
            } else {
                at += 1;
                match byte {
                    b'"' => {
                        passing.is_text = true;
                        continue;
                    }
                    b'{' | b'[' => passing.depth += 1,
                    b'}' | b']' => passing.depth = passing.depth.saturating_sub(1),
                    _ => continue,
                }
            }
            if passing.depth == 0 {
                self.at = At::AfterValue;
                break;
            }
        }
        if passing.is_kept {
            self.text.extend_from_slice(bytes.get(..at).unwrap_or_default());
        }
        at
    }

    /// Hands over the value that has ended before `end`.
    fn end_value(&mut self, end: u64, sink: &mut Sink<'_>) -> Result<()> {
        if !self.passing.is_kept {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.text);
        match self.level {
            Level::Outputs => sink(StatePart::Output(&self.name(), &text, self.began..end)),
            Level::Instances => sink(StatePart::Instance(&text, self.began..end, &self.head)),
            Level::Top => sink(StatePart::Checks(&text)),
            Level::Resources => Ok(()),
            Level::Resource => {
                let name = self.name();
                let value = match &*text {
                    "null" => Some(String::new()),
                    text => members::text(text),
                };
                let value = value.ok_or_else(unreadable)?;
                let field = match &*fold(&name) {
                    "module" => &mut self.head.module,
                    "mode" => &mut self.head.mode,
                    "type" => &mut self.head.kind,
                    "name" => &mut self.head.name,
                    _ => &mut self.head.provider,
                };
                *field = value;
                Ok(())
            }
        }
    }

    fn leave(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.at = At::AfterValue;
        self.level = match self.level {
            Level::Top => {
                self.at = At::End;
                Level::Top
            }
            Level::Outputs | Level::Resources => Level::Top,
            Level::Instances => Level::Resource,
            Level::Resource => {
                sink(StatePart::Resource(&self.head))?;
                Level::Resources
            }
        };
        Ok(())
    }
}

fn not_an_object() -> crate::Error {
    invalid(Malformed::NotAnObject.reason())
}

fn unreadable() -> crate::Error {
    invalid("its resources cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::address::Key;

    /// Reads in pieces of `step` bytes, and returns a line for each part.
    fn parts(state: &str, step: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut reader = InstanceReader::new().with_checks();
        for chunk in state.as_bytes().chunks(step) {
            reader.feed(chunk, &mut |part| {
                found.push(match part {
                    StatePart::Output(name, json, _) => format!("{name}={json}"),
                    StatePart::ResourcesBegin => "[".to_owned(),
                    StatePart::InstancesBegin => "(".to_owned(),
                    StatePart::Instance(json, span, _) => {
                        let range = usize::try_from(span.start).unwrap()
                            ..usize::try_from(span.end).unwrap();
                        assert_eq!(&state[range], json);
                        json.to_owned()
                    }
                    StatePart::Resource(head) => format!("{}", head.address(Key::None)),
                    StatePart::Checks(json) => format!("checks {json}"),
                });
                Ok(())
            })?;
        }
        reader.finish().map(|_| found)
    }

    #[test]
    fn each_part_comes_out_whole_however_the_bytes_are_cut() {
        let state = r#" {"version": 4, "serial": 1,"x":{"resources":[1,"}"]}, "outputs":{"\u0061\"":{"value":"]}"},"n":{}},
            "resources" : [ {"mode":"managed","type":"t","name":"n","each":"list","instances":[{"a":"\\\"}"}, {"b":[{}]} ]},
            {"instances":[{"c":1.50}],"Mode":"data","name":"d","type":"u","module":"module.m[0]"}, null,
            {"type":"e","name":"e","instances":null} ],"check_results":[{}] }
            "#;
        for step in 1..state.len() {
            assert_eq!(
                parts(state, step).unwrap(),
                [
                    r#"a"={"value":"]}"}"#,
                    "n={}",
                    "[",
                    "(",
                    r#"{"a":"\\\"}"}"#,
                    r#"{"b":[{}]}"#,
                    "t.n",
                    "(",
                    r#"{"c":1.50}"#,
                    "module.m[0].data.u.d",
                    "(",
                    "e.e",
                    "checks [{}]"
                ],
                "step {step}"
            );
        }
    }

    #[test]
    fn what_is_no_state_is_refused_without_quoting_it() {
        for state in [
            "",
            "hunter2",
            r#"{"version":4,"resources":"hunter2"}"#,
            r#"{"version":4,"resources":["hunter2"]}"#,
            r#"{"version":4,"resources":[{"type":{"hunter2":1}}]}"#,
            r#"{"version":4,"resources":[{"instances":{}}]}"#,
            r#"{"version":4,"resources":[{"instances":[{]"#,
            r#"{"version":4,"resources":[{}"#,
            r#"{"version":4,"resources":[}]}"#,
            r#"{"version":9,"resources":[]}"#,
        ] {
            let error = parts(state, 3).unwrap_err();
            assert!(error.message().starts_with("not a Terraform state: "), "{state}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{state}");
        }
    }
}
