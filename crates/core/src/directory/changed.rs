//! Whether the block has changed since `init`.

use std::collections::BTreeSet;

use crate::advice::{Advice, KeyValue};
use crate::config::{
    ConfigValue, Layer, NAME_OR_CALL, Origin, ProviderSpec, Setting, Sourced, stated,
};
use crate::directory::record::Record;
use crate::directory::scope::Use;
use crate::error::{Error, Result};

/// The data to compare the block with, and to explain a difference.
pub(super) struct Comparison<'a> {
    pub(super) provider: &'static ProviderSpec,
    pub(super) providers: &'a [&'static ProviderSpec],
    pub(super) record: &'a Record,
    /// What Terraform's variables add to `init`: a recorded value may come from there.
    pub(super) given_to_init: &'a [Layer],
    /// The layers above the record: these keys are decided, whatever the block says.
    pub(super) given_here: &'a [Layer],
    /// The names in the block that were replaced by values.
    pub(super) names: &'a [Use],
}

impl Comparison<'_> {
    /// Returns the error for a block that sets a value other than the recorded one.
    ///
    /// # Errors
    /// `ConfigInvalid` if one of the layers does not fit the provider.
    pub(super) fn changed(&self, block: &Layer) -> Result<Option<Error>> {
        let stated = |layers: &[Layer]| stated(self.provider, self.providers, layers);
        let in_block = stated(std::slice::from_ref(block))?;
        let recorded = stated(std::slice::from_ref(&self.record.layer))?;
        let given_to_init = stated(self.given_to_init)?;
        let given_here = stated(self.given_here)?;

        // A block sets an object as a whole, so a recorded member that the block omits has changed
        // too.
        let whole =
            block.iter().filter(|(_, setting)| !matches!(setting.value, Setting::Deferred(_)));
        let objects: Vec<_> = whole.filter(|(name, _)| self.provider.is_object(name)).collect();
        let left_out = recorded.keys().filter(|name| {
            name.split_once('.')
                .is_some_and(|(object, _)| objects.iter().any(|(given, _)| given == object))
        });
        let names: BTreeSet<&'static str> = in_block.keys().chain(left_out).copied().collect();

        let mut error: Option<Error> = None;
        for name in names {
            let here = in_block.get(name);
            let there = recorded.get(name);
            let not_evaluated = here.is_some_and(|here| here.value.is_none());
            let by_option = given_to_init.get(name).is_some_and(|given| same(Some(given), there));
            if not_evaluated || by_option || given_here.contains_key(name) || same(here, there) {
                continue;
            }
            let secret = self.provider.row(name).is_some_and(|key| key.secret);
            let object = objects
                .iter()
                .find(|(object, _)| name.split_once('.').is_some_and(|(of, _)| of == object));
            let block_origin =
                here.map(|here| &here.origin).or(object.map(|(_, given)| &given.origin));
            let block_origin = block_origin.unwrap_or(&Origin::Default);
            let line = format!(
                "{}{}, {}",
                side(here, block_origin, secret),
                self.names_at(block_origin),
                side(there, there.map_or(&self.record.origin, |there| &there.origin), secret),
            );
            let changed = error.take().unwrap_or_else(|| {
                block_has_changed()
                    .with_hint(
                        "if the recorded value came from `-backend-config` of `init`, give it \
                         again here",
                    )
                    .with_advice(Advice::OverrideKey(KeyValue::new(name.to_owned())))
            });
            error = Some(changed.with_context(name, line));
        }
        Ok(error)
    }

    /// Returns the sources of a value in the block that consists of names, for a message.
    fn names_at(&self, place: &Origin) -> String {
        let mut names: Vec<_> = (self.names.iter())
            .filter(|used| used.place == *place)
            .map(|used| format!("`{}` set in {}", used.name, used.origin))
            .collect();
        names.dedup();
        if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
    }

    /// Returns the error for values of the block that this library cannot evaluate: it cannot know
    /// whether the recorded values are still current.
    ///
    /// # Errors
    /// As [`changed`](Self::changed).
    pub(super) fn not_compared(&self, block: &Layer) -> Result<Option<Error>> {
        let stated = |layers: &[Layer]| stated(self.provider, self.providers, layers);
        let mut decided: BTreeSet<_> = stated(self.given_here)?.into_keys().collect();
        let recorded = stated(std::slice::from_ref(&self.record.layer))?;
        let by_option = stated(self.given_to_init)?.into_iter();
        decided.extend(
            by_option
                .filter(|(name, given)| same(Some(given), recorded.get(name)))
                .map(|(name, _)| name),
        );

        let mut error: Option<Error> = None;
        for (name, what, origin) in deferred(block) {
            let key = self.provider.row(&name).map_or(name.as_str(), |row| row.name);
            let is_decided = decided.contains(key)
                || self.provider.members(&name).first().is_some_and(|_| {
                    decided.iter().any(|given| {
                        given.split_once('.').is_some_and(|(object, _)| object == name)
                    })
                });
            if is_decided {
                continue;
            }
            let what = if self.provider.holds_secret(&name) { NAME_OR_CALL } else { what };
            let found = error.take().unwrap_or_else(|| {
                Error::config(format!("`{name}` was recorded for another run and is not compared"))
                    .with_hint("run `tofu init` to make the block count")
            });
            error = Some(
                found
                    .with_context(
                        "set in",
                        format_args!("{origin} (`{name}`), by an expression with {what}"),
                    )
                    .with_advice(Advice::OverrideKey(KeyValue::new(name.clone()))),
            );
        }
        Ok(error)
    }
}

