//! Answers of OSS and Tablestore. `remote_state_oss::fuzzing` exposes the private parsers.

use remote_state_oss::fuzzing;

/// Pages of listings, and the versioning configuration of a bucket.
pub(crate) fn listing(bytes: &[u8]) {
    fuzzing::listing(&String::from_utf8_lossy(bytes));
}

/// An error document.
pub(crate) fn error(bytes: &[u8]) {
    fuzzing::error(bytes);
}

/// The answer to a request about a row, and its row.
pub(crate) fn tablestore_answer(bytes: &[u8]) {
    fuzzing::tablestore_answer(bytes);
}

/// A row alone.
pub(crate) fn tablestore_row(bytes: &[u8]) {
    fuzzing::tablestore_row(bytes);
}
