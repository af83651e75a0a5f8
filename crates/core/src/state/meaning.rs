//! Whether two states mean the same although their bytes differ.
//!
//! Programs write the same state in different ways: an upgrade of the client changes
//! `terraform_version`, a formatter changes the white space and the order of members, Terraform
//! 0.12 changes the whole format. A client that posts such a state again under the same serial has
//! changed nothing.
//!
//! The comparison covers the members and their values: numbers by their exact decimal value,
//! strings by their characters. The order of members, white space, escapes and `terraform_version`
//! do not count; of members with one name the last counts, and a `null` or missing member of the
//! state itself equals an empty one. A state of format 3 equals one of format 4 if both have the
//! same outputs and the same instances with the same flat attributes, as when Terraform 0.12 has
//! read a state and not changed it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The greatest depth of values to compare. No program writes deeper ones.
const DEEPEST: usize = 256;

/// Returns whether two states mean the same: they have the same members with the same values.
///
/// White space, escapes, the order of members and `terraform_version` do not count. A state of
/// format 3 equals the one of format 4 that Terraform 0.12 makes of it. Returns `false` if one of
/// the two cannot be parsed.
pub fn mean_the_same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (State::read(one), State::read(other)) else { return false };
    match (one.version(), other.version()) {
        (Some(4), Some(3)) => other.upgraded().is_some_and(|old| Some(old) == one.flat()),
        (Some(3), Some(4)) => one.upgraded().is_some_and(|old| Some(old) == other.flat()),
        _ => one.equals(&other),
    }
}

/// The members of an object; of several with one name, the last.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.insert(name, value);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(All).map(Self)
    }
}

fn members(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str::<Members<'_>>(value.get()).ok().map(|members| members.0)
}

fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Cow<'_, str>>(value.get()).ok()
}

/// Returns whether two JSON values are equal.
fn equal(one: &RawValue, other: &RawValue, depth: usize) -> bool {
    let (a, b) = (one.get(), other.get());
    if a == b {
        return true;
    }
    let (Some(kind), true) = (a.bytes().next(), depth < DEEPEST) else { return false };
    match (kind, b.bytes().next()) {
        (b'{', Some(b'{')) => match (members(one), members(other)) {
            (Some(one), Some(other)) => all_equal(&one, &other, depth),
            _ => false,
        },
        (b'[', Some(b'[')) => match (items(one), items(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(a, b)| equal(a, b, depth + 1))
            }
            _ => false,
        },
        (b'"', Some(b'"')) => matches!((text(one), text(other)), (Some(a), Some(b)) if a == b),
        (b'-' | b'0'..=b'9', Some(b'-' | b'0'..=b'9')) => {
            Decimal::of(a).is_some() && Decimal::of(a) == Decimal::of(b)
        }
        _ => false,
    }
}

fn all_equal(
    one: &BTreeMap<String, &RawValue>,
    other: &BTreeMap<String, &RawValue>,
    depth: usize,
) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, value)| {
            other.get(name).is_some_and(|other| equal(value, other, depth + 1))
        })
}

/// An exact number: its digits without zeros at either end, and the power of ten of the last one.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    power: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let digits = format!("{whole}{fraction}");
        let kept = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len() - kept.len()).ok()?;
        let digits = kept.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, power: 0 });
        }
        let power =
            exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        Some(Self { is_negative, digits, power })
    }
}

struct State<'a>(BTreeMap<String, &'a RawValue>);

/// The common part of states of format 3 and of format 4.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    serial: Option<u64>,
    lineage: String,
    /// Each output with its value in one form, and whether it is sensitive.
    outputs: BTreeMap<String, (String, bool)>,
    instances: BTreeMap<Instance, BTreeMap<String, String>>,
}

