//! Types and values of outputs, as states write them.

use serde_json::{Map, Value};

/// Returns whether a value names a type.
pub(super) fn is_type(kind: &Value) -> bool {
    match kind {
        Value::String(name) => matches!(&**name, "bool" | "number" | "string" | "dynamic"),
        Value::Array(parts) => match &parts[..] {
            [Value::String(name), of] => match (&**name, of) {
                ("list" | "set" | "map", of) => is_type(of),
                ("tuple", Value::Array(of)) => of.iter().all(is_type),
                ("object", Value::Object(of)) => of.values().all(is_type),
                _ => false,
            },
            [Value::String(name), Value::Object(of), optional] if name == "object" => {
                let is_member =
                    |name: &Value| name.as_str().is_some_and(|name| of.contains_key(name));
                let are_members = optional.as_array().map(|names| names.iter().all(is_member));
                of.values().all(is_type) && are_members.unwrap_or(optional.is_null())
            }
            _ => false,
        },
        _ => false,
    }
}

/// Returns whether a value can be parsed as a type.
pub(super) fn conforms(kind: &Value, value: &Value) -> bool {
    if value.is_null() {
        return true;
    }
    match kind {
        Value::String(kind) => match &**kind {
            "string" => matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)),
            "number" => match value {
                Value::Number(_) => true,
                Value::String(text) => is_number(text),
                _ => false,
            },
            "bool" => match value {
                Value::Bool(_) => true,
                Value::String(text) => matches!(&**text, "true" | "false" | "1" | "0"),
                _ => false,
            },
            "dynamic" => value.as_object().is_some_and(is_described),
            _ => true,
        },
        Value::Array(parts) => match (parts.first().and_then(Value::as_str), parts.get(1)) {
            (Some("list" | "set"), Some(of)) => {
                value.as_array().is_some_and(|items| items.iter().all(|item| conforms(of, item)))
            }
            (Some("map"), Some(of)) => {
                value.as_object().is_some_and(|items| items.values().all(|item| conforms(of, item)))
            }
            (Some("tuple"), Some(Value::Array(of))) => value.as_array().is_some_and(|items| {
                items.len() == of.len() && of.iter().zip(items).all(|(of, item)| conforms(of, item))
            }),
            (Some("object"), Some(Value::Object(of))) => value.as_object().is_some_and(|items| {
                items.iter().all(|(name, item)| of.get(name).is_some_and(|of| conforms(of, item)))
            }),
            _ => true,
        },
        _ => false,
    }
}

/// Returns whether this is a value together with its type, and nothing else.
fn is_described(members: &Map<String, Value>) -> bool {
    match (members.get("type"), members.get("value"), members.len()) {
        (Some(kind), Some(value), 2) => is_type(kind) && conforms(kind, value),
        _ => false,
    }
}

/// Returns whether a text is a number of any size: digits with at most a point, and an exponent of
/// ten or of two.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E', 'p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        !digits.is_empty() && are_digits(digits) && digits.parse::<i32>().is_ok()
    };
    are_digits(whole)
        && are_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(is_exponent)
}
