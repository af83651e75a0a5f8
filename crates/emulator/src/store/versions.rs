//! Finding the versions of a key.

use redb::ReadableTable;

use super::{Result, Version, decode, internal};

/// The rows of one key, newest first, each with the number it is filed under.
pub(crate) fn versions_of(
    versions: &impl ReadableTable<(&'static str, &'static str, u64), &'static [u8]>,
    bucket: &str,
    key: &str,
) -> Result<Vec<(u64, Version)>> {
    let mut found = Vec::new();
    for row in versions.range((bucket, key, 0)..=(bucket, key, u64::MAX)).map_err(internal)? {
        let (row_key, version) = row.map_err(internal)?;
        found.push((row_key.value().2, decode(version.value())?));
    }
    Ok(found)
}

/// The current version of a key, which may be a delete marker.
pub(crate) fn current(
    versions: &impl ReadableTable<(&'static str, &'static str, u64), &'static [u8]>,
    bucket: &str,
    key: &str,
) -> Result<Option<Version>> {
    match versions.range((bucket, key, 0)..=(bucket, key, u64::MAX)).map_err(internal)?.next() {
        Some(row) => decode(row.map_err(internal)?.1.value()).map(Some),
        None => Ok(None),
    }
}