/// Module, mode, type, name, index, and the number among the deposed instances.
type Instance = (String, &'static str, String, String, Option<u64>, Option<usize>);

impl<'a> State<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut all = serde_json::from_str::<Members<'_>>(text).ok()?.0;
        let is_empty = |value: &&RawValue| {
            let compact: String = value.get().split_whitespace().collect();
            matches!(compact.as_str(), "null" | "{}" | "[]" | "\"\"")
        };
        all.retain(|name, value| {
            name != "terraform_version" && !(value.get().len() < 64 && is_empty(value))
        });
        Some(Self(all))
    }

    fn version(&self) -> Option<u64> {
        serde_json::from_str(self.0.get("version")?.get()).ok()
    }

    fn equals(&self, other: &Self) -> bool {
        all_equal(&self.0, &other.0, 0)
    }

    fn serial(&self) -> Option<u64> {
        serde_json::from_str(self.0.get("serial")?.get()).ok()
    }

    fn lineage(&self) -> String {
        self.0.get("lineage").and_then(|value| text(value)).unwrap_or_default().into_owned()
    }

    fn common(&self) -> Common {
        Common {
            serial: self.serial(),
            lineage: self.lineage(),
            outputs: BTreeMap::new(),
            instances: BTreeMap::new(),
        }
    }

    /// Converts a state of format 3 as Terraform 0.12 does.
    fn upgraded(&self) -> Option<Common> {
        let mut common = self.common();
        for module in self.0.get("modules").map_or(Some(Vec::new()), |modules| items(modules))? {
            let module = members(module)?;
            let path: Vec<String> = serde_json::from_str(module.get("path")?.get()).ok()?;
            if path.len() == 1
                && let Some(outputs) = module.get("outputs")
            {
                common.add_outputs(outputs)?;
            }
            let module_address = address(path.iter().skip(1));
            for (key, resource) in
                module.get("resources").map_or(Some(BTreeMap::new()), |all| members(all))?
            {
                let resource = members(resource)?;
                let (mode, rest) = match key.strip_prefix("data.") {
                    Some(rest) => ("data", rest),
                    None => ("managed", key.as_str()),
                };
                let (kind, name) = rest.split_once('.')?;
                let numbered =
                    name.rsplit_once('.').and_then(|(name, n)| Some((name, n.parse().ok()?)));
                let (name, index) = numbered.map_or((name, None), |(name, n)| (name, Some(n)));
                let mut add = |instance: &RawValue, deposed| {
                    if instance.get() == "null" {
                        return Some(());
                    }
                    let attributes = flat(members(instance)?.get("attributes").copied())?;
                    let (kind, name) = (kind.to_owned(), name.to_owned());
                    let key = (module_address.clone(), mode, kind, name, index, deposed);
                    common.instances.insert(key, attributes);
                    Some(())
                };
                if let Some(primary) = resource.get("primary") {
                    add(primary, None)?;
                }
                let deposed =
                    resource.get("deposed").map_or(Some(Vec::new()), |deposed| items(deposed))?;
                for (number, instance) in deposed.into_iter().enumerate() {
                    add(instance, Some(number))?;
                }
            }
        }
        Some(common)
    }

    /// Converts a state of format 4 if all its instances are as Terraform 0.12 reads them from
    /// format 3.
    fn flat(&self) -> Option<Common> {
        let mut common = self.common();
        if let Some(outputs) = self.0.get("outputs") {
            common.add_outputs(outputs)?;
        }
        for resource in self.0.get("resources").map_or(Some(Vec::new()), |all| items(all))? {
            let resource = members(resource)?;
            let word =
                |name: &str| resource.get(name).and_then(|value| text(value)).map(Cow::into_owned);
            let mode = if word("mode")? == "data" { "data" } else { "managed" };
            let mut deposed_so_far = 0;
            for instance in resource.get("instances").map_or(Some(Vec::new()), |all| items(all))? {
                let instance = members(instance)?;
                let index = match instance.get("index_key") {
                    Some(index) => Some(serde_json::from_str(index.get()).ok()?),
                    None => None,
                };
                let deposed = instance.get("deposed").map(|_| {
                    deposed_so_far += 1;
                    deposed_so_far - 1
                });
                let attributes = flat(Some(*instance.get("attributes_flat")?))?;
                let module = word("module").unwrap_or_default();
                common.instances.insert(
                    (module, mode, word("type")?, word("name")?, index, deposed),
                    attributes,
                );
            }
        }
        Some(common)
    }
}

impl Common {
    fn add_outputs(&mut self, outputs: &RawValue) -> Option<()> {
        for (name, output) in members(outputs)? {
            let output = members(output)?;
            let is_sensitive = output.get("sensitive").is_some_and(|value| value.get() == "true");
            self.outputs.insert(name, (canonical(output.get("value")?, 0)?, is_sensitive));
        }
        Some(())
    }
}

fn address<'a>(path: impl Iterator<Item = &'a String>) -> String {
    path.map(|name| format!("module.{name}")).collect::<Vec<_>>().join(".")
}

fn flat(attributes: Option<&RawValue>) -> Option<BTreeMap<String, String>> {
    match attributes {
        None => Some(BTreeMap::new()),
        Some(value) => {
            let all = members(value)?;
            all.into_iter().map(|(name, value)| Some((name, text(value)?.into_owned()))).collect()
        }
    }
}

