//! How two instances differ that have one address, or are one instance with another address.

use crate::diff::attributes::{Comparer, Side};
use crate::diff::report::{AttributeChange, Change};
use crate::diff::scan::{COMPARED, Shared};
use crate::json::{ArrayOrder, Json};
use crate::masking::{Marks, attributes};

/// How an instance differs.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The kind of the change if the address is the same; `None` if there is none.
    pub(crate) change: Option<Change>,
    pub(crate) tainted: Option<bool>,
    pub(crate) schema_versions: Option<(u64, u64)>,
    pub(crate) attributes: Vec<AttributeChange>,
}

impl Difference {
    /// Compares two instances of types `kinds`.
    pub(crate) fn between(
        shared: &Shared,
        order: ArrayOrder,
        kinds: (&str, &str),
        (a, b): (&Json<'_>, &Json<'_>),
    ) -> Self {
        let marks = (Marks::of_instance(kinds.0, a), Marks::of_instance(kinds.1, b));
        let mut comparer = Comparer::new(&shared.masking, &shared.hasher, order);
        comparer.compare(
            "",
            &Side::new(attributes(a), marks.0.root()),
            &Side::new(attributes(b), marks.1.root()),
        );
        let mut attributes = comparer.finish();
        let unmarked = Marks::default();
        for name in COMPARED {
            // Clients do not order dependencies.
            let mut comparer = Comparer::new(&shared.masking, &shared.hasher, ArrayOrder::Ignored);
            comparer.compare(
                &format!("({name})"),
                &Side::new(a.get(name), unmarked.root()),
                &Side::new(b.get(name), unmarked.root()),
            );
            attributes.extend(comparer.finish());
        }
        let is_tainted = |instance: &Json<'_>| instance.text("status") == Some("tainted");
        let tainted = (is_tainted(a) != is_tainted(b)).then(|| is_tainted(b));
        let versions = (schema_version(a), schema_version(b));
        let schema_versions = (versions.0 != versions.1).then_some(versions);
        let change = match (id(a), id(b)) {
            (Some(a), Some(b)) if a != b => Some(Change::Replaced),
            _ if !attributes.is_empty() => Some(Change::Changed),
            _ => match tainted {
                Some(true) => Some(Change::Tainted),
                Some(false) => Some(Change::Untainted),
                None => schema_versions.map(|_| Change::SchemaVersion),
            },
        };
        Self { change, tainted, schema_versions, attributes }
    }
}

/// Returns the id of an instance, unless it is empty.
fn id<'j>(instance: &'j Json<'_>) -> Option<&'j str> {
    attributes(instance)?.text("id")
}

fn schema_version(instance: &Json<'_>) -> u64 {
    let version = instance.get("schema_version").and_then(Json::scalar);
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}
