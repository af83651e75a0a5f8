//! The two places of a migration: named by options, or by a journal.

use std::sync::Arc;

use remote_state::config::{ConfigValue, Environment, ResolvedConfig};
use remote_state::directory::{DirectoryOptions, Discovered, OptionNames};
use remote_state::{Error, StateStore};
use serde_json::{Map, Value, json};

use super::block::written;
use crate::args::Global;
use crate::exit::Failure;
use crate::local::Local;
use crate::session::{checked, find_named};
use crate::ui::Ui;

/// The names of the options for the source.
pub(super) const FROM: OptionNames =
    OptionNames { backend: "--from", backend_config: "--from-config", workspace: "--workspace" };

/// The names of the options for the target.
pub(super) const TO: OptionNames =
    OptionNames { backend: "--to", backend_config: "--to-config", workspace: "--workspace" };

/// One place, opened.
pub(super) struct Side {
    pub(super) scheme: &'static str,
    pub(super) config: ResolvedConfig,
    pub(super) store: Arc<dyn StateStore>,
}

impl Side {
    /// Opens the target that options name.
    pub(super) fn target(
        ui: &Ui,
        env: &Environment,
        global: &Global,
        backend: &str,
        config: &[String],
    ) -> Result<Self, Failure> {
        Self::open(ui, named(ui, env, global, backend, config, TO)?)
    }

    pub(super) fn open(ui: &Ui, found: Discovered) -> Result<Self, Failure> {
        let store = checked(ui, found.provider, &found.config)?.open()?;
        Ok(Self { scheme: found.provider.spec().scheme, config: found.config, store })
    }
}

/// Finds a backend that options name.
pub(super) fn named(
    ui: &Ui,
    env: &Environment,
    global: &Global,
    backend: &str,
    config: &[String],
    names: OptionNames,
) -> Result<Discovered, Failure> {
    // The workspaces are named one by one.
    let options = DirectoryOptions::default()
        .with_backend(backend)
        .with_workspace("default")
        .with_names(names);
    let options = config.iter().fold(options, DirectoryOptions::with_backend_config);
    let mut providers = remote_state::providers().to_vec();
    if names.backend == FROM.backend {
        providers.push(&Local);
    }
    find_named(ui, env, global, &options, &providers)
}

/// Finds a backend that a journal names. What `more` says comes on top.
pub(super) fn recorded(
    ui: &Ui,
    env: &Environment,
    global: &Global,
    side: &Value,
    more: &[String],
    names: OptionNames,
) -> Result<Discovered, Failure> {
    let wrong = || Error::config("the journal does not say where its states are");
    let backend = side["backend"].as_str().ok_or_else(wrong)?;
    let config = side["config"].as_object().ok_or_else(wrong)?;
    let mut pairs = Vec::new();
    for (name, value) in config {
        pairs.push(format!("{name}={}", value.as_str().ok_or_else(wrong)?));
    }
    pairs.extend_from_slice(more);
    named(ui, env, global, backend, &pairs, names)
}

/// Returns what a journal says of a place: what is configured for it, without secrets.
pub(super) fn to_json(scheme: &str, config: &ResolvedConfig) -> Value {
    let configured = config
        .iter()
        .filter(|(key, value)| !key.secret && value.origin.is_of_configuration())
        .filter_map(|(key, value)| {
            // As on the command line, where a text has no quotes.
            let text = match &value.value {
                // A URL with a password in it is to be given again.
                ConfigValue::String(text) if config.shown(key.name).as_ref() != Some(text) => {
                    return None;
                }
                ConfigValue::String(text) => text.clone(),
                other => written(config, key.name, other),
            };
            Some((key.name.to_owned(), Value::from(text)))
        });
    json!({"backend": scheme, "config": configured.collect::<Map<_, _>>()})
}
