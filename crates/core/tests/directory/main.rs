//! How a directory names its backend: each rule that Terraform and OpenTofu follow, and what we
//! add.

mod arguments;
mod fixture;
mod hostile;
mod names;
mod order;
mod record;
mod values;
mod which_block;
