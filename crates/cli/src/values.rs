//! Formats values of a state as text, unchanged except for white space.

use serde_json::value::RawValue;

/// The number of nesting levels with lines of their own. Deeper ones would be mostly indentation.
const LEVELS: usize = 32;

/// Formats a value on one line.
pub(crate) fn compact(value: &RawValue) -> String {
    laid_out(value.get(), 0)
}

/// Returns the same JSON value without the indentation that it had in the state.
pub(crate) fn as_written(value: &RawValue) -> Box<RawValue> {
    // The compact text of a value is valid.
    RawValue::from_string(compact(value)).unwrap_or_else(|_| value.to_owned())
}

/// Formats a value on one line for people: as [`compact`], without the escapes that only HTML
/// needs.
pub(crate) fn readable(value: &RawValue) -> String {
    without_html_escapes(&compact(value))
}

/// Formats a value as JSON on several lines.
pub(crate) fn pretty_json(value: &RawValue) -> String {
    laid_out(value.get(), LEVELS)
}

/// Formats a value for people: strings in quotes, everything else indented.
pub(crate) fn pretty(value: &RawValue) -> String {
    without_html_escapes(&pretty_json(value))
}

/// Undoes the escapes that Go writes for HTML, in every URL with two parameters. All others stay:
/// they may represent characters that a terminal cannot show.
fn without_html_escapes(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = rest.get(..6).map(str::to_ascii_lowercase);
        let (meant, taken) = match escape.as_deref() {
            Some("\\u0026") => ("&", 6),
            Some("\\u003c") => ("<", 6),
            Some("\\u003e") => (">", 6),
            // Copy both bytes of an escape, so that the second of two backslashes begins none.
            _ => {
                let end = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                (&rest[..end], end)
            }
        };
        text.push_str(meant);
        rest = &rest[taken..];
    }
    text.push_str(rest);
    text
}

/// Formats the text in one pass, without recursion: the author of the state chose how deep the
/// value is.
fn laid_out(json: &str, levels: usize) -> String {
    let breaks = |depth: usize| (1..=levels).contains(&depth);
    let break_line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    let mut text = String::with_capacity(json.len());
    let mut depth = 0_usize;
    // Right after an opening bracket: it may be empty.
    let mut is_fresh = false;
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_ascii_whitespace() => continue,
            '}' | ']' => {
                if breaks(depth) && !is_fresh {
                    break_line(&mut text, depth - 1);
                }
                depth = depth.saturating_sub(1);
            }
            _ if is_fresh && breaks(depth) => break_line(&mut text, depth),
            _ => {}
        }
        is_fresh = matches!(c, '{' | '[');
        text.push(c);
        match c {
            '{' | '[' => depth += 1,
            ',' if breaks(depth) => break_line(&mut text, depth),
            ':' if breaks(depth) => text.push(' '),
            '"' => push_string(&mut text, &mut chars),
            _ => {}
        }
    }
    text
}

/// Copies the rest of a string, including its closing quote.
fn push_string(text: &mut String, chars: &mut std::str::Chars<'_>) {
    while let Some(c) = chars.next() {
        text.push(c);
        match c {
            '"' => return,
            '\\' => text.extend(chars.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn only_the_space_between_changes() {
        let value =
            raw("{ \"b\" : [ 1.10 ,\r\n{ } , [ ] ] , \"a\" : \"x , \\\" [ \\\\\" , \"b\":1E400 }");
        assert_eq!(compact(&value), r#"{"b":[1.10,{},[]],"a":"x , \" [ \\","b":1E400}"#);
        assert_eq!(
            pretty(&value),
            "{\n  \"b\": [\n    1.10,\n    {},\n    []\n  ],\n  \"a\": \"x , \\\" [ \\\\\",\n  \
             \"b\": 1E400\n}"
        );
        for json in ["null", "\"a b\"", "-1.50", "[]", "{}"] {
            assert_eq!(
                (compact(&raw(json)), pretty(&raw(json))),
                (json.to_owned(), json.to_owned())
            );
        }
    }

    /// Escapes that Go writes only for HTML, and those that look like them.
    #[test]
    fn people_see_what_only_html_must_not() {
        for (json, expected) in [
            (r#""a=1\u0026b=2""#, r#""a=1&b=2""#),
            (r#"["\u003ca\u003E"]"#, r#"["<a>"]"#),
            (r#""\\u0026\\\u0026""#, r#""\\u0026\\&""#),
            (r#""\u2028\u001b\n\"\u00e9""#, r#""\u2028\u001b\n\"\u00e9""#),
        ] {
            assert_eq!(readable(&raw(json)), expected, "{json}");
            assert_eq!(compact(&raw(json)), json);
        }
    }

    #[test]
    fn a_value_may_be_as_deep_as_it_likes() {
        let json = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(compact(&raw(&json)), json);
        assert_eq!(as_written(&raw(&json)).get(), json);
        let pretty = pretty(&raw(&json));
        assert_eq!(pretty.lines().count(), 2 * LEVELS + 1);
        assert_eq!(pretty.split_ascii_whitespace().collect::<String>(), json);
    }
}
