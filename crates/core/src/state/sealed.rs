//! A sealed state: a document in the place of a state that has moved, which stops every client.
//!
//! Terraform and OpenTofu parse `terraform_version` of a state before anything else of it, and end
//! with an error that quotes it if it is no version. A state with a sentence there is read by none
//! of their commands and replaced by none, and each of them prints the sentence. The member
//! `remote_state` says the same to programs.

use std::collections::HashMap;
use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::error::{Error, ErrorKind, Result};
use crate::names::{Lineage, Serial, VersionId};
use crate::state::header::invalid;

/// Why a state is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SealKind {
    /// The state is in another place; [`Seal::to`] is its URL.
    Moved,
    /// The state is that of another workspace; [`Seal::to`] is its name.
    Renamed,
    /// A later version of this library knows.
    #[serde(other)]
    Unknown,
}

impl SealKind {
    /// Returns the name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Renamed => "renamed",
            Self::Unknown => "unknown",
        }
    }
}

/// What a sealed state says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seal {
    /// Why it is sealed.
    pub kind: SealKind,
    /// Where the state is now; see [`SealKind`].
    pub to: String,
    /// What native clients print.
    pub sentence: String,
    /// The run that sealed it.
    pub run: String,
    /// The state that was there before.
    pub before: SealedState,
}

/// The state that a sealed state replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedState {
    /// Its serial.
    pub serial: Serial,
    /// The SHA-256 of its bytes, as hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its version, on a bucket that keeps versions.
    pub version: Option<VersionId>,
}

/// A sealed state as it is stored, its members in the order of native clients.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u64,
    terraform_version: String,
    #[serde(default)]
    serial: Serial,
    #[serde(default)]
    lineage: String,
    #[serde(default, skip_deserializing)]
    outputs: Nothing,
    #[serde(default, skip_deserializing)]
    resources: [(); 0],
    #[serde(default, skip_deserializing)]
    check_results: Option<()>,
    remote_state: Member,
}

/// What a sealed state has nothing of.
#[derive(Deserialize)]
struct Contents {
    #[serde(default)]
    outputs: Option<HashMap<String, IgnoredAny>>,
    #[serde(default)]
    resources: Option<Vec<IgnoredAny>>,
}

impl Contents {
    fn are_empty(&self) -> bool {
        self.outputs.as_ref().is_none_or(HashMap::is_empty)
            && self.resources.as_ref().is_none_or(Vec::is_empty)
    }
}

/// An object without members.
#[derive(Default, Serialize)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
struct Member {
    sealed: u64,
    kind: SealKind,
    #[serde(default)]
    to: String,
    #[serde(default)]
    run: String,
    #[serde(default)]
    serial: Serial,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<VersionId>,
}

impl Seal {
    /// The most bytes of a sealed state. Nothing longer needs to be looked at.
    pub const MOST_BYTES: u64 = 4096;

    /// The format of the member `remote_state`.
    const FORMAT: u64 = 1;

    /// The most characters of a sentence: native clients break longer ones over several lines.
    const LONGEST_SENTENCE: usize = 160;

    /// Creates what a sealed state says. The sentence is shortened, and loses quotes and line
    /// breaks: native clients print it inside of quotes.
    pub fn new(
        kind: SealKind,
        to: impl Into<String>,
        sentence: &str,
        run: impl Into<String>,
        before: SealedState,
    ) -> Self {
        let is_plain = |c: &char| !matches!(c, '"' | '\'' | '`' | '\\') && !c.is_control();
        let mut plain: String = sentence.chars().filter(is_plain).collect();
        if let Some((end, _)) = plain.char_indices().nth(Self::LONGEST_SENTENCE - 1)
            && plain.chars().count() > Self::LONGEST_SENTENCE
        {
            plain.truncate(end);
            plain.push('…');
        }
        Self { kind, to: to.into(), sentence: plain, run: run.into(), before }
    }

