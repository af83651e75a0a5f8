//! Configuration keys, where their values come from, and how the sources are layered.
//!
//! A provider describes each of its keys in one row of a table, a [`ProviderSpec`]. Everything that
//! is known about a key comes from its row: how it is read, what it falls back to, how it is
//! documented, and what to suggest when it is misspelt. [`resolve`] layers the sources and yields a
//! [`ResolvedConfig`], in which every value remembers its [`Origin`].
//!
//! A value passes through three shapes: a [`Setting`] is what a source says, before anybody knows
//! the key's type; a [`ConfigValue`] has that type; a [`ResolvedConfig`] holds one `ConfigValue`
//! for each key that has one.

mod convert;
mod flatten;
mod held;
mod layers;
mod paths;
mod resolve;
mod resolved;
mod setting;
mod spec;
mod value;

pub(crate) use convert::{NAME_OR_CALL, TEMPLATE_IN_JSON};
pub use held::{ForeignEndpoint, PROGRAMS_VARIABLE, is_web_token};
pub(crate) use resolve::stated;
pub use resolve::{resolve, resolve_among};
pub use resolved::{ResolvedConfig, unprintable};
pub use setting::{Layer, Setting};
pub use spec::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};
pub use value::{ConfigValue, Environment, Origin, Sourced};
