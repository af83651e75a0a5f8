//! The resource instances of a state.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Result;
use crate::state::header::{StateFormat, StateHeader, invalid};

/// One instance of a resource.
#[derive(Clone)]
#[non_exhaustive]
pub struct ResourceInstance {
    /// The address, as the command line of Terraform spells it: `module.net["a"].data.aws_vpc.main[0]`.
    pub address: String,
    /// The provider's address as it was stored.
    pub provider: String,
    /// The attributes as JSON, with numbers as they were written.
    pub attributes: BTreeMap<String, Box<RawValue>>,
    /// The top-level attributes of which a part or all is sensitive.
    pub sensitive_attributes: Vec<String>,
    /// The instance is marked to be replaced.
    pub is_tainted: bool,
    /// The key under which a replaced instance waits to be destroyed.
    pub deposed: Option<String>,
}

/// Hides the attributes.
impl fmt::Debug for ResourceInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceInstance").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ResourceInstance {
    /// Reads all instances of a state, in the order in which they are stored.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state; `Unsupported` if it is encrypted by OpenTofu.
    pub fn parse_all(state: &[u8]) -> Result<Vec<Self>> {
        match StateHeader::parse(state)?.format {
            StateFormat::Encrypted => Err(super::outputs::encrypted("read resources", "resources")),
            StateFormat::Plain { version: 4 } => {
                let document: V4 = serde_json::from_slice(state).map_err(|_| unreadable())?;
                Ok(document
                    .resources
                    .unwrap_or_default()
                    .into_iter()
                    .flat_map(V4Resource::instances)
                    .collect())
            }
            StateFormat::Plain { .. } => {
                let document: V3 = serde_json::from_slice(state).map_err(|_| unreadable())?;
                Ok(document.modules.unwrap_or_default().into_iter().flat_map(V3Module::instances).collect())
            }
        }
    }
}

fn unreadable() -> crate::Error {
    invalid("its resources cannot be read")
}

#[derive(Deserialize)]
struct V4 {
    resources: Option<Vec<V4Resource>>,
}

#[derive(Deserialize)]
struct V4Resource {
    #[serde(default)]
    module: String,
    #[serde(default)]
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    instances: Vec<V4Instance>,
}

#[derive(Deserialize)]
struct V4Instance {
    #[serde(default)]
    index_key: Option<Box<RawValue>>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    attributes_flat: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    sensitive_attributes: Option<Vec<Box<RawValue>>>,
}

impl V4Resource {
    fn instances(self) -> Vec<ResourceInstance> {
        let mut base = self.module;
        if !base.is_empty() {
            base.push('.');
        }
        if self.mode == "data" {
            base.push_str("data.");
        }
        base.push_str(&format!("{}.{}", self.kind, self.name));
        let provider = self.provider;
        let instance = |instance: V4Instance| {
            let attributes = instance.attributes.or(instance.attributes_flat).unwrap_or_default();
            ResourceInstance {
                // A key is a number or a string, and JSON spells both as the command line does.
                address: match &instance.index_key {
                    Some(key) if key.get() != "null" => format!("{base}[{}]", key.get()),
                    _ => base.clone(),
                },
                provider: provider.clone(),
                sensitive_attributes: sensitive(
                    &instance.sensitive_attributes.unwrap_or_default(),
                    &attributes,
                ),
                attributes,
                is_tainted: instance.status == "tainted",
                deposed: instance.deposed.filter(|key| !key.is_empty()),
            }
        };
        self.instances.into_iter().map(instance).collect()
    }
}

/// Returns the attributes that the paths name. A path that names none, such as the empty one, is about all of them.
fn sensitive(paths: &[Box<RawValue>], attributes: &BTreeMap<String, Box<RawValue>>) -> Vec<String> {
    let named: Option<Vec<_>> = paths.iter().map(|path| first_step(path)).collect();
    named.unwrap_or_else(|| attributes.keys().cloned().collect())
}

/// A path is a list of steps such as `{"type":"get_attr","value":"input"}`.
fn first_step(path: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Step {
        value: String,
    }
    let steps: Vec<Box<RawValue>> = serde_json::from_str(path.get()).ok()?;
    serde_json::from_str::<Step>(steps.first()?.get()).ok().map(|step| step.value)
}

