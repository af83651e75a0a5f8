//! The text of a shared AWS file, read as tolerantly as native clients do.
//!
//! The SDK's own reader stops at the first line that it does not understand, knows `=` but not `:`,
//! keeps quotes, and ignores profiles with a blank in their name. This reader skips a line that is
//! neither a header, nor a property, nor a comment, nor the continuation of a property, and keeps
//! its number for a warning.

use std::collections::BTreeMap;

/// The kind of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Profile,
    SsoSession,
    Services,
}

/// A property of a section.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) value: String,
    /// The indented lines below a property without a value, with their line numbers.
    pub(super) members: BTreeMap<String, (String, usize)>,
    pub(super) line: usize,
}

pub(super) type Section = BTreeMap<String, Property>;

/// A file's sections, and the lines that were skipped.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) sections: BTreeMap<(About, String), Section>,
    pub(super) skipped: Vec<usize>,
}

/// Parses a file. Only in `config` does the word `profile` precede the names of profiles.
pub(super) fn parse(bytes: &[u8], is_config: bool) -> Parsed {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut parsed = Parsed::default();
    // The current section; its inner `None` is a section that is not used.
    let mut section: Option<Option<(About, String)>> = None;
    let mut property: Option<String> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let Ok(line) = std::str::from_utf8(line) else {
            parsed.skipped.push(number);
            continue;
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let text = line.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if line.chars().any(|c| c.is_control() && c != '\t') {
            parsed.skipped.push(number);
            continue;
        }
        if let Some(name) = header(text) {
            section = Some(about(name, is_config));
            property = None;
            if let Some(Some(about)) = &section {
                parsed.sections.entry(about.clone()).or_default();
            }
            continue;
        }
        let Some(open) = &section else {
            parsed.skipped.push(number);
            continue;
        };
        let Some(open) = open.as_ref().and_then(|about| parsed.sections.get_mut(about)) else {
            continue;
        };
        let is_indented = line.starts_with([' ', '\t']);
        let above = property.as_ref().and_then(|name| open.get_mut(name));
        match (split(text), above) {
            (Some((name, value)), Some(above)) if is_indented && above.value.is_empty() => {
                above.members.insert(name, (value, number));
            }
            (Some((name, value)), _) => {
                open.insert(
                    name.clone(),
                    Property { value, members: BTreeMap::new(), line: number },
                );
                property = Some(name);
            }
            (None, Some(above)) if is_indented && !above.value.is_empty() => {
                above.value.push('\n');
                above.value.push_str(text);
            }
            _ => parsed.skipped.push(number),
        }
    }
    parsed
}

fn header(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    let (name, rest) = inner.split_once(']')?;
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with(['#', ';'])).then(|| name.trim())
}

fn about(name: &str, is_config: bool) -> Option<(About, String)> {
    let behind = |word: &str| {
        let rest = name.strip_prefix(word)?;
        rest.starts_with([' ', '\t']).then(|| rest.trim().to_owned())
    };
    if !is_config {
        return Some((About::Profile, name.to_owned()));
    }
    if let Some(name) = behind("profile") {
        return Some((About::Profile, name));
    }
    if let Some(name) = behind("sso-session") {
        return Some((About::SsoSession, name));
    }
    if let Some(name) = behind("services") {
        return Some((About::Services, name));
    }
    (name == "default").then(|| (About::Profile, name.to_owned()))
}

/// Splits a property into its name in lower case, and its value without a comment and without
/// quotes.
fn split(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let name = name.trim();
    if name.is_empty() || name.starts_with('[') {
        return None;
    }
    let comment = value
        .char_indices()
        .zip(std::iter::once(' ').chain(value.chars()))
        .find(|((_, c), before)| matches!(c, '#' | ';') && matches!(before, ' ' | '\t'));
    let value = comment.map_or(value, |((at, _), _)| &value[..at]).trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    });
    Some((name.to_ascii_lowercase(), unquoted.unwrap_or(value).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &[u8], is_config: bool, profile: &str, name: &str) -> Option<String> {
        let parsed = parse(text, is_config);
        let section = parsed.sections.get(&(About::Profile, profile.to_owned()))?;
        section.get(name).map(|property| property.value.clone())
    }

    #[test]
    fn indentation_colons_quotes_and_comments_do_not_change_a_value() {
        for text in [
            &b"[default]\na = b\n"[..],
            b"[default]\n  # work\na = b\n",
            b"[default]\n  a = b\n",
            b"[default]\nx = y\n  a: b\n",
            b"[default] # mine\r\nA=\"b\"\r\n",
            b"\xef\xbb\xbf[ default ]\na = 'b' ; said twice\n",
        ] {
            assert_eq!(
                value(text, true, "default", "a").as_deref(),
                Some("b"),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        assert_eq!(
            value(b"[default]\na = \"b\" \"c\"\n", true, "default", "a").unwrap(),
            "\"b\" \"c\""
        );
        assert_eq!(value(b"[default]\na = b#c\n", true, "default", "a").unwrap(), "b#c");
    }

    #[test]
    fn broken_lines_are_passed_over_and_numbered() {
        let text = b"stray\n[profile old] /* note */\n[default]\nwhat is this\na = \xff\nb = 1\n";
        let parsed = parse(text, true);
        assert_eq!(parsed.skipped, [1, 2, 4, 5]);
        assert_eq!(value(text, true, "default", "b").as_deref(), Some("1"));
    }

    #[test]
    fn a_name_is_what_stands_between_the_word_and_the_bracket() {
        for name in ["My Mac", "Büro", "a,b(c)"] {
            let text = format!("[profile {name}]\na = b\n");
            assert_eq!(value(text.as_bytes(), true, name, "a").as_deref(), Some("b"), "{name}");
            let text = format!("[{name}]\na = b\n");
            assert_eq!(value(text.as_bytes(), false, name, "a").as_deref(), Some("b"), "{name}");
            assert_eq!(value(text.as_bytes(), true, name, "a"), None, "{name}");
        }
    }

    #[test]
    fn members_stand_indented_below_a_property_without_a_value() {
        let parsed = parse(b"[services lab]\ns3 =\n  endpoint_url = http://s3/\n", true);
        let section = &parsed.sections[&(About::Services, "lab".to_owned())];
        assert_eq!(section["s3"].members["endpoint_url"], ("http://s3/".to_owned(), 3));
    }
}
