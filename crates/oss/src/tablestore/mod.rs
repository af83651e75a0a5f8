//! The Tablestore table: lock rows and digest rows as Terraform 0.13 and later write them.

mod client;
mod digest;
mod lock;
mod message;
mod plain_buffer;
mod sign;
#[cfg(test)]
mod vectors;

pub(crate) use client::Table;
pub(crate) use lock::LockRow;
