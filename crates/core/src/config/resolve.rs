//! Layering of configuration sources.

use std::collections::BTreeMap;

use crate::config::convert::{convert, deferred};
use crate::config::flatten::{Change, Flattener};
use crate::config::layers::merge;
use crate::config::resolved::ResolvedConfig;
use crate::config::setting::{Layer, Setting};
use crate::config::spec::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};
use crate::config::value::{ConfigValue, Environment, Origin, Sourced};
use crate::error::{Error, Result};

/// Layers a provider's defaults, the environment and the given layers, the last of which wins.
///
/// `null`, and the empty string if the row says so, count as not set: the environment and the
/// default then apply. A given object replaces the object of a lower layer as a whole; a dotted
/// name changes one member.
///
/// # Errors
/// `ConfigInvalid` for a key that the provider does not have, an invalid value, a name given
/// together with its alias, and a required value that no source sets.
pub fn resolve(
    provider: &'static ProviderSpec,
    env: &Environment,
    layers: &[Layer],
) -> Result<ResolvedConfig> {
    resolve_among(provider, &[provider], env, layers, None)
}

/// Works as [`resolve`]. Its errors also say which other one of `providers` an unknown key belongs
/// to, and where the backend with a missing required value was named.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_among(
    provider: &'static ProviderSpec,
    providers: &[&'static ProviderSpec],
    env: &Environment,
    layers: &[Layer],
    backend_named_in: Option<&Origin>,
) -> Result<ResolvedConfig> {
    let mut flattener = Flattener::new(provider, providers);
    let changes = layers.iter().map(|layer| flattener.layer(layer)).collect::<Result<Vec<_>>>()?;
    let mut notes = flattener.notes;
    let mut given = Given::default();
    for (name, setting) in merge(changes)? {
        given.add(provider, name, setting, &mut notes)?;
    }

    let set =
        |key: &ConfigKeySpec, setting: Sourced<Setting>| Change::Set(key.name.to_owned(), setting);
    let defaults = provider.keys.iter().filter_map(|key| {
        Some(set(key, Sourced::new(Setting::from(key.default?), Origin::Default)))
    });
    let environment = provider.keys.iter().filter_map(|key| {
        let (name, value) = key.env.iter().find_map(|name| Some((name, env.get(name)?)))?;
        Some(set(key, Sourced::new(Setting::from(value), Origin::Environment((*name).to_owned()))))
    });
    let written = given
        .settings
        .iter()
        .map(|(name, written)| Change::Set((*name).to_owned(), written.setting.clone()));
    let merged = merge([defaults.collect(), environment.collect(), written.collect::<Vec<_>>()])?;

    let mut values = BTreeMap::new();
    for key in provider.keys {
        if let Some(setting) = merged.get(key.name)
            && let Some(value) = convert(key, setting)?
        {
            values.insert(key.name, Sourced::new(value, setting.origin.clone()));
        }
    }
    let config = ResolvedConfig::new(provider, values, notes, env.clone());
    given.check_whole(provider)?;
    given.check_required(&config, backend_named_in)?;
    Ok(config)
}

/// Returns the values of the layers alone, by the canonical names of the rows; `None` for an
/// expression that cannot be evaluated.
pub(crate) fn stated(
    provider: &'static ProviderSpec,
    providers: &[&'static ProviderSpec],
    layers: &[Layer],
) -> Result<BTreeMap<&'static str, Sourced<Option<ConfigValue>>>> {
    let mut flattener = Flattener::new(provider, providers);
    let changes = layers.iter().map(|layer| flattener.layer(layer)).collect::<Result<Vec<_>>>()?;
    let mut given = Given::default();
    for (name, setting) in merge(changes)? {
        if provider.row(&name).is_some() {
            given.add(provider, name, setting, &mut Vec::new())?;
        }
    }
    let mut stated = BTreeMap::new();
    for (name, Written { setting, .. }) in given.settings {
        let value = match (&setting.value, provider.row(name)) {
            (Setting::Deferred(_), _) | (_, None) => None,
            (_, Some(key)) => convert(key, &setting)?,
        };
        stated.insert(name, Sourced::new(value, setting.origin));
    }
    Ok(stated)
}

/// The values of the layers, by the canonical names of the rows.
#[derive(Default)]
struct Given {
    settings: BTreeMap<&'static str, Written>,
    /// Where an object was given, even an empty one.
    objects: BTreeMap<String, Origin>,
    /// Where a value was set to an empty string that counts as absent.
    empty: BTreeMap<&'static str, Origin>,
}

struct Written {
    name: String,
    setting: Sourced<Setting>,
}

