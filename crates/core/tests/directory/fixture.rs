//! A directory to fill, and two invented providers.

use std::fs;
use std::path::Path;

use remote_state_core::config::{
    ConfigKeySpec, ConfigValue, EmptyRule, Environment, ProviderSpec, ResolvedConfig, ValueKind,
};
use remote_state_core::directory::{DirectoryOptions, Discovered, discover};
use remote_state_core::{Backend, Error, ErrorKind, Provider};
use tempfile::TempDir;

const fn key(name: &'static str, kind: ValueKind) -> ConfigKeySpec {
    ConfigKeySpec::new(name, kind, "A key.")
}

pub(crate) static ALPHA: ProviderSpec = ProviderSpec::new(
    "alpha",
    "Alpha",
    &[
        key("bucket", ValueKind::String).required(),
        key("key", ValueKind::String).required(),
        key("region", ValueKind::String).env(&["ALPHA_REGION"]),
        key("prefix", ValueKind::String).default("env:").empty(EmptyRule::Value),
        key("kms_key_id", ValueKind::String).empty(EmptyRule::Refused),
        key("secret_key", ValueKind::String).secret(),
        key("use_lock", ValueKind::Bool).default("false"),
        key("retries", ValueKind::Number).default("5"),
        key("config_files", ValueKind::StringList),
        key("tags", ValueKind::StringMap),
        key("endpoints.store", ValueKind::String).aliases(&["endpoint"]),
        key("endpoints.tokens", ValueKind::String),
        key("role.arn", ValueKind::String).required(),
        key("role.secret", ValueKind::String).secret(),
    ],
);

static BETA: ProviderSpec = ProviderSpec::new(
    "beta",
    "Beta",
    &[
        key("bucket", ValueKind::String).required(),
        key("beta_table", ValueKind::String),
        key("assume.arn", ValueKind::String).block(),
    ],
);

/// A provider that only has keys.
#[derive(Debug)]
struct Known(&'static ProviderSpec);

impl Provider for Known {
    fn spec(&self) -> &'static ProviderSpec {
        self.0
    }

    fn parse(&self, _: &ResolvedConfig) -> Result<Box<dyn Backend>, Error> {
        Err(Error::new(ErrorKind::Unsupported, "parse", "this provider keeps no state"))
    }
}

static PROVIDERS: &[&dyn Provider] = &[&Known(&ALPHA), &Known(&BETA)];

/// A temporary Terraform directory.
pub(crate) struct Dir(TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Creates a directory with one file, `main.tf`.
    pub(crate) fn main(content: &str) -> Self {
        Self::new().file("main.tf", content)
    }

    /// Creates a directory with `main.tf`, whose `alpha` block holds these lines after the two
    /// required ones, so that they start on line 5.
    pub(crate) fn block(lines: &str) -> Self {
        Self::main(&format!(
            "terraform {{\n  backend \"alpha\" {{\n    bucket = \"b\"\n    key = \
                 \"k\"\n{lines}\n  }}\n}}\n"
        ))
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Adds the record of `init`.
    pub(crate) fn initialised(self, backend: &str, config: &str) -> Self {
        let record = format!(
            "{{\n  \"version\": 3,\n  \"terraform_version\": \"1.11.4\",\n  \"backend\": {{\n    \
             \"type\": \"{backend}\",\n    \"config\": {config},\n    \"hash\": 1\n  }}\n}}\n"
        );
        self.file(".terraform/terraform.tfstate", record)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn with(
        &self,
        env: &[(&str, &str)],
        options: &DirectoryOptions,
    ) -> Result<Discovered, Error> {
        discover(self.path(), &env.iter().copied().collect::<Environment>(), options, PROVIDERS)
    }

    pub(crate) fn discover(&self) -> Result<Discovered, Error> {
        self.with(&[], &DirectoryOptions::default())
    }

    pub(crate) fn with_config(&self, arguments: &[&str]) -> Result<Discovered, Error> {
        let options = arguments.iter().fold(DirectoryOptions::default(), |options, argument| {
            options.with_backend_config(*argument)
        });
        self.with(&[], &options)
    }

    /// Returns a key's value as text.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        value(&self.discover().unwrap(), name)
    }

    /// Returns the whole error message.
    pub(crate) fn error(&self) -> String {
        message(&self.discover().unwrap_err())
    }
}

/// Returns a key's value as text, `None` if it has none.
pub(crate) fn value(found: &Discovered, name: &str) -> Option<String> {
    Some(match &found.config.named(name)?.value {
        ConfigValue::Bool(value) => value.to_string(),
        ConfigValue::Number(text) | ConfigValue::String(text) => text.clone(),
        ConfigValue::List(items) => items.join(","),
        ConfigValue::Map(members) => members
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(","),
    })
}

/// Formats an error as text: the message, then context and hints, a line each.
pub(crate) fn message(error: &Error) -> String {
    let context = error.context().iter().map(|(label, value)| format!("{label}: {value}"));
    let hints = error.hints().into_iter().map(|hint| format!("hint: {hint}"));
    std::iter::once(error.message().to_owned())
        .chain(context)
        .chain(hints)
        .collect::<Vec<_>>()
        .join("\n")
}
