//! Addresses that clients parse before they store a state.

/// Names that do not mean a type of resource at the start of an address.
const RESERVED: [&str; 10] =
    ["arg", "count", "each", "lazy", "local", "path", "self", "template", "terraform", "var"];

/// Returns whether a text is the address of a module: `module.a.module.b["key"].module.c[0]`.
pub(super) fn is_module(text: &str) -> bool {
    modules(&without_space(text)).is_some_and(|(count, rest)| count > 0 && rest.is_empty())
}

/// Returns whether a text is the address of a resource in a configuration: `aws_vpc.a`,
/// `module.m.data.aws_ami.b`, without a key.
pub(super) fn is_configured_resource(text: &str) -> bool {
    modules(&without_space(text)).is_some_and(|(_, rest)| is_resource(rest))
}

fn is_resource(text: &str) -> bool {
    let kinds = ["data.", "ephemeral.", "resource."];
    let behind = kinds.iter().find_map(|kind| text.strip_prefix(kind));
    let names = |text: &str| {
        text.split_once('.').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
    };
    match behind {
        Some(rest) => names(rest),
        None => names(text) && !RESERVED.iter().any(|name| text.split('.').next() == Some(*name)),
    }
}

/// Returns whether a text is the address of a checked object of this kind. Other kinds are
/// accepted.
pub(super) fn is_checked_object(kind: &str, text: &str) -> bool {
    let text = without_space(text);
    let Some((_, rest)) = modules(&text) else {
        return !matches!(kind, "resource" | "output" | "check" | "var");
    };
    match kind {
        "resource" => is_resource(rest.split_once('[').map_or(rest, |(path, _)| path)),
        "output" | "check" | "var" => {
            rest.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.')).is_some_and(is_name)
        }
        _ => true,
    }
}

/// Removes white space outside of quotes, where it has no meaning.
fn without_space(text: &str) -> String {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let keep = |c: &char| {
        if is_quoted {
            is_quoted = is_escaped || *c != '"';
            is_escaped = !is_escaped && *c == '\\';
            return true;
        }
        is_quoted = *c == '"';
        !c.is_whitespace()
    };
    text.chars().filter(keep).collect()
}

/// Returns the number of modules at the start of an address, and the rest; `None` if a module has
/// no name or a bad key.
fn modules(text: &str) -> Option<(usize, &str)> {
    let mut rest = text;
    let mut count = 0;
    while let Some(after) = rest.strip_prefix("module.") {
        let end = after.find(['.', '[']).unwrap_or(after.len());
        if !is_name(&after[..end]) {
            return None;
        }
        count += 1;
        rest = &after[end..];
        if let Some(key) = rest.strip_prefix('[') {
            rest = &key[end_of_key(key)?..];
        }
        match rest.strip_prefix('.') {
            Some("") => return None,
            Some(next) => rest = next,
            None => return rest.is_empty().then_some((count, rest)),
        }
    }
    Some((count, rest))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Returns the position after the `]`.
fn end_of_key(key: &str) -> Option<usize> {
    let Some(text) = key.strip_prefix('"') else {
        let end = key.find(']')?;
        return is_index(&key[..end]).then_some(end + 1);
    };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = &text[at + c.len_utf8()..];
        match c {
            '"' => return after.starts_with(']').then_some(at + 3),
            '\\' => {
                let digits = match chars.next()?.1 {
                    'n' | 'r' | 't' | '"' | '\\' => continue,
                    'u' => 4,
                    'U' => 8,
                    _ => return None,
                };
                let code: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                let _known = char::from_u32(u32::from_str_radix(&code, 16).ok()?)?;
                if code.len() != digits {
                    return None;
                }
            }
            // Doubled, the character stands for itself.
            '$' | '%' if after.starts_with(c) && after[1..].starts_with('{') => drop(chars.next()),
            // An address must not hold a template.
            '$' | '%' if after.starts_with('{') => return None,
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

fn is_index(text: &str) -> bool {
    /// The smallest number that is too large.
    const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
    let is_whole =
        || text.parse::<f64>().is_ok_and(|index| index.fract() == 0.0 && index < TOO_LARGE);
    text.starts_with(|c: char| c.is_ascii_digit()) && (text.parse::<i64>().is_ok() || is_whole())
}