impl Given {
    fn add(
        &mut self,
        provider: &'static ProviderSpec,
        name: String,
        setting: Sourced<Setting>,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let Some(key) = provider.row(&name) else {
            // A name without a row belongs to an object: the entry of one, or one that cannot be
            // evaluated.
            if let Setting::Deferred(reason) = &setting.value {
                return Err(deferred(&name, reason, provider.holds_secret(&name), &setting.origin));
            }
            self.objects.insert(name, setting.origin);
            return Ok(());
        };
        if setting.value == Setting::Null {
            return Ok(());
        }
        if let Some(instead) = key.deprecated {
            notes.push(format!("`{name}` ({}) is deprecated: {instead}", setting.origin));
        } else if name != key.name {
            notes.push(format!("`{name}` ({}) is an older name of `{}`", setting.origin, key.name));
        }
        if key.kind == ValueKind::String
            && matches!(&setting.value, Setting::String(text) if text.is_empty())
        {
            match key.empty {
                EmptyRule::Value => {}
                EmptyRule::Absent => {
                    self.empty.insert(key.name, setting.origin);
                    return Ok(());
                }
                EmptyRule::Refused => {
                    return Err(Error::config(format!("`{name}` must not be empty"))
                        .with_context("set in", &setting.origin)
                        .with_hint("give it a value, or leave it out"));
                }
            }
        }
        if let Some(other) = self.settings.get(key.name) {
            return Err(Error::config(format!(
                "`{}` and `{name}` mean the same and are both set",
                other.name
            ))
            .with_context("set in", format_args!("{} (`{}`)", other.setting.origin, other.name))
            .with_context("and in", format_args!("{} (`{name}`)", setting.origin))
            .with_hint(format!("keep `{}` only", key.name)));
        }
        self.settings.insert(key.name, Written { name, setting });
        Ok(())
    }

    /// Checks that an object with a required member, which is one unit and no mere collection, does
    /// not combine members with older names outside of it: the user may have forgotten about
    /// either, and this library cannot know which.
    fn check_whole(&self, provider: &'static ProviderSpec) -> Result<()> {
        let whole = provider.keys.iter().filter(|key| key.required);
        for object in whole.filter_map(|key| Some(key.name.rsplit_once('.')?.0)) {
            let of_object = |name: &str| name.rsplit_once('.').is_some_and(|(of, _)| of == object);
            let members = self.settings.iter().filter(|(name, _)| of_object(name));
            let (new, old): (Vec<_>, Vec<_>) =
                members.partition(|(name, written)| **name == written.name);
            let stated = self.objects.get(object);
            let stated = stated.or_else(|| new.first().map(|(_, written)| &written.setting.origin));
            let (Some(stated), Some((_, first))) = (stated, old.first()) else { continue };
            let error =
                Error::config(format!("`{object}` is set, and older names of its members are too"))
                    .with_context("set in", format_args!("{stated} (`{object}`)"))
                    .with_context(
                        "and in",
                        format_args!("{} (`{}`)", first.setting.origin, first.name),
                    );
            return Err(old.into_iter().fold(error, |error, (name, written)| {
                error.with_hint(format!("write `{}` as `{name}`", written.name))
            }));
        }
        Ok(())
    }

    /// Checks that every required key has a value; for a member of an object, only if the object is
    /// used.
    fn check_required(
        &self,
        config: &ResolvedConfig,
        backend_named_in: Option<&Origin>,
    ) -> Result<()> {
        let mut missing = config.provider().keys.iter().filter(|key| {
            let needed = key.name.rsplit_once('.').is_none_or(|(object, _)| self.uses(object));
            key.required && needed && config.sourced(key).is_none()
        });
        let Some(key) = missing.next() else { return Ok(()) };
        let (first, mut error) = (key.name, config.missing(key));
        let empty = self.empty.get(first);
        let object = first.rsplit_once('.').and_then(|(object, _)| self.objects.get(object));
        if let Some(origin) = empty {
            error = error.with_context("empty in", origin);
        }
        if let Some(origin) = object {
            error = error.with_context("object in", origin);
        }
        if let (None, None, Some(origin)) = (empty, object, backend_named_in) {
            error = error.with_context("backend named in", origin);
        }
        Err(missing.fold(error, |error, key| {
            error.with_context("also not set", format_args!("`{}`", key.name))
        }))
    }

    fn uses(&self, object: &str) -> bool {
        let member = |name: &str| name.rsplit_once('.').is_some_and(|(of, _)| of == object);
        self.objects.contains_key(object) || self.settings.keys().any(|name| member(name))
    }
}
