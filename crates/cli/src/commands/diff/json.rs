//! The answer of `diff` as JSON, written as the differences are found.

use remote_state::StateHeader;
use remote_state_operations::diff::{
    AttributeChange, OutputChange, ProviderChange, Report, ResourceChange, SameBy, Summary,
};
use remote_state_operations::masking::Shown;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::commands::diff::{Side, is_encrypted};
use crate::exit::Failure;
use crate::ui::Ui;

#[derive(Serialize)]
struct Resource<'a> {
    change: &'static str,
    address: &'a str,
    previous_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same: Option<&'static str>,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tainted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_versions: Option<(u64, u64)>,
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct Attribute<'a> {
    path: &'a str,
    change: &'static str,
    before: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
    sensitive: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    change: &'static str,
    before: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
    sensitive: bool,
}

/// The lists of the answer, in their order.
const LISTS: [&str; 3] = ["resources", "outputs", "providers"];

pub(super) struct Json<'u> {
    ui: &'u Ui,
    /// The number of the list that is open, and whether it has an element.
    open: usize,
    has_elements: bool,
}

impl<'u> Json<'u> {
    /// Writes what is known before the comparison.
    pub(super) fn begin(
        ui: &'u Ui,
        a: (&Side, &StateHeader),
        b: (&Side, &StateHeader),
    ) -> Result<Self, Failure> {
        let text = format!("{{\"version\":1,\n\"a\":{},\n\"b\":{},\n", described(a), described(b));
        ui.json_piece(&text)?;
        ui.json_piece("\"resources\":[")?;
        Ok(Self { ui, open: 0, has_elements: false })
    }

    pub(super) fn finish(mut self, summary: &Summary) -> Result<(), Failure> {
        self.open(LISTS.len() - 1)?;
        let summary = json!({
            "added": summary.added,
            "removed": summary.removed,
            "moved": summary.moved,
            "changed": summary.changed,
            "replaced": summary.replaced,
            "tainted": summary.tainted,
            "deposed": summary.deposed,
            "schema_versions": summary.schema_versions,
            "unchanged": summary.unchanged,
            "outputs": summary.outputs,
            "providers": summary.providers,
        });
        self.ui.json_piece(&format!("],\n\"summary\":{summary}}}\n"))
    }

    /// Ends lists until this one is open.
    fn open(&mut self, list: usize) -> Result<(), Failure> {
        while self.open < list {
            self.open += 1;
            self.has_elements = false;
            let name = LISTS.get(self.open).copied().unwrap_or_default();
            self.ui.json_piece(&format!("],\n\"{name}\":["))?;
        }
        Ok(())
    }

    fn add(&mut self, list: usize, element: &impl Serialize) -> Result<(), Failure> {
        self.open(list)?;
        let comma = if self.has_elements { ",\n" } else { "\n" };
        self.has_elements = true;
        let text = crate::ui::json_line(element)?;
        self.ui.json_piece(&format!("{comma}{text}"))
    }
}

fn described((side, header): (&Side, &StateHeader)) -> serde_json::Value {
    json!({
        "ref": side.reference,
        "version_id": side.version,
        "serial": header.serial.0,
        "lineage": header.lineage.as_str(),
        "terraform_version": header.terraform_version,
        "encrypted": is_encrypted(header),
    })
}

fn attribute(change: &AttributeChange) -> Attribute<'_> {
    Attribute {
        path: &change.path,
        change: change.change.as_str(),
        before: change.before.json(),
        after: change.after.json(),
        sensitive: change.is_sensitive,
    }
}

impl Report for Json<'_> {
    type Error = Failure;

    fn resource(&mut self, change: &ResourceChange) -> Result<(), Failure> {
        self.add(
            0,
            &Resource {
                change: change.change.as_str(),
                address: &change.address,
                previous_address: change.previous_address.as_deref(),
                same: change.same_by.as_ref().map(|same| match same {
                    SameBy::Identity => "identity",
                    SameBy::Id(_) => "id",
                    _ => "attributes",
                }),
                kind: &change.kind,
                deposed: change.deposed.as_deref(),
                tainted: change.tainted,
                schema_versions: change.schema_versions,
                attributes: change.attributes.iter().map(attribute).collect(),
            },
        )
    }

    fn output(&mut self, change: &OutputChange) -> Result<(), Failure> {
        let shown = |shown: &'_ Shown| shown.json().map(ToOwned::to_owned);
        let (before, after) = (shown(&change.before), shown(&change.after));
        self.add(
            1,
            &Output {
                name: &change.name,
                change: change.change.as_str(),
                before: before.as_deref(),
                after: after.as_deref(),
                sensitive: change.is_sensitive,
            },
        )
    }

    fn provider(&mut self, change: &ProviderChange) -> Result<(), Failure> {
        self.add(
            2,
            &json!({
                "before": change.before,
                "after": change.after,
                "instances": change.instances,
            }),
        )
    }
}
