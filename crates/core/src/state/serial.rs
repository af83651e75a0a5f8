//! Giving a state another serial or another lineage.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::header::{StateHeader, invalid};
use super::members::fold;
use crate::error::Result;
use crate::names::{Lineage, Serial};

/// Returns a state with another serial. No other byte changes: programs that parse a state and
/// write it again have lost digits of numbers and members that they did not know.
///
/// # Errors
/// `InvalidState` if the bytes are no state, or have no serial as a number.
pub fn with_serial(state: &[u8], serial: Serial) -> Result<Bytes> {
    let is_number = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    let changed = with_value(state, "serial", is_number, &serial.to_string())?;
    if StateHeader::parse(&changed)?.serial != serial {
        return Err(invalid("it has no serial that could be raised"));
    }
    Ok(changed)
}

/// Returns a state with another lineage: to Terraform it is another state. No other byte changes.
///
/// # Errors
/// `InvalidState` if the bytes are no state, or have no lineage as a string.
pub fn with_lineage(state: &[u8], lineage: &Lineage) -> Result<Bytes> {
    let quoted = serde_json::Value::from(lineage.as_str()).to_string();
    let changed = with_value(state, "lineage", |value| value.starts_with('"'), &quoted)?;
    if StateHeader::parse(&changed)?.lineage != *lineage {
        return Err(invalid("it has no lineage that could be replaced"));
    }
    Ok(changed)
}

/// Returns a state with another value of a top-level member, where its value is of the right kind.
fn with_value(
    state: &[u8],
    name: &str,
    is_right: impl Fn(&str) -> bool,
    new: &str,
) -> Result<Bytes> {
    let text = str::from_utf8(state).map_err(|_| invalid("it is not UTF-8"))?;
    let values = values(text, name).map_err(|_| invalid("it is not a JSON object"))?;
    let is_right = |span: &Range<usize>| text.get(span.clone()).is_some_and(&is_right);
    let mut changed = BytesMut::with_capacity(state.len() + new.len());
    let mut end = 0;
    // Of several members with this name the last counts; giving all of them the value leaves no
    // doubt.
    for span in values.into_iter().filter(is_right) {
        changed.extend_from_slice(state.get(end..span.start).unwrap_or_default());
        changed.extend_from_slice(new.as_bytes());
        end = span.end;
    }
    changed.extend_from_slice(state.get(end..).unwrap_or_default());
    Ok(changed.freeze())
}

/// Returns where the values of the top-level members with this name are.
fn values(text: &str, name: &str) -> Result<Vec<Range<usize>>, serde_json::Error> {
    struct Spans<'a> {
        text: &'a str,
        name: &'a str,
    }

    impl<'de> Visitor<'de> for Spans<'de> {
        type Value = Vec<Range<usize>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut spans = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                if fold(&name) == self.name {
                    // The value is a part of the text.
                    let start = value.get().as_ptr() as usize - self.text.as_ptr() as usize;
                    spans.push(start..start + value.get().len());
                }
            }
            Ok(spans)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let spans = deserializer.deserialize_map(Spans { text, name })?;
    deserializer.end()?;
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(state: &str, serial: u64) -> Option<String> {
        let bytes = with_serial(state.as_bytes(), Serial(serial)).ok()?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn only_the_digits_of_the_serial_change() {
        for (state, expected) in [
            (
                "{\n  \"version\": 4,\n  \"serial\": 9,\n  \"lineage\": \"l\"\n}\n",
                "{\n  \"version\": 4,\n  \"serial\": 12,\n  \"lineage\": \"l\"\n}\n",
            ),
            (
                r#"{"version":4,"outputs":{"serial":{"value":{"serial":9}}},"x":1.50e2,"serial":9}"#,
                r#"{"version":4,"outputs":{"serial":{"value":{"serial":9}}},"x":1.50e2,"serial":12}"#,
            ),
            (
                r#" {"version":4 , "s\u0065rial" : 18446744073709551615 }"#,
                r#" {"version":4 , "s\u0065rial" : 12 }"#,
            ),
            (
                r#"{"version":4,"serial":1,"Serial":2,"serial":3}"#,
                r#"{"version":4,"serial":12,"Serial":12,"serial":12}"#,
            ),
        ] {
            assert_eq!(raised(state, 12).as_deref(), Some(expected), "{state}");
        }
    }

    #[test]
    fn only_the_text_of_the_lineage_changes() {
        for (state, expected) in [
            (
                "{\n  \"version\": 4,\n  \"serial\": 9,\n  \"lineage\": \"l\"\n}\n",
                Some("{\n  \"version\": 4,\n  \"serial\": 9,\n  \"lineage\": \"m-2\"\n}\n"),
            ),
            (
                r#"{"version":4,"Lineage":"a","x":{"lineage":"l"},"lineage":""}"#,
                Some(r#"{"version":4,"Lineage":"m-2","x":{"lineage":"l"},"lineage":"m-2"}"#),
            ),
            (r#"{"version":4,"serial":9}"#, None),
            (r#"{"version":4,"lineage":7}"#, None),
            ("x", None),
        ] {
            let bytes = with_lineage(state.as_bytes(), &Lineage::new("m-2")).ok();
            let text = bytes.as_deref().map(|bytes| str::from_utf8(bytes).unwrap());
            assert_eq!(text, expected, "{state}");
        }
    }

    #[test]
    fn a_state_without_a_number_as_its_serial_is_refused() {
        for state in [
            r#"{"version":4}"#,
            r#"{"version":4,"serial":null}"#,
            r#"{"version":4,"serial":"9"}"#,
            r#"{"version":4,"serial":-1}"#,
            r#"{"serial":9}"#,
            r#"[{"version":4,"serial":9}]"#,
            r#"{"version":4,"serial":9} x"#,
            "",
        ] {
            assert_eq!(raised(state, 12), None, "{state}");
        }
        assert!(with_serial(b"{\"version\":4,\"serial\":9,\"x\":\"\xff\"}", Serial(1)).is_err());
    }
}
