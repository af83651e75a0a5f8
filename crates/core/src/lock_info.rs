//! The lock record that a holder stores.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::error::Result;
use crate::names::{ClaimId, LockId};

/// A lock record: who holds a lock and why. Terraform, OpenTofu and this library write it into lock
/// files and lock items.
///
/// [`to_json`](Self::to_json) yields exactly the bytes that Go's encoder makes of the same values.
/// That matters: OpenTofu removes a DynamoDB lock only if the stored text equals its own rendering
/// of the record. The record has exactly these seven fields, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// The lock's id.
    pub id: LockId,
    /// The holder's operation, such as `OperationTypeApply`. Free text, for people.
    pub operation: String,
    /// More information from the holder; usually empty.
    pub info: String,
    /// `user@host`, as the holder reports it; not authenticated.
    pub who: String,
    /// The version of the holder's program.
    pub version: String,
    /// When the holder took the lock, UTC, by the holder's clock. [`LockInfo::NO_TIME`] if the
    /// record has no time.
    pub created: Timestamp,
    /// The locked object: `<bucket>/<state key>`, set by the store.
    pub path: String,
}

/// Why a text is not a lock record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfoError(String);

impl fmt::Display for LockInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LockInfoError {}

impl LockInfo {
    /// The time that Go writes if none was set: `0001-01-01T00:00:00Z`.
    pub const NO_TIME: Timestamp = Timestamp::constant(-62_135_596_800, 0);

    /// Creates a record with a new random id.
    ///
    /// # Errors
    /// `Local` if the system yields no random bytes.
    pub fn new(
        operation: impl Into<String>,
        who: impl Into<String>,
        version: impl Into<String>,
        created: Timestamp,
    ) -> Result<Self> {
        Ok(Self {
            id: LockId::random()?,
            operation: operation.into(),
            info: String::new(),
            who: who.into(),
            version: version.into(),
            created,
            path: String::new(),
        })
    }

    /// Sets the information for people.
    #[must_use]
    pub fn with_info(mut self, info: impl Into<String>) -> Self {
        self.info = info.into();
        self
    }

    /// Sets the path of the locked object.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Renders the record as Go's `encoding/json` does: compact, without a newline at the end.
    pub fn to_json(&self) -> String {
        let created = self.created.to_string();
        let fields = [
            ("ID", self.id.as_str()),
            ("Operation", &self.operation),
            ("Info", &self.info),
            ("Who", &self.who),
            ("Version", &self.version),
            ("Created", &created),
            ("Path", &self.path),
        ];
        let mut json = String::with_capacity(256);
        for (index, (name, value)) in fields.into_iter().enumerate() {
            json.push(if index == 0 { '{' } else { ',' });
            push_go_string(&mut json, name);
            json.push(':');
            push_go_string(&mut json, value);
        }
        json.push('}');
        json
    }

    /// Parses a record as tolerantly as Go does: unknown fields are ignored, missing ones are
    /// empty, names match in any case.
    ///
    /// # Errors
    /// If the text is not a JSON object, a field is not a string, `Created` is not RFC 3339, or
    /// there is no id.
    pub fn parse(json: &[u8]) -> Result<Self, LockInfoError> {
        if json.is_empty() {
            return Err(LockInfoError("it is empty".into()));
        }
        // The parser's own message may quote the text: keep only the position.
        let Members(members) = serde_json::from_slice(json).map_err(|error| {
            LockInfoError(format!(
                "not a JSON object (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        let mut record = Self {
            id: LockId::new(""),
            operation: String::new(),
            info: String::new(),
            who: String::new(),
            version: String::new(),
            created: Self::NO_TIME,
            path: String::new(),
        };
        // Of fields with one name, in any case, the last in the text counts.
        for (name, value) in members {
            let name = name.to_ascii_lowercase();
            let text = match value {
                _ if !matches!(
                    &*name,
                    "id" | "operation" | "info" | "who" | "version" | "created" | "path"
                ) =>
                {
                    continue;
                }
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text,
                _ => return Err(LockInfoError(format!("field `{name}` is not a string"))),
            };
            match &*name {
                "id" => record.id = LockId::new(text),
                "operation" => record.operation = text,
                "info" => record.info = text,
                "who" => record.who = text,
                "version" => record.version = text,
                "created" => {
                    record.created = time(&text).ok_or_else(|| {
                        LockInfoError("field `created` is not an RFC 3339 time".into())
                    })?;
                }
                _ => record.path = text,
            }
        }
        if record.id.as_str().is_empty() {
            return Err(LockInfoError("it has no `ID`".into()));
        }
        Ok(record)
    }
}

/// Parses a time. A [`Timestamp`] cannot hold the last hours of the year 9999, which people write
/// for "never": they become the last moment that it can.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let pieces = Pieces::parse(text).ok()?;
        (pieces.date().year() == 9999 && pieces.time().is_some() && pieces.offset().is_some())
            .then_some(Timestamp::MAX)
    })
}

