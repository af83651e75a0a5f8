//! Version, serial and lineage of a state.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Error, ErrorKind, Result};
use crate::names::{Lineage, Serial};
use crate::state::outputs::Progress;
use crate::state::split::{Malformed, Piece, Splitter, Want};
use crate::state::validate::{NotJson, Validator};

/// The newest version of the state format.
const NEWEST_VERSION: u64 = 4;

/// The nesting depth at the members of a state.
const TOP: usize = 1;

/// The format of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateFormat {
    /// Encrypted by OpenTofu: only serial and lineage are readable.
    Encrypted,
    /// A plain JSON document of format version 1 to 4.
    Plain {
        /// The format's version.
        version: u64,
    },
}

/// Facts about a state that are known without parsing it as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateHeader {
    /// The format.
    pub format: StateFormat,
    /// The number of the write; 0 if the state has none.
    pub serial: Serial,
    /// The state's lineage; empty if it has none.
    pub lineage: Lineage,
    /// The version of the program that wrote it.
    pub terraform_version: Option<String>,
    /// Whether it holds neither resources nor outputs. `false` if that is unknown: in encrypted
    /// states and in versions before 4.
    pub is_empty: bool,
    /// Whether it holds resources. `true` if that is unknown.
    pub has_resources: bool,
}

impl StateHeader {
    /// Reads the header of a whole state, and checks that all of it is JSON.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state of a known version, or are the file in which
    /// `init` records the backend of a directory: that file has the form of a state, and must not
    /// replace one.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = HeaderReader::whole();
        let _: Progress = reader.feed(bytes)?;
        let may_be_a_record = reader.fields.has_backend;
        let header = reader.finish()?;
        if may_be_a_record && is_backend_record(bytes) {
            return Err(invalid(
                "it is the record of a backend that `init` keeps in \
                 `.terraform/terraform.tfstate`, which tells where the state is",
            ));
        }
        Ok(header)
    }
}

/// Returns whether this is the file that `init` keeps in the data directory: a document of version
/// 3 that names a backend, with no modules or only empty ones. States of Terraform before 0.9 may
/// name a backend too, but are not empty.
fn is_backend_record(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Document {
        backend: Option<HashMap<String, IgnoredAny>>,
        #[serde(default)]
        modules: Option<Vec<Module>>,
        #[serde(default)]
        resources: Option<Vec<IgnoredAny>>,
        #[serde(default)]
        outputs: Option<HashMap<String, IgnoredAny>>,
    }
    #[derive(Deserialize)]
    struct Module {
        #[serde(default)]
        resources: Option<HashMap<String, IgnoredAny>>,
        #[serde(default)]
        outputs: Option<HashMap<String, IgnoredAny>>,
    }
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return false };
    let holds =
        |map: &Option<HashMap<String, IgnoredAny>>| map.as_ref().is_some_and(|map| !map.is_empty());
    let module_holds = |module: &Module| holds(&module.resources) || holds(&module.outputs);
    document.backend.is_some()
        && !document.modules.iter().flatten().any(module_holds)
        && document.resources.is_none_or(|resources| resources.is_empty())
        && !holds(&document.outputs)
}

/// Reads a [`StateHeader`] from bytes as they arrive, and reports when it has read enough.
#[derive(Debug)]
pub struct HeaderReader {
    splitter: Splitter,
    fields: Fields,
    /// Validates every byte; `None` if the reader stops early.
    validator: Option<Validator>,
}

#[derive(Debug, Default)]
struct Fields {
    version: Option<Vec<u8>>,
    serial: Option<Vec<u8>>,
    lineage: Option<Vec<u8>>,
    terraform_version: Option<Vec<u8>>,
    encryption_version: Option<Vec<u8>>,
    has_outputs: Option<bool>,
    has_resources: Option<bool>,
    has_backend: bool,
    /// Whether it says with which keys it is encrypted: OpenTofu writes this before the encrypted
    /// text, and `encryption_version` after it.
    has_meta: bool,
    /// Whether the contents do not matter.
    are_of_beginning: bool,
}

