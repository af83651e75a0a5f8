//! A provider's resolved configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::advice::{Advice, KeyValue};
use crate::config::key::{Key, KeyType, ValueType as _};
use crate::config::resolve::resolve;
use crate::config::setting::Setting;
use crate::config::spec::{ConfigKeySpec, ProviderSpec};
use crate::config::value::{ConfigValue, Environment, Origin, Sourced};
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// A provider's configuration: each value with its key's type and its origin.
#[derive(Clone, Debug)]
pub struct ResolvedConfig {
    provider: &'static ProviderSpec,
    values: BTreeMap<&'static str, Sourced<ConfigValue>>,
    notes: Vec<String>,
    env: Environment,
    directory: PathBuf,
    pub(super) directory_programs: bool,
}

/// What to do about a line break.
const WITHOUT_LINE_BREAK: &str = "set it again without one: `printf %s` writes none, `echo` does";

/// Returns the reason why a text cannot go into a header; `None` if it can.
pub fn unprintable(text: &str) -> Option<&'static str> {
    if text.trim_end_matches(['\r', '\n']) != text {
        Some("it ends with a line break")
    } else if text.chars().any(char::is_control) {
        Some("it holds a line break or another control character")
    } else {
        None
    }
}

impl ResolvedConfig {
    pub(crate) fn new(
        provider: &'static ProviderSpec,
        values: BTreeMap<&'static str, Sourced<ConfigValue>>,
        notes: Vec<String>,
        env: Environment,
    ) -> Self {
        Self {
            provider,
            values,
            notes,
            env,
            directory: PathBuf::from("."),
            directory_programs: false,
        }
    }

    /// Resolves names and texts from a program, without reading the environment.
    ///
    /// # Errors
    /// As [`resolve`](crate::config::resolve).
    pub fn from_pairs<'a>(
        provider: &'static ProviderSpec,
        pairs: impl IntoIterator<Item = (&'a str, impl Into<Setting>)>,
    ) -> Result<Self> {
        let setting = |(name, value): (&str, _)| {
            (name.to_owned(), Sourced::new(Into::into(value), Origin::Program))
        };
        resolve(provider, &Environment::default(), &[pairs.into_iter().map(setting).collect()])
    }

