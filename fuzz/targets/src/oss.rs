//! What OSS and Tablestore answer. The parsers are private; the doors are
//! `remote_state_oss::fuzzing`.

use remote_state_oss::fuzzing;

/// Pages of listings, and whether a bucket keeps versions.
pub(crate) fn listing(bytes: &[u8]) {
    fuzzing::listing(&String::from_utf8_lossy(bytes));
}

/// The document of an answer that is an error.
pub(crate) fn error(bytes: &[u8]) {
    fuzzing::error(bytes);
}

/// The answer to a request about a row, and the row in it.
pub(crate) fn tablestore_answer(bytes: &[u8]) {
    fuzzing::tablestore_answer(bytes);
}

/// A row by itself.
pub(crate) fn tablestore_row(bytes: &[u8]) {
    fuzzing::tablestore_row(bytes);
}