impl Fields {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Member("version", text) => self.version = Some(text.to_vec()),
            Piece::Member("serial", text) => self.serial = Some(text.to_vec()),
            Piece::Member("lineage", text) => self.lineage = Some(text.to_vec()),
            Piece::Member("terraform_version", text) => {
                self.terraform_version = Some(text.to_vec());
            }
            Piece::Member("encryption_version", text) => {
                self.encryption_version = Some(text.to_vec());
            }
            Piece::Emptiness("outputs", is_empty) => self.has_outputs = Some(!is_empty),
            Piece::Emptiness("resources", is_empty) => self.has_resources = Some(!is_empty),
            Piece::Emptiness("backend", is_empty) => self.has_backend = !is_empty,
            Piece::Emptiness("meta", is_empty) => self.has_meta = !is_empty,
            _ => {}
        }
    }

    /// Programs write these fields in this order, so the header is complete at the start of the
    /// resources.
    fn are_complete(&self) -> bool {
        if self.are_of_beginning {
            let has_format = self.version.is_some() || self.has_meta;
            return has_format && self.serial.is_some() && self.lineage.is_some();
        }
        self.version.is_some()
            && self.serial.is_some()
            && self.lineage.is_some()
            && self.has_outputs.is_some()
            && self.has_resources.is_some()
    }
}

impl Default for HeaderReader {
    fn default() -> Self {
        Self::new()
    }
}

impl HeaderReader {
    /// Creates a reader for a state from its first byte on.
    pub fn new() -> Self {
        Self { splitter: Splitter::new(want), fields: Fields::default(), validator: None }
    }

    /// Makes the reader stop as soon as it knows the format, the serial and the lineage, whatever
    /// the state holds: [`is_empty`](StateHeader::is_empty) and
    /// [`has_resources`](StateHeader::has_resources) then say that it is unknown.
    pub fn of_beginning() -> Self {
        let fields = Fields { are_of_beginning: true, ..Fields::default() };
        Self { fields, ..Self::new() }
    }

