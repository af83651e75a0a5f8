//! How a Terraform directory names its backend.
//!
//! [`discover`] looks, in this order, at
//!
//! 1. the options: with a backend type among them, nothing else is read;
//! 2. `remote-state.hcl` in the directory;
//! 3. the record that `terraform init` or `tofu init` left in the data directory;
//! 4. the `backend` block in the directory's files.
//!
//! Files are read as the clients read them, and nothing is executed here; what their values may
//! make a provider do is held to less, see
//! [`ResolvedConfig::is_of_directory`](crate::config::ResolvedConfig::is_of_directory). An
//! expression that needs a variable or a function, which OpenTofu would evaluate, is an error here
//! unless `init` has recorded its value. What the names stand for is only looked up to tell whether
//! that value is still meant.

mod arguments;
mod arithmetic;
mod block;
mod changed;
mod discover;
mod evaluate;
mod files;
mod hcl;
mod json;
mod options;
mod record;
mod scope;
mod source;

pub use discover::{Discovered, WORKSPACE_VARIABLE, declared_backend, discover};
pub use options::{DirectoryOptions, OptionNames};