    /// Returns the provider that has these keys.
    pub fn provider(&self) -> &'static ProviderSpec {
        self.provider
    }

    /// Returns the environment that the configuration was resolved in, for values without a key:
    /// `$HOME` in a file name.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Returns the directory that relative file names start in: the one that the configuration is
    /// for, or else the current one.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Sets the directory that relative file names start in.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Returns what a person should know but need not act on, such as the use of a deprecated key.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Returns the keys that have a value, in the order of the provider's table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ConfigKeySpec, &Sourced<ConfigValue>)> {
        self.provider.keys.iter().filter_map(|key| Some((key, self.values.get(key.name)?)))
    }

    /// Returns the value of a key.
    ///
    /// # Panics
    /// In builds with debug assertions, if the key is not one of the provider's.
    pub fn get<T: KeyType>(&self, key: Key<T>) -> T::Found<'_> {
        T::find(self.sourced(key).map(|sourced| &sourced.value))
    }

    /// Returns the value of a key with its origin, for keys of different types.
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub fn sourced(&self, key: impl AsRef<ConfigKeySpec>) -> Option<&Sourced<ConfigValue>> {
        let ConfigKeySpec { name, kind, .. } = *key.as_ref();
        debug_assert!(
            self.provider.keys.iter().any(|row| row.name == name && row.kind == kind),
            "`{name}` is no key of provider `{}`, or one of another type",
            self.provider.scheme
        );
        self.values.get(name)
    }

    /// Returns where the value of a key was set; for a key without a value, its default.
    pub fn origin(&self, key: impl AsRef<ConfigKeySpec>) -> Origin {
        self.sourced(key).map_or(Origin::Default, |value| value.origin.clone())
    }

    /// Returns where the value of a key was set; `None` for a key without a value.
    pub fn origin_if_set(&self, key: impl AsRef<ConfigKeySpec>) -> Option<Origin> {
        self.sourced(key).map(|value| value.origin.clone())
    }

    /// Returns whether a key has a value, be it the default.
    pub fn is_set(&self, key: impl AsRef<ConfigKeySpec>) -> bool {
        self.sourced(key).is_some()
    }

    /// Returns whether a key was configured for this store: see [`Origin::is_of_configuration`].
    pub fn is_configured(&self, key: impl AsRef<ConfigKeySpec>) -> bool {
        self.origin(key).is_of_configuration()
    }

    /// Returns a value and its origin by the name of the key, for programs that know no key.
    pub fn named(&self, name: &str) -> Option<&Sourced<ConfigValue>> {
        self.values.get(name)
    }

    /// Returns a text by the name of its key, for programs that know no key.
    pub fn string(&self, name: &str) -> Option<&str> {
        match &self.named(name)?.value {
            ConfigValue::String(text) | ConfigValue::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text that has to be set, by the name of its key.
    ///
    /// # Errors
    /// `ConfigInvalid` if it is missing.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.string(name).ok_or_else(|| self.missing_named(name))
    }

    /// Returns a copy in which one key has another value.
    #[must_use]
    pub fn with<T: KeyType>(mut self, key: Key<T>, value: T::Set, origin: Origin) -> Self {
        self.values.insert(key.name(), Sourced::new(value.keep(), origin));
        self
    }

    /// Returns a copy in which one key has no value.
    #[must_use]
    pub fn without<T>(mut self, key: Key<Option<T>>) -> Self {
        self.values.remove(key.name());
        self
    }

    /// Checks that this is a configuration of a provider, before its keys are looked up.
    ///
    /// # Errors
    /// `ConfigInvalid` if it is one of another provider.
    pub fn check_provider(&self, expected: &ProviderSpec) -> Result<()> {
        let (found, expected) = (self.provider.scheme, expected.scheme);
        if found == expected {
            return Ok(());
        }
        Err(Error::config(format!(
            "the configuration is one of provider `{found}`, and not of `{expected}`"
        )))
    }

    /// Checks that no text holds a line break or another control character, unless its row allows
    /// it. Texts go into headers, where such a character ends them or makes the request fail
    /// without an explanation.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set.
    pub fn check_printable(&self) -> Result<()> {
        for (key, sourced) in self.iter().filter(|(key, _)| !key.several_lines) {
            let ConfigValue::String(text) = &sourced.value else { continue };
            if let Some(reason) = unprintable(text) {
                return Err(self.invalid(key, reason).with_hint(WITHOUT_LINE_BREAK));
            }
        }
        Ok(())
    }

    /// Checks variables that are no keys in the same way.
    ///
    /// # Errors
    /// `ConfigInvalid` with the name of the variable.
    pub fn check_printable_variables(&self, names: &[&str]) -> Result<()> {
        for name in names {
            if let Some(reason) = self.env.get(name).and_then(unprintable) {
                return Err(Error::config(format!(
                    "invalid value of the variable `{name}`: {reason}"
                ))
                .with_context("set in", format_args!("${name}"))
                .with_hint(WITHOUT_LINE_BREAK));
            }
        }
        Ok(())
    }

    /// Returns the whole configuration as a versioned document without secrets.
    pub fn to_json(&self, workspace: &Workspace) -> Value {
        let entry = |(key, sourced): (&ConfigKeySpec, &Sourced<ConfigValue>)| {
            let origin = sourced.origin.to_string();
            let shown = if key.secret {
                json!({ "redacted": true, "origin": origin })
            } else {
                json!({ "value": sourced.value.to_json(), "origin": origin })
            };
            (key.name.to_owned(), shown)
        };
        json!({
            "version": 1,
            "backend": self.provider.scheme,
            "workspace": workspace.as_str(),
            "values": self.iter().map(entry).collect::<Map<_, _>>(),
        })
    }

    /// Returns a key's value as text for people; `None` if it has none or is secret.
    pub fn shown(&self, name: &str) -> Option<String> {
        let key = self.provider.keys.iter().find(|key| key.name == name && !key.secret)?;
        Some(self.sourced(key)?.value.shown())
    }

    /// Creates the error for an invalid value, with the key and where the value was set, but never
    /// the value.
    pub fn invalid(&self, key: impl AsRef<ConfigKeySpec>, reason: &str) -> Error {
        Error::config(format!("invalid value for `{}`: {reason}", key.as_ref().name))
            .with_context("set in", self.origin(key))
    }

    /// Creates the error for two keys that exclude each other.
    pub fn both(&self, one: impl AsRef<ConfigKeySpec>, other: impl AsRef<ConfigKeySpec>) -> Error {
        let (one, other) = (one.as_ref(), other.as_ref());
        let place = |key: &ConfigKeySpec| format!("{} (`{}`)", self.origin(key), key.name);
        let (name, other_name) = (one.name, other.name);
        Error::config(format!("`{name}` and `{other_name}` are both set, but exclude each other"))
            .with_context("set in", place(one))
            .with_context("and in", place(other))
    }

    /// Creates the error for a missing value.
    pub fn missing(&self, key: impl AsRef<ConfigKeySpec>) -> Error {
        self.missing_named(key.as_ref().name)
    }

    fn missing_named(&self, name: &str) -> Error {
        let error =
            Error::config(format!("`{name}` is not set for provider `{}`", self.provider.scheme));
        let env =
            self.provider.keys.iter().find(|key| key.name == name).map_or(&[][..], |key| key.env);
        let error = error.with_advice(Advice::SetKey(KeyValue::new(name.to_owned())));
        match env {
            [] => error,
            names => error
                .with_hint(format!("or set the environment variable `{}`", names.join("` or `"))),
        }
    }
}
