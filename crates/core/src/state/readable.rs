//! Whether clients can read a state of version 4: the checks that every client makes before it
//! stores a state.
//!
//! A store accepts a state that breaks one of these rules, and from then on every plan of every
//! client fails. Faults that clients ignore or repair themselves, such as an invalid provider
//! address or an attribute, are no reason to refuse a state. The suite `terraform` compares these
//! rules with a real client.

mod address;
mod document;
#[cfg(test)]
mod tests;
mod types;
mod version;

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Seek};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use self::address::{is_checked_object, is_configured_resource, is_module};
use self::document::{Checked, Document, Instance, Output, Resource, Step};
use self::types::{conforms, is_type};
use self::version::is_version;

use super::address::{Address, Key, modules};
use super::members::lossy;
use crate::error::{Error, ErrorKind, Result};

/// Parses the members to check. Clients replace invalid UTF-8: such a state is read again, into
/// memory, as they read it.
fn read(mut state: impl Read + Seek) -> Result<Option<Document>> {
    let failed = |error| {
        Error::new(ErrorKind::Local, "read state", "the state cannot be read").with_source(error)
    };
    let of_another_kind = |error: &serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        unreadable(&format!(
            "a member has a value of another kind than clients expect (line {line}, column \
             {column})"
        ))
    };
    match serde_json::from_reader(BufReader::new(&mut state)) {
        Ok(document) => return Ok(Some(document)),
        Err(error) if error.is_io() => return Err(failed(error.into())),
        Err(error) if error.is_data() => return Err(of_another_kind(&error)),
        Err(_) => {}
    }
    let mut bytes = Vec::new();
    state.rewind().and_then(|()| state.read_to_end(&mut bytes)).map_err(failed)?;
    match serde_json::from_str(&lossy(&bytes)) {
        Ok(document) => Ok(Some(document)),
        Err(error) if error.is_data() => Err(of_another_kind(&error)),
        // An earlier check found that it is JSON; it is only deeper than this parser follows, or
        // has larger numbers.
        Err(_) => Ok(None),
    }
}

/// Checks that clients can read a state of version 4.
///
/// # Errors
/// `InvalidState` with the first fault that clients reject, and its place; `Local` if `state`
/// cannot be read.
pub fn check_readable(state: impl Read + Seek) -> Result<()> {
    let Some(document) = read(state)? else { return Ok(()) };
    if let Some(version) = document.terraform_version.filter(|version| !version.is_empty())
        && !is_version(&version)
    {
        return Err(unreadable("`terraform_version` is no version"));
    }
    for (name, output) in document.outputs.into_iter().flatten() {
        let place = format!("output `{}`", name.escape_debug());
        let Some(Output { kind: Some(kind), value: Some(value), .. }) = output else {
            return Err(unreadable(&format!("{place} needs a `type` and a `value`")));
        };
        if !is_type(&kind) {
            return Err(unreadable(&format!("the `type` of {place} is no type")));
        }
        if !conforms(&kind, &value) {
            return Err(unreadable(&format!("the value of {place} is not of its `type`")));
        }
    }
    let mut seen = BTreeSet::new();
    for (at, resource) in document.resources.into_iter().flatten().enumerate() {
        check_resource(at, resource, &mut seen)?;
    }
    for (at, checked) in document.check_results.into_iter().flatten().enumerate() {
        check_checked(at, checked.unwrap_or_default())?;
    }
    Ok(())
}

/// Checks that a check result names its object. Unknown kinds of objects are skipped.
fn check_checked(at: usize, checked: Checked) -> Result<()> {
    let kind = checked.object_kind.unwrap_or_default();
    let address = checked.config_addr.unwrap_or_default();
    if !is_checked_object(&kind, &address) {
        let number = at + 1;
        return Err(unreadable(&format!("check result number {number} names no object")));
    }
    for object in checked.objects.into_iter().flatten() {
        let object = object.unwrap_or_default().object_addr.unwrap_or_default();
        if !is_checked_object(&kind, &object) {
            return Err(unreadable(&format!("a check result of `{address}` names no object")));
        }
    }
    Ok(())
}

