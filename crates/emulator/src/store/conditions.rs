//! The conditions of a write.

use redb::WriteTransaction;
use s3s::dto::ETagCondition;

use super::versions::current;
use super::{Error, Result, VERSIONS, Version, Versioning, internal};
use crate::faults::IgnoredConditions;
use crate::quirks::Quirks;

/// The conditions of a write.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) quirks: Quirks,
    /// The entity tag in `if_match` had quotes.
    pub(crate) is_match_quoted: bool,
    /// A tag with quotes never meets `if_match`.
    pub(crate) bare_tags_only: bool,
}

/// Fails as S3 does unless the conditions of a write hold.
pub(crate) fn check(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    versioning: Versioning,
    conditions: &Conditions,
) -> Result<()> {
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
    if conditions.quirks == Quirks::Ceph {
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
        return Err(Error::ConditionFailed("If-Match"));
    }
    let etag = current(&versions, bucket, key)?
        .and_then(|version| version.content)
        .map(|content| content.etag);
    match &conditions.if_none_match {
        None => {}
        Some(ETagCondition::Any) if etag.is_some() => {
            return Err(Error::ConditionFailed("If-None-Match"));
        }
        Some(ETagCondition::Any) => {}
        // S3 accepts only the star here, see
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax>.
        Some(ETagCondition::ETag(_)) => {
            return Err(Error::ConditionNotImplemented("If-None-Match"));
        }
    }
    match (&conditions.if_match, etag) {
        (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
        (Some(_), None) => Err(Error::ObjectMissing),
        (Some(ETagCondition::ETag(expected)), Some(etag)) if expected.value() == etag => Ok(()),
        (Some(ETagCondition::ETag(_)), Some(_)) => Err(Error::ConditionFailed("If-Match")),
    }
}

/// Decides the conditions of a PUT as Ceph does.
fn check_as_ceph(
    versioning: Versioning,
    current: Option<&Version>,
    if_match: Option<&ETagCondition>,
    is_quoted: bool,
    if_none_match: Option<&ETagCondition>,
) -> Result<()> {
    let is_enabled = versioning == Versioning::Enabled;
    // A delete marker counts as something that exists.
    if if_none_match.is_some() && !is_enabled && current.is_some() {
        return Err(Error::ConditionFailed("If-None-Match"));
    }
    let etag =
        current.and_then(|version| version.content.as_ref()).map(|content| content.etag.as_str());
    let is_met = match if_match {
        None => true,
        Some(ETagCondition::Any) => !is_enabled && etag.is_some(),
        Some(ETagCondition::ETag(expected)) => {
            !is_enabled && !is_quoted && etag == Some(expected.value())
        }
    };
    if is_met { Ok(()) } else { Err(Error::ConditionFailed("If-Match")) }
}
