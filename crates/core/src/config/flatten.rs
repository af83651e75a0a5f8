//! Mapping names as written to the rows of a provider's table.

use crate::advice::Advice;
use crate::config::setting::{Layer, Setting};
use crate::config::spec::ProviderSpec;
use crate::config::value::{Origin, Sourced};
use crate::error::{Error, Result};

/// What a layer does to the ones below it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Removes every member of the object: a layer sets it anew, or to null.
    ReplaceObject(String),
    /// Sets one row, by its name as written, which may be an alias.
    Set(String, Sourced<Setting>),
}

/// Turns layers into changes of single rows, collecting notes on the way.
pub(crate) struct Flattener<'a> {
    provider: &'static ProviderSpec,
    providers: &'a [&'static ProviderSpec],
    pub(crate) notes: Vec<String>,
}

/// The deepest nesting to follow. No provider's configuration nests deeper; the limit keeps
/// recursion finite on hostile input.
const MAX_DEPTH: usize = 8;

impl<'a> Flattener<'a> {
    /// Creates one for a provider. `providers` are all known ones, to name the provider that an
    /// unknown key belongs to.
    pub(crate) fn new(
        provider: &'static ProviderSpec,
        providers: &'a [&'static ProviderSpec],
    ) -> Self {
        Self { provider, providers, notes: Vec::new() }
    }

    /// Flattens one layer.
    ///
    /// # Errors
    /// `ConfigInvalid` for an unknown key, and for a plain value in place of an object.
    pub(crate) fn layer(&mut self, layer: &Layer) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (name, setting) in layer {
            self.setting(name, setting, 0, &mut changes)?;
        }
        Ok(changes)
    }

    fn setting(
        &mut self,
        name: &str,
        given: &Sourced<Setting>,
        depth: usize,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        if let Some(row) = self.provider.row(name) {
            if let Some(reason) = row.refused.filter(|_| given.value != Setting::Null) {
                let title = self.provider.title;
                return Err(Error::config(format!(
                    "`{name}` cannot be used with {title}: {reason}"
                ))
                .with_context("set in", &given.origin));
            }
            changes.push(Change::Set(name.to_owned(), given.clone()));
            return Ok(());
        }
        if depth < MAX_DEPTH && self.provider.is_object(name) {
            return self.object(name, given, depth, changes);
        }
        let unset = given.value == Setting::Null || given.value == Setting::List(Vec::new());
        if unset && matches!(given.origin, Origin::Initialised { .. }) {
            // A newer client knows the key and got no value for it: it records every key that it
            // knows.
            return Ok(());
        }
        if depth == 0 {
            return Err(self.unknown(name, &given.origin));
        }
        // Native clients convert the object to the type that they know, and silently drop the rest.
        let scheme = self.provider.scheme;
        self.notes.push(format!(
            "`{name}` ({}) is not a key of provider `{scheme}` and is ignored",
            given.origin
        ));
        Ok(())
    }

    fn object(
        &mut self,
        name: &str,
        given: &Sourced<Setting>,
        depth: usize,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        changes.push(Change::ReplaceObject(name.to_owned()));
        match &given.value {
            Setting::Null => Ok(()),
            Setting::Object(members) => {
                // The object leaves an entry even if it is empty, since it may have required
                // members.
                let empty = Sourced::new(Setting::Object(Vec::new()), given.origin.clone());
                changes.push(Change::Set(name.to_owned(), empty));
                for (member, value) in members {
                    self.setting(&format!("{name}.{member}"), value, depth + 1, changes)?;
                }
                Ok(())
            }
            Setting::List(blocks) if blocks.len() <= 1 && self.provider.is_block(name) => {
                match blocks.first() {
                    // A block is recorded, and written in JSON, as a list of at most one object.
                    None => Ok(()),
                    Some(block @ (Setting::Object(_) | Setting::Null)) => self.object(
                        name,
                        &Sourced::new(block.clone(), given.origin.clone()),
                        depth,
                        changes,
                    ),
                    Some(other) => Err(self.not_an_object(name, other, &given.origin)),
                }
            }
            // The object's own name is its key here: a layer above may still replace it.
            Setting::Deferred(_) => {
                changes.push(Change::Set(name.to_owned(), given.clone()));
                Ok(())
            }
            other => Err(self.not_an_object(name, other, &given.origin)),
        }
    }

    fn not_an_object(&self, name: &str, found: &Setting, origin: &Origin) -> Error {
        let members = self.provider.members(name);
        let example = members.first().copied().unwrap_or("name");
        Error::config(format!(
            "invalid value for `{name}`: expected an object, found {}",
            found.shape()
        ))
        .with_context("set in", origin)
        .with_hint(format!(
            "write it as `{name} = {{ {example} = … }}`; its members are {}",
            quoted(&members)
        ))
    }

    fn unknown(&self, name: &str, origin: &Origin) -> Error {
        let scheme = self.provider.scheme;
        let mut error = Error::config(format!("unknown key `{name}` for provider `{scheme}`"))
            .with_context("set in", origin);
        let owner = self.providers.iter().find(|other| other.scheme != scheme && other.knows(name));
        if let Some(owner) = owner {
            error = error.with_hint(format!("`{name}` belongs to provider `{}`", owner.scheme));
        }
        let near = self.provider.nearest(name);
        if let Some(near) = near {
            error = error.with_hint(format!("did you mean `{near}`?"));
        }
        if near.is_none() && owner.is_none() {
            if let Some(alike) = self.provider.most_alike(name) {
                error = error.with_hint(format!("the key that is most like it is `{alike}`"));
            }
            error = error.with_advice(Advice::ListKeys(scheme));
        }
        error
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
