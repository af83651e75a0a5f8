//! Text that makes a terminal do nothing but show it.

/// Replaces what could make a terminal do things, and what could look like a line of ours: a lock
/// file or an output may come from anyone.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for text of ours, whose lines are ours too.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Escapes in JSON what could make a terminal do things. It can only stand inside strings, so the
/// value stays the same.
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
        // Ends of lines and of paragraphs, and marks that reorder what is shown.
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
