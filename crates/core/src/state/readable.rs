//! Whether clients can read a state of version 4: what each of them makes sure of before it stores one.
//!
//! A state that breaks one of these rules can be stored, and from then on every plan of everybody fails. What clients pass
//! over or put right themselves is no reason to refuse it: a provider's address that is none, say, or an attribute.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

#[derive(Deserialize)]
struct Document {
    terraform_version: Option<String>,
    #[serde(default)]
    outputs: Option<BTreeMap<String, Option<Output>>>,
    #[serde(default)]
    resources: Option<Vec<Option<Resource>>>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "type")]
    kind: Option<Value>,
    /// A value that is `null` is there.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Resource {
    module: Option<String>,
    mode: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    #[serde(default)]
    instances: Option<Vec<Option<Instance>>>,
}

#[derive(Deserialize)]
struct Instance {
    index_key: Option<Value>,
    deposed: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Makes sure that clients can read a state of version 4. Attributes of resources are passed over as they stream by.
///
/// # Errors
/// `InvalidState` with the first thing that no client can read, and where it is; `Local` if `state` cannot be read.
pub fn check_readable(state: impl Read) -> Result<()> {
    let document: Document = match serde_json::from_reader(state) {
        Ok(document) => document,
        // Of a member that is there twice, clients take the last. That is their affair; nothing is told of it here.
        Err(error) if error.is_data() && error.to_string().starts_with("duplicate field") => return Ok(()),
        Err(error) if error.is_io() => {
            return Err(
                Error::new(ErrorKind::Local, "read state", "the state cannot be read").with_source(error)
            );
        }
        Err(error) if error.is_data() => {
            let (line, column) = (error.line(), error.column());
            return Err(unreadable(&format!(
                "a member has a value of another kind than clients expect (line {line}, column {column})"
            )));
        }
        // That it is JSON was seen before; what is left are numbers that are too large for this machine.
        Err(_) => return Ok(()),
    };
    if let Some(version) = document.terraform_version.filter(|version| !version.is_empty())
        && !is_version(&version)
    {
        return Err(unreadable("`terraform_version` is no version"));
    }
    for (name, output) in document.outputs.into_iter().flatten() {
        let place = format!("output `{}`", name.escape_debug());
        let Some(Output { kind: Some(kind), value: Some(value) }) = output else {
            return Err(unreadable(&format!("{place} needs a `type` and a `value`")));
        };
        if !conforms(&kind, &value) {
            return Err(unreadable(&format!("the value of {place} is not of its `type`")));
        }
    }
    let mut seen = BTreeSet::new();
    for (at, resource) in document.resources.into_iter().flatten().enumerate() {
        check_resource(at, resource, &mut seen)?;
    }
    Ok(())
}

fn check_resource(at: usize, resource: Option<Resource>, seen: &mut BTreeSet<[String; 4]>) -> Result<()> {
    let place = format!("resource number {}", at + 1);
    let Some(resource) = resource else { return Err(unreadable(&format!("{place} is `null`"))) };
    let module = resource.module.unwrap_or_default();
    let mode = resource.mode.unwrap_or_default();
    if !matches!(&*mode, "managed" | "data") {
        return Err(unreadable(&format!("the `mode` of {place} is neither \"managed\" nor \"data\"")));
    }
    if !module.is_empty() && !is_module_address(&module) {
        return Err(unreadable(&format!("the `module` of {place} is no address of a module")));
    }
    let address = [module, mode, resource.kind.unwrap_or_default(), resource.name.unwrap_or_default()];
    let is_new = seen.insert(address);
    if !is_new {
        return Err(unreadable(&format!("{place} is there twice")));
    }
    let mut instances = BTreeSet::new();
    for instance in resource.instances.into_iter().flatten().flatten() {
        let key = match instance.index_key {
            None | Some(Value::Null) => String::new(),
            Some(key @ (Value::Number(_) | Value::String(_))) => key.to_string(),
            Some(_) => {
                return Err(unreadable(&format!(
                    "an `index_key` of {place} is neither a number nor a string"
                )));
            }
        };
        if !instances.insert((key, instance.deposed.unwrap_or_default())) {
            return Err(unreadable(&format!("an instance of {place} is there twice")));
        }
    }
    Ok(())
}

fn unreadable(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidState, "read state", format!("no client can read this state: {reason}"))
}

/// `1.11.4`, `1.17.0-dev`, `0.12`: numbers between dots, and then whatever a release is called.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+', '~']).next().unwrap_or_default();
    // Go's library also takes `1.0beta1`.
    let digits = numbers.trim_end_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_digit());
    let mut numbers = digits.split('.');
    numbers.next().is_some_and(|first| first.starts_with(|c: char| c.is_ascii_digit()))
}

/// `module.a.module.b["key"].module.c[0]`.
fn is_module_address(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some(after) = rest.strip_prefix("module.") else { return false };
        let name_ends = after.find(['.', '[']).unwrap_or(after.len());
        if name_ends == 0 {
            return false;
        }
        rest = &after[name_ends..];
        if let Some(key) = rest.strip_prefix('[') {
            let Some(ends) = end_of_key(key) else { return false };
            rest = &key[ends..];
        }
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return rest.is_empty(),
        }
    }
}

