//! Paths of attributes, as an expression of Terraform spells them.

/// Returns the path of a member. A name that is no identifier is an index.
pub(crate) fn member(path: &str, name: &str) -> String {
    let is_identifier = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match (is_identifier, path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{}]", serde_json::Value::from(name)),
    }
}

/// Returns the path of an element.
pub(crate) fn element(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}

/// Returns the path of the value that a text holds as JSON.
pub(crate) fn decoded(path: &str) -> String {
    format!("jsondecode({path})")
}
