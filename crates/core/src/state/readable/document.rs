//! The checked members of a state, parsed as Go parses them.
//!
//! Names match without regard to case. Of a repeated member the last one counts, and each must be
//! of the right type. A `null` in place of a text keeps the earlier value. Attributes of resources
//! are skipped as they stream by.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::state::members::fold;

/// An array whose elements may be `null`, or `null` itself.
type Array<T> = Option<Vec<Option<T>>>;

#[derive(Default)]
pub(super) struct Document {
    pub(super) terraform_version: Option<String>,
    pub(super) outputs: Option<BTreeMap<String, Option<Output>>>,
    pub(super) resources: Array<Resource>,
    pub(super) check_results: Array<Checked>,
}

#[derive(Default)]
pub(super) struct Output {
    pub(super) kind: Option<Value>,
    /// The value; a `null` is a value.
    pub(super) value: Option<Value>,
}

#[derive(Default)]
pub(super) struct Resource {
    pub(super) module: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) instances: Array<Instance>,
}

#[derive(Default)]
pub(super) struct Instance {
    pub(super) index_key: Option<Value>,
    pub(super) deposed: Option<String>,
    pub(super) status: Option<String>,
    pub(super) sensitive_attributes: Array<Vec<Option<Step>>>,
    pub(super) private: Option<String>,
    pub(super) dependencies: Array<String>,
}

/// A step of the path to a sensitive attribute.
#[derive(Default)]
pub(super) struct Step {
    pub(super) kind: Option<String>,
    pub(super) value: Option<Value>,
}

#[derive(Default)]
pub(super) struct Checked {
    pub(super) object_kind: Option<String>,
    pub(super) config_addr: Option<String>,
    pub(super) objects: Array<CheckedObject>,
}

#[derive(Default)]
pub(super) struct CheckedObject {
    pub(super) object_addr: Option<String>,
}

/// An object that is parsed member by member.
trait Members: Default {
    /// Parses the value of a member.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>;
}

/// Parses a text, a number or a bool. `null` changes nothing.
fn set<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<T>,
    from: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = from.next_value()? {
        *place = Some(value);
    }
    Ok(())
}

/// Checks the type of a value.
fn expect<'de, T: Deserialize<'de>, A: MapAccess<'de>>(from: &mut A) -> Result<(), A::Error> {
    from.next_value::<Option<T>>().map(drop)
}

impl Members for Document {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "terraform_version" => set(&mut self.terraform_version, from)?,
            "outputs" => self.outputs = from.next_value()?,
            "resources" => self.resources = from.next_value()?,
            "check_results" => self.check_results = from.next_value()?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for Output {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = Some(from.next_value()?),
            "value" => self.value = Some(from.next_value()?),
            "sensitive" => expect::<bool, A>(from)?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for Resource {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "module" => set(&mut self.module, from)?,
            "mode" => set(&mut self.mode, from)?,
            "type" => set(&mut self.kind, from)?,
            "name" => set(&mut self.name, from)?,
            "provider" | "each" => expect::<String, A>(from)?,
            "instances" => self.instances = from.next_value()?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for Instance {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "index_key" => self.index_key = from.next_value()?,
            "deposed" => set(&mut self.deposed, from)?,
            "status" => set(&mut self.status, from)?,
            "schema_version" => expect::<u64, A>(from)?,
            "attributes_flat" => expect::<BTreeMap<String, Option<String>>, A>(from)?,
            "sensitive_attributes" => self.sensitive_attributes = from.next_value()?,
            "private" => set(&mut self.private, from)?,
            "dependencies" => self.dependencies = from.next_value()?,
            "create_before_destroy" => expect::<bool, A>(from)?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for Step {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => set(&mut self.kind, from)?,
            "value" => self.value = Some(from.next_value()?),
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for Checked {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "object_kind" => set(&mut self.object_kind, from)?,
            "config_addr" => set(&mut self.config_addr, from)?,
            "status" => expect::<String, A>(from)?,
            "objects" => self.objects = from.next_value()?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

impl Members for CheckedObject {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "object_addr" => set(&mut self.object_addr, from)?,
            "status" => expect::<String, A>(from)?,
            "failure_messages" => expect::<Vec<Option<String>>, A>(from)?,
            _ => expect::<IgnoredAny, A>(from)?,
        }
        Ok(())
    }
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Members> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(name) = map.next_key::<String>()? {
            object.read(&fold(&name), &mut map)?;
        }
        Ok(object)
    }
}

macro_rules! deserialize {
    ($($object:ty)*) => {$(
        impl<'de> Deserialize<'de> for $object {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_map(Object(PhantomData))
            }
        }
    )*};
}

deserialize! { Document Output Resource Instance Step Checked CheckedObject }
