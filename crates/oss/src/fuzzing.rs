//! Exposes private parsers for fuzzing, only with the feature and without any promise.

use crate::error::Refusal;
use crate::tablestore;
use crate::xml::{Listing, VersioningConfiguration, Versions, decode, parse};

/// Reads a page as each kind of listing.
pub fn listing(text: &str) {
    if let Some(page) = parse::<Listing>(text) {
        page.contents.iter().for_each(|listed| drop(decode(&listed.key)));
    }
    drop(parse::<Versions>(text));
    drop(parse::<VersioningConfiguration>(text));
}

/// Reads an error document.
pub fn error(bytes: &[u8]) {
    drop(Refusal::read(400, |_| None, bytes));
}

/// Reads the answer to a request about a row, and its row.
pub fn tablestore_answer(bytes: &[u8]) {
    tablestore::fuzz_answer(bytes);
}

/// Reads a row.
pub fn tablestore_row(bytes: &[u8]) {
    tablestore::fuzz_row(bytes);
}
