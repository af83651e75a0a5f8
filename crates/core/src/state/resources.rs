//! The resource instances of a state.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::Result;
use crate::state::address::{self, Address, Key};
use crate::state::header::{StateFormat, StateHeader, invalid};
use crate::state::members::{self, Members, WrongType};
use crate::state::secrets::secret_attributes;

/// One instance of a resource.
#[derive(Clone)]
#[non_exhaustive]
pub struct ResourceInstance {
    /// The address in the spelling of Terraform's command line:
    /// `module.net["a"].data.aws_vpc.main[0]`.
    pub address: String,
    /// The type, such as `aws_vpc`.
    pub kind: String,
    /// The provider's address as it was stored.
    pub provider: String,
    /// The attributes as JSON, with numbers as they were written.
    pub attributes: BTreeMap<String, Box<RawValue>>,
    /// The top-level attributes that the state marks as sensitive, in part or as a whole.
    pub sensitive_attributes: Vec<String>,
    /// Whether the instance is marked to be replaced.
    pub is_tainted: bool,
    /// The key of a deposed instance, which was replaced and is still to be destroyed; in format
    /// version 3, which has no keys, its number.
    pub deposed: Option<String>,
}

/// Hides the attributes.
impl fmt::Debug for ResourceInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceInstance").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ResourceInstance {
    /// Reads all instances of a state, in the order of `terraform state list`: shallower modules
    /// first, names by their bytes, whole numbers by their value.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state; `Unsupported` if it is encrypted by OpenTofu.
    pub fn parse_all(state: &[u8]) -> Result<Vec<Self>> {
        let mut instances = match StateHeader::parse(state)?.format {
            StateFormat::Encrypted => Err(super::outputs::encrypted("read resources", "resources")),
            StateFormat::Plain { version: 4 } => {
                v4(&members::lossy(state)).map_err(|_| unreadable())
            }
            StateFormat::Plain { .. } => v3(&members::lossy(state)).map_err(|_| unreadable()),
        }?;
        instances.sort_by(|(address, one), (other_address, other)| {
            // `None` sorts first: a deposed instance follows the one that replaced it.
            address.cmp(other_address).then_with(|| one.deposed.cmp(&other.deposed))
        });
        Ok(instances.into_iter().map(|(_, instance)| instance).collect())
    }

    /// Returns whether an address, in any spelling that a person may type or copy, is the address
    /// of this instance.
    pub fn has_address(&self, address: &str) -> bool {
        self.address == address
            || address::normalised(&self.address) == address::normalised(address)
    }

    /// Returns whether the state marks an attribute as sensitive, or providers are known to hide
    /// it.
    pub fn is_sensitive(&self, attribute: &str) -> bool {
        self.sensitive_attributes.iter().any(|name| name == attribute)
            || secret_attributes(&self.kind).contains(&attribute)
    }
}

fn unreadable() -> crate::Error {
    invalid("its resources cannot be read")
}

pub(super) type Placed = (Address, ResourceInstance);

fn v4(state: &str) -> Result<Vec<Placed>, WrongType> {
    let mut all = Vec::new();
    for resource in Members::parse(state)?.array("resources")? {
        v4_resource(&Members::parse(resource.get())?, &mut all)?;
    }
    Ok(all)
}

fn v4_resource(resource: &Members<'_>, all: &mut Vec<Placed>) -> Result<(), WrongType> {
    let modules = address::modules(&resource.text("module")?);
    let (mode, provider) = (resource.text("mode")?, resource.text("provider")?);
    // Clients store and read resources without these members too.
    let (kind, name) = (resource.text("type")?, resource.text("name")?);
    for instance in resource.array("instances")? {
        let instance = Members::parse(instance.get())?;
        let key = Key::of(instance.get("index_key"));
        let address = Address::new(modules.clone(), &mode, &kind, &name, key);
        let attributes = match instance.get("attributes") {
            // Clients parse the attributes only once they know the provider. A value that is no
            // object has no attributes.
            Some(_) => instance.object("attributes").unwrap_or_default(),
            None => instance.object("attributes_flat")?,
        };
        let attributes = owned(attributes);
        all.push((
            address.clone(),
            ResourceInstance {
                address: address.write(),
                kind: kind.clone(),
                provider: provider.clone(),
                sensitive_attributes: sensitive(
                    &instance.array("sensitive_attributes")?,
                    &attributes,
                ),
                attributes,
                is_tainted: instance.text("status")? == "tainted",
                deposed: Some(instance.text("deposed")?).filter(|key| !key.is_empty()),
            },
        ));
    }
    Ok(())
}

