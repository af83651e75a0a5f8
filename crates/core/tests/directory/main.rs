//! How a directory names its backend: each rule of Terraform and OpenTofu, and the additional ones.

mod arguments;
mod fixture;
mod hostile;
mod names;
mod order;
mod record;
mod values;
mod which_block;
