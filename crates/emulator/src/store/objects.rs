//! Operations on objects and their versions.

use redb::WriteTransaction;

use super::conditions::{Conditions, check};
use super::versions::versions_of;
use super::{
    BUCKETS, Content, Result, Segment, VERSIONS, Version, Versioning, blobs, buckets, encode,
    internal, next_number, now_ms, opaque_id,
};

/// The version id of objects written while versioning was not enabled.
pub(crate) const NULL_VERSION: &str = "null";

/// The result of a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// None on a bucket that was never versioned.
    pub(crate) version_id: Option<String>,
    pub(crate) is_delete_marker: bool,
}

/// Makes `content` the current version of a key if the conditions hold.
pub(crate) fn put(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    content: Content,
    conditions: &Conditions,
) -> Result<Written> {
    let versioning = buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?.versioning;
    check(txn, bucket, key, versioning, conditions)?;
    file(txn, bucket, key, versioning, Some(content))
}

/// Deletes the current version, or files a delete marker above it where old versions are kept.
pub(crate) fn delete(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    conditions: &Conditions,
) -> Result<Written> {
    let versioning = buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?.versioning;
    check(txn, bucket, key, versioning, conditions)?;
    match versioning {
        Versioning::Never => {
            remove_null(txn, bucket, key)?;
            Ok(Written { version_id: None, is_delete_marker: false })
        }
        Versioning::Enabled | Versioning::Suspended => file(txn, bucket, key, versioning, None),
    }
}

/// Deletes one version. Deleting one that does not exist is no error, as on S3.
pub(crate) fn delete_version(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Written> {
    buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?;
    let removed = remove_version(txn, bucket, key, id)?;
    let is_delete_marker = removed.is_some_and(|version| version.content.is_none());
    Ok(Written { version_id: Some(id.to_owned()), is_delete_marker })
}

/// Adds a row above the others of its key.
fn file(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    versioning: Versioning,
    content: Option<Content>,
) -> Result<Written> {
    let number = next_number(txn, "version")?;
    let id = match versioning {
        Versioning::Enabled => opaque_id("version", number),
        // At most one version of a key has the id `null`, and a new one replaces it.
        Versioning::Never | Versioning::Suspended => {
            remove_null(txn, bucket, key)?;
            NULL_VERSION.to_owned()
        }
    };
    let is_delete_marker = content.is_none();
    let row = encode(&Version { id: id.clone(), modified_ms: now_ms(), content })?;
    let mut versions = txn.open_table(VERSIONS).map_err(internal)?;
    versions.insert((bucket, key, u64::MAX - number), row.as_slice()).map_err(internal)?;
    let version_id = (versioning != Versioning::Never).then_some(id);
    Ok(Written { version_id, is_delete_marker })
}

/// Changes a version in place: the current one, or the one with this id. False if there is no such
/// version, or a delete marker.
pub(crate) fn amend(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    change: impl FnOnce(&mut Version),
) -> Result<bool> {
    let mut versions = txn.open_table(VERSIONS).map_err(internal)?;
    let all = versions_of(&versions, bucket, key)?;
    let found = all.into_iter().find(|(_, version)| id.is_none_or(|id| version.id == id));
    let Some((number, mut version)) = found.filter(|(_, version)| version.content.is_some()) else {
        return Ok(false);
    };
    change(&mut version);
    versions.insert((bucket, key, number), encode(&version)?.as_slice()).map_err(internal)?;
    Ok(true)
}

fn remove_null(txn: &WriteTransaction, bucket: &str, key: &str) -> Result<()> {
    remove_version(txn, bucket, key, NULL_VERSION).map(drop)
}

fn remove_version(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Option<Version>> {
    let mut versions = txn.open_table(VERSIONS).map_err(internal)?;
    let Some((number, version)) =
        versions_of(&versions, bucket, key)?.into_iter().find(|(_, version)| version.id == id)
    else {
        return Ok(None);
    };
    versions.remove((bucket, key, number)).map_err(internal)?;
    let segments: &[Segment] = version.content.as_ref().map_or(&[], |content| &content.segments);
    blobs::discard(txn, segments)?;
    Ok(Some(version))
}
