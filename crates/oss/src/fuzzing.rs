//! Doors to private parsers, for fuzzing. No promise of any kind, and not there without the
//! feature.

use crate::error::Refusal;
use crate::tablestore;
use crate::xml::{Listing, VersioningConfiguration, Versions, decode, parse};

/// Reads a page as each of the documents that are listed.
pub fn listing(text: &str) {
    if let Some(page) = parse::<Listing>(text) {
        page.contents.iter().for_each(|listed| drop(decode(&listed.key)));
    }
    drop(parse::<Versions>(text));
    drop(parse::<VersioningConfiguration>(text));
}

/// Reads the document of an error.
pub fn error(bytes: &[u8]) {
    drop(Refusal::read(400, |_| None, bytes));
}

/// Reads the answer to a request about a row, and the row in it.
pub fn tablestore_answer(bytes: &[u8]) {
    tablestore::fuzz_answer(bytes);
}

/// Reads a row.
pub fn tablestore_row(bytes: &[u8]) {
    tablestore::fuzz_row(bytes);
}
