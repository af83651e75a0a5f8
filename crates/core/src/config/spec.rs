//! One row for each configuration key.

/// Everything that there is to know about a provider's configuration.
#[derive(Clone, Copy, Debug)]
pub struct ProviderSpec {
    /// The provider's name in a `backend` block, as a feature, as a folder and as the scheme of its URLs.
    pub scheme: &'static str,
    /// The provider's name for people.
    pub title: &'static str,
    /// Its keys, in the order in which to show them.
    pub keys: &'static [ConfigKeySpec],
}

/// One configuration key.
///
/// A member of an object-valued key is a row of its own, with a dotted name: `endpoints.s3`.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKeySpec {
    /// The name. Dotted for the member of an object.
    pub name: &'static str,
    /// Older names that mean the same, accepted with a note.
    pub aliases: &'static [&'static str],
    /// The environment variables that stand in for an absent value, first one first.
    pub env: &'static [&'static str],
    /// The type of its value.
    pub kind: ValueKind,
    /// What holds if nothing else says otherwise, in the words of a configuration file.
    pub default: Option<&'static str>,
    /// There must be a value, from wherever.
    pub required: bool,
    /// The value must not be shown.
    pub secret: bool,
    /// What the empty string means.
    pub empty: EmptyRule,
    /// Why the key is deprecated and what to use instead.
    pub deprecated: Option<&'static str>,
    /// One or more sentences for the documentation.
    pub doc: &'static str,
}

impl ConfigKeySpec {
    /// Starts a row: an optional string without fallbacks, whose empty value counts as absent.
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

    /// Demands a value.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Keeps the value out of everything that is shown.
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

/// What a key's empty string means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyRule {
    /// As if the key were absent: fallbacks apply.
    Absent,
    /// The empty string is a value of its own.
    Value,
    /// An error.
    Refused,
}
