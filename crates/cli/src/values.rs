//! Values of a state as text, with numbers as they were written.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// On one line.
pub(crate) fn compact(value: &RawValue) -> String {
    if let Ok(members) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(value.get()) {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), compact(value)))
            .collect();
        format!("{{{}}}", members.join(","))
    } else if let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(value.get()) {
        format!("[{}]", items.iter().map(|value| compact(value)).collect::<Vec<_>>().join(","))
    } else {
        value.get().to_owned()
    }
}

/// For JSON that goes out: the same value without the indentation that it had in the state.
pub(crate) fn as_written(value: &RawValue) -> Box<RawValue> {
    // Compact text of a value is a value.
    RawValue::from_string(compact(value)).unwrap_or_else(|_| value.to_owned())
}

/// Strings in quotes, everything else indented, numbers as they were written.
pub(crate) fn pretty(value: &RawValue) -> String {
    fn indent(value: &RawValue, depth: usize) -> String {
        let pad = "  ".repeat(depth + 1);
        let close = "  ".repeat(depth);
        let text = value.get();
        if text.starts_with('{')
            && let Ok(members) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text)
            && !members.is_empty()
        {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    format!("{pad}{}: {}", Value::from(name.as_str()), indent(value, depth + 1))
                })
                .collect();
            format!("{{\n{}\n{close}}}", members.join(",\n"))
        } else if text.starts_with('[')
            && let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(text)
            && !items.is_empty()
        {
            let items: Vec<_> =
                items.iter().map(|value| format!("{pad}{}", indent(value, depth + 1))).collect();
            format!("[\n{}\n{close}]", items.join(",\n"))
        } else {
            text.to_owned()
        }
    }
    indent(value, 0)
}
