//! Outputs as lines of a `.tfvars` file.
//!
//! The values are expressions of HCL, which are JSON but for strings: there `${` and `%{` begin a
//! template, and fewer escapes are known. See
//! <https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md>.

use serde_json::value::RawValue;

use crate::values::pretty_json;

/// Returns `name = value`; `None` if this cannot be the name of a variable.
pub(crate) fn line(name: &str, value: &RawValue) -> Option<String> {
    is_identifier(name).then(|| format!("{name} = {}", expression(&pretty_json(value))))
}

fn is_identifier(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c == '_' || c.is_alphabetic());
    begins && name.chars().all(|c| c == '_' || c == '-' || c.is_alphanumeric())
}

/// Replaces the strings of a JSON text.
fn expression(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = end_of_string(rest);
        // The state was parsed already, and its strings are valid.
        let string: String = serde_json::from_str(&rest[..end]).unwrap_or_default();
        push_quoted(&mut text, &string);
        rest = &rest[end..];
    }
    text.push_str(rest);
    text
}

/// Returns how long the string is with which the text begins.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    let closing = text.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    });
    closing.map_or(text.len(), |closing| closing + 2)
}

fn push_quoted(text: &mut String, string: &str) {
    text.push('"');
    let mut chars = string.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => text.extend([c, c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, json: &str) -> Option<String> {
        line(name, &RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn strings_are_written_as_hcl_reads_them_and_numbers_as_they_are() {
        for (json, expected) in [
            (r#""a""#, r#"x = "a""#),
            (r#""it's \"5\" ${id} %{if} $$ $ \\""#, r#"x = "it's \"5\" $${id} %%{if} $$ $ \\""#),
            (r#""l\n\t\r\b\/\u0041\ud83d\ude00\u0000""#, r#"x = "l\n\t\r\u0008/A😀\u0000""#),
            ("12345678901234567890.10", "x = 12345678901234567890.10"),
            ("null", "x = null"),
            ("[]", "x = []"),
            (r#"{"a.b":1}"#, "x = {\n  \"a.b\": 1\n}"),
            (r#"["${x}",true]"#, "x = [\n  \"$${x}\",\n  true\n]"),
        ] {
            assert_eq!(written("x", json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn only_names_that_variables_can_have_are_written() {
        for name in ["a", "pass-word", "_x1", "ü"] {
            assert!(written(name, "1").is_some(), "{name}");
        }
        for name in ["", "1a", "a b", "a=1\nb", "a.b", "-a", "a\""] {
            assert_eq!(written(name, "1"), None, "{name}");
        }
    }
}
