//! Whether clients can read a state of version 4: what each of them makes sure of before it stores
//! one.
//!
//! A state that breaks one of these rules can be stored, and from then on every plan of everybody
//! fails. What clients pass over or put right themselves is no reason to refuse it: a provider's
//! address that is none, say, or an attribute. Names of members are taken as they are written,
//! although clients take capitals for small letters. The suite `terraform` holds this against a
//! real client.

mod address;
mod types;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Seek};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use self::address::{is_checked_object, is_configured_resource, is_module};
use self::types::{conforms, is_type};
use self::version::is_version;

use super::members::lossy;
use crate::error::{Error, ErrorKind, Result};

#[derive(Deserialize)]
struct Document {
    terraform_version: Option<String>,
    #[serde(default)]
    outputs: Option<BTreeMap<String, Option<Output>>>,
    #[serde(default)]
    resources: Option<Vec<Option<Resource>>>,
    check_results: Option<Vec<Option<Checked>>>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "type")]
    kind: Option<Value>,
    /// A value that is `null` is there.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(rename = "sensitive")]
    _sensitive: Option<bool>,
}

#[derive(Deserialize)]
struct Resource {
    module: Option<String>,
    mode: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    #[serde(rename = "provider")]
    _provider: Option<String>,
    #[serde(rename = "each")]
    _each: Option<String>,
    #[serde(default)]
    instances: Option<Vec<Option<Instance>>>,
}

#[derive(Default, Deserialize)]
struct Instance {
    index_key: Option<Value>,
    deposed: Option<String>,
    status: Option<String>,
    #[serde(rename = "schema_version")]
    _schema_version: Option<u64>,
    #[serde(rename = "attributes_flat")]
    _attributes_flat: Option<BTreeMap<String, Option<String>>>,
    sensitive_attributes: Option<Vec<Option<Vec<Step>>>>,
    private: Option<String>,
    dependencies: Option<Vec<Option<String>>>,
    #[serde(rename = "create_before_destroy")]
    _create_before_destroy: Option<bool>,
}

/// A step of the path to a sensitive attribute.
#[derive(Deserialize)]
struct Step {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Checked {
    object_kind: Option<String>,
    config_addr: Option<String>,
    #[serde(rename = "status")]
    _status: Option<String>,
    objects: Option<Vec<Option<CheckedObject>>>,
}

#[derive(Deserialize)]
struct CheckedObject {
    object_addr: Option<String>,
    #[serde(rename = "status")]
    _status: Option<String>,
    #[serde(rename = "failure_messages")]
    _failure_messages: Option<Vec<Option<String>>>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads what is to be checked. Attributes of resources are passed over as they stream by.
///
/// Of a member that is there twice clients take the last, and bytes that are no UTF-8 they replace.
/// Such a state is read once more, into memory, as they read it.
fn read(mut state: impl Read + Seek) -> Result<Option<Document>> {
    let failed = |error| {
        Error::new(ErrorKind::Local, "read state", "the state cannot be read").with_source(error)
    };
    let error = match serde_json::from_reader(BufReader::new(&mut state)) {
        Ok(document) => return Ok(Some(document)),
        Err(error) if error.is_io() => return Err(failed(error.into())),
        Err(error) => error,
    };
    let mut bytes = Vec::new();
    state.rewind().and_then(|()| state.read_to_end(&mut bytes)).map_err(failed)?;
    // That it is JSON was seen before; what is left is deeper, or has larger numbers, than is
    // followed here.
    let Ok(value) = serde_json::from_str::<Value>(&lossy(&bytes)) else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|again| {
        // Read from memory it has no place. Where nothing is there twice, the first reading knows
        // it.
        let place = match error.is_data() && error.to_string().starts_with(&again.to_string()) {
            true => format!(" (line {}, column {})", error.line(), error.column()),
            false => String::new(),
        };
        unreadable(&format!("a member has a value of another kind than clients expect{place}"))
    })
}

/// Makes sure that clients can read a state of version 4.
///
/// # Errors
/// `InvalidState` with the first thing that no client can read, and where it is; `Local` if `state`
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
        if !checked.is_none_or(has_addresses) {
            return Err(unreadable(&format!("check result number {} names no object", at + 1)));
        }
    }
    Ok(())
}

