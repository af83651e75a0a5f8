//! States of format versions before 4, rewritten for readers that know version 4 alone.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Result;
use crate::state::header::{StateHeader, invalid};
use crate::state::outputs::{OutputReader, Progress};
use crate::state::resources;

#[derive(Serialize)]
struct Document<'a> {
    version: u64,
    terraform_version: &'a str,
    serial: u64,
    lineage: &'a str,
    outputs: BTreeMap<&'a str, Output<'a>>,
    resources: Vec<Resource<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    value: &'a RawValue,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
}

#[derive(Serialize)]
struct Resource<'a> {
    module: String,
    mode: &'static str,
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    provider: &'a str,
    instances: [Instance<'a>; 1],
}

#[derive(Serialize)]
struct Instance<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index_key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposed: Option<&'a str>,
    attributes: &'a BTreeMap<String, Box<RawValue>>,
}

/// Rewrites a state of an older format version as version 4: the same outputs and instances, with
/// their flat attributes. The result is for reading, and no client can work with it.
///
/// # Errors
/// `InvalidState` if the bytes are not a state.
pub fn as_version_4(state: &[u8]) -> Result<Vec<u8>> {
    let header = StateHeader::parse(state)?;
    let mut reader = OutputReader::new();
    let _: Progress = reader.feed(state)?;
    let outputs = reader.finish()?;
    let placed = resources::older(state)?;
    let document = Document {
        version: 4,
        terraform_version: header.terraform_version.as_deref().unwrap_or_default(),
        serial: header.serial.0,
        lineage: header.lineage.as_str(),
        outputs: (outputs.iter())
            .map(|(name, output)| {
                let kind = output.type_expression.as_deref();
                (name, Output { value: &output.value, kind, sensitive: output.is_sensitive })
            })
            .collect(),
        resources: (placed.iter())
            .map(|(address, instance)| {
                let (module, mode, name) = address.parts();
                Resource {
                    module,
                    mode,
                    kind: &instance.kind,
                    name,
                    provider: &instance.provider,
                    instances: [Instance {
                        index_key: address.index_key(),
                        status: instance.is_tainted.then_some("tainted"),
                        deposed: instance.deposed.as_deref(),
                        attributes: &instance.attributes,
                    }],
                }
            })
            .collect(),
    };
    serde_json::to_vec(&document).map_err(|_| invalid("it cannot be read as version 4"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceInstance;

    #[test]
    fn a_state_of_version_3_has_the_same_instances_and_outputs_in_version_4() {
        let state = br#"{"version":3,"serial":7,"lineage":"l","modules":[{"path":["root"],
            "outputs":{"o":{"sensitive":true,"type":"string","value":"x"}},"resources":{
            "aws_instance.web.1":{"type":"aws_instance","provider":"provider.aws","primary":{"id":"i","attributes":{"id":"i","n":"1.50"},"tainted":true},
             "deposed":[{"id":"j","attributes":{"id":"j"}}]}}},
            {"path":["root","net"],"resources":{"data.x.y":{"primary":{"attributes":{}}}}}]}"#;
        let rewritten = as_version_4(state).unwrap();
        let header = StateHeader::parse(&rewritten).unwrap();
        assert_eq!((header.serial.0, header.lineage.as_str()), (7, "l"));
        let shown = |state: &[u8]| {
            let all = ResourceInstance::parse_all(state).unwrap();
            let line = |one: &ResourceInstance| {
                (one.address.clone(), one.deposed.clone(), one.is_tainted, one.attributes.len())
            };
            all.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(shown(&rewritten), shown(state));
        assert_eq!(shown(state).len(), 3);
        let text = String::from_utf8(rewritten).unwrap();
        assert!(text.contains(r#""o":{"value":"x","type":"string","sensitive":true}"#), "{text}");
        assert!(text.contains(r#""n":"1.50""#), "{text}");
    }
}
