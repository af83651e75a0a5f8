//! What is looked for, and whether an instance or an output is it.

use remote_state_core::{Error, ResourceHead, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::find::contains;
use crate::json::Json;
use crate::masking::{Marks, attributes};
use crate::path::AttributePath;
use crate::pattern::Pattern;

/// What to look for. All conditions have to hold for one instance.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Query {
    /// Each is found in the address, the type, the name, or what identifies the resource at its
    /// provider: `id`, `arn`, `self_link`, `identity`.
    pub patterns: Vec<Pattern>,
    /// The type matches.
    pub kind: Option<Pattern>,
    /// The provider's address matches, or contains the pattern.
    pub provider: Option<Pattern>,
    /// The address of the module is covered.
    pub module: Option<Pattern>,
    /// The id matches.
    pub id: Option<Pattern>,
    /// At each path a value matches.
    pub attributes: Vec<(AttributePath, Pattern)>,
    /// A value equals or contains this text. Outputs and results of checks are searched too.
    pub value: Option<SecretString>,
    /// Outputs whose name matches are looked for.
    pub output: Option<Pattern>,
    /// The attributes to return of each instance.
    pub show: Vec<AttributePath>,
}

/// The attributes that identify a resource at its provider.
const IDENTIFYING: [&str; 3] = ["id", "arn", "self_link"];

impl Query {
    /// Checks that the query says what to look for.
    ///
    /// # Errors
    /// `ConfigInvalid` if it has no condition, or looks for an empty value.
    pub fn check(&self) -> Result<()> {
        if self.value.as_ref().is_some_and(|value| value.expose_secret().trim().is_empty()) {
            return Err(Error::config("the value to look for is empty"));
        }
        if !self.asks_for_instances() && !self.asks_for_outputs() {
            return Err(Error::config("nothing was said about what to look for"));
        }
        Ok(())
    }

    fn has_instance_conditions(&self) -> bool {
        let Self { patterns, kind, provider, module, id, attributes, .. } = self;
        let single = [kind, provider, module, id];
        !patterns.is_empty() || !attributes.is_empty() || single.iter().any(|one| one.is_some())
    }

    pub(crate) fn asks_for_instances(&self) -> bool {
        self.has_instance_conditions() || (self.value.is_some() && self.output.is_none())
    }

    pub(crate) fn asks_for_outputs(&self) -> bool {
        self.output.is_some() || (self.value.is_some() && !self.has_instance_conditions())
    }

    /// Returns whether results of checks are searched.
    pub(crate) fn asks_for_checks(&self) -> bool {
        self.value.is_some() && !self.has_instance_conditions() && self.output.is_none()
    }

    pub(crate) fn value(&self) -> Option<&str> {
        self.value.as_ref().map(|value| value.expose_secret())
    }

    /// Returns where the value is in an instance, if all conditions hold that need no more than the
    /// instance itself. Without a value to look for, the list is empty.
    pub(crate) fn matches_instance(&self, instance: &Json<'_>) -> Option<Vec<String>> {
        let attributes = attributes(instance)?;
        if let Some(id) = &self.id
            && !attributes.text("id").is_some_and(|text| id.matches(text))
        {
            return None;
        }
        let marks = Marks::default();
        for (path, pattern) in &self.attributes {
            let mut is_found = false;
            path.visit(&marks.root(), attributes, &mut |_, value| {
                let text =
                    value.scalar().map_or_else(|| value.to_raw().get().to_owned(), Into::into);
                is_found |= pattern.matches(&text);
            });
            if !is_found {
                return None;
            }
        }
        let Some(value) = self.value() else { return Some(Vec::new()) };
        let found = contains::places(instance, attributes, value);
        (!found.is_empty()).then_some(found)
    }

    /// Returns whether the other conditions hold.
    pub(crate) fn matches_head(
        &self,
        head: &ResourceHead,
        address: &str,
        instance: &Json<'_>,
    ) -> bool {
        let is = |pattern: &Option<Pattern>, matches: &dyn Fn(&Pattern) -> bool| {
            pattern.as_ref().is_none_or(matches)
        };
        is(&self.kind, &|kind| kind.matches(&head.kind))
            && is(&self.provider, &|provider| provider.is_found_in(&head.provider))
            && is(&self.module, &|module| module.covers(&head.module))
            && self.patterns.iter().all(|pattern| {
                pattern.is_found_in(address)
                    || pattern.is_found_in(&head.kind)
                    || pattern.is_found_in(&head.name)
                    || is_identified(instance, pattern)
            })
    }

    /// Returns where the value is in an output that is asked for; `None` if it is not.
    pub(crate) fn matches_output(&self, name: &str, output: &Json<'_>) -> Option<Vec<String>> {
        if self.output.as_ref().is_some_and(|pattern| !pattern.matches(name)) {
            return None;
        }
        let Some(value) = self.value() else { return Some(Vec::new()) };
        let found = contains::in_output(output.get("value")?, value);
        (!found.is_empty()).then_some(found)
    }
}

fn is_identified(instance: &Json<'_>, pattern: &Pattern) -> bool {
    let attributes = attributes(instance);
    let by_attribute = IDENTIFYING.iter().any(|name| {
        let text = attributes.and_then(|all| all.text(name));
        text.is_some_and(|text| pattern.is_found_in(text))
    });
    by_attribute
        || match instance.get("identity") {
            Some(Json::Object(members)) => members
                .values()
                .any(|value| value.scalar().is_some_and(|text| pattern.is_found_in(text))),
            _ => false,
        }
}