    /// Makes the reader continue to the end, and check that all of it is JSON. If a name occurs
    /// twice, the last one counts, as in Go.
    pub fn whole() -> Self {
        Self { validator: Some(Validator::new()), ..Self::new() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `InvalidState` as soon as the bytes cannot be a state.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress> {
        let Self { splitter, fields, validator } = self;
        let Some(validator) = validator else {
            let flow = splitter.feed(bytes, |piece| {
                fields.take(piece);
                if fields.are_complete() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let flow = flow.map_err(|malformed| invalid(malformed.reason()))?;
            return Ok(if flow.is_break() { Progress::Done } else { Progress::NeedsMore });
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = if splitter.is_passing() {
                // Most of a state is in here, and only the validator needs to read it.
                let taken = validator.feed_within(rest, TOP).map_err(not_json)?;
                if validator.depth() == TOP {
                    splitter.passed();
                }
                taken
            } else {
                // If a text does not start as an object, the error does not say where it stops
                // being JSON.
                let flow = splitter.feed_until_passing(rest, |piece| {
                    fields.take(piece);
                    ControlFlow::<Infallible>::Continue(())
                });
                let taken = match flow {
                    Ok(ControlFlow::Continue(taken)) => taken,
                    Err(malformed) => {
                        if splitter.has_begun()
                            && let Err(place) = validator.feed(rest)
                        {
                            return Err(if splitter.has_ended() {
                                followed(place)
                            } else {
                                not_json(place)
                            });
                        }
                        return Err(invalid(malformed.reason()));
                    }
                };
                validator.feed(&rest[..taken]).map_err(not_json)?;
                taken
            };
            rest = &rest[taken..];
        }
        Ok(Progress::NeedsMore)
    }

    /// Returns the header, once [`feed`](Self::feed) is done or the bytes have ended.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state of a known version.
    pub fn finish(self) -> Result<StateHeader> {
        let fields = self.fields;
        if self.validator.is_some() || !fields.are_complete() {
            let ended = self.splitter.finish();
            if let (Some(validator), Ok(()) | Err(Malformed::EndsEarly)) = (&self.validator, &ended)
            {
                // The validator knows the place.
                validator.finish().map_err(not_json)?;
            }
            ended.map_err(|malformed| invalid(malformed.reason()))?;
        }
        let is_encrypted = match &fields.encryption_version {
            Some(text) => !text_field("encryption_version", text)?.is_empty(),
            None => fields.are_of_beginning && fields.has_meta && fields.version.is_none(),
        };
        let version = match &fields.version {
            Some(text) if !is_encrypted => number_field("version", text)?,
            _ => None,
        };
        let format = match version {
            _ if is_encrypted => StateFormat::Encrypted,
            Some(version @ 1..=NEWEST_VERSION) => StateFormat::Plain { version },
            Some(version) => {
                return Err(invalid(&format!("format version {version} is not supported")));
            }
            None => return Err(invalid("it has neither `version` nor `encryption_version`")),
        };
        let shows_content = matches!(format, StateFormat::Plain { version: NEWEST_VERSION });
        // The reader of a beginning may have stopped before the contents.
        let unseen = fields.are_of_beginning;
        let has_resources = !shows_content || fields.has_resources.unwrap_or(unseen);
        Ok(StateHeader {
            format,
            serial: Serial(match fields.serial {
                Some(text) => number_field("serial", &text)?.unwrap_or(0),
                None => 0,
            }),
            lineage: Lineage::new(
                fields.lineage.map_or(Ok(String::new()), |text| text_field("lineage", &text))?,
            ),
            terraform_version: match fields.terraform_version {
                Some(text) => Some(text_field("terraform_version", &text)?)
                    .filter(|version| !version.is_empty()),
                None => None,
            },
            is_empty: !has_resources && !fields.has_outputs.unwrap_or(false),
            has_resources,
        })
    }
}

fn want(key: &str) -> Option<Want> {
    match key {
        "version" | "serial" | "lineage" | "terraform_version" | "encryption_version" => {
            Some(Want::Short)
        }
        "backend" | "meta" | "outputs" | "resources" => Some(Want::Emptiness),
        _ => None,
    }
}

/// Creates the error for two states in one file, or for a state followed by other output.
fn followed(NotJson { line, column }: NotJson) -> Error {
    invalid(&format!("something follows it (line {line}, column {column})"))
}

fn not_json(NotJson { line, column }: NotJson) -> Error {
    invalid(&format!("it is not JSON (line {line}, column {column})"))
}

/// Parses a number; `null` means none, as in Go.
pub(super) fn number_field(name: &str, text: &[u8]) -> Result<Option<u64>> {
    serde_json::from_slice(text)
        .map_err(|_| invalid(&format!("`{name}` is not a whole number of at most 64 bits")))
}

pub(super) fn text_field(name: &str, text: &[u8]) -> Result<String> {
    serde_json::from_slice::<Option<String>>(text)
        .map(Option::unwrap_or_default)
        .map_err(|_| invalid(&format!("`{name}` is not a string")))
}

pub(super) fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidState, "read state", format!("not a Terraform state: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = r#"{"version": 4, "terraform_version": "1.11.4", "serial": 18446744073709551615, "lineage": "l",
        "outputs": {}, "resources": [], "check_results": null}"#;

    #[test]
    fn the_beginning_of_a_state_tells_its_serial_and_lineage() {
        let beginning = |text: &str| {
            let mut reader = HeaderReader::of_beginning();
            let progress = reader.feed(text.as_bytes()).unwrap();
            (progress == Progress::Done).then(|| reader.finish().unwrap())
        };
        let plain = beginning(
            r#"{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"l","outputs":{"a"#,
        );
        let plain = plain.unwrap();
        assert_eq!((plain.serial, plain.lineage.as_str()), (Serial(7), "l"));
        assert_eq!(plain.terraform_version.as_deref(), Some("1.11.4"));
        assert!(plain.has_resources && !plain.is_empty, "what it holds is unknown");
        let encrypted =
            beginning(r#"{"serial":3,"lineage":"l","meta":{"k":"v"},"encrypted_data":"AA"#);
        assert_eq!(encrypted.unwrap().format, StateFormat::Encrypted);
        for sorted in [r#"{"lineage":"l","outputs":{"a":"#, r#"{"version":4,"serial":1,"#, "{"] {
            assert_eq!(beginning(sorted), None, "{sorted}");
        }
    }

    #[test]
    fn a_header_is_read_with_all_digits_of_its_serial() {
        let header = StateHeader::parse(V4.as_bytes()).unwrap();
        assert_eq!(header.format, StateFormat::Plain { version: 4 });
        assert_eq!(header.serial, Serial(u64::MAX));
        assert_eq!(header.lineage.as_str(), "l");
        assert_eq!(header.terraform_version.as_deref(), Some("1.11.4"));
        assert!(header.is_empty && !header.has_resources);
    }

    #[test]
    fn reading_stops_where_the_resources_begin() {
        let start =
            r#"{"version":4,"serial":1,"lineage":"l","outputs":{"a":{"value":1}},"resources":[{"#;
        let mut reader = HeaderReader::new();
        assert_eq!(reader.feed(start.as_bytes()).unwrap(), Progress::Done);
        let header = reader.finish().unwrap();
        assert!(header.has_resources && !header.is_empty);
    }

    #[test]
    fn old_versions_have_a_header_too() {
        for version in 1..=3 {
            let text = format!(r#"{{"version":{version},"serial":2,"modules":[]}}"#);
            let header = StateHeader::parse(text.as_bytes()).unwrap();
            assert_eq!((header.format, header.serial.0), (StateFormat::Plain { version }, 2));
            assert!(!header.is_empty, "what it holds is not visible");
        }
    }

    #[test]
    fn a_state_encrypted_by_opentofu_shows_serial_and_lineage() {
        let text = r#"{"serial":3,"lineage":"x","meta":{"k":"eyJ9"},"encrypted_data":"AAAA","encryption_version":"v0"}"#;
        let header = StateHeader::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (header.format, header.serial.0, header.lineage.as_str()),
            (StateFormat::Encrypted, 3, "x")
        );
        assert!(!header.is_empty);
    }

    #[test]
    fn names_may_be_escaped_and_null_stands_for_nothing_as_in_go() {
        let text = br#"{"\u0076\u0065\u0072\u0073\u0069\u006f\u006e":4,"\u0073erial":7,"lineage":null,"outputs":null}"#;
        let header = StateHeader::parse(text).unwrap();
        assert_eq!((header.serial.0, header.lineage.as_str()), (7, ""));
        let header = StateHeader::parse(br#"{"version":4,"serial":null}"#).unwrap();
        assert_eq!(header.serial.0, 0);
    }

    #[test]
    fn what_is_no_state_is_refused_without_quoting_it() {
        for text in [
            "",
            "hunter2",
            "[]",
            "{}",
            r#"{"version":0}"#,
            r#"{"version":5}"#,
            r#"{"version":"hunter2"}"#,
            r#"{"version":4,"serial":-1}"#,
            r#"{"version":4,"serial":1.5}"#,
            r#"{"version":4,"lineage":{"hunter2":1}}"#,
            r#"{"version":4,"outputs":{"a":hunter2}}"#,
            r#"{"version":4} trailing"#,
            r#"{"version":4,"resources":["#,
        ] {
            let error = StateHeader::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidState, "{text}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    /// Also the records of every client since 0.9, with and without modules, and of other backends.
    #[test]
    fn the_record_of_a_backend_is_no_state() {
        for text in [
            r#"{"version":3,"terraform_version":"1.11.4","backend":{"type":"s3","config":{},"hash":1}}"#,
            r#"{"version":3,"serial":1,"lineage":"l","backend":{"type":"gcs","config":{"a":null},"hash":1},
                "modules":[{"path":["root"],"outputs":{},"resources":{},"depends_on":[]}]}"#,
            r#"{"version":3,"serial":2,"lineage":"l","backend":{"type":"http"},"modules":null}"#,
            r#"{"version":4,"serial":2,"lineage":"l","backend":{"type":"http"},"outputs":{},"resources":[]}"#,
        ] {
            let error = StateHeader::parse(text.as_bytes()).unwrap_err();
            assert!(error.message().contains("`init`"), "{text}: {error}");
        }
    }

    #[test]
    fn a_state_that_names_a_backend_and_holds_something_is_one() {
        for text in [
            r#"{"version":3,"backend":{"type":"s3"},"modules":[{"path":["root"],"outputs":{"a":{}},"resources":{}}]}"#,
            r#"{"version":3,"backend":{"type":"s3"},"modules":[{"path":["root"],"resources":{"a.b":{}}}]}"#,
            r#"{"version":4,"backend":{"type":"s3"},"resources":[{}]}"#,
            r#"{"version":3,"backend":{},"modules":[]}"#,
            r#"{"version":3,"modules":[]}"#,
        ] {
            assert!(StateHeader::parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_whole_state_is_followed_into_its_values_and_out_again_however_the_bytes_are_cut() {
        let text = r#" {"version":4,"a":[],"b":{"serial":8,"c":["}",{"lineage":"no"}]}, "serial":1, "outputs":{ } ,"resources":[ {"serial":9} ],
            "check_results":[[]],"serial":2,"lineage":"l","d":{"e":"\\"}}"#;
        for step in 1..text.len() {
            let mut reader = HeaderReader::whole();
            for chunk in text.as_bytes().chunks(step) {
                assert_eq!(reader.feed(chunk).unwrap(), Progress::NeedsMore);
            }
            let header = reader.finish().unwrap();
            assert_eq!((header.serial.0, header.lineage.as_str()), (2, "l"), "step {step}");
            assert!(header.has_resources, "step {step}");
        }
        let is_whole = |text: &[u8], step| {
            let mut reader = HeaderReader::whole();
            text.chunks(step).try_for_each(|chunk| reader.feed(chunk).map(drop)).is_ok()
                && reader.finish().is_ok()
        };
        // The change affects only values that the reader skips, so the text is a state exactly if
        // it is JSON.
        let end = text.find("\"check_results").unwrap();
        for at in text.find("[ {").unwrap()..end - 1 {
            for byte in b"\"\\{}[],:0 x\x01\n" {
                let damaged =
                    [&text.as_bytes()[..at], &[*byte], &text.as_bytes()[at + 1..]].concat();
                let is_json = serde_json::from_slice::<serde_json::Value>(&damaged).is_ok();
                let shown = String::from_utf8_lossy(&damaged);
                for step in [1, 5, damaged.len()] {
                    assert_eq!(is_whole(&damaged, step), is_json, "step {step}: {shown}");
                }
            }
        }
        for (rest, is_a_state) in [(" \n", true), ("}", false), ("{}", false), (",", false)] {
            assert_eq!(
                is_whole(&[text, rest].concat().into_bytes(), 1000),
                is_a_state,
                "followed by {rest:?}"
            );
        }
    }

    /// All that editors, merges and people make of a file that was a state once.
    #[test]
    fn every_syntax_error_has_a_place() {
        for (text, expected) in [
            ("{\n  // c\n  \"version\": 4}", "it is not JSON (line 2, column 3)"),
            ("{\n<<<<<<< HEAD\n\"version\":4}", "it is not JSON (line 2, column 1)"),
            ("{\"version\": 4\n\"serial\": 1}", "it is not JSON (line 2, column 1)"),
            ("{'version': 4}", "it is not JSON (line 1, column 2)"),
            ("{\"version\":4}\n{\"version\":4}", "something follows it (line 2, column 1)"),
            ("# c\n{}", "it is not a JSON object"),
        ] {
            for step in [1, text.len()] {
                let mut reader = HeaderReader::whole();
                let fed =
                    text.as_bytes().chunks(step).try_for_each(|chunk| reader.feed(chunk).map(drop));
                let error = fed.and_then(|()| reader.finish()).unwrap_err();
                assert!(error.message().ends_with(expected), "{text}: {error}");
            }
        }
    }
}
