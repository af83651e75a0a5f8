//! `list`: prints the resources in the state.

use remote_state::{ReadOptions, ResourceInstance};
use serde_json::json;

use crate::commands::common::{no_state, unreadable, unsealed};
use crate::exit::Failure;
use crate::session::Session;

pub(crate) async fn list(session: &Session) -> Result<(), Failure> {
    let instances = read(session).await?;
    let ui = &session.ui;
    if ui.is_json {
        let resources: Vec<_> = instances
            .iter()
            .map(|instance| {
                json!({
                    "address": instance.address,
                    "provider": instance.provider,
                    "tainted": instance.is_tainted,
                    "deposed": instance.deposed,
                })
            })
            .collect();
        return ui.json(&json!({"version": 1, "resources": resources}));
    }
    if instances.is_empty() {
        ui.note("the state tracks no resources");
    }
    let mut last = "";
    for instance in &instances {
        // A deposed instance has the address of the one that replaced it.
        if instance.address != last {
            ui.line(&crate::terminal::harmless(&instance.address))?;
        }
        last = &instance.address;
    }
    Ok(())
}

pub(super) async fn read(session: &Session) -> Result<Vec<ResourceInstance>, Failure> {
    session.may_read();
    let read = session.store.read(&session.workspace, &ReadOptions::default()).await?;
    let read = read.ok_or_else(|| no_state(session, &session.workspace))?;
    let stored = unsealed(session, read).await?.collect().await?;
    ResourceInstance::parse_all(&stored.bytes)
        .map_err(|error| unreadable(session, &stored.meta, error))
}