/// Returns where what follows the `]` begins.
fn end_of_key(key: &str) -> Option<usize> {
    if !key.starts_with('"') {
        let ends = key.find(']')?;
        return (ends > 0 && key[..ends].bytes().all(|b| b.is_ascii_digit())).then_some(ends + 1);
    }
    let mut is_escaped = false;
    for (at, c) in key.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return key[at + 1..].starts_with(']').then_some(at + 2),
            _ => {}
        }
    }
    None
}

/// Whether a value can be read as a type, both as states write them. What is not known of types is let through.
fn conforms(kind: &Value, value: &Value) -> bool {
    if value.is_null() {
        return true;
    }
    match kind {
        Value::String(kind) => match &**kind {
            "string" => matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)),
            "number" => match value {
                Value::Number(_) => true,
                Value::String(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
                _ => false,
            },
            "bool" => match value {
                Value::Bool(_) => true,
                Value::String(text) => matches!(&**text, "true" | "false" | "1" | "0"),
                _ => false,
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &str) -> Result<(), String> {
        let state = format!(r#"{{"version":4,"serial":1,"lineage":"l",{members}}}"#);
        check_readable(state.as_bytes()).map_err(|error| error.message().to_owned())
    }

    fn resource(members: &str) -> String {
        format!(r#"{{"mode":"managed","type":"t","name":"n","provider":"p",{members}}}"#)
    }

    /// Each was refused by a native client's `state push`. What else is of the kind: whatever is decoded strictly before
    /// a state is stored, which is addresses, keys, output types and the version, and no attribute.
    #[test]
    fn what_no_client_can_read_is_refused() {
        let twice = format!(r#""resources":[{0},{0}]"#, resource(r#""instances":[]"#));
        for (members, says) in [
            (r#""resources":[{"mode":"manged","type":"t","name":"n"}]"#.to_owned(), "`mode`"),
            (r#""resources":[{"type":"t","name":"n"}]"#.to_owned(), "`mode`"),
            (twice, "twice"),
            (format!(r#""resources":[{}]"#, resource(r#""instances":[{},{}]"#)), "instance"),
            (
                format!(
                    r#""resources":[{}]"#,
                    resource(r#""instances":[{"index_key":"a"},{"index_key":1},{"index_key":"a"}]"#)
                ),
                "instance",
            ),
            (format!(r#""resources":[{}]"#, resource(r#""module":"m""#)), "`module`"),
            (format!(r#""resources":[{}]"#, resource(r#""module":"module.""#)), "`module`"),
            (format!(r#""resources":[{}]"#, resource(r#""module":"module.a[0""#)), "`module`"),
            (format!(r#""resources":[{}]"#, resource(r#""instances":[{"index_key":true}]"#)), "`index_key`"),
            (r#""outputs":{"o":{"value":1}}"#.to_owned(), "`type`"),
            (r#""outputs":{"o":{"type":"number"}}"#.to_owned(), "`value`"),
            (r#""outputs":{"o":{"type":"number","value":"hunter2"}}"#.to_owned(), "not of its `type`"),
            (r#""outputs":{"o":{"type":["list","number"],"value":[1,"x"]}}"#.to_owned(), "not of its `type`"),
            (r#""outputs":{"o":{"type":["tuple",["bool"]],"value":[]}}"#.to_owned(), "not of its `type`"),
            (r#""terraform_version":"abc""#.to_owned(), "`terraform_version`"),
            (r#""resources":{}"#.to_owned(), "another kind"),
        ] {
            let said = check(&members).unwrap_err();
            assert!(said.contains(says) && !said.contains("hunter2"), "{members}: {said}");
        }
    }

    #[test]
    fn what_clients_read_is_let_through() {
        for members in [
            r#""resources":[],"outputs":{}"#.to_owned(),
            r#""resources":null,"outputs":null,"terraform_version":"1.17.0-dev""#.to_owned(),
            r#""terraform_version":"0.12.29+ent""#.to_owned(),
            r#""outputs":{"o":{"type":"string","value":null,"sensitive":null}}"#.to_owned(),
            r#""outputs":{"o":{"type":["object",{"a":"number","b":["set","string"]}],"value":{"a":1e400,"b":["x"]}}}"#
                .to_owned(),
            r#""outputs":{"o":{"type":"dynamic","value":{"value":1,"type":"number"}}}"#.to_owned(),
            format!(
                r#""resources":[{}]"#,
                resource(
                    r#""module":"module.a[\"x.]\\\"\"].module.b[0]","instances":[{"index_key":1},{"index_key":"1"},{"index_key":1,"deposed":"d"}]"#
                )
            ),
            format!(r#""resources":[{}]"#, resource(r#""instances":null"#)),
        ] {
            assert_eq!(check(&members), Ok(()), "{members}");
        }
    }
}