/// Whether a check result names what it is about. Kinds of objects that are not known here are
/// passed over.
fn has_addresses(checked: Checked) -> bool {
    let kind = checked.object_kind.unwrap_or_default();
    let is_address =
        |address: Option<String>| is_checked_object(&kind, &address.unwrap_or_default());
    is_address(checked.config_addr)
        && checked
            .objects
            .into_iter()
            .flatten()
            .all(|object| is_address(object.and_then(|object| object.object_addr)))
}

/// The address of an instance with its key, and the key of a deposed object.
type Seen = BTreeSet<[String; 6]>;

fn check_resource(at: usize, resource: Option<Resource>, seen: &mut Seen) -> Result<()> {
    let place = format!("resource number {}", at + 1);
    let Some(resource) = resource else { return Err(unreadable(&format!("{place} is `null`"))) };
    let module = resource.module.unwrap_or_default();
    let mode = resource.mode.unwrap_or_default();
    if !matches!(&*mode, "managed" | "data") {
        return Err(unreadable(&format!(
            "the `mode` of {place} is neither \"managed\" nor \"data\""
        )));
    }
    if !module.is_empty() && !is_module(&module) {
        return Err(unreadable(&format!("the `module` of {place} is no address of a module")));
    }
    let address =
        [module, mode, resource.kind.unwrap_or_default(), resource.name.unwrap_or_default()];
    // A resource may be there twice, if no instance of it is.
    for instance in resource.instances.into_iter().flatten() {
        let instance = instance.unwrap_or_default();
        check_instance(&place, &instance)?;
        let key = match instance.index_key {
            None | Some(Value::Null) => String::new(),
            Some(Value::Number(number)) => whole(&number).to_string(),
            Some(key @ Value::String(_)) => key.to_string(),
            Some(_) => {
                return Err(unreadable(&format!(
                    "an `index_key` of {place} is neither a number nor a string"
                )));
            }
        };
        let [module, mode, kind, name] = address.clone();
        if !seen.insert([module, mode, kind, name, key, instance.deposed.unwrap_or_default()]) {
            return Err(unreadable(&format!("an instance of {place} is there twice")));
        }
    }
    Ok(())
}

/// Clients drop what stands behind the point of a number; there is one zero.
fn whole(number: &serde_json::Number) -> f64 {
    number.as_f64().unwrap_or_default().trunc() + 0.0
}

