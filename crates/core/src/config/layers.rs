//! Which layer wins, decided by the `config` crate.
//!
//! That crate's values have no room for an [`Origin`](super::Origin), for a number with its digits or for an expression that is not evaluated.
//! So it is given the settings' positions in a list to layer, and the settings themselves stay here.

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
                    Step::Set(name, Value::new(Some(&origin), ValueKind::U64(settings.len() as u64 - 1)))
                }
            })
            .collect();
        builder = builder.add_source(Steps(steps));
    }
    let unexpected =
        |error| Error::new(ErrorKind::Unexpected, "configure", "layers cannot be merged").with_source(error);
    let merged = builder.build().and_then(|config| config.cache.into_table()).map_err(unexpected)?;
    let mut take = |value: Value| match value.kind {
        ValueKind::U64(position) => settings.get_mut(usize::try_from(position).ok()?)?.take(),
        _ => None,
    };
    Ok(merged.into_iter().filter_map(|(name, value)| Some((name, take(value)?))).collect())
}

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
    /// The default would read a dotted name as a path into nested tables and merge tables deeply. Here a name is a name, and an object that is
    /// given replaces the whole object below, as it does in Terraform.
    fn collect_to(&self, below: &mut Value) -> Result<(), ConfigError> {
        let ValueKind::Table(table) = &mut below.kind else { return Ok(()) };
        for step in &self.0 {
            match step {
                Step::ReplaceObject(name) => table.retain(|key, _| {
                    key.strip_prefix(name.as_str())
                        .is_none_or(|rest| !rest.is_empty() && !rest.starts_with('.'))
                }),
                Step::Set(name, value) => {
                    table.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
}