/// The address of an instance with its key, and the key of a deposed object.
type Seen = BTreeSet<(String, String, String, String, Key, String)>;

/// Names a resource or one of its instances as clients do; by its number if it has no name.
fn named(at: usize, resource: &Resource, key: Key) -> String {
    match (&resource.kind, &resource.name) {
        (Some(kind), Some(name)) => {
            let module = resource.module.as_deref().unwrap_or_default();
            let mode = resource.mode.as_deref().unwrap_or_default();
            format!("`{}`", Address::new(modules(module), mode, kind, name, key).write())
        }
        _ => format!("resource number {}", at + 1),
    }
}

fn check_resource(at: usize, resource: Option<Resource>, seen: &mut Seen) -> Result<()> {
    let Some(mut resource) = resource else {
        return Err(unreadable(&format!("resource number {} is `null`", at + 1)));
    };
    let instances = resource.instances.take();
    let place = named(at, &resource, Key::None);
    let mode = resource.mode.clone().unwrap_or_default();
    if !matches!(&*mode, "managed" | "data") {
        return Err(unreadable(&format!(
            "the `mode` of {place} is neither \"managed\" nor \"data\""
        )));
    }
    let module = resource.module.clone().unwrap_or_default();
    if !module.is_empty() && !is_module(&module) {
        return Err(unreadable(&format!("the `module` of {place} is no address of a module")));
    }
    // A resource may occur twice, but none of its instances may.
    for instance in instances.into_iter().flatten() {
        let instance = instance.unwrap_or_default();
        let key = match &instance.index_key {
            None => Key::None,
            Some(Value::Number(number)) => Key::Number(whole(number)),
            Some(Value::String(text)) => Key::Text(text.clone()),
            Some(_) => {
                return Err(unreadable(&format!(
                    "an `index_key` of {place} is neither a number nor a string"
                )));
            }
        };
        let place = named(at, &resource, key.clone());
        check_instance(&place, &instance)?;
        let name = |text: &Option<String>| text.clone().unwrap_or_default();
        let (kind, named) = (name(&resource.kind), name(&resource.name));
        let address = (module.clone(), mode.clone(), kind, named, key, name(&instance.deposed));
        if !seen.insert(address) {
            return Err(unreadable(&format!("{place} is there twice")));
        }
    }
    Ok(())
}

/// Clients drop the fraction of a number.
#[expect(clippy::cast_possible_truncation, reason = "as Go does")]
fn whole(number: &serde_json::Number) -> i64 {
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)
}

fn check_instance(place: &str, instance: &Instance) -> Result<()> {
    let is_deposed_key = |key: &str| matches!(key.len(), 0 | 8);
    let status = instance.status.as_deref().unwrap_or_default();
    let refused = if !matches!(status, "" | "tainted") {
        "`status` is not \"tainted\""
    } else if !is_deposed_key(instance.deposed.as_deref().unwrap_or_default()) {
        "`deposed` is no key of eight characters"
    } else if !(instance.sensitive_attributes.iter().flatten().flatten().flatten())
        .all(|step| step.as_ref().is_some_and(is_step))
    {
        "`sensitive_attributes` are no paths"
    } else if BASE64.decode(instance.private.as_deref().unwrap_or_default()).is_err() {
        "`private` is not in base64"
    } else if !(instance.dependencies.iter().flatten())
        .all(|address| is_configured_resource(address.as_deref().unwrap_or_default()))
    {
        "`dependencies` are no addresses of resources"
    } else {
        return Ok(());
    };
    Err(unreadable(&format!("{refused} in {place}")))
}

fn is_step(step: &Step) -> bool {
    match (step.kind.as_deref(), &step.value) {
        (Some("get_attr"), Some(Value::Null | Value::String(_))) => true,
        (Some("index"), Some(value)) => conforms(&Value::from("dynamic"), value),
        _ => false,
    }
}

fn unreadable(reason: &str) -> Error {
    Error::new(
        ErrorKind::InvalidState,
        "read state",
        format!("no client can read this state: {reason}"),
    )
}
