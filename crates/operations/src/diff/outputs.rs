//! How the outputs of two states differ.

use remote_state_core::Result;

use crate::diff::report::{AttributeChangeKind, OutputChange};
use crate::diff::scan::{Scanned, Shared};
use crate::json::Json;
use crate::masking::{Marks, Shown, Values};
use crate::parsed::parse;

/// Compares one output; `None` if it is the same.
pub(crate) fn compare(
    shared: &Shared,
    (a, b): (&Scanned<'_>, &Scanned<'_>),
    name: &str,
) -> Result<Option<OutputChange>> {
    let read = |state: &Scanned<'_>| match state.outputs.get(name) {
        Some((_, span)) => state.read(span.clone()).map(Some),
        None => Ok(None),
    };
    let (one, other) = (read(a)?, read(b)?);
    let one = one.as_deref().map(parse).transpose()?;
    let other = other.as_deref().map(parse).transpose()?;
    Ok(change(shared, name, one.as_ref(), other.as_ref()))
}

fn change(
    shared: &Shared,
    name: &str,
    a: Option<&Json<'_>>,
    b: Option<&Json<'_>>,
) -> Option<OutputChange> {
    let value = |output: Option<&Json<'_>>| {
        let value = output.and_then(|output| output.get("value")).unwrap_or(&Json::Null);
        shared.hasher.hash(value)
    };
    let is_marked = |output: &Json<'_>| Marks::of_output(output).root().is_marked();
    let change = match (a, b) {
        (None, None) => return None,
        (None, Some(_)) => AttributeChangeKind::Added,
        (Some(_), None) => AttributeChangeKind::Removed,
        _ if value(a) != value(b) => AttributeChangeKind::Changed,
        (Some(a), Some(b)) if is_marked(a) != is_marked(b) => AttributeChangeKind::Sensitivity,
        _ => return None,
    };
    let (before, hides_before) = show(shared, name, a);
    let (after, hides_after) = show(shared, name, b);
    // A value that is hidden on one side must not be read from the other.
    let hides_all = matches!(before, Shown::Hidden) || matches!(after, Shown::Hidden);
    let hide = |shown: Shown| match shown {
        Shown::Value(_) if hides_all => Shown::Hidden,
        shown => shown,
    };
    Some(OutputChange {
        name: name.to_owned(),
        change,
        before: hide(before),
        after: hide(after),
        is_sensitive: hides_before || hides_after,
    })
}

fn show(shared: &Shared, name: &str, output: Option<&Json<'_>>) -> (Shown, bool) {
    let Some(output) = output else { return (Shown::Absent, false) };
    let marks = Marks::of_output(output);
    match (output.get("value"), shared.masking.values()) {
        (Some(value), _) => shared.masking.show(&marks.root().member(name), value),
        (None, Values::None) => (Shown::Omitted, false),
        (None, _) => (Shown::Value(Json::Null.to_raw()), false),
    }
}
