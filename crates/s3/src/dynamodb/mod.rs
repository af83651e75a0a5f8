//! The DynamoDB table beside the bucket: a lock item and a digest item for each state.

mod client;
mod digest;
mod lock;
#[cfg(test)]
mod tests;

pub(crate) use client::Table;
pub(crate) use lock::LockItem;
