//! Keys with the type of their values.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use crate::config::setting::Setting;
use crate::config::spec::{ConfigKeySpec, ValueKind};
use crate::config::value::{ConfigValue, Origin, Sourced};

/// A key of a provider: its row in the table, and the type that
/// [`ResolvedConfig::get`](crate::config::ResolvedConfig::get) returns.
///
/// `Key<T>` always has a value, since the row requires one or has a default; a `Key<Option<T>>` may
/// have none. [`keys!`](crate::keys) declares keys, and the table that consists of their rows.
pub struct Key<T> {
    row: ConfigKeySpec,
    value: PhantomData<fn() -> T>,
}

impl<T: KeyType> Key<T> {
    /// Creates a key from its row. Only [`keys!`](crate::keys) calls this.
    ///
    /// # Panics
    /// At compile time, if the type does not fit the row: a key that always has a value needs a
    /// default or has to be required.
    #[doc(hidden)]
    pub const fn of(row: ConfigKeySpec) -> Self {
        assert!(
            T::MAY_BE_UNSET || row.required || row.default.is_some(),
            "a key without a default is a `Key<Option<T>>`, or is required"
        );
        Self { row, value: PhantomData }
    }
}

impl<T> Key<T> {
    /// Returns the row of the key.
    pub const fn row(self) -> ConfigKeySpec {
        self.row
    }

    /// Returns the name of the key.
    pub const fn name(self) -> &'static str {
        self.row.name
    }

    /// Returns a setting of the key, for a [`Layer`](crate::config::Layer).
    pub fn set(self, value: impl Into<Setting>, origin: Origin) -> (String, Sourced<Setting>) {
        (self.row.name.to_owned(), Sourced::new(value.into(), origin))
    }
}

impl<T> AsRef<ConfigKeySpec> for Key<T> {
    fn as_ref(&self) -> &ConfigKeySpec {
        &self.row
    }
}

// Derived ones would ask the same of `T`.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.row.name).finish()
    }
}

/// A type that the value of a key can have.
pub trait ValueType: 'static {
    /// The type as the table names it.
    const KIND: ValueKind;

    /// The value as a configuration lends it.
    type Lent<'a>: Default;

    /// Returns the value; `None` if it has another type.
    fn lend(value: &ConfigValue) -> Option<Self::Lent<'_>>;

    /// Returns the value as a configuration keeps it.
    fn keep(self) -> ConfigValue;
}

impl ValueType for bool {
    const KIND: ValueKind = ValueKind::Bool;
    type Lent<'a> = Self;

    fn lend(value: &ConfigValue) -> Option<Self> {
        if let ConfigValue::Bool(value) = value { Some(*value) } else { None }
    }

    fn keep(self) -> ConfigValue {
        ConfigValue::Bool(self)
    }
}

impl ValueType for String {
    const KIND: ValueKind = ValueKind::String;
    type Lent<'a> = &'a str;

    fn lend(value: &ConfigValue) -> Option<&str> {
        if let ConfigValue::String(text) = value { Some(text) } else { None }
    }

    fn keep(self) -> ConfigValue {
        ConfigValue::String(self)
    }
}

/// A number, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(pub String);

impl ValueType for Number {
    const KIND: ValueKind = ValueKind::Number;
    type Lent<'a> = &'a str;

    fn lend(value: &ConfigValue) -> Option<&str> {
        if let ConfigValue::Number(text) = value { Some(text) } else { None }
    }

    fn keep(self) -> ConfigValue {
        ConfigValue::Number(self.0)
    }
}

impl ValueType for Vec<String> {
    const KIND: ValueKind = ValueKind::StringList;
    type Lent<'a> = &'a [String];

    fn lend(value: &ConfigValue) -> Option<&[String]> {
        if let ConfigValue::List(items) = value { Some(items) } else { None }
    }

    fn keep(self) -> ConfigValue {
        ConfigValue::List(self)
    }
}

impl ValueType for BTreeMap<String, String> {
    const KIND: ValueKind = ValueKind::StringMap;
    type Lent<'a> = std::collections::btree_map::Iter<'a, String, String>;

    fn lend(value: &ConfigValue) -> Option<Self::Lent<'_>> {
        if let ConfigValue::Map(members) = value { Some(members.iter()) } else { None }
    }

    fn keep(self) -> ConfigValue {
        ConfigValue::Map(self)
    }
}

/// The type of a key: that of its value, or an [`Option`] of it.
pub trait KeyType {
    /// The type of a value that is set.
    type Set: ValueType;

    /// What a look-up returns.
    type Found<'a>;

    /// Whether the key may have no value.
    const MAY_BE_UNSET: bool;

    /// Returns what a look-up returns for this value.
    fn find(value: Option<&ConfigValue>) -> Self::Found<'_>;
}

impl<T: ValueType> KeyType for T {
    type Set = T;
    type Found<'a> = T::Lent<'a>;
    const MAY_BE_UNSET: bool = false;

    fn find(value: Option<&ConfigValue>) -> T::Lent<'_> {
        // `resolve` sees to it that there is a value.
        value.and_then(T::lend).unwrap_or_default()
    }
}

impl<T: ValueType> KeyType for Option<T> {
    type Set = T;
    type Found<'a> = Option<T::Lent<'a>>;
    const MAY_BE_UNSET: bool = true;

    fn find(value: Option<&ConfigValue>) -> Option<T::Lent<'_>> {
        value.and_then(T::lend)
    }
}

/// Declares the keys of a provider, one row for each, and `KEYS`, the table of all rows in this
/// order.
///
/// A row has the name of the key, its documentation, and what [`ConfigKeySpec`] has methods for;
/// the type of the value is that of the [`Key`].
///
/// ```
/// # use remote_state_core::config::{ProviderSpec, ResolvedConfig};
/// remote_state_core::keys![
///     pub(crate) const FOLDER: Key<String> = key("folder", "Where the states are.").required();
///     pub(crate) const IS_PRIVATE: Key<bool> = key("private", "Hide them.").default("true");
///     pub(crate) const NOTE: Key<Option<String>> = key("note", "What to remember.");
/// ];
///
/// static PROVIDER: ProviderSpec = ProviderSpec::new("x", "X", KEYS);
///
/// let config = ResolvedConfig::from_pairs(&PROVIDER, [("folder", "/srv")])?;
/// assert_eq!(config.get(FOLDER), "/srv");
/// assert!(config.get(IS_PRIVATE));
/// assert_eq!(config.get(NOTE), None);
/// # Ok::<(), remote_state_core::Error>(())
/// ```
///
/// A key that always has a value needs a default, or has to be required:
///
/// ```compile_fail,E0080
/// remote_state_core::keys![
///     pub(crate) const NOTE: Key<String> = key("note", "What to remember.");
/// ];
/// ```
#[macro_export]
macro_rules! keys {
    ($(
        $visibility:vis const $constant:ident: Key<$type:ty> =
            key($name:literal, $doc:literal $(,)?) $(.$property:ident($($argument:tt)*))*;
    )*) => {
        $(
            #[doc = $doc]
            $visibility const $constant: $crate::config::Key<$type> = $crate::config::Key::of(
                $crate::config::ConfigKeySpec::new(
                    $name,
                    <<$type as $crate::config::KeyType>::Set as $crate::config::ValueType>::KIND,
                    $doc,
                )
                $(.$property($($argument)*))*,
            );
        )*

        /// The rows of all keys, in the order in which to show them.
        pub(crate) const KEYS: &[$crate::config::ConfigKeySpec] = &[$($constant.row()),*];
    };
}
