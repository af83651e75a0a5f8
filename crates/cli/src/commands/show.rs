//! `show`: prints one resource of the state.

use std::collections::BTreeMap;

use remote_state::{Error, ErrorKind, ResourceInstance};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::Show;
use crate::commands::inventory;
use crate::exit::Failure;
use crate::session::Session;
use crate::terminal::harmless;
use crate::ui::Ui;
use crate::values::{as_written, readable};

/// An instance as JSON, with unchanged attributes.
#[derive(Serialize)]
struct Shown<'a> {
    version: u32,
    address: &'a str,
    provider: &'a str,
    tainted: bool,
    attributes: BTreeMap<&'a str, Box<RawValue>>,
    sensitive_attributes: &'a [String],
}

pub(crate) async fn run(session: &Session, args: &Show) -> Result<(), Failure> {
    let instances = inventory::read(session).await?;
    let is_asked_for = |instance: &&ResourceInstance| {
        instance.has_address(&args.address) && instance.deposed.is_none()
    };
    let Some(instance) = instances.iter().find(is_asked_for) else {
        return Err(missing(&session.ui, &instances, &args.address));
    };
    if session.ui.is_json {
        return session.ui.json(&Shown {
            version: 1,
            address: &instance.address,
            provider: &instance.provider,
            tainted: instance.is_tainted,
            attributes: (instance.attributes.iter())
                .map(|(name, value)| (name.as_str(), as_written(value)))
                .collect(),
            sensitive_attributes: &instance.sensitive_attributes,
        });
    }
    if !args.show_sensitive
        && instances.iter().all(|instance| instance.sensitive_attributes.is_empty())
    {
        session.ui.note(
            "the state does not record which attributes its providers hide; the usual ones are \
             hidden by their names",
        );
    }
    session.ui.note(&format!(
        "{}{}",
        instance.address,
        if instance.is_tainted { " (tainted)" } else { "" }
    ));
    let row = |name: &String, value: &RawValue| {
        let is_hidden = instance.is_sensitive(name) && !args.show_sensitive;
        vec![name.clone(), if is_hidden { "<sensitive>".to_owned() } else { readable(value) }]
    };
    session.ui.table(
        &["attribute", "value"],
        instance.attributes.iter().map(|(name, value)| row(name, value)).collect(),
    )
}

fn missing(ui: &Ui, instances: &[ResourceInstance], address: &str) -> Failure {
    let error = Error::new(
        ErrorKind::NotFound,
        "show",
        format!("the state tracks no resource `{address}`"),
    );
    if instances.iter().any(|instance| instance.has_address(address)) {
        return Error::new(
            ErrorKind::NotFound,
            "show",
            format!("`{address}` has only objects that wait to be destroyed"),
        )
        .with_hint(format!("see their keys with {}", ui.command("list --json")))
        .into();
    }
    // All instances of a resource, or the whole list.
    let similar: Vec<_> = instances
        .iter()
        .filter(|instance| instance.address.starts_with(&format!("{address}[")))
        .map(|instance| format!("`{}`", harmless(&instance.address)))
        .take(5)
        .collect();
    if similar.is_empty() {
        error.with_hint(format!("see which it tracks with {}", ui.command("list")))
    } else {
        error.with_hint(format!("it tracks {}", similar.join(", ")))
    }
    .into()
}
