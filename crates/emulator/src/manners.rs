//! Whose manners an emulator has where stores that speak S3 differ.

use s3s::S3Result;
use s3s::dto::ETagCondition;

use crate::store::objects::{NULL_VERSION, precondition_failed};
use crate::store::{Version, Versioning};

/// Whose manners to have where stores that speak S3 differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manners {
    /// Amazon's own.
    #[default]
    Amazon,
    /// Those of Ceph's RADOS gateway, as measured on 16.2.15.
    ///
    /// On a bucket with versioning enabled `If-None-Match` is ignored and `If-Match` never met.
    /// Elsewhere an `If-Match` is met only by an entity tag without quotes, and a create over a
    /// delete marker is refused. Conditions of DELETE and of the completion of a multipart upload
    /// are ignored. Version ids are told where versioning is enabled. Trailing checksums are
    /// refused.
    Ceph,
}

impl Manners {
    /// Whether a version's id is told to someone who did not ask for it.
    pub(crate) fn tells(self, id: &str) -> bool {
        self == Self::Amazon || id != NULL_VERSION
    }
}

/// Decides the conditions of a PUT as Ceph does.
pub(crate) fn check_as_ceph(
    versioning: Versioning,
    current: Option<&Version>,
    if_match: Option<&ETagCondition>,
    is_quoted: bool,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let is_enabled = versioning == Versioning::Enabled;
    // A delete marker counts as something that exists.
    if if_none_match.is_some() && !is_enabled && current.is_some() {
        return Err(precondition_failed("If-None-Match"));
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
    if is_met { Ok(()) } else { Err(precondition_failed("If-Match")) }
}
