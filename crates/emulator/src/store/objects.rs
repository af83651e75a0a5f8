//! Operations on objects and their versions.

use redb::{ReadableTable, WriteTransaction};
use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use super::{
    BUCKETS, Content, Segment, VERSIONS, Version, Versioning, blobs, buckets, decode, encode,
    internal, next_number, now_ms, opaque_id,
};
use crate::faults::IgnoredConditions;
use crate::manners::{Manners, check_as_ceph};

/// The version id of objects written while versioning was not enabled.
pub(crate) const NULL_VERSION: &str = "null";

/// The conditions of a write.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) manners: Manners,
    /// The entity tag in `if_match` had quotes.
    pub(crate) is_match_quoted: bool,
    /// A tag with quotes is never met.
    pub(crate) bare_tags_only: bool,
}

/// What a write left behind.
#[derive(Debug)]
pub(crate) struct Written {
    /// None on a bucket that was never versioned.
    pub(crate) version_id: Option<String>,
    pub(crate) is_delete_marker: bool,
}

/// The rows of one key, newest first, each with the number it is filed under.
pub(crate) fn versions_of(
    versions: &impl ReadableTable<(&'static str, &'static str, u64), &'static [u8]>,
    bucket: &str,
    key: &str,
) -> S3Result<Vec<(u64, Version)>> {
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
) -> S3Result<Option<Version>> {
    match versions.range((bucket, key, 0)..=(bucket, key, u64::MAX)).map_err(internal)?.next() {
        Some(row) => decode(row.map_err(internal)?.1.value()).map(Some),
        None => Ok(None),
    }
}

/// Makes `content` the current version of a key if the conditions hold.
pub(crate) fn put(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    content: Content,
    conditions: &Conditions,
) -> S3Result<Written> {
    let versioning = buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?.versioning;
    check(txn, bucket, key, versioning, conditions)?;
    file(txn, bucket, key, versioning, Some(content))
}

/// Fails as S3 does unless the conditions of a write hold.
pub(crate) fn check(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    versioning: Versioning,
    conditions: &Conditions,
) -> S3Result<()> {
    let ignored = match conditions.ignored {
        IgnoredConditions::None => false,
        IgnoredConditions::OnVersionedBuckets => versioning == Versioning::Enabled,
        IgnoredConditions::OfUpdates => conditions.if_match.is_some(),
        IgnoredConditions::Everywhere => true,
    };
    if ignored || (conditions.if_match.is_none() && conditions.if_none_match.is_none()) {
        return Ok(());
    }
    let versions = txn.open_table(VERSIONS).map_err(internal)?;
    if conditions.manners == Manners::Ceph {
        let current = current(&versions, bucket, key)?;
        let Conditions { if_match, if_none_match, is_match_quoted, .. } = conditions;
        return check_as_ceph(
            versioning,
            current.as_ref(),
            if_match.as_ref(),
            *is_match_quoted,
            if_none_match.as_ref(),
        );
    }
    if conditions.bare_tags_only && conditions.is_match_quoted && conditions.if_match.is_some() {
        return Err(precondition_failed("If-Match"));
    }
    let etag = current(&versions, bucket, key)?
        .and_then(|version| version.content)
        .map(|content| content.etag);
    match &conditions.if_none_match {
        None => {}
        Some(ETagCondition::Any) if etag.is_some() => {
            return Err(precondition_failed("If-None-Match"));
        }
        Some(ETagCondition::Any) => {}
        // S3 takes nothing but the star here, see
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax>.
        Some(ETagCondition::ETag(_)) => {
            return Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: \
                 If-None-Match"
            ));
        }
    }
    match (&conditions.if_match, etag) {
        (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
        (Some(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
        (Some(ETagCondition::ETag(expected)), Some(etag)) if expected.value() == etag => Ok(()),
        (Some(ETagCondition::ETag(_)), Some(_)) => Err(precondition_failed("If-Match")),
    }
}

/// Deletes the current version, or files a delete marker above it where old versions are kept.
pub(crate) fn delete(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    conditions: &Conditions,
) -> S3Result<Written> {
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

/// Deletes one version for good. A version that is not there is no error, as on S3.
pub(crate) fn delete_version(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
) -> S3Result<Written> {
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
) -> S3Result<Written> {
    let number = next_number(txn, "version")?;
    let id = match versioning {
        Versioning::Enabled => opaque_id("version", number),
        // At most one version of a key is called `null`, and a new one takes the place of the old.
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

/// Changes a version where it stands: the current one, or the one with this id. False if there is
/// no such version, or a delete marker.
pub(crate) fn amend(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    change: impl FnOnce(&mut Version),
) -> S3Result<bool> {
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

fn remove_null(txn: &WriteTransaction, bucket: &str, key: &str) -> S3Result<()> {
    remove_version(txn, bucket, key, NULL_VERSION).map(drop)
}

fn remove_version(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
) -> S3Result<Option<Version>> {
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

/// S3's answer to a condition that does not hold.
pub(crate) fn precondition_failed(condition: &str) -> s3s::S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}
