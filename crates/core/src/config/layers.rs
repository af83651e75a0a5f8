//! Precedence of layers, decided by the `config` crate.
//!
//! That crate's values cannot hold an [`Origin`](super::Origin), a number with its digits or an
//! expression that is not evaluated. So this module passes it the settings' positions in a list,
//! and keeps the settings themselves.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use crate::config::flatten::Change;
use crate::config::setting::Setting;
use crate::config::value::Sourced;
use crate::error::{Error, ErrorKind, Result};

/// Merges layers, the last of which wins, into one setting for each name.
pub(super) fn merge(
    layers: impl IntoIterator<Item = Vec<Change>>,
) -> Result<BTreeMap<String, Sourced<Setting>>> {
    let mut settings = Vec::new();
    let mut builder = Config::builder();
    for changes in layers {
        let steps = changes
            .into_iter()
            .map(|change| match change {
                Change::ReplaceObject(name) => Step::ReplaceObject(name),
                Change::Set(name, setting) => {
                    let origin = setting.origin.to_string();
                    settings.push(Some(setting));
                    Step::Set(
                        name,
                        Value::new(Some(&origin), ValueKind::U64(settings.len() as u64 - 1)),
                    )
                }
            })
            .collect();
        builder = builder.add_source(Steps(steps));
    }
    let unexpected = |error| {
        Error::new(ErrorKind::Unexpected, "configure", "layers cannot be merged").with_source(error)
    };
    let config = builder.build().map_err(unexpected)?;
    let merged = match config.get_table(ROOT) {
        Ok(merged) => merged,
        // No layer sets anything.
        Err(ConfigError::NotFound(_)) => Map::new(),
        Err(error) => return Err(unexpected(error)),
    };
    let mut take = |value: Value| match value.kind {
        ValueKind::U64(position) => settings.get_mut(usize::try_from(position).ok()?)?.take(),
        _ => None,
    };
    Ok(merged.into_iter().filter_map(|(name, value)| Some((name, take(value)?))).collect())
}

/// The one top-level key that the crate sees. At the top it would split a dotted name; below it
/// does not.
const ROOT: &str = "settings";

/// One layer as a source of the `config` crate.
#[derive(Clone, Debug)]
struct Steps(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    ReplaceObject(String),
    Set(String, Value),
}

impl Source for Steps {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut collected = Value::from(Map::<String, Value>::new());
        self.collect_to(&mut collected)?;
        collected.into_table()
    }

    /// Applies the layer to those below it.
    ///
    /// The default merges tables deeply. Here, as in Terraform, a given object replaces the whole
    /// object below.
    fn collect_to(&self, below: &mut Value) -> Result<(), ConfigError> {
        let ValueKind::Table(root) = &mut below.kind else { return Ok(()) };
        let names =
            root.entry(ROOT.to_owned()).or_insert_with(|| Map::<String, Value>::new().into());
        let ValueKind::Table(names) = &mut names.kind else { return Ok(()) };
        for step in &self.0 {
            match step {
                Step::ReplaceObject(object) => names.retain(|name, _| {
                    name.strip_prefix(object.as_str())
                        .is_none_or(|rest| !rest.is_empty() && !rest.starts_with('.'))
                }),
                Step::Set(name, value) => {
                    names.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
}