/// The members of an object, in the order of the text.
struct Members(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Appends a string as Go's encoder writes it, with the HTML characters and the two line separators
/// escaped.
///
/// See <https://pkg.go.dev/encoding/json#Marshal>.
fn push_go_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // Short since Go 1.22, which builds every Terraform from 1.8 on.
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                json.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => json.push(c),
        }
    }
    json.push('"');
}

/// What a lock object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockContent {
    /// A lock record.
    Record(LockInfo),
    /// Something else, and why it cannot be parsed as a record. It is a lock all the same.
    Unreadable(String),
}

impl From<Result<LockInfo, String>> for LockContent {
    fn from(parsed: Result<LockInfo, String>) -> Self {
        parsed.map_or_else(Self::Unreadable, Self::Record)
    }
}

/// A lock as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockRecord {
    /// What the lock object holds.
    pub content: LockContent,
    /// The lock object, as a URL.
    pub object: String,
    /// The claim of the release that is about to remove the lock. Such a lock blocks every client
    /// and belongs to no holder.
    pub claim: Option<ClaimId>,
}

impl LockRecord {
    /// Creates the description of a lock that was found at `object`.
    pub fn new(content: impl Into<LockContent>, object: impl Into<String>) -> Self {
        Self { content: content.into(), object: object.into(), claim: None }
    }

    /// Sets the claim of a release.
    #[must_use]
    pub fn with_claim(mut self, claim: ClaimId) -> Self {
        self.claim = Some(claim);
        self
    }

    /// Returns whether a release has claimed the lock: it blocks every client, and no client may
    /// work under it any more.
    pub fn is_being_released(&self) -> bool {
        self.claim.is_some()
    }

    /// Returns whether the client with this id holds the lock, and may work under it.
    pub fn is_held_by(&self, id: &LockId) -> bool {
        !self.is_being_released() && self.id() == Some(id)
    }

    /// Returns the id, if the record could be parsed.
    pub fn id(&self) -> Option<&LockId> {
        self.info().map(|info| &info.id)
    }

