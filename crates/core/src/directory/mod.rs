//! How a Terraform directory names its backend.
//!
//! [`discover`] reads these places in order:
//!
//! 1. the options: with a backend type among them, nothing else is read;
//! 2. `remote-state.hcl` in the directory;
//! 3. the record that `terraform init` or `tofu init` left in the data directory;
//! 4. the `backend` block in the directory's files.
//!
//! It reads files as native clients do, and runs no program. Limits apply to what values from files
//! may make a provider do, see
//! [`ResolvedConfig::is_of_directory`](crate::config::ResolvedConfig::is_of_directory). An
//! expression that needs a variable or a function, which OpenTofu would evaluate, is an error here
//! unless `init` has recorded its value. The values of names are used only to find out whether the
//! recorded value is still current.

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
pub use record::select_workspace;
