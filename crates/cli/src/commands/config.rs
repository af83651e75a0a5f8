//! `config`: prints the configuration and its origins, the available keys, and the variables for a
//! client.

use remote_state::config::{ConfigKeySpec, Environment, ProviderSpec, ValueKind};
use remote_state::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::args::{Config, Global};
use crate::client;
use crate::exit::Failure;
use crate::session;
use crate::ui::Ui;

pub(crate) fn run(
    ui: &Ui,
    env: &Environment,
    global: &Global,
    args: &Config,
) -> Result<(), Failure> {
    match args {
        Config::Show => show(ui, env, global),
        Config::Keys { provider } => keys(ui, provider.as_deref()),
        Config::Client { address, plain_methods } => client(ui, address, *plain_methods),
    }
}

fn show(ui: &Ui, env: &Environment, global: &Global) -> Result<(), Failure> {
    let mut found = session::find(ui, env, global)?;
    // The embedded store has endpoints of its own.
    if global.dev.is_none() {
        found.config = found.provider.complete(found.config)?;
    }
    if let Some(error) = &found.changed_since_init {
        ui.warn_error(error);
    }
    if let Some(error) = &found.not_compared {
        session::tell_not_compared(ui, error);
    }
    if ui.is_json {
        return ui.json(&found.config.to_json(&found.workspace.value));
    }
    if global.dev.is_none() {
        // Commands that need a value report what is wrong with it; here it is only printed.
        if let Ok(backend) = found.provider.parse(&found.config) {
            for foreign in backend.foreign_endpoints() {
                ui.note(&foreign.to_string());
            }
        }
    }
    let mut rows = vec![
        vec![
            "(backend)".to_owned(),
            found.config.provider().scheme.to_owned(),
            found.source.to_string(),
        ],
        vec![
            "(workspace)".to_owned(),
            found.workspace.value.to_string(),
            found.workspace.origin.to_string(),
        ],
    ];
    rows.extend(found.config.iter().map(|(key, value)| {
        let shown = found.config.shown(key.name).unwrap_or_else(|| "<secret>".to_owned());
        vec![key.name.to_owned(), shown, value.origin.to_string()]
    }));
    ui.table(&["key", "value", "set in"], rows)
}

fn keys(ui: &Ui, provider: Option<&str>) -> Result<(), Failure> {
    let providers: Vec<_> =
        remote_state::providers().iter().map(|provider| provider.spec()).collect();
    let chosen: Vec<_> =
        providers.iter().filter(|spec| provider.is_none_or(|name| name == spec.scheme)).collect();
    if let (Some(name), true) = (provider, chosen.is_empty()) {
        let known: Vec<_> = providers.iter().map(|spec| format!("`{}`", spec.scheme)).collect();
        return Err(Error::new(
            ErrorKind::NotFound,
            "list keys",
            format!("there is no provider `{name}`"),
        )
        .with_hint(format!("the providers are {}", known.join(", ")))
        .into());
    }
    if ui.is_json {
        let providers: serde_json::Map<_, _> = chosen
            .iter()
            .map(|spec| (spec.scheme.to_owned(), spec.offered().map(key_json).collect()))
            .collect();
        return ui.json(&json!({"version": 1, "providers": providers}));
    }
    let row = |spec: &ProviderSpec, key: &ConfigKeySpec| {
        vec![
            spec.scheme.to_owned(),
            [&[key.name], key.aliases].concat().join(", "),
            kind(key.kind).to_owned(),
            if key.required {
                "required".to_owned()
            } else {
                key.default.unwrap_or_default().to_owned()
            },
            key.env.join(", "),
            key.doc.to_owned(),
        ]
    };
    let rows = chosen.iter().flat_map(|spec| spec.offered().map(|key| row(spec, key))).collect();
    ui.table(&["provider", "key", "type", "default", "environment", "meaning"], rows)
}

pub(super) fn key_json(key: &ConfigKeySpec) -> Value {
    json!({
        "name": key.name,
        "aliases": key.aliases,
        "type": kind(key.kind),
        "environment": key.env,
        "default": key.default,
        "required": key.required,
        "secret": key.secret,
        "deprecated": key.deprecated,
        "doc": key.doc,
    })
}

fn kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Bool => "bool",
        ValueKind::Number => "number",
        ValueKind::String => "string",
        ValueKind::StringList => "list",
        ValueKind::StringMap => "map",
        _ => "other",
    }
}

/// Prints variables rather than a block: Terraform copies the content of a block, and so the token,
/// into the data directory and into plan files.
fn client(ui: &Ui, address: &str, plain_methods: bool) -> Result<(), Failure> {
    let mut variables = client::variables(address, plain_methods)?;
    // Without a user name the client sends no password; any name will do.
    variables.push(("TF_HTTP_USERNAME", "remote-state".to_owned()));
    if ui.is_json {
        let variables: serde_json::Map<_, _> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        return ui.json(&json!({"version": 1, "environment": variables}));
    }
    for (name, value) in &variables {
        ui.line(&format!("export {name}='{}'", value.replace('\'', r"'\''")))?;
    }
    ui.note("and set TF_HTTP_PASSWORD to the server's token; the configuration needs only:");
    for line in ["terraform {", "  backend \"http\" {}", "}"] {
        ui.note(line);
    }
    Ok(())
}