    /// Returns the record, if it could be parsed.
    pub fn info(&self) -> Option<&LockInfo> {
        match &self.content {
            LockContent::Record(info) => Some(info),
            LockContent::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERRAFORMS: &str = r#"{"ID":"6899922c-a250-66e5-fdc2-283cfe02d43d","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-20T23:56:12.21345392Z","Path":"buck/dir/st.tfstate"}"#;

    fn with_time(created: &str) -> LockInfo {
        LockInfo {
            created: created.parse().unwrap(),
            ..LockInfo::parse(TERRAFORMS.as_bytes()).unwrap()
        }
    }

    #[test]
    fn a_record_of_terraform_is_rendered_again_byte_for_byte() {
        assert_eq!(LockInfo::parse(TERRAFORMS.as_bytes()).unwrap().to_json(), TERRAFORMS);
    }

    #[test]
    fn trailing_zeros_of_the_fraction_are_cut_as_go_cuts_them() {
        for (given, written) in [
            ("2026-11-20T23:56:20.721480730Z", "2026-11-20T23:56:20.72148073Z"),
            ("2026-11-20T23:56:58.661424182Z", "2026-11-20T23:56:58.661424182Z"),
            ("2026-11-20T23:56:58.500000000Z", "2026-11-20T23:56:58.5Z"),
            ("2026-11-20T23:56:58.000000001Z", "2026-11-20T23:56:58.000000001Z"),
            ("2026-11-20T23:56:58.000000000Z", "2026-11-20T23:56:58Z"),
            ("2026-11-20T23:56:58Z", "2026-11-20T23:56:58Z"),
        ] {
            let json = with_time(given).to_json();
            assert!(json.contains(&format!("\"Created\":\"{written}\"")), "{given}: {json}");
        }
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        let mut out = String::new();
        push_go_string(&mut out, "<a>&\u{2028}\u{2029}\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}ü😀");
        assert_eq!(
            out,
            "\"\\u003ca\\u003e\\u0026\\u2028\\u2029\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}ü😀\""
        );
    }

    #[test]
    fn names_match_in_any_case_and_unknown_or_missing_fields_do_no_harm() {
        let info =
            LockInfo::parse(br#"{"id":"x","WHO":"me","Extra":{"a":[1]},"Info":null}"#).unwrap();
        assert_eq!((info.id.as_str(), info.who.as_str(), info.info.as_str()), ("x", "me", ""));
        assert_eq!(info.created, LockInfo::NO_TIME);
    }

    #[test]
    fn of_fields_that_differ_in_case_only_the_last_in_the_text_counts() {
        for (json, id, who) in [
            (r#"{"ID":"1","id":"2","Who":"a","who":"b"}"#, "2", "b"),
            (r#"{"id":"1","ID":"2","who":"a","Who":"b"}"#, "2", "b"),
            (r#"{"iD":"1","ID":"2","Id":"3","WHO":"a","who":null}"#, "3", "a"),
            (r#"{"ID":"1","ID":"2","Who":"a"}"#, "2", "a"),
        ] {
            let info = LockInfo::parse(json.as_bytes()).unwrap();
            assert_eq!((info.id.as_str(), info.who.as_str()), (id, who), "{json}");
        }
    }

    #[test]
    fn every_time_that_go_writes_is_read() {
        let created = |text: &str| {
            let json = format!(r#"{{"ID":"x","Created":"{text}"}}"#);
            LockInfo::parse(json.as_bytes()).map(|info| info.created)
        };
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T00:00:00-12:00",
            "9999-12-30T23:30:00Z",
        ] {
            assert_eq!(created(text), Ok(Timestamp::MAX), "{text}");
        }
        assert_eq!(created("0001-01-01T00:00:00Z"), Ok(LockInfo::NO_TIME));
        assert!(created("0000-01-01T00:00:00Z").is_ok() && created("9999-12-30T21:00:00Z").is_ok());
        for text in
            ["9999-12-31", "9999-12-31T23:59:59", "9999-13-01T00:00:00Z", "never", "", "9999"]
        {
            assert!(created(text).is_err(), "{text}");
        }
    }

    #[test]
    fn opentofus_force_unlock_record_is_read() {
        let json = br#"{"ID":"typed","Operation":"","Info":"","Who":"","Version":"","Created":"0001-01-01T00:00:00Z","Path":""}"#;
        let info = LockInfo::parse(json).unwrap();
        assert_eq!(info.created, LockInfo::NO_TIME);
        assert_eq!(info.to_json().as_bytes(), json);
    }

    #[test]
    fn what_is_no_record_is_refused_without_quoting_it() {
        for text in [
            "",
            "{",
            "[]",
            "\"hunter2\"",
            "{\"ID\":7}",
            "{\"ID\":\"\"}",
            "{}",
            r#"{"ID":"x","Created":"hunter2"}"#,
        ] {
            let error = LockInfo::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn new_ids_have_the_shape_of_a_uuid_and_differ() {
        let make = || LockInfo::new("test", "me@here", "1", Timestamp::UNIX_EPOCH).unwrap().id;
        let (a, b) = (make(), make());
        assert_ne!(a, b);
        assert_eq!(a.as_str().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
