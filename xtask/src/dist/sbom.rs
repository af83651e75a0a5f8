//! The bill of materials, in CycloneDX 1.5: <https://cyclonedx.org/docs/1.5/json/>.

use serde_json::{Value, json};

use crate::Result;
use crate::dist::licences::{Linked, linked};
use crate::dist::{Made, Release};

pub(super) fn make(release: &Release<'_>) -> Result<Made> {
    let all = linked(release.workspace, &release.target)?;
    let text = serde_json::to_string_pretty(&document(&release.version, &all))?;
    let name = format!("remote-state-{}-{}.cdx.json", release.version, release.target);
    let path = release.output.join(name);
    std::fs::write(&path, text + "\n")?;
    Ok(Made::Files(vec![path]))
}

/// Returns the document. It has no serial number and no time, so that the same release has the same
/// document.
fn document(version: &str, all: &[Linked]) -> Value {
    let components: Vec<Value> = all.iter().filter(|one| !one.is_ours).map(component).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "remote-state",
                "name": "remote-state",
                "version": version,
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
        },
        "components": components,
    })
}

fn component(one: &Linked) -> Value {
    let purl = format!("pkg:cargo/{}@{}", one.name, one.version);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "purl": purl,
        "name": one.name,
        "version": one.version,
    });
    if let Some(licence) = &one.licence {
        component["licenses"] = json!([{"expression": licence}]);
    }
    if let Some(checksum) = &one.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_named_with_its_licence_and_its_checksum_and_ours_are_one() {
        let linked = |name: &str, is_ours| Linked {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: Some("MIT".to_owned()),
            checksum: Some("00ff".to_owned()),
            folder: "/nowhere".into(),
            is_ours,
        };
        let document = document("0.1.0", &[linked("serde", false), linked("remote-state", true)]);
        assert_eq!(
            document["components"],
            json!([{
                "type": "library", "bom-ref": "pkg:cargo/serde@1.0.0",
                "purl": "pkg:cargo/serde@1.0.0", "name": "serde", "version": "1.0.0",
                "licenses": [{"expression": "MIT"}],
                "hashes": [{"alg": "SHA-256", "content": "00ff"}],
            }])
        );
        assert_eq!(document["metadata"]["component"]["version"], "0.1.0");
    }
}
