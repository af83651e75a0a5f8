//! Configuration keys, where their values come from, and how the sources are layered.
//!
//! A provider describes each of its keys in one row of a table, a [`ProviderSpec`]. Each row says
//! everything about its key: how to parse it, what its default is, how to document it, and what to
//! suggest if it is misspelt. [`keys!`](crate::keys) declares the rows, each with a [`Key`] by
//! which the provider looks its value up. [`resolve`] layers the sources and yields a
//! [`ResolvedConfig`], in which every value has its [`Origin`].
//!
//! A value passes through three shapes: a [`Setting`] is what a source says, before the key's type
//! is known; a [`ConfigValue`] has that type; a [`ResolvedConfig`] holds one `ConfigValue` for each
//! key that has one.

mod convert;
mod flatten;
mod held;
mod key;
mod layers;
mod paths;
mod resolve;
mod resolved;
mod setting;
mod spec;
mod value;

pub(crate) use convert::{NAME_OR_CALL, TEMPLATE_IN_JSON};
pub use held::{ForeignEndpoint, PROGRAMS_VARIABLE, is_web_token};
pub use key::{Key, KeyType, Number, ValueType};
pub(crate) use resolve::stated;
pub use resolve::{resolve, resolve_among};
pub use resolved::{ResolvedConfig, unprintable};
pub use setting::{Layer, Setting};
pub use spec::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};
pub use value::{ConfigValue, Environment, Origin, Sourced};
