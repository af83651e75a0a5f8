//! The `backend` block of the new place.

use remote_state::config::{ConfigKeySpec, ConfigValue, Origin, ResolvedConfig};

/// A key of this program alone, which native clients refuse.
const OWN_KEY: &str = "dialect";

/// The backend that native clients do not have.
const SPACES: &str = "spaces";

/// Returns the lines of the block, without secrets: for those the variables are named.
pub(super) fn lines(scheme: &str, config: &ResolvedConfig) -> Vec<String> {
    if scheme == SPACES { of_spaces(config) } else { of_config(scheme, config) }
}

/// Returns the block for DigitalOcean Spaces, which native clients reach by `backend "s3"`: see
/// <https://docs.digitalocean.com/products/spaces/reference/terraform-backend/>.
fn of_spaces(config: &ResolvedConfig) -> Vec<String> {
    let text = |name: &str| config.string(name).unwrap_or_default();
    let mut lines = vec!["terraform {".to_owned(), "  backend \"s3\" {".to_owned()];
    let mut set = |name: &str, value: &str| lines.push(format!("    {name} = {value}"));
    for name in ["bucket", "key", "workspace_key_prefix", "acl", "profile"] {
        let sourced = config.named(name).filter(|sourced| sourced.origin != Origin::Default);
        if let Some(sourced) = sourced {
            set(name, &written(config, name, &sourced.value));
        }
    }
    let endpoint = match text("endpoint") {
        "" => format!("https://{}.digitaloceanspaces.com", text("region")),
        own => own.to_owned(),
    };
    set("endpoints", &format!("{{ s3 = {} }}", quoted(&endpoint)));
    if !text("endpoint").is_empty() {
        set("use_path_style", "true");
    }
    // The region is in the host's name, and here it is only a part of the signature.
    set("region", "\"us-east-1\"");
    let locks = config.named("use_lockfile");
    let locks = locks.map(|sourced| written(config, "use_lockfile", &sourced.value));
    set("use_lockfile", locks.as_deref().unwrap_or("true"));
    for check in [
        "skip_credentials_validation",
        "skip_requesting_account_id",
        "skip_metadata_api_check",
        "skip_region_validation",
        "skip_s3_checksum",
    ] {
        set(check, "true");
    }
    lines.push(
        "    # the keys: set the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
    );
    lines.extend(["  }".to_owned(), "}".to_owned()]);
    lines
}

fn of_config(scheme: &str, config: &ResolvedConfig) -> Vec<String> {
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
            false => format!("{indent}{name} = {}", written(config, key.name, &sourced.value)),
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

/// Returns a value as HCL has it. A password in a URL is left out.
pub(super) fn written(config: &ResolvedConfig, name: &str, value: &ConfigValue) -> String {
    match value {
        ConfigValue::Bool(value) => value.to_string(),
        ConfigValue::Number(text) => text.clone(),
        ConfigValue::String(_) => quoted(&config.shown(name).unwrap_or_default()),
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
    fn the_block_for_spaces_is_that_of_the_vendors_guide() {
        let text = block("spaces", &[("bucket", "b"), ("key", "k"), ("region", "nyc3")]);
        for line in [
            "  backend \"s3\" {",
            "    endpoints = { s3 = \"https://nyc3.digitaloceanspaces.com\" }",
            "    region = \"us-east-1\"",
            "    use_lockfile = true",
            "    skip_s3_checksum = true",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
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
            ("http_proxy", "http://me:hunter2@proxy:8080"),
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