/// Returns one text for all texts of the same value.
fn canonical(value: &RawValue, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    Some(match value.get().bytes().next()? {
        b'{' => {
            let all = members(value)?.into_iter();
            let all =
                all.map(|(name, value)| Some(format!("{name:?}:{}", canonical(value, depth + 1)?)));
            format!("{{{}}}", all.collect::<Option<Vec<_>>>()?.join(","))
        }
        b'[' => {
            let all = items(value)?.into_iter().map(|value| canonical(value, depth + 1));
            format!("[{}]", all.collect::<Option<Vec<_>>>()?.join(","))
        }
        b'"' => format!("{:?}", text(value)?),
        b'-' | b'0'..=b'9' => format!("{:?}", Decimal::of(value.get())?),
        _ => value.get().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"version":4,"terraform_version":"1.6.6","serial":3,"lineage":"l","outputs":{"a":{"value":"x&y","type":"string"},"n":{"value":1.50,"type":"number"}},"resources":[{"mode":"managed","type":"t","name":"n","instances":[{"attributes":{"b":[1,2],"c":null}}]}],"check_results":null}"#;

    fn same(one: &str, other: &str) -> bool {
        let result = mean_the_same(one.as_bytes(), other.as_bytes());
        assert_eq!(
            result,
            mean_the_same(other.as_bytes(), one.as_bytes()),
            "both ways: {one} {other}"
        );
        result
    }

    /// What clients and tools do to a state without changing its meaning.
    #[test]
    fn form_is_not_meaning() {
        let pretty = serde_json::to_string_pretty(
            &serde_json::from_str::<serde_json::Value>(STATE).unwrap(),
        );
        for other in [
            pretty.unwrap(),
            format!("{STATE}\n"),
            STATE.replace("1.6.6", "1.11.4"),
            STATE.replace(r#""terraform_version":"1.6.6","#, ""),
            STATE.replace("x&y", "x\\u0026y"),
            STATE.replace("1.50", "1.5"),
            STATE.replace("1.50", "15e-1"),
            STATE.replace("1.50", "0.15E+1"),
            STATE.replace(r#","check_results":null"#, ""),
            STATE.replace("null}", "[ ]}").replace("\"c\":[ ]", "\"c\":null"),
            STATE.replace(r#""value":"x&y","type":"string""#, r#""type":"string","value":"x&y""#),
            STATE.replace(r#""serial":3"#, r#""serial":1,"serial":3"#),
        ] {
            assert!(same(STATE, &other), "{other}");
        }
    }

    #[test]
    fn every_value_counts() {
        for (from, to) in [
            ("x&y", "x&z"),
            ("1.50", "1.51"),
            ("1.50", "\"1.5\""),
            ("1.50", "-1.5"),
            ("1.50", "1.50000000000000000001"),
            ("[1,2]", "[2,1]"),
            ("[1,2]", "[1]"),
            (r#""c":null"#, r#""d":null"#),
            (r#""name":"n""#, r#""name":"m""#),
            (r#""lineage":"l""#, r#""lineage":"m""#),
            (r#""serial":3"#, r#""serial":4"#),
            (r#""check_results":null"#, r#""check_results":[1]"#),
        ] {
            let other = STATE.replace(from, to);
            assert_ne!(other, STATE, "{from}");
            assert!(!same(STATE, &other), "{from} {to}");
        }
    }

    #[test]
    fn what_cannot_be_read_equals_nothing_but_itself() {
        for text in ["", "x", "[]", "{\"version\":4", "{\"version\":4,\"a\":\"\\ud83d\"}"] {
            assert!(!same(STATE, text), "{text}");
            assert!(same(text, text), "{text}");
        }
        let deep = format!("{{\"version\":4,\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(!same(&deep, &deep.replace('1', " 1")));
    }

    #[test]
    fn a_state_that_terraform_0_12_has_only_read_equals_the_one_of_0_11() {
        let old = r#"{"version":3,"terraform_version":"0.11.11","serial":1,"lineage":"l","modules":[
            {"path":["root"],"outputs":{"v":{"sensitive":false,"type":"string","value":"a"}},"resources":{
                "null_resource.r.1":{"type":"null_resource","depends_on":[],"primary":{"id":"7","attributes":{"id":"7"}},"deposed":[]},
                "data.d.x":{"type":"d","primary":{"attributes":{"k":"v"}}}},"depends_on":[]},
            {"path":["root","m"],"outputs":{},"resources":{}}]}"#;
        let new = r#"{"version":4,"terraform_version":"0.12.29","serial":1,"lineage":"l",
            "outputs":{"v":{"value":"a","type":"string"}},"resources":[
            {"mode":"data","type":"d","name":"x","provider":"provider.d","instances":[{"schema_version":0,"attributes_flat":{"k":"v"}}]},
            {"mode":"managed","type":"null_resource","name":"r","each":"list","provider":"provider.null","instances":[{"index_key":1,"schema_version":0,"attributes_flat":{"id":"7"}}]}]}"#;
        assert!(same(old, new));
        for (from, to) in [
            ("\"value\":\"a\"", "\"value\":\"b\""),
            ("attributes_flat\":{\"id\":\"7\"", "attributes_flat\":{\"id\":\"8\""),
            ("\"index_key\":1", "\"index_key\":2"),
            ("\"name\":\"x\"", "\"name\":\"y\""),
            ("\"lineage\":\"l\"", "\"lineage\":\"m\""),
            ("attributes_flat\":{\"id\"", "attributes\":{\"id\""),
        ] {
            assert!(!same(old, &new.replace(from, to)), "{from}");
        }
    }
}
