//! The `backend` block of the new place.

use remote_state::config::{ConfigKeySpec, ConfigValue, ResolvedConfig};

/// A key of this program alone, which native clients refuse.
const OWN_KEY: &str = "dialect";

/// Returns the lines of the block, without secrets: for those the variables are named.
pub(super) fn lines(scheme: &str, config: &ResolvedConfig) -> Vec<String> {
    let mut lines = vec!["terraform {".to_owned(), format!("  backend \"{scheme}\" {{")];
    let mut object: Option<(&str, bool)> = None;
    for (key, sourced) in config.iter() {
        if key.name == OWN_KEY || !sourced.origin.is_of_configuration() {
            continue;
        }
        let (of, name) = match key.name.split_once('.') {
            Some((of, name)) => (Some((of, key.block)), name),
            None => (None, key.name),
        };
        if of != object {
            close(&mut lines, object);
            match of {
                Some((of, true)) => lines.push(format!("    {of} {{")),
                Some((of, false)) => lines.push(format!("    {of} = {{")),
                None => {}
            }
            object = of;
        }
        let indent = if object.is_some() { "      " } else { "    " };
        lines.push(match key.secret {
            true => format!("{indent}# {name}: {}", instead(key)),
            false => format!("{indent}{name} = {}", written(&sourced.value)),
        });
    }
    close(&mut lines, object);
    lines.extend(["  }".to_owned(), "}".to_owned()]);
    lines
}

fn close(lines: &mut Vec<String>, object: Option<(&str, bool)>) {
    if object.is_some() {
        lines.push("    }".to_owned());
    }
}

/// Returns how to set a secret without writing it down.
fn instead(key: &ConfigKeySpec) -> String {
    match key.env.first() {
        Some(variable) => format!("set the variable {variable}"),
        None => format!("pass it with `-backend-config={}=…`", key.name),
    }
}

/// Returns a value as HCL has it.
pub(super) fn written(value: &ConfigValue) -> String {
    match value {
        ConfigValue::Bool(value) => value.to_string(),
        ConfigValue::Number(text) => text.clone(),
        ConfigValue::String(text) => quoted(text),
        ConfigValue::List(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(", "))
        }
        ConfigValue::Map(texts) => {
            let texts: Vec<_> = texts
                .iter()
                .map(|(name, text)| format!("{} = {}", quoted(name), quoted(text)))
                .collect();
            format!("{{ {} }}", texts.join(", "))
        }
    }
}

/// Returns a text as HCL has it, where `${` and `%{` begin a template.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(scheme: &str, pairs: &[(&str, &str)]) -> String {
        let provider =
            remote_state::providers().iter().find(|found| found.spec().scheme == scheme).unwrap();
        let pairs = pairs.iter().copied();
        let config = ResolvedConfig::from_pairs(provider.spec(), pairs).unwrap();
        lines(scheme, &config).join("\n")
    }

    #[test]
    fn the_block_has_what_was_set_and_no_secret() {
        let pairs = [
            ("bucket", "b"),
            ("key", "a\"${x}/k"),
            ("region", "eu-west-1"),
            ("use_lockfile", "true"),
            ("dialect", "minio"),
            ("endpoints.s3", "http://127.0.0.1:9000"),
            ("access_key", "id"),
            ("secret_key", "hunter2"),
        ];
        let text = block("s3", &pairs);
        for line in [
            "  backend \"s3\" {",
            "    bucket = \"b\"",
            "    key = \"a\\\"$${x}/k\"",
            "    use_lockfile = true",
            "    endpoints = {\n      s3 = \"http://127.0.0.1:9000\"\n    }",
            "# secret_key: set the variable AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("dialect"), "{text}");
    }
}
