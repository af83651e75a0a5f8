//! The outputs of a state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::state::header::{invalid, number_field, text_field};
use crate::state::members::{self, Members, WrongType};
use crate::state::split::{Piece, Splitter, Want};

/// Whether a reader has read enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The rest of the bytes does not matter.
    Done,
    /// The reader needs more bytes, if there are any.
    NeedsMore,
}

/// A root output.
#[derive(Clone)]
#[non_exhaustive]
pub struct Output {
    /// The value as JSON, with numbers as they were written.
    pub value: Box<RawValue>,
    /// The type as JSON, such as `"string"` or `["list","number"]`. Missing in old states.
    pub type_expression: Option<Box<RawValue>>,
    /// Whether the configuration marks it as sensitive.
    pub is_sensitive: bool,
}

impl Output {
    /// Returns the value's text if it is a string, number or bool, as `terraform output -raw`
    /// prints it: numbers have no exponent, numbers that were stored as strings have no redundant
    /// zeros, and half of a surrogate pair is U+FFFD.
    pub fn as_plain_text(&self) -> Option<String> {
        let is_number = self
            .type_expression
            .as_ref()
            .is_some_and(|expression| expression.get() == "\"number\"");
        let json = self.value.get();
        match json.as_bytes().first()? {
            b'"' => {
                members::text(json).map(|text| if is_number { plain_number(text) } else { text })
            }
            b'{' | b'[' | b'n' => None,
            b't' | b'f' => Some(json.to_owned()),
            _ if json.contains(['e', 'E']) => Some(plain_number(json.to_owned())),
            _ => Some(json.to_owned()),
        }
    }
}

/// The most zeros to write; with more of them an exponent is easier to read.
const MOST_DIGITS: usize = 4096;

/// Writes a decimal number without an exponent and without redundant zeros, and never as a float.
/// Other texts stay as they are.
fn plain_number(text: String) -> String {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<isize>() else { return text };
    let is_decimal = !whole.is_empty()
        && [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if !is_decimal || exponent.unsigned_abs() > MOST_DIGITS {
        return text;
    }
    let digits = [whole, fraction].concat();
    // The position of the point without the exponent: before the digits if it is negative.
    let point = whole.len().cast_signed() + exponent;
    let (whole, fraction) = match usize::try_from(point) {
        Err(_) => (String::new(), "0".repeat(point.unsigned_abs()) + &digits),
        Ok(point) if point >= digits.len() => {
            (digits.clone() + &"0".repeat(point - digits.len()), String::new())
        }
        Ok(point) => (digits[..point].to_owned(), digits[point..].to_owned()),
    };
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (_, "") => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

/// Hides the value.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("is_sensitive", &self.is_sensitive).finish_non_exhaustive()
    }
}

/// The root outputs of a state, by name.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    readable: BTreeMap<String, Output>,
    unreadable: BTreeSet<String>,
}

impl Outputs {
    /// Returns one output.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.readable.get(name)
    }

    /// Returns all outputs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Output)> {
        self.readable.iter().map(|(name, output)| (name.as_str(), output))
    }

    /// Returns the names of outputs whose form is invalid. They do not affect the others.
    pub fn unreadable(&self) -> impl ExactSizeIterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.readable.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.readable.is_empty()
    }

    /// Adds the outputs of another object, replacing outputs of the same name.
    fn add(&mut self, all: Members<'_>, read: impl Fn(&RawValue) -> Result<Output, WrongType>) {
        for (name, value) in all.into_all() {
            match read(value) {
                Ok(output) => {
                    self.unreadable.remove(&name);
                    self.readable.insert(name, output);
                }
                Err(WrongType) => {
                    self.readable.remove(&name);
                    self.unreadable.insert(name);
                }
            }
        }
    }
}

/// Reads the root outputs from a state as its bytes arrive, skips everything else, and reports when
/// it has read enough.
///
/// Programs write the outputs before the resources, so the reader stops where the resources begin:
/// after the first kilobytes of a state of a hundred megabytes. It merges two members `outputs`
/// before the resources, as bad merges leave them; it reads one after the resources only if there
/// was none before.
#[derive(Debug)]
pub struct OutputReader {
    splitter: Splitter,
    version: Option<u64>,
    encryption_version: Option<String>,
    outputs: Option<Outputs>,
    has_seen_resources: bool,
    modules: Option<Vec<u8>>,
}

