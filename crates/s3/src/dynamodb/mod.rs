//! The DynamoDB table beside the bucket: a lock item and a digest item for each state.

mod client;
mod failures;
#[cfg(test)]
mod tests;

pub(crate) use client::Table;
