//! Makes text safe to print on a terminal.

/// Replaces characters that could control a terminal or imitate a line of this program: anyone may
/// have written a lock file or an output.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for text of this program, whose line ends stay.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Escapes characters in JSON that could control a terminal. They can only occur inside strings, so
/// the value stays the same.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) && !matches!(c, '\t' | '\r' | '\n') {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        // Line and paragraph separators, and marks that reorder text.
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reordering_marks_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\u{202e}c\rd"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        assert_eq!(harmless("ü\n✓"), "ü\u{fffd}✓");
        assert_eq!(harmless_lines("ü\n✓\r"), "ü\n✓\u{fffd}");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let json = "{\n  \"a\u{202e}\": \"\u{9b}2J\"\n}";
        assert_eq!(escaped(json), "{\n  \"a\\u202e\": \"\\u009b2J\"\n}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&escaped(json)), value(json));
    }
}
