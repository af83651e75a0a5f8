//! Configuration keys, where their values come from, and how the sources are layered.
//!
//! A provider describes each of its keys in one row of a table, a [`ProviderSpec`]. Everything that is known about a key comes from its row:
//! how it is read, what it falls back to, how it is documented, and what to suggest when it is misspelt. [`resolve`] layers the sources and
//! yields a [`ResolvedConfig`], in which every value remembers its [`Origin`].

mod resolve;
mod resolved;
mod spec;
mod value;

pub use resolve::{Layer, Setting, resolve};
pub use resolved::ResolvedConfig;
pub use spec::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};
pub use value::{ConfigValue, Environment, Origin, Sourced};