#[derive(Deserialize)]
struct V3 {
    modules: Option<Vec<V3Module>>,
}

#[derive(Deserialize)]
struct V3Module {
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    resources: Option<BTreeMap<String, V3Resource>>,
}

#[derive(Deserialize)]
struct V3Resource {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    primary: Option<V3Instance>,
}

#[derive(Deserialize)]
struct V3Instance {
    #[serde(default)]
    attributes: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    tainted: bool,
}

impl V3Module {
    fn instances(self) -> Vec<ResourceInstance> {
        let modules: String = self.path.iter().skip(1).map(|name| format!("module.{name}.")).collect();
        let instance = |(key, resource): (String, V3Resource)| {
            let primary = resource.primary?;
            Some(ResourceInstance {
                address: format!("{modules}{}", v3_address(&key)),
                provider: resource.provider,
                attributes: primary.attributes.unwrap_or_default(),
                sensitive_attributes: Vec::new(),
                is_tainted: primary.tainted,
                deposed: None,
            })
        };
        self.resources.unwrap_or_default().into_iter().filter_map(instance).collect()
    }
}

/// Version 3 counts instances behind a dot: `aws_instance.web.0`.
fn v3_address(key: &str) -> String {
    match key.rsplit_once('.') {
        Some((base, index)) if base.contains('.') && index.parse::<u64>().is_ok() => {
            format!("{base}[{index}]")
        }
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_command_line() {
        let state = br#"{"version":4,"serial":1,"lineage":"l","resources":[
            {"module":"module.net[\"a\"]","mode":"data","type":"aws_vpc","name":"main","provider":"p",
             "instances":[{"index_key":0,"attributes":{"id":"x"}},{"index_key":"k\"","attributes":{}}]},
            {"mode":"managed","type":"terraform_data","name":"a","provider":"p","instances":[
             {"status":"tainted","attributes":{"n":12345678901234567890,"s":"x"},"sensitive_attributes":[[{"type":"get_attr","value":"s"}]]},
             {"deposed":"0badcafe","attributes":null}]}]}"#;
        let all = ResourceInstance::parse_all(state).unwrap();
        assert_eq!(
            all.iter().map(|instance| instance.address.as_str()).collect::<Vec<_>>(),
            [
                r#"module.net["a"].data.aws_vpc.main[0]"#,
                r#"module.net["a"].data.aws_vpc.main["k\""]"#,
                "terraform_data.a",
                "terraform_data.a"
            ]
        );
        assert_eq!(all[2].attributes["n"].get(), "12345678901234567890");
        assert_eq!(all[2].sensitive_attributes, ["s"]);
        assert!(all[2].is_tainted);
        assert_eq!(all[3].deposed.as_deref(), Some("0badcafe"));
    }

    #[test]
    fn path_that_names_no_attribute_makes_all_of_them_sensitive() {
        for path in ["[]", r#"[{"type":"index","value":0}]"#, r#""s""#] {
            let state = format!(
                r#"{{"version":4,"resources":[{{"type":"t","name":"n","instances":[
                {{"attributes":{{"a":1,"b":2}},"sensitive_attributes":[{path}]}}]}}]}}"#
            );
            let all = ResourceInstance::parse_all(state.as_bytes()).unwrap();
            assert_eq!(all[0].sensitive_attributes, ["a", "b"], "{path}");
        }
    }

    #[test]
    fn version_3_is_read_too() {
        let state = br#"{"version":3,"serial":1,"modules":[{"path":["root"],"resources":{
            "aws_instance.web.1":{"type":"aws_instance","provider":"provider.aws","primary":{"id":"i","attributes":{"id":"i"},"tainted":false}}}},
            {"path":["root","net"],"resources":{"data.x.y":{"primary":{"attributes":{}}}}}]}"#;
        let all = ResourceInstance::parse_all(state).unwrap();
        let addresses: Vec<_> = all.iter().map(|instance| instance.address.as_str()).collect();
        assert_eq!(addresses, ["aws_instance.web[1]", "module.net.data.x.y"]);
    }
}
