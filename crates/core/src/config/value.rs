//! Values and their origins.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A configuration key's value, converted to the key's type.
#[derive(Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// Text.
    String(String),
    /// Several texts.
    List(Vec<String>),
    /// Texts by name.
    Map(BTreeMap<String, String>),
}

impl ConfigValue {
    /// Returns the value as JSON, without the user and password of a URL. A number keeps its type
    /// if JSON can express it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Bool(value) => Value::from(*value),
            Self::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
            }
            Self::String(text) => Value::from(without_userinfo(text)),
            Self::List(items) => items.iter().map(|item| without_userinfo(item)).collect(),
            Self::Map(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(without_userinfo(value))))
                .collect(),
        }
    }

    /// Returns the value as text for people: a string as it is, any other value as JSON.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::String(text) | Self::Number(text) => without_userinfo(text).into_owned(),
            other => other.to_json().to_string(),
        }
    }
}

/// Hides the user and the password in a URL, for any key.
pub(crate) fn without_userinfo(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.split_once(':').map_or("", |(_, port)| port);
    // A password with a slash in it ends the authority too early. If the text may contain one, hide
    // too much rather than too little.
    let searched = if port.bytes().all(|byte| byte.is_ascii_digit()) { authority } else { rest };
    match searched.rfind('@') {
        Some(at) => format!("{scheme}://<secret>{}", &rest[at..]).into(),
        None => text.into(),
    }
}

/// Hides the value: only its key knows whether it is a secret.
impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool(_) => "Bool(..)",
            Self::Number(_) => "Number(..)",
            Self::String(_) => "String(..)",
            Self::List(_) => "List(..)",
            Self::Map(_) => "Map(..)",
        })
    }
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The provider's default.
    Default,
    /// An environment variable.
    Environment(String),
    /// A configuration file, with the line if it is known.
    File {
        /// The file, as it should be shown.
        path: PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// The record that `init` left in a Terraform data directory.
    Initialised {
        /// The record, as it should be shown.
        path: PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// A command-line option, as typed but without the value.
    Flag(String),
    /// A program that called the library.
    Program,
}

impl Origin {
    /// Creates an origin from a place in a file.
    pub fn file(path: impl AsRef<Path>, line: impl Into<Option<usize>>) -> Self {
        Self::File { path: path.as_ref().to_owned(), line: line.into() }
    }

    /// Returns whether the value was configured for this store: it is neither a default nor from
    /// the environment, which all programs share.
    pub fn is_of_configuration(&self) -> bool {
        !matches!(self, Self::Default | Self::Environment(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "${name}"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => path.display().fmt(f),
            Self::Initialised { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::Initialised { path, line: None } => path.display().fmt(f),
            Self::Flag(flag) => f.write_str(flag),
            Self::Program => f.write_str("the calling program"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it was set.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// Pairs a value with its origin.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// A snapshot of the environment. Code below the command line reads variables only from here.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Returns a variable's value, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the names of all variables, also of those that are set to an empty text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// Prints names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every printed text that may be a URL, in values of any shape.
    #[test]
    fn what_is_shown_of_a_url_has_no_password() {
        for (text, expected) in [
            ("http://user:hunter2@127.0.0.1:9000/x@y", "http://<secret>@y"),
            ("https://hunter2@host/x@y", "https://<secret>@host/x@y"),
            ("https://user:hun/ter2@host", "https://<secret>@host"),
            ("https://a:hunt@er2@host?x#y", "https://<secret>@host?x#y"),
            ("https://host:9000/x@y", "https://host:9000/x@y"),
            ("user@host", "user@host"),
        ] {
            let text = text.to_owned();
            assert_eq!(ConfigValue::String(text.clone()).shown(), expected);
            let list = ConfigValue::List(vec![text.clone()]).to_json();
            assert_eq!(list[0], expected);
            let map = ConfigValue::Map(BTreeMap::from([("s3".to_owned(), text)]));
            assert_eq!(map.to_json()["s3"], expected);
            assert!(!map.shown().contains("ter2"));
        }
    }
}