fn owned(attributes: Members<'_>) -> BTreeMap<String, Box<RawValue>> {
    attributes.into_all().into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// Returns the attributes that the paths name. A path that names none, such as the empty one, is
/// about all attributes.
fn sensitive(paths: &[&RawValue], attributes: &BTreeMap<String, Box<RawValue>>) -> Vec<String> {
    let named: Option<Vec<_>> = paths.iter().map(|path| first_step(path)).collect();
    named.unwrap_or_else(|| attributes.keys().cloned().collect())
}

/// Returns the name in a path's first step. A path is a list of steps such as
/// `{"type":"get_attr","value":"input"}`.
fn first_step(path: &RawValue) -> Option<String> {
    let steps = members::elements(path.get()).ok()?;
    let step = Members::parse(steps.first()?.get()).ok()?;
    members::text(step.get("value")?.get())
}

/// Reads the instances of a state of a format version before 4, in the order of the state.
pub(super) fn older(state: &[u8]) -> Result<Vec<Placed>> {
    v3(&members::lossy(state)).map_err(|_| unreadable())
}

fn v3(state: &str) -> Result<Vec<Placed>, WrongType> {
    let mut all = Vec::new();
    for module in Members::parse(state)?.array("modules")? {
        let module = Members::parse(module.get())?;
        let path = module.array("path")?;
        let names: Option<Vec<_>> = path.iter().map(|name| members::text(name.get())).collect();
        let modules: Vec<_> =
            names.ok_or(WrongType)?.into_iter().skip(1).map(|name| (name, Key::None)).collect();
        for (key, resource) in module.object("resources")?.into_all() {
            v3_resource(&modules, &key, &Members::parse(resource.get())?, &mut all)?;
        }
    }
    Ok(all)
}

fn v3_resource(
    modules: &[(String, Key)],
    key: &str,
    resource: &Members<'_>,
    all: &mut Vec<Placed>,
) -> Result<(), WrongType> {
    let provider = resource.text("provider")?;
    let (mode, kind, name, key) = v3_address(key);
    let address = Address::new(modules.to_vec(), mode, kind, name, key);
    let mut push = |instance: &RawValue, deposed: Option<String>| {
        let instance = Members::parse(instance.get())?;
        all.push((
            address.clone(),
            ResourceInstance {
                address: address.write(),
                kind: kind.to_owned(),
                provider: provider.clone(),
                attributes: owned(instance.object("attributes")?),
                sensitive_attributes: Vec::new(),
                is_tainted: instance.flag("tainted")?,
                deposed,
            },
        ));
        Ok(())
    };
    if let Some(primary) = resource.get("primary") {
        push(primary, None)?;
    }
    // They have no keys in this version.
    for (number, deposed) in resource.array("deposed")?.into_iter().enumerate() {
        push(deposed, Some(number.to_string()))?;
    }
    Ok(())
}

/// Splits `aws_instance.web.0` or `data.aws_vpc.main`: version 3 numbers instances after a dot, and
/// a name may be a number.
fn v3_address(key: &str) -> (&'static str, &str, &str, Key) {
    let (mode, rest) = key.strip_prefix("data.").map_or(("managed", key), |rest| ("data", rest));
    let (kind, name) = rest.split_once('.').unwrap_or((rest, ""));
    match name.rsplit_once('.').map(|(name, index)| (name, index.parse())) {
        Some((name, Ok(index))) => (mode, kind, name, Key::Number(index)),
        _ => (mode, kind, name, Key::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced_as_clients_do() {
        for (odd, expected) in [
            (&b"caf\xe9"[..], "caf\u{fffd}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\xc3", "\u{fffd}"),
        ] {
            let (before, after) = (
                br#"{"version":4,"serial":1,"lineage":"l","resources":[{"mode":"managed","type":"t","name":"n",
                    "provider":"p","instances":[{"attributes":{"a":""#,
                br#""}}]}]}"#,
            );
            let all = ResourceInstance::parse_all(&[before, odd, after].concat()).unwrap();
            assert_eq!(all[0].address, "t.n");
            let attributes = all[0].attributes["a"].get();
            assert!(attributes.contains(expected), "{attributes}");
        }
    }

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
                "terraform_data.a",
                "terraform_data.a",
                r#"module.net["a"].data.aws_vpc.main[0]"#,
                r#"module.net["a"].data.aws_vpc.main["k\""]"#
            ]
        );
        assert_eq!(all[0].attributes["n"].get(), "12345678901234567890");
        assert_eq!(all[0].sensitive_attributes, ["s"]);
        assert!(all[0].is_tainted);
        assert_eq!(all[1].deposed.as_deref(), Some("0badcafe"));
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

    fn addresses(state: &str) -> Vec<String> {
        let all = ResourceInstance::parse_all(state.as_bytes()).unwrap();
        all.into_iter().map(|instance| instance.address).collect()
    }

    /// Members that are `null` or empty, and repeated members, at every level.
    #[test]
    fn null_is_not_there_and_the_last_of_two_members_counts() {
        for resource in [
            r#"{"module":null,"mode":null,"type":"t","name":"n","provider":null,"instances":[{}]}"#,
            r#"{"type":"t","name":"n","instances":[null]}"#,
            r#"{"type":"t","name":"n","instances":[{"status":null,"deposed":null,"attributes":null,"index_key":null}]}"#,
            r#"{"type":"x","type":"t","name":"n","instances":[],"instances":[{"index_key":5,"index_key":null}]}"#,
            r#"{"type":"t","name":"n","instances":[{"attributes":{"a":1,"a":2},"sensitive_attributes":null}]}"#,
        ] {
            assert_eq!(
                addresses(&format!(r#"{{"version":4,"resources":[{resource}]}}"#)),
                ["t.n"],
                "{resource}"
            );
        }
        assert!(
            addresses(r#"{"version":4,"resources":[{"type":"t","name":"n","instances":null}]}"#)
                .is_empty()
        );
        assert!(addresses(r#"{"version":4,"resources":[{"type":1}],"resources":null}"#).is_empty());
        let old = r#"{"version":3,"modules":[{"path":["root"],"outputs":null,"resources":{"t.n":{"provider":null,"deposed":null,
            "primary":{"tainted":null,"attributes":null}},"t.gone":{"primary":null}}},{"path":["root","m"],"resources":null}]}"#;
        assert_eq!(addresses(old), ["t.n"]);
    }

    /// Deposed objects, and names that only the oldest releases allowed.
    #[test]
    fn version_3_shows_deposed_objects_and_odd_names() {
        let state = br#"{"version":3,"modules":[{"path":["root"],"resources":{
            "n.only":{"primary":null,"deposed":[{"id":"7","attributes":{"id":"7"}},{"id":"8"}]},
            "n.both":{"primary":{"id":"1"},"deposed":[{"id":"7"}]},
            "data.d.5":{"primary":{}},"data.d.c.3":{"primary":{}},"n.cnt.10":{"primary":{}},"n.cnt.9":{"primary":{}}}}]}"#;
        let all = ResourceInstance::parse_all(state).unwrap();
        let shown: Vec<_> =
            all.iter().map(|one| (one.address.as_str(), one.deposed.as_deref())).collect();
        assert_eq!(
            shown,
            [
                ("data.d.5", None),
                ("data.d.c[3]", None),
                ("n.both", None),
                ("n.both", Some("0")),
                ("n.cnt[9]", None),
                ("n.cnt[10]", None),
                ("n.only", Some("0")),
                ("n.only", Some("1")),
            ]
        );
    }

    #[test]
    fn secrets_of_known_types_are_sensitive_without_a_mark() {
        let state = br#"{"version":4,"resources":[
            {"type":"random_password","name":"a","instances":[{"attributes":{"result":"x","id":"none"},"sensitive_attributes":[]}]},
            {"type":"tls_private_key","name":"b","instances":[{"attributes":{"private_key_pem":"x"}}]},
            {"type":"null_resource","name":"c","instances":[{"attributes":{"result":"x"}}]}]}"#;
        let all = ResourceInstance::parse_all(state).unwrap();
        let hidden = |at: usize, name: &str| all[at].is_sensitive(name);
        assert!(
            !hidden(0, "result")
                && hidden(1, "result")
                && !hidden(1, "id")
                && hidden(2, "private_key_pem")
        );
    }
}
