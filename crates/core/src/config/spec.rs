//! Descriptions of configuration keys, one row for each.

/// The description of a provider's configuration.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProviderSpec {
    /// The provider's name in a `backend` block, as a feature, as a folder and as the scheme of its
    /// URLs.
    pub scheme: &'static str,
    /// The provider's name for people.
    pub title: &'static str,
    /// Its keys, in the order in which to show them.
    pub keys: &'static [ConfigKeySpec],
}

impl ProviderSpec {
    /// Describes a provider: its name in a `backend` block, its name for people, and its keys.
    pub const fn new(
        scheme: &'static str,
        title: &'static str,
        keys: &'static [ConfigKeySpec],
    ) -> Self {
        Self { scheme, title, keys }
    }

    /// Returns the row of a key, by its name or an alias.
    pub fn row(&self, name: &str) -> Option<&'static ConfigKeySpec> {
        let named = self.keys.iter().find(|key| key.name == name);
        named.or_else(|| self.keys.iter().find(|key| key.aliases.contains(&name)))
    }

    /// Returns whether the name is that of a secret, or of an object with a secret member.
    pub(crate) fn holds_secret(&self, name: &str) -> bool {
        self.row(name).is_some_and(|key| key.secret)
            || self.keys.iter().any(|key| key.secret && member_of(key.name, name).is_some())
    }

    /// Returns whether the name is that of an object whose members have rows.
    pub fn is_object(&self, name: &str) -> bool {
        self.keys.iter().any(|key| member_of(key.name, name).is_some())
    }

    /// Returns the names of an object's members, without the object's name.
    pub(crate) fn members(&self, object: &str) -> Vec<&'static str> {
        self.keys.iter().filter_map(|key| member_of(key.name, object)).collect()
    }

    /// Returns whether the provider knows the name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.row(name).is_some_and(|key| key.refused.is_none()) || self.is_object(name)
    }

    /// Returns whether an object is written as a block, `name { … }`.
    pub(crate) fn is_block(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.block && member_of(key.name, name).is_some())
    }

    fn known_names(&self) -> impl Iterator<Item = &'static str> {
        let objects = self.keys.iter().filter_map(|key| Some(key.name.split_once('.')?.0));
        self.offered().flat_map(|key| key.aliases.iter().copied().chain([key.name])).chain(objects)
    }

    /// Returns the most similar known name, even if it is hardly similar.
    pub(crate) fn most_alike(&self, name: &str) -> Option<&'static str> {
        let alike = |known: &str| strsim::jaro_winkler(known, name);
        self.known_names().max_by(|one, other| alike(one).total_cmp(&alike(other)))
    }

    /// Returns the known name that a misspelt one most likely means.
    pub(crate) fn nearest(&self, name: &str) -> Option<&'static str> {
        // Three edits turn any short name into any other, so at least half of the name must match.
        let near = |known: &str| {
            let distance = strsim::damerau_levenshtein(known, name);
            (distance <= 3 && distance * 2 <= known.len().max(name.len())).then_some(distance)
        };
        self.known_names()
            .filter_map(|known| Some((near(known)?, known)))
            .min()
            .map(|(_, known)| known)
    }

    /// Returns the rows of all usable keys.
    pub fn offered(&self) -> impl Iterator<Item = &'static ConfigKeySpec> + use<> {
        self.keys.iter().filter(|key| key.refused.is_none())
    }
}

fn member_of<'a>(name: &'a str, object: &str) -> Option<&'a str> {
    name.strip_prefix(object)?.strip_prefix('.')
}

/// One configuration key.
///
/// A member of an object-valued key is a row of its own, with a dotted name: `endpoints.s3`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConfigKeySpec {
    /// The name. Dotted for a member of an object.
    pub name: &'static str,
    /// Older names for the same key, accepted with a note.
    pub aliases: &'static [&'static str],
    /// The environment variables to use if no value is set, in order.
    pub env: &'static [&'static str],
    /// The type of its value.
    pub kind: ValueKind,
    /// The default, as a configuration file would have it.
    pub default: Option<&'static str>,
    /// Some source must set a value.
    pub required: bool,
    /// The value must never be shown.
    pub secret: bool,
    /// What the empty string means.
    pub empty: EmptyRule,
    /// Why the key is deprecated and what to use instead.
    pub deprecated: Option<&'static str>,
    /// Why the key, which other providers have, cannot be used with this one. Such a key is only
    /// mentioned in the error.
    pub refused: Option<&'static str>,
    /// The object that contains the key is written as a block, `role { … }`, and not as an
    /// attribute.
    pub block: bool,
    /// The text may hold line breaks and other control characters: it does not go into a header, or
    /// is escaped there.
    pub several_lines: bool,
    /// One or more sentences for the documentation.
    pub doc: &'static str,
}

impl ConfigKeySpec {
    /// Creates a row: an optional value of this kind without fallbacks. An empty string counts as
    /// absent.
    pub const fn new(name: &'static str, kind: ValueKind, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            env: &[],
            kind,
            default: None,
            required: false,
            secret: false,
            empty: EmptyRule::Absent,
            deprecated: None,
            refused: None,
            block: false,
            several_lines: false,
            doc,
        }
    }

    /// Sets the older names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Sets the environment variables.
    #[must_use]
    pub const fn env(mut self, env: &'static [&'static str]) -> Self {
        self.env = env;
        self
    }

    /// Sets the default.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Requires a value.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Marks the value as secret, so that it is never shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Sets what the empty string means.
    #[must_use]
    pub const fn empty(mut self, empty: EmptyRule) -> Self {
        self.empty = empty;
        self
    }

    /// Marks the key as deprecated, with what to use instead.
    #[must_use]
    pub const fn deprecated(mut self, instead: &'static str) -> Self {
        self.deprecated = Some(instead);
        self
    }

    /// Refuses the key, and any object of its name, with the reason.
    #[must_use]
    pub const fn refused(mut self, reason: &'static str) -> Self {
        self.refused = Some(reason);
        self
    }

    /// Marks the object that contains this key as written as a block.
    #[must_use]
    pub const fn block(mut self) -> Self {
        self.block = true;
        self
    }

    /// Allows line breaks and other control characters.
    #[must_use]
    pub const fn several_lines(mut self) -> Self {
        self.several_lines = true;
        self
    }
}

impl AsRef<Self> for ConfigKeySpec {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// `true` or `false`.
    Bool,
    /// A number, kept as written.
    Number,
    /// Text.
    String,
    /// Several texts, in order.
    StringList,
    /// Texts by name.
    StringMap,
}

/// The meaning of an empty string in a text. In other types the empty string is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmptyRule {
    /// As if the key were absent: the fallbacks apply.
    Absent,
    /// The empty string is a value of its own.
    Value,
    /// An error.
    Refused,
}
