//! Addresses of resource instances: writing, ordering, and parsing what people type.

use serde_json::value::RawValue;

use crate::state::members;

/// The key by which the instances of a module or a resource differ, in the order in which Terraform
/// lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// There is only one instance.
    None,
    /// A number, of `count`.
    Number(i64),
    /// A text, of `for_each`.
    Text(String),
    /// A value that no program writes as a key, as the state has it.
    Other(String),
}

impl Key {
    /// Parses `index_key`. Like Go, it reads a number as a float and drops the fraction.
    pub(super) fn of(value: Option<&RawValue>) -> Self {
        value.map_or(Self::None, |value| Self::parse(value.get()))
    }

    /// Parses the JSON of an `index_key`. Like Go, it reads a number as a float and drops the
    /// fraction.
    pub fn parse(json: &str) -> Self {
        if let Some(text) = members::text(json) {
            return Self::Text(text);
        }
        match json.parse::<i64>() {
            Ok(number) => Self::Number(number),
            Err(_) => match json.parse::<f64>() {
                #[expect(clippy::cast_possible_truncation, reason = "as Go does")]
                Ok(number) => Self::Number(number as i64),
                Err(_) => Self::Other(json.to_owned()),
            },
        }
    }

    fn push_to(&self, address: &mut String) {
        match self {
            Self::None => {}
            Self::Number(number) => address.push_str(&format!("[{number}]")),
            Self::Text(text) => {
                address.push_str("[\"");
                push_quoted(address, text);
                address.push_str("\"]");
            }
            Self::Other(json) => address.push_str(&format!("[{json}]")),
        }
    }
}

/// The address of an instance. Addresses sort as in `terraform state list`: the root first and
/// deeper modules after all shallower ones, data sources before resources, then by type, name and
/// key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    depth: usize,
    modules: Vec<(String, Key)>,
    is_managed: bool,
    kind: String,
    name: String,
    key: Key,
}

impl Address {
    pub(super) fn new(
        modules: Vec<(String, Key)>,
        mode: &str,
        kind: &str,
        name: &str,
        key: Key,
    ) -> Self {
        Self {
            depth: modules.len(),
            modules,
            is_managed: mode != "data",
            kind: kind.to_owned(),
            name: name.to_owned(),
            key,
        }
    }

    /// Returns the address of the module, the mode, and the name.
    pub(super) fn parts(&self) -> (String, &'static str, &str) {
        let mut module = self.module_path();
        let _: Option<char> = module.pop();
        (module, if self.is_managed { "managed" } else { "data" }, &self.name)
    }

    /// Returns the key as the JSON of a state.
    pub(super) fn index_key(&self) -> Option<Box<RawValue>> {
        let json = match &self.key {
            Key::None => return None,
            Key::Number(number) => number.to_string(),
            Key::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Key::Other(json) => json.clone(),
        };
        RawValue::from_string(json).ok()
    }

    /// Writes the modules, with a dot after each.
    fn module_path(&self) -> String {
        let mut path = String::new();
        for (name, key) in &self.modules {
            path.push_str("module.");
            path.push_str(name);
            key.push_to(&mut path);
            path.push('.');
        }
        path
    }

    /// Writes the address as the command line of Terraform does.
    pub(super) fn write(&self) -> String {
        let mut address = self.module_path();
        if !self.is_managed {
            address.push_str("data.");
        }
        address.push_str(&self.kind);
        address.push('.');
        address.push_str(&self.name);
        self.key.push_to(&mut address);
        address
    }
}

/// Parses the address of a module, such as `module.net["a"].module.sub[0]`. A text that cannot be
/// parsed becomes one step, unchanged.
pub(super) fn modules(address: &str) -> Vec<(String, Key)> {
    let mut steps = Vec::new();
    let mut rest = address;
    while !rest.is_empty() {
        let after = rest.strip_prefix("module.").unwrap_or(rest);
        let end = after.find(['.', '[']).unwrap_or(after.len());
        let name = after[..end].to_owned();
        let (key, behind) = read_key(&after[end..]).unwrap_or((Key::None, &after[end..]));
        let Some(behind) = behind.strip_prefix('.').or(behind.is_empty().then_some("")) else {
            return vec![(
                address.strip_prefix("module.").unwrap_or(address).to_owned(),
                Key::None,
            )];
        };
        steps.push((name, key));
        rest = behind;
    }
    steps
}

/// Returns an address in this library's spelling. The input may have been typed or copied: its key
/// may be escaped as in JSON, or not at all, or have quotes that a shell left a backslash before.
pub(super) fn normalised(typed: &str) -> String {
    let unquoted;
    let mut rest = typed;
    if typed.contains("[\\\"") {
        unquoted = typed.replace("[\\\"", "[\"").replace("\\\"]", "\"]");
        rest = &unquoted;
    }
    let mut address = String::with_capacity(rest.len());
    while let Some(at) = rest.find('[') {
        address.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((key, behind)) = read_key(rest) {
            key.push_to(&mut address);
            rest = behind;
        } else {
            address.push('[');
            rest = &rest[1..];
        }
    }
    address.push_str(rest);
    address
}

/// Parses `[0]` or `["a"]` at the start, and returns the rest.
fn read_key(text: &str) -> Option<(Key, &str)> {
    let inner = text.strip_prefix('[')?;
    let Some(quoted) = inner.strip_prefix('"') else {
        let (number, rest) = inner.split_once(']')?;
        return Some((Key::Number(number.parse().ok()?), rest));
    };
    let mut key = String::new();
    let mut rest = quoted;
    loop {
        let c = rest.chars().next()?;
        let behind = &rest[c.len_utf8()..];
        rest = behind;
        match c {
            '"' => return Some((Key::Text(key), rest.strip_prefix(']')?)),
            '$' | '%' if behind.starts_with(&format!("{c}{{")) => {
                key.push(c);
                key.push('{');
                rest = &behind[2..];
            }
            '\\' => {
                let (escaped, behind) = read_escape(behind)?;
                key.push(escaped);
                rest = behind;
            }
            _ => key.push(c),
        }
    }
}

