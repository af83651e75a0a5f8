//! The outputs of a state.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::state::header::{invalid, number_field, text_field};
use crate::state::split::{Piece, Splitter, Want};

/// Whether a reader has seen enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The rest of the bytes does not matter.
    Done,
    /// More bytes are needed, if there are any.
    NeedsMore,
}

/// A root output.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct Output {
    /// The value as JSON, with numbers as they were written.
    pub value: Box<RawValue>,
    /// The type as JSON, such as `"string"` or `["list","number"]`. Missing in old states.
    #[serde(rename = "type", default)]
    pub type_expression: Option<Box<RawValue>>,
    /// Whether the configuration marks it as sensitive.
    #[serde(rename = "sensitive", default)]
    pub is_sensitive: bool,
}

impl Output {
    /// Returns the value's text if it is a string, number or bool, as `terraform output -raw` prints it.
    pub fn as_plain_text(&self) -> Option<String> {
        let json = self.value.get();
        match json.as_bytes().first()? {
            b'"' => serde_json::from_str(json).ok(),
            b'{' | b'[' | b'n' => None,
            _ => Some(json.to_owned()),
        }
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
pub struct Outputs(BTreeMap<String, Output>);

impl Outputs {
    /// Returns one output.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.0.get(name)
    }

    /// Returns all outputs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Output)> {
        self.0.iter().map(|(name, output)| (name.as_str(), output))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the root outputs from a state as its bytes arrive, skips everything else, and says when it has seen enough.
///
/// Programs write the outputs before the resources, so a state of a hundred megabytes is left after its first kilobytes.
#[derive(Debug)]
pub struct OutputReader {
    splitter: Splitter,
    version: Option<u64>,
    encryption_version: Option<String>,
    outputs: Option<Vec<u8>>,
    modules: Option<Vec<u8>>,
}

impl Default for OutputReader {
    fn default() -> Self {
        Self::new()
    }
}

impl OutputReader {
    /// Starts at the first byte of a state.
    pub fn new() -> Self {
        Self {
            splitter: Splitter::new(want),
            version: None,
            encryption_version: None,
            outputs: None,
            modules: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `InvalidState` as soon as the bytes cannot be a state.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress> {
        let Self { splitter, version, encryption_version, outputs, modules } = self;
        let flow = splitter
            .feed(bytes, |piece| {
                let taken = match piece {
                    Piece::Member("version", text) => {
                        number_field("version", text).map(|number| *version = number)
                    }
                    Piece::Member("encryption_version", text) => {
                        text_field("encryption_version", text).map(|text| *encryption_version = Some(text))
                    }
                    Piece::Member("outputs", text) => {
                        *outputs = Some(text.to_vec());
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
                    Ok(()) if version.is_some_and(|version| version >= 4) && outputs.is_some() => {
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
        if !(self.version.is_some_and(|version| version >= 4) && self.outputs.is_some()) {
            self.splitter.finish().map_err(|malformed| invalid(malformed.reason()))?;
        }
        if self.encryption_version.is_some_and(|version| !version.is_empty()) {
            return Err(encrypted("read outputs", "outputs"));
        }
        match self.version {
            None => Err(invalid("it has neither `version` nor `encryption_version`")),
            Some(4) => self.outputs.map_or(Ok(Outputs::default()), |text| parse_outputs(&text)),
            Some(1..=3) => self.modules.map_or(Ok(Outputs::default()), |text| parse_root_module(&text)),
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
        _ => None,
    }
}

fn parse_outputs(text: &[u8]) -> Result<Outputs> {
    // `null` stands for no outputs, as in Go.
    serde_json::from_slice::<Option<BTreeMap<String, Output>>>(text)
        .map(|outputs| Outputs(outputs.unwrap_or_default()))
        .map_err(|_| invalid("its outputs cannot be read"))
}

/// Reads the outputs of format versions 1 to 3, which keep them in the module with the path `["root"]`. Version 1 has bare strings.
fn parse_root_module(text: &[u8]) -> Result<Outputs> {
    #[derive(Deserialize)]
    struct Module {
        #[serde(default)]
        path: Vec<String>,
        #[serde(default)]
        outputs: Option<BTreeMap<String, OldOutput>>,
    }

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct OldOutput(Box<RawValue>);

    let modules: Option<Vec<Module>> =
        serde_json::from_slice(text).map_err(|_| invalid("its modules cannot be read"))?;
    let root = modules.unwrap_or_default().into_iter().find(|module| module.path == ["root"]);
    let outputs = root.and_then(|module| module.outputs).unwrap_or_default();
    let read = |raw: Box<RawValue>| {
        if raw.get().starts_with('{') {
            serde_json::from_str(raw.get()).map_err(|_| invalid("its outputs cannot be read"))
        } else {
            Ok(Output { value: raw, type_expression: None, is_sensitive: false })
        }
    };
    outputs.into_iter().map(|(name, output)| Ok((name, read(output.0)?))).collect::<Result<_>>().map(Outputs)
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
    fn numbers_keep_their_digits() {
        let outputs =
            read(r#"{"version":4,"outputs":{"n":{"value":12345678901234567890.10,"type":"number"}}}"#)
                .unwrap();
        assert_eq!(outputs.get("n").unwrap().value.get(), "12345678901234567890.10");
    }

    #[test]
    fn reading_stops_after_the_outputs() {
        let mut reader = OutputReader::new();
        let start = r#"{"version":4,"serial":1,"outputs":{"a":{"value":"x","type":"string","sensitive":true}},"resources":"#;
        assert_eq!(reader.feed(start.as_bytes()).unwrap(), Progress::Done);
        let outputs = reader.finish().unwrap();
        let output = outputs.get("a").unwrap();
        assert!(output.is_sensitive);
        assert_eq!(output.as_plain_text().as_deref(), Some("x"));
    }

    #[test]
    fn outputs_are_found_behind_the_resources_too() {
        let outputs =
            read(r#"{"resources":[{"outputs":{"no":1}}],"outputs":{"yes":{"value":true}},"version":4}"#)
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
        let outputs = read(r#"{"version":1,"modules":[{"path":["root"],"outputs":{"a":"x"}}]}"#).unwrap();
        assert_eq!(outputs.get("a").unwrap().as_plain_text().as_deref(), Some("x"));
    }

    #[test]
    fn an_encrypted_state_says_that_it_is() {
        let error =
            read(r#"{"serial":3,"lineage":"x","meta":{},"encrypted_data":"AA","encryption_version":"v0"}"#);
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
        assert_eq!(read(r#"{"version":4,"outputs":{"a":{"val"#).unwrap_err().kind(), ErrorKind::InvalidState);
    }
}
