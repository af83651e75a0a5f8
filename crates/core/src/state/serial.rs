//! Giving a state another serial.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::header::{StateHeader, invalid};
use super::members::fold;
use crate::error::Result;
use crate::names::Serial;

/// Returns a state with another serial. No other byte changes: programs that parse a state and write
/// it again have lost digits of numbers and members that they did not know.
///
/// # Errors
/// `InvalidState` if the bytes are no state, or have no serial as a number.
pub fn with_serial(state: &[u8], serial: Serial) -> Result<Bytes> {
    let text = str::from_utf8(state).map_err(|_| invalid("it is not UTF-8"))?;
    let values = serials(text).map_err(|_| invalid("it is not a JSON object"))?;
    let is_number = |span: &Range<usize>| {
        text.get(span.clone()).is_some_and(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut changed = BytesMut::with_capacity(state.len() + 20);
    let mut end = 0;
    // Of several members with this name the last counts; giving all of them the serial leaves no
    // doubt.
    for span in values.into_iter().filter(is_number) {
        changed.extend_from_slice(state.get(end..span.start).unwrap_or_default());
        changed.extend_from_slice(serial.to_string().as_bytes());
        end = span.end;
    }
    changed.extend_from_slice(state.get(end..).unwrap_or_default());
    let changed = changed.freeze();
    if StateHeader::parse(&changed)?.serial != serial {
        return Err(invalid("it has no serial that could be raised"));
    }
    Ok(changed)
}

/// Returns where the values of the top-level members named `serial` are.
fn serials(text: &str) -> Result<Vec<Range<usize>>, serde_json::Error> {
    struct Spans<'a>(&'a str);

    impl<'de> Visitor<'de> for Spans<'de> {
        type Value = Vec<Range<usize>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut spans = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                if fold(&name) == "serial" {
                    // The value is a part of the text.
                    let start = value.get().as_ptr() as usize - self.0.as_ptr() as usize;
                    spans.push(start..start + value.get().len());
                }
            }
            Ok(spans)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let spans = deserializer.deserialize_map(Spans(text))?;
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