/// Parses the text after a backslash, in the spelling of HCL or of JSON.
fn read_escape(text: &str) -> Option<(char, &str)> {
    let letter = text.chars().next()?;
    let rest = &text[letter.len_utf8()..];
    let hex = |digits: usize| {
        let code = u32::from_str_radix(rest.get(..digits)?, 16).ok()?;
        Some((code, &rest[digits..]))
    };
    Some(match letter {
        'n' => ('\n', rest),
        'r' => ('\r', rest),
        't' => ('\t', rest),
        'b' => ('\u{8}', rest),
        'f' => ('\u{c}', rest),
        'u' => {
            let (first, behind) = hex(4)?;
            let second = behind
                .strip_prefix("\\u")
                .and_then(|low| Some((u32::from_str_radix(low.get(..4)?, 16).ok()?, &low[4..])));
            match (first, second) {
                (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, behind))) => {
                    let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                    (char::from_u32(code)?, behind)
                }
                _ => (char::from_u32(first).unwrap_or('\u{fffd}'), behind),
            }
        }
        'U' => {
            let (code, behind) = hex(8)?;
            (char::from_u32(code)?, behind)
        }
        _ => (letter, rest),
    })
}

/// Writes text as HCL has it between quotes.
fn push_quoted(address: &mut String, text: &str) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => address.push_str("\\n"),
            '\r' => address.push_str("\\r"),
            '\t' => address.push_str("\\t"),
            '"' | '\\' => address.extend(['\\', c]),
            '$' | '%' if chars.peek() == Some(&'{') => address.extend([c, c]),
            _ if is_printable(c) => address.push(c),
            _ if u32::from(c) <= 0xffff => address.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => address.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
}

/// Returns whether a character is visible, such as a letter, a number or a symbol, or is the space.
fn is_printable(c: char) -> bool {
    // After another character `escape_debug` escapes exactly the invisible ones and quotes, which
    // are visible.
    matches!(c, '\'' | '"' | '\\') || format!("a{c}").escape_debug().eq(['a', c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> String {
        let value = RawValue::from_string(json.to_owned()).unwrap();
        let mut text = String::new();
        Key::of(Some(&value)).push_to(&mut text);
        text
    }

    /// All texts that JSON spells in more than one way, and all that HCL must escape. `terraform
    /// state list` 1.11.4 printed each expectation.
    #[test]
    fn keys_are_written_as_terraform_writes_them() {
        for (json, expected) in [
            (r#""a\u0026b""#, r#"["a&b"]"#),
            (r#""x-\u003ey""#, r#"["x->y"]"#),
            (r#""${lit} $x $${y} $$""#, r#"["$${lit} $x $$${y} $$"]"#),
            (r#""%{lit}%""#, r#"["%%{lit}%"]"#),
            (r#""nb\u00a0sp""#, r#"["nb\u00a0sp"]"#),
            (
                r#""zw\u200bsp \ud83d\ude00 \udb40\udc01 e\u0301 \ue000""#,
                "[\"zw\\u200bsp \u{1f600} \\U000e0001 e\u{301} \\ue000\"]",
            ),
            (r#""q\"\\\n\r\t\u0007\u007f'""#, r#"["q\"\\\n\r\t\u0007\u007f'"]"#),
            (r#""lone\ud83d.""#, "[\"lone\u{fffd}.\"]"),
            (r#""""#, r#"[""]"#),
            ("0.0", "[0]"),
            ("1e2", "[100]"),
            ("-3", "[-3]"),
            ("5.7", "[5]"),
        ] {
            assert_eq!(key(json), expected, "{json}");
            let address = format!("a.b{expected}");
            assert_eq!(normalised(&address), address, "what was written is read back");
        }
    }

    /// All spellings of a key that may come from an older release, a JSON document or a shell.
    #[test]
    fn other_spellings_mean_the_same_address() {
        for (typed, expected) in [
            (r#"x["a\u0026b"]"#, r#"x["a&b"]"#),
            (r#"x["${lit}"].y["%{a}"]"#, r#"x["$${lit}"].y["%%{a}"]"#),
            (r#"x[\"a\"]"#, r#"x["a"]"#),
            ("x[\"nb\u{a0}\"]", r#"x["nb\u00a0"]"#),
            (r#"x["\ud83d\ude00\/\b"]"#, "x[\"\u{1f600}/\\u0008\"]"),
            ("x[01]", "x[1]"),
            ("x[a", "x[a"),
            ("x[\"a", "x[\"a"),
        ] {
            assert_eq!(normalised(typed), expected, "{typed}");
        }
    }

    #[test]
    fn modules_are_read_with_whatever_is_in_their_keys() {
        let text = |key: &str| Key::Text(key.to_owned());
        assert_eq!(
            modules(r#"module.a["$${q}.module.k]"].module.b[2].module.c"#),
            [
                ("a".into(), text("${q}.module.k]")),
                ("b".into(), Key::Number(2)),
                ("c".into(), Key::None)
            ]
        );
        assert_eq!(modules("m"), [("m".into(), Key::None)]);
        assert_eq!(modules("module.a[x"), [("a[x".into(), Key::None)]);
        assert_eq!(modules(""), []);
    }
}