    /// Returns what the bytes of a state say if it is a sealed one. If it is none, or no state,
    /// this is `None`.
    pub fn of(state: &[u8]) -> Option<Self> {
        if state.len() as u64 > Self::MOST_BYTES {
            return None;
        }
        let found: Document = serde_json::from_slice(state).ok()?;
        // What native clients can work with is a state, whatever else it says.
        let contents: Contents = serde_json::from_slice(state).ok()?;
        let is_version = found.terraform_version.starts_with(|c: char| c.is_ascii_digit());
        if !contents.are_empty() || is_version {
            return None;
        }
        let Member { sealed, kind, to, run, serial, sha256, size, version } = found.remote_state;
        (sealed > 0).then_some(Self {
            kind,
            to,
            sentence: found.terraform_version,
            run,
            before: SealedState { serial, sha256, size_bytes: size, version },
        })
    }

    /// Returns the bytes of the sealed state. Its serial follows that of the state before, so that
    /// saved plans are stale and clients see a newer state.
    ///
    /// # Errors
    /// `InvalidState` if the serial has no next one, or if the document would be longer than
    /// [`MOST_BYTES`](Self::MOST_BYTES).
    pub fn to_state(&self, lineage: &Lineage) -> Result<Bytes> {
        let next = self.before.serial.0.checked_add(1);
        let next = next.ok_or_else(|| invalid("its serial is the last there is"))?;
        let SealedState { serial, sha256, size_bytes, version } = self.before.clone();
        let document = Document {
            version: 4,
            terraform_version: self.sentence.clone(),
            serial: Serial(next),
            lineage: lineage.as_str().to_owned(),
            outputs: Nothing {},
            resources: [],
            check_results: None,
            remote_state: Member {
                sealed: Self::FORMAT,
                kind: self.kind,
                to: self.to.clone(),
                run: self.run.clone(),
                serial,
                sha256,
                size: size_bytes,
                version,
            },
        };
        let mut bytes = BytesMut::new().writer();
        serde_json::to_writer(&mut bytes, &document)
            .map_err(|_| invalid("it cannot be written as JSON"))?;
        let mut bytes = bytes.into_inner();
        bytes.put_u8(b'\n');
        if bytes.len() as u64 > Self::MOST_BYTES {
            return Err(invalid("its place has a name that is too long for a sealed state"));
        }
        Ok(bytes.freeze())
    }

    /// Returns the error for an operation that a sealed state stops. `state` is the state's URL.
    pub fn refusal(&self, operation: &'static str, state: &str) -> Error {
        let message = format!("the state `{state}` is sealed: {self}");
        let error = Error::new(ErrorKind::PreconditionFailed, operation, message);
        match self.way_on() {
            Some(advice) => error.with_advice(advice),
            None => error.with_context("note", &self.sentence),
        }
    }

    /// Returns how to go on with the state in its new place.
    fn way_on(&self) -> Option<Advice> {
        match self.kind {
            SealKind::Moved => Some(Advice::text(
                "set the new backend in the configuration, then run `terraform init -reconfigure`",
            )),
            SealKind::Renamed => Some(Advice::SelectWorkspace(self.to.clone())),
            SealKind::Unknown => None,
        }
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SealKind::Moved => write!(f, "moved to `{}`", self.to),
            SealKind::Renamed => write!(f, "renamed to `{}`", self.to),
            SealKind::Unknown => f.write_str("its place has changed"),
        }
    }
}

impl SealedState {
    /// Describes the state that a sealed state replaces.
    pub fn new(serial: Serial, sha256: impl fmt::Display, size_bytes: u64) -> Self {
        Self { serial, sha256: sha256.to_string(), size_bytes, version: None }
    }

