//! What a source says, before the key's type is known.

use std::fmt;

use crate::config::value::{Origin, Sourced};

/// One source of configuration: a block, a file, an option. Names are as written; a dotted name may
/// name a member of an object.
pub type Layer = Vec<(String, Sourced<Setting>)>;

/// A value as its source has it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Unset here, hiding the values of lower layers.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// Text.
    String(String),
    /// Several values.
    List(Vec<Self>),
    /// Named values, each with its own origin.
    Object(Vec<(String, Sourced<Self>)>),
    /// An expression that this library does not evaluate. The text names the obstacle, such as
    /// `var.bucket`.
    Deferred(String),
}

impl Setting {
    /// Creates a list. If an item cannot be evaluated, neither can the list.
    pub(crate) fn list(items: Vec<Self>) -> Self {
        match items.iter().find(|item| matches!(item, Self::Deferred(_))) {
            Some(deferred) => deferred.clone(),
            None => Self::List(items),
        }
    }

    /// Sets the same origin for every member at any depth.
    pub(crate) fn placed(self, origin: &Origin) -> Self {
        match self {
            Self::List(items) => {
                Self::List(items.into_iter().map(|item| item.placed(origin)).collect())
            }
            Self::Object(members) => {
                let placed = |(name, member): (String, Sourced<Self>)| {
                    (name, Sourced::new(member.value.placed(origin), origin.clone()))
                };
                Self::Object(members.into_iter().map(placed).collect())
            }
            other => other,
        }
    }

    /// Returns the name of the shape for a message, with its article.
    pub(crate) fn shape(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::Deferred(_) => "an expression",
        }
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Setting {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Setting {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Setting {
    fn from(value: u64) -> Self {
        Self::Number(value.to_string())
    }
}

impl<T: Into<Self>> From<Vec<T>> for Setting {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// Hides the value: only its key knows whether it is a secret.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(members) => {
                f.debug_map().entries(members.iter().map(|(name, value)| (name, value))).finish()
            }
            other => f.write_str(other.shape()),
        }
    }
}