fn check_instance(place: &str, instance: &Instance) -> Result<()> {
    let is_deposed_key = |key: &str| matches!(key.len(), 0 | 8);
    let status = instance.status.as_deref().unwrap_or_default();
    let refused = if !matches!(status, "" | "tainted") {
        "`status` is not \"tainted\""
    } else if !is_deposed_key(instance.deposed.as_deref().unwrap_or_default()) {
        "`deposed` is no key of eight characters"
    } else if !instance
        .sensitive_attributes
        .iter()
        .flatten()
        .all(|path| path.iter().flatten().all(is_step))
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
    Err(unreadable(&format!("an instance of {place}: {refused}")))
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn check(members: &str) -> Result<(), String> {
        let state = format!(r#"{{"version":4,"serial":1,"lineage":"l",{members}}}"#);
        check_readable(Cursor::new(state)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn of_members_that_are_there_twice_the_last_is_checked_and_so_is_all_else() {
        let good = r#""resources":[]"#;
        for bad in [
            r#""resources":[{"mode":"managed","type":"t","name":"n","instances":"x"}]"#,
            r#""resources":[{"mode":"m","type":"t","name":"n","instances":[]}]"#,
            r#""outputs":{"a":{"value":1}}"#,
        ] {
            let name = &bad[..bad.find(':').unwrap()];
            let harmless = format!("{name}:null");
            assert!(check(&format!("{bad},{harmless}")).is_ok(), "{bad}");
            assert!(check(&format!("{harmless},{bad}")).is_err(), "{bad}");
            assert!(
                check(&format!("{bad},\"serial\":1,\"check_results\":null,\"check_results\":null"))
                    .is_err()
            );
        }
        assert!(check(&format!("{good},{good}")).is_ok());
    }

    #[test]
    fn bytes_that_are_no_utf_8_do_not_keep_the_rest_from_being_checked() {
        for (mode, is_readable) in [("managed", true), ("data", true), ("manged", false)] {
            let state = [
                br#"{"version":4,"serial":1,"lineage":"l","resources":[{"mode":""#.as_slice(),
                mode.as_bytes(),
                br#"","type":"t","name":"n","provider":"provider[\"registry.terraform.io/hashicorp/null\"]","instances":[{"private":null,"attributes":{"a":"caf"#,
                b"\xe9\"}}]}]}",
            ]
            .concat();
            assert_eq!(check_readable(Cursor::new(state)).is_ok(), is_readable, "{mode}");
        }
    }

    fn resource(members: &str) -> String {
        format!(r#"{{"mode":"managed","type":"t","name":"n","provider":"p",{members}}}"#)
    }

    /// Each was refused by a native client's `state push`. What else is of the kind: whatever is
    /// decoded strictly before a state is stored, which is addresses, keys, output types and
    /// the version, and no attribute.
    #[test]
    fn what_no_client_can_read_is_refused() {
        let twice =
            format!(r#""resources":[{0},{0}]"#, resource(r#""instances":[{"index_key":0}]"#));
        for (members, says) in [
            (r#""resources":[{"mode":"manged","type":"t","name":"n"}]"#.to_owned(), "`mode`"),
            (r#""resources":[{"type":"t","name":"n"}]"#.to_owned(), "`mode`"),
            (twice, "twice"),
            (format!(r#""resources":[{}]"#, resource(r#""instances":[{},{}]"#)), "instance"),
            (
                format!(
                    r#""resources":[{}]"#,
                    resource(
                        r#""instances":[{"index_key":"a"},{"index_key":1},{"index_key":"a"}]"#
                    )
                ),
                "instance",
            ),
            (format!(r#""resources":[{}]"#, resource(r#""module":"m""#)), "`module`"),
            (format!(r#""resources":[{}]"#, resource(r#""module":"module.""#)), "`module`"),
            (format!(r#""resources":[{}]"#, resource(r#""module":"module.a[0""#)), "`module`"),
            (
                format!(r#""resources":[{}]"#, resource(r#""instances":[{"index_key":true}]"#)),
                "`index_key`",
            ),
            (r#""outputs":{"o":{"value":1}}"#.to_owned(), "`type`"),
            (r#""outputs":{"o":{"type":"number"}}"#.to_owned(), "`value`"),
            (
                r#""outputs":{"o":{"type":"number","value":"hunter2"}}"#.to_owned(),
                "not of its `type`",
            ),
            (
                r#""outputs":{"o":{"type":["list","number"],"value":[1,"x"]}}"#.to_owned(),
                "not of its `type`",
            ),
            (
                r#""outputs":{"o":{"type":["tuple",["bool"]],"value":[]}}"#.to_owned(),
                "not of its `type`",
            ),
            (r#""outputs":{"o":{"type":["list","hunter2"],"value":[]}}"#.to_owned(), "no type"),
            (r#""terraform_version":"abc""#.to_owned(), "`terraform_version`"),
            (
                format!(r#""resources":[{}]"#, resource(r#""instances":[{"status":"hunter2"}]"#)),
                "`status`",
            ),
            (
                format!(r#""resources":[{}]"#, resource(r#""instances":[{"deposed":"d"}]"#)),
                "`deposed`",
            ),
            (
                format!(r#""resources":[{}]"#, resource(r#""instances":[{"private":"!"}]"#)),
                "`private`",
            ),
            (
                format!(r#""resources":[{}]"#, resource(r#""instances":[{"dependencies":["x"]}]"#)),
                "`dependencies`",
            ),
            (
                format!(
                    r#""resources":[{}]"#,
                    resource(r#""instances":[{"sensitive_attributes":[[{"type":"x"}]]}]"#)
                ),
                "`sensitive_attributes`",
            ),
            (
                r#""check_results":[{"object_kind":"output","config_addr":"x"}]"#.to_owned(),
                "check result number 1",
            ),
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
                    r#""module":"module.a[\"x.]\\\"\"].module.b[0]","instances":[{"index_key":1},{"index_key":"1"},{"index_key":1,"deposed":"0a1b2c3d"}]"#
                )
            ),
            format!(r#""resources":[{}]"#, resource(r#""instances":null"#)),
            format!(r#""resources":[{0},{0}]"#, resource(r#""instances":[]"#)),
        ] {
            assert_eq!(check(&members), Ok(()), "{members}");
        }
    }
}