/// Finds the values that were not evaluated: their names, the obstacles, and their places.
fn deferred(layer: &Layer) -> Vec<(String, &str, &Origin)> {
    fn below<'a>(prefix: &str, layer: &'a Layer, found: &mut Vec<(String, &'a str, &'a Origin)>) {
        for (name, given) in layer {
            let name = format!("{prefix}{name}");
            match &given.value {
                Setting::Deferred(what) => found.push((name, what, &given.origin)),
                Setting::Object(members) => below(&format!("{name}."), members, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    below("", layer, &mut found);
    found
}

/// Returns whether a layer contains a value that was not evaluated.
pub(super) fn has_names(layer: &Layer) -> bool {
    !deferred(layer).is_empty()
}

/// Creates the error for a block whose type differs from the recorded one, or for a missing block.
pub(super) fn another_type(block: Option<(&str, &Origin)>, record: &Record) -> Error {
    let block = match block {
        Some((name, origin)) => format!("`{name}` in {origin}"),
        None => "no block".to_owned(),
    };
    block_has_changed()
        .with_context("type", format_args!("{block}, `{}` in {}", record.name, record.origin))
}

fn block_has_changed() -> Error {
    Error::config("the `backend` block has changed since `init`")
        .with_hint("run `terraform init` or `tofu init` to make the block count")
}

fn same(
    one: Option<&Sourced<Option<ConfigValue>>>,
    other: Option<&Sourced<Option<ConfigValue>>>,
) -> bool {
    let value =
        |side: Option<&Sourced<Option<ConfigValue>>>| side.and_then(|side| side.value.clone());
    match (value(one), value(other)) {
        // Terraform keeps these as sets, and records them sorted and without repetition.
        (Some(ConfigValue::List(one)), Some(ConfigValue::List(other))) => {
            one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
        }
        // The record writes numbers differently: `5.0` as `5`.
        (Some(ConfigValue::Number(one)), Some(ConfigValue::Number(other))) => {
            one == other || one.parse::<f64>().ok() == other.parse::<f64>().ok()
        }
        (one, other) => one == other,
    }
}

fn side(value: Option<&Sourced<Option<ConfigValue>>>, origin: &Origin, secret: bool) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => format!("not set in {origin}"),
        Some(_) if secret => format!("a secret value in {origin}"),
        Some(value) => format!("`{}` in {origin}", value.shown()),
    }
}