impl Default for OutputReader {
    fn default() -> Self {
        Self::new()
    }
}

impl OutputReader {
    /// Creates a reader for a state from its first byte on.
    pub fn new() -> Self {
        Self {
            splitter: Splitter::new(want),
            version: None,
            encryption_version: None,
            outputs: None,
            has_seen_resources: false,
            modules: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `InvalidState` as soon as the bytes cannot be a state.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress> {
        let Self { splitter, version, encryption_version, outputs, has_seen_resources, modules } =
            self;
        let flow = splitter
            .feed(bytes, |piece| {
                let taken = match piece {
                    Piece::Member("version", text) => {
                        number_field("version", text).map(|number| *version = number)
                    }
                    Piece::Member("encryption_version", text) => {
                        text_field("encryption_version", text)
                            .map(|text| *encryption_version = Some(text))
                    }
                    Piece::Member("outputs", text) => {
                        parse_outputs(text, outputs.get_or_insert_default())
                    }
                    Piece::Emptiness("resources", _) => {
                        *has_seen_resources = true;
                        Ok(())
                    }
                    Piece::Member("modules", text) => {
                        *modules = Some(text.to_vec());
                        Ok(())
                    }
                    _ => Ok(()),
                };
                match taken {
                    Err(error) => ControlFlow::Break(Some(error)),
                    Ok(())
                        if version.is_some_and(|version| version >= 4)
                            && outputs.is_some()
                            && *has_seen_resources =>
                    {
                        ControlFlow::Break(None)
                    }
                    Ok(()) => ControlFlow::Continue(()),
                }
            })
            .map_err(|malformed| invalid(malformed.reason()))?;
        match flow {
            ControlFlow::Break(Some(error)) => Err(error),
            ControlFlow::Break(None) => Ok(Progress::Done),
            ControlFlow::Continue(()) => Ok(Progress::NeedsMore),
        }
    }

    /// Returns the outputs, once [`feed`](Self::feed) is done or the bytes have ended.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state; `Unsupported` if it is encrypted by OpenTofu.
    pub fn finish(self) -> Result<Outputs> {
        let is_done = self.version.is_some_and(|version| version >= 4) && self.has_seen_resources;
        if !(is_done && self.outputs.is_some()) {
            self.splitter.finish().map_err(|malformed| invalid(malformed.reason()))?;
        }
        if self.encryption_version.is_some_and(|version| !version.is_empty()) {
            return Err(encrypted("read outputs", "outputs"));
        }
        match self.version {
            None => Err(invalid("it has neither `version` nor `encryption_version`")),
            Some(4) => Ok(self.outputs.unwrap_or_default()),
            Some(1..=3) => {
                self.modules.map_or(Ok(Outputs::default()), |text| parse_root_module(&text))
            }
            Some(version) => Err(invalid(&format!("format version {version} is not supported"))),
        }
    }
}

pub(super) fn encrypted(operation: &'static str, what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        operation,
        format!("the state is encrypted by OpenTofu, and its {what} with it"),
    )
    .with_hint("read it with `tofu`, which has the key")
}

fn want(key: &str) -> Option<Want> {
    match key {
        "version" | "encryption_version" => Some(Want::Short),
        "outputs" | "modules" => Some(Want::Whole),
        "resources" => Some(Want::Emptiness),
        _ => None,
    }
}

/// Parses the member `outputs`. As in Go, two of one name are merged, so this adds to the outputs.
fn parse_outputs(text: &[u8], outputs: &mut Outputs) -> Result<()> {
    let unreadable = || invalid("its outputs cannot be read");
    let text = &*members::lossy(text);
    let all = Members::parse(text).map_err(|_| unreadable())?;
    if text == "null" {
        *outputs = Outputs::default();
    }
    outputs.add(all, |value| read_output(&Members::parse(value.get())?));
    Ok(())
}

fn read_output(output: &Members<'_>) -> Result<Output, WrongType> {
    Ok(Output {
        value: output.get("value").map_or_else(null, ToOwned::to_owned),
        type_expression: output.get("type").map(ToOwned::to_owned),
        is_sensitive: output.flag("sensitive")?,
    })
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// Parses the outputs of format versions 1 to 3, which keep them in the module with the path
/// `["root"]`. Version 1 has bare strings.
fn parse_root_module(text: &[u8]) -> Result<Outputs> {
    let unreadable = |_: WrongType| invalid("its modules cannot be read");
    let text = &*members::lossy(text);
    let mut outputs = Outputs::default();
    for module in members::elements(text).map_err(unreadable)? {
        let module = Members::parse(module.get()).map_err(unreadable)?;
        let path = module.array("path").map_err(unreadable)?;
        if !matches!(&path[..], [root] if members::text(root.get()).as_deref() == Some("root")) {
            continue;
        }
        let all = module.object("outputs").map_err(|_| invalid("its outputs cannot be read"))?;
        outputs.add(all, |value| match members::text(value.get()) {
            Some(_) => Ok(Output {
                value: value.to_owned(),
                type_expression: serde_json::value::to_raw_value("string").ok(),
                is_sensitive: false,
            }),
            None => read_output(&Members::parse(value.get())?),
        });
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Outputs> {
        let mut reader = OutputReader::new();
        for chunk in text.as_bytes().chunks(7) {
            if reader.feed(chunk)? == Progress::Done {
                break;
            }
        }
        reader.finish()
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced_as_clients_do() {
        for version in [3, 4] {
            let outputs: &[u8] = b"\"outputs\":{\"a\":{\"value\":\"caf\xe9\",\"type\":\"string\"}}";
            let head = format!("{{\"version\":{version},\"serial\":1,\"lineage\":\"l\",");
            let (before, after): (&[u8], &[u8]) = if version == 4 {
                (b"", b"}")
            } else {
                (b"\"modules\":[{\"path\":[\"root\"],", b"}]}")
            };
            let mut reader = OutputReader::new();
            let _: Progress =
                reader.feed(&[head.as_bytes(), before, outputs, after].concat()).unwrap();
            let outputs = reader.finish().unwrap();
            assert_eq!(outputs.get("a").unwrap().as_plain_text().as_deref(), Some("caf\u{fffd}"));
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let outputs = read(
            r#"{"version":4,"outputs":{"n":{"value":12345678901234567890.10,"type":"number"}}}"#,
        )
        .unwrap();
        assert_eq!(outputs.get("n").unwrap().value.get(), "12345678901234567890.10");
    }

    #[test]
    fn reading_stops_after_the_outputs() {
        let mut reader = OutputReader::new();
        let start = r#"{"version":4,"serial":1,"outputs":{"a":{"value":"x","type":"string","sensitive":true}},"resources":["#;
        assert_eq!(reader.feed(start.as_bytes()).unwrap(), Progress::NeedsMore);
        let start = "{";
        assert_eq!(reader.feed(start.as_bytes()).unwrap(), Progress::Done);
        let outputs = reader.finish().unwrap();
        let output = outputs.get("a").unwrap();
        assert!(output.is_sensitive);
        assert_eq!(output.as_plain_text().as_deref(), Some("x"));
    }

    #[test]
    fn outputs_are_found_behind_the_resources_too() {
        let outputs = read(
            r#"{"resources":[{"outputs":{"no":1}}],"outputs":{"yes":{"value":true}},"version":4}"#,
        )
        .unwrap();
        assert_eq!(outputs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["yes"]);
    }

    #[test]
    fn version_3_keeps_its_outputs_in_the_root_module() {
        let outputs = read(
            r#"{"version":3,"serial":1,"modules":[{"path":["root","child"],"outputs":{"no":{"value":1}}},
            {"path":["root"],"outputs":{"yes":{"sensitive":false,"type":"list","value":["a"]}}}]}"#,
        )
        .unwrap();
        assert_eq!(outputs.get("yes").unwrap().value.get(), r#"["a"]"#);
        assert_eq!(outputs.len(), 1);
    }

    #[test]
    fn version_1_has_bare_strings() {
        let outputs =
            read(r#"{"version":1,"modules":[{"path":["root"],"outputs":{"a":"x"}}]}"#).unwrap();
        assert_eq!(outputs.get("a").unwrap().as_plain_text().as_deref(), Some("x"));
    }

    #[test]
    fn an_encrypted_state_says_that_it_is() {
        let error = read(
            r#"{"serial":3,"lineage":"x","meta":{},"encrypted_data":"AA","encryption_version":"v0"}"#,
        );
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_state_without_outputs_has_none() {
        assert!(read(r#"{"version":4,"serial":1}"#).unwrap().is_empty());
        assert!(read(r#"{"version":4,"outputs":null}"#).unwrap().is_empty());
        assert!(read(r#"{"version":3,"modules":null}"#).unwrap().is_empty());
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert_eq!(
            read(r#"{"version":4,"outputs":{"a":{"val"#).unwrap_err().kind(),
            ErrorKind::InvalidState
        );
    }

    /// Members that are `null` or repeated, and invalid outputs beside valid ones.
    #[test]
    fn one_unreadable_output_spoils_one_output() {
        let outputs = read(
            r#"{"version":4,"outputs":{"a":{"value":1,"sensitive":null,"type":null},"b":{"value":1,"sensitive":"no"},"c":5,
            "d":{"value":1,"value":2},"e":null,"f":{"value":null}},"resources":[]}"#,
        )
        .unwrap();
        assert_eq!(outputs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "d", "e", "f"]);
        assert_eq!(outputs.unreadable().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(outputs.get("d").unwrap().value.get(), "2");
        assert_eq!(outputs.get("e").unwrap().value.get(), "null");
        let old = read(
            r#"{"version":3,"modules":[{"path":["root"],"outputs":{"a":{"value":"x","sensitive":null},"b":[]}},null]}"#,
        )
        .unwrap();
        assert_eq!((old.len(), old.unreadable().len()), (1, 1));
    }

    #[test]
    fn outputs_that_are_there_twice_are_merged_in_every_format() {
        for text in [
            r#"{"version":4,"outputs":{"o":{"value":"1"},"p":{"value":"1"}},"outputs":{"o":{"value":"2"}},"resources":[]}"#,
            r#"{"version":4,"outputs":{"o":{"value":"1"},"p":{"value":"1"}},"lineage":"l","outputs":{"o":{"value":"2"}}}"#,
            r#"{"version":3,"modules":[{"path":["root"],"outputs":{"o":{"value":"1"},"p":{"value":"1"}}},
                {"path":["root"],"outputs":{"o":{"value":"2"}}}]}"#,
        ] {
            let outputs = read(text).unwrap();
            let value = |name: &str| outputs.get(name).unwrap().value.get();
            assert_eq!((value("o"), value("p")), ("\"2\"", "\"1\""), "{text}");
        }
    }

    /// `terraform output -raw` 1.11.4 printed each expectation.
    #[test]
    fn plain_text_is_that_of_the_command_line() {
        for (value, kind, expected) in [
            ("1.5e3", "number", "1500"),
            (r#""007""#, "number", "7"),
            (r#""007""#, "string", "007"),
            (r#""1.50""#, "number", "1.5"),
            ("12345678901234567890.1", "number", "12345678901234567890.1"),
            ("1e-7", "number", "0.0000001"),
            ("1E+30", "number", "1000000000000000000000000000000"),
            ("-0.5e1", "number", "-5"),
            (r#""0.0""#, "number", "0"),
            ("12.5e-1", "number", "1.25"),
            (r#""x\ud83dy""#, "string", "x\u{fffd}y"),
            ("true", "bool", "true"),
        ] {
            let outputs = read(&format!(
                r#"{{"version":4,"outputs":{{"o":{{"value":{value},"type":"{kind}"}}}}}}"#
            ))
            .unwrap();
            assert_eq!(
                outputs.get("o").unwrap().as_plain_text().as_deref(),
                Some(expected),
                "{value}"
            );
        }
        let far = "1e9999999999".to_owned();
        assert_eq!(plain_number(far.clone()), far, "no memory is taken for zeros");
    }
}
