//! Conversion of settings to the types of their keys.

use std::collections::BTreeMap;

use crate::advice::{Advice, KeyValue};
use crate::config::setting::Setting;
use crate::config::spec::{ConfigKeySpec, ValueKind};
use crate::config::value::{ConfigValue, Origin, Sourced, without_userinfo};
use crate::error::{Error, Result};

/// What prevents the evaluation of a JSON string that contains `${` or `%{`.
pub(crate) const TEMPLATE_IN_JSON: &str = "a template in JSON";

/// The most characters of a value that messages show.
const MAX_SHOWN: usize = 60;

/// Converts a setting to the type of its key; `None` is null.
///
/// # Errors
/// `ConfigInvalid` with the key, where the value was set and the expected form. The error shows the
/// value unless the key is secret.
pub(crate) fn convert(
    key: &ConfigKeySpec,
    given: &Sourced<Setting>,
) -> Result<Option<ConfigValue>> {
    let from_environment = matches!(given.origin, Origin::Environment(_));
    let converted = match (key.kind, &given.value) {
        (_, Setting::Null) => return Ok(None),
        (_, Setting::Deferred(reason)) => {
            return Err(deferred(key.name, reason, key.secret, &given.origin));
        }
        (ValueKind::Bool, value) => bool(value, from_environment).map(ConfigValue::Bool),
        (ValueKind::Number, value) => number(value).map(ConfigValue::Number),
        (ValueKind::String, value) => text(value).map(ConfigValue::String),
        // A variable holds one path or one word; nothing in it says where to split.
        (ValueKind::StringList, Setting::String(one)) if from_environment => {
            Some(ConfigValue::List(vec![one.clone()]))
        }
        (ValueKind::StringList, Setting::List(items)) => {
            // Native clients accept a null in a set and then ignore it.
            let items = items.iter().filter(|item| **item != Setting::Null);
            items.map(text).collect::<Option<_>>().map(ConfigValue::List)
        }
        (ValueKind::StringMap, Setting::Object(members)) => map(members).map(ConfigValue::Map),
        (ValueKind::StringList | ValueKind::StringMap, _) => None,
    };
    converted.map(Some).ok_or_else(|| invalid(key, given))
}

/// The replacement for names in messages about an expression of a secret key: a secret without its
/// quotes parses as a name.
pub(crate) const NAME_OR_CALL: &str = "a name or a call";

/// Creates the error for an expression that this library cannot evaluate.
pub(crate) fn deferred(name: &str, reason: &str, is_secret: bool, origin: &Origin) -> Error {
    let is_template = reason == TEMPLATE_IN_JSON;
    let reason = if is_secret && !is_template { NAME_OR_CALL } else { reason };
    let terraform = if is_template {
        "Terraform takes it literally"
    } else {
        "Terraform refuses names and function calls here"
    };
    Error::config(format!("`{name}` is set by an expression with {reason}"))
        .with_context("set in", origin)
        .with_context("evaluated by", format_args!("OpenTofu only; {terraform}"))
        .with_hint("run `tofu init` first: the value is then read from what it records")
        .with_advice(Advice::OverrideKey(KeyValue::new(name.to_owned())))
}

/// Converts a text to a bool. Terraform converts these four texts and no others. Variables may hold
/// more texts, as in the vendors' tools.
fn bool(value: &Setting, any_case: bool) -> Option<bool> {
    match value {
        Setting::Bool(value) => Some(*value),
        Setting::String(text) => {
            match if any_case { text.to_ascii_lowercase() } else { text.clone() }.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            }
        }
        _ => None,
    }
}

fn number(value: &Setting) -> Option<String> {
    let (Setting::Number(text) | Setting::String(text)) = value else { return None };
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    (digits && plain && text.parse::<f64>().is_ok_and(f64::is_finite)).then(|| text.clone())
}

fn text(value: &Setting) -> Option<String> {
    match value {
        Setting::String(text) | Setting::Number(text) => Some(text.clone()),
        Setting::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn map(members: &[(String, Sourced<Setting>)]) -> Option<BTreeMap<String, String>> {
    let set = members.iter().filter(|(_, value)| value.value != Setting::Null);
    set.map(|(name, value)| Some((name.clone(), text(&value.value)?))).collect()
}

fn invalid(key: &ConfigKeySpec, given: &Sourced<Setting>) -> Error {
    let shown = match &given.value {
        _ if key.secret => None,
        Setting::String(text) | Setting::Number(text) => Some(shown(text)),
        Setting::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let what = shown
        .map_or_else(|| "invalid value".to_owned(), |value| format!("invalid value `{value}`"));
    let (form, example) = match key.kind {
        ValueKind::Bool => ("`true` or `false`", "true"),
        ValueKind::Number => ("a number", "5"),
        ValueKind::String => ("a string", "\"…\""),
        ValueKind::StringList => ("a list of strings", "[\"…\"]"),
        ValueKind::StringMap => ("an object of strings", "{ name = \"…\" }"),
    };
    let name = key.name;
    Error::config(format!("{what} for `{name}`: expected {form}, found {}", given.value.shape()))
        .with_context("set in", &given.origin)
        .with_hint(format!("write it as `{name} = {example}`"))
}

/// Prepares a value for a message: removes control characters and shortens it.
fn shown(text: &str) -> String {
    let text = without_userinfo(text);
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.chars().any(char::is_control) {
        shown = shown.escape_debug().to_string();
    }
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