    /// Sets the version's id.
    #[must_use]
    pub fn with_version(mut self, version: Option<VersionId>) -> Self {
        self.version = version;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateHeader;

    fn seal(sentence: &str) -> Seal {
        let before =
            SealedState::new(Serial(42), "ab", 18_204).with_version(Some(VersionId::new("3HL4")));
        Seal::new(SealKind::Moved, "s3://new/net.tfstate", sentence, "run-1", before)
    }

    #[test]
    fn a_sealed_state_says_where_the_state_is_and_is_recognised() {
        let seal = seal("moved to s3://new/net.tfstate on 2026-11-27");
        let bytes = seal.to_state(&Lineage::new("l-1")).unwrap();
        assert_eq!(
            str::from_utf8(&bytes).unwrap(),
            concat!(
                r#"{"version":4,"terraform_version":"moved to s3://new/net.tfstate on 2026-11-27","#,
                r#""serial":43,"lineage":"l-1","outputs":{},"resources":[],"check_results":null,"#,
                r#""remote_state":{"sealed":1,"kind":"moved","to":"s3://new/net.tfstate","#,
                r#""run":"run-1","serial":42,"sha256":"ab","size":18204,"version":"3HL4"}}"#,
                "\n"
            )
        );
        assert_eq!(Seal::of(&bytes), Some(seal));
        let header = StateHeader::parse(&bytes).unwrap();
        assert_eq!((header.serial, header.is_empty), (Serial(43), true));
    }

    #[test]
    fn a_seal_of_a_later_version_stops_too() {
        let text = r#"{"version":4,"terraform_version":"gone","serial":1,"lineage":"l","outputs":{},
            "resources":[],"remote_state":{"sealed":2,"kind":"split","more":[1]}}"#;
        let seal = Seal::of(text.as_bytes()).unwrap();
        assert_eq!(seal.kind, SealKind::Unknown);
        let error = seal.refusal("read", "s3://b/k");
        assert_eq!(error.message(), "the state `s3://b/k` is sealed: its place has changed");
        assert_eq!(error.context(), [("note", "gone".to_owned())]);
    }

    #[test]
    fn other_states_are_not_sealed() {
        for text in [
            "",
            "x",
            r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l"}"#,
            r#"{"version":4,"terraform_version":"1.11.4","remote_state":{"sealed":0,"kind":"moved"}}"#,
            r#"{"version":4,"terraform_version":"1.11.4","remote_state":{"kind":"moved"}}"#,
            r#"{"version":4,"terraform_version":"1.11.4","remote_state":1}"#,
            // Native clients work with these.
            r#"{"version":4,"terraform_version":"1.11.4","remote_state":{"sealed":1,"kind":"moved"}}"#,
            r#"{"version":4,"terraform_version":"x","resources":[{}],
                "remote_state":{"sealed":1,"kind":"moved"}}"#,
            r#"{"version":4,"terraform_version":"x","outputs":{"a":{}},
                "remote_state":{"sealed":1,"kind":"moved"}}"#,
            r#"{"version":4,"outputs":{"remote_state":{"sealed":1,"kind":"moved"}}}"#,
        ] {
            assert_eq!(Seal::of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_sentence_is_short_and_has_neither_quotes_nor_line_breaks() {
        let long = seal(&format!("moved \"to\"\n\\{}", "ü".repeat(500))).sentence;
        assert_eq!(long.chars().count(), Seal::LONGEST_SENTENCE);
        assert!(long.starts_with("moved toü") && long.ends_with("ü…"), "{long}");
        let exact = "x".repeat(Seal::LONGEST_SENTENCE);
        assert_eq!(seal(&exact).sentence, exact);
    }

    #[test]
    fn what_cannot_be_sealed_is_refused() {
        let last = SealedState::new(Serial(u64::MAX), "", 1);
        let last = Seal::new(SealKind::Renamed, "b", "x", "r", last);
        assert!(last.to_state(&Lineage::new("l")).is_err());
        let long = Seal { to: "x".repeat(5000), ..seal("x") };
        assert!(long.to_state(&Lineage::new("l")).is_err());
    }

    #[test]
    fn the_error_names_the_way_on() {
        let renamed = Seal { kind: SealKind::Renamed, to: "b".to_owned(), ..seal("x") };
        let error = renamed.refusal("read", "s3://b/k");
        assert_eq!(error.message(), "the state `s3://b/k` is sealed: renamed to `b`");
        assert_eq!(error.advice(), [Advice::SelectWorkspace("b".to_owned())]);
    }
}
