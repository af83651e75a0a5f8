//! The versions of a bucket's objects, in the order in which the store lists them.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_xml::decode::Document;
use remote_state_core::provider::Cursor;
use remote_state_core::{ErrorKind, Result};

use crate::client::{Client, in_time};
use crate::error::{about_versions, failure};
use crate::layout::object_url;

/// A version or a delete marker, as the store lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    pub(crate) is_marker: bool,
    pub(crate) is_latest: bool,
    /// Zero for a delete marker.
    pub(crate) size_bytes: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<DateTime>,
}

impl Listed {
    /// Returns an identity that no listing repeats.
    pub(crate) fn identity(&self) -> String {
        format!("{} {}", self.key, self.version.as_deref().unwrap_or_default())
    }
}

/// For a list that lacks what such lists have.
pub(crate) const NOT_UNDERSTOOD: &str = "the store's list of versions cannot be understood";

/// A page of a listing of versions.
#[derive(Debug)]
pub(crate) struct VersionPage {
    /// In the order in which the store lists them.
    pub(crate) entries: Vec<Listed>,
    pub(crate) is_truncated: Option<bool>,
    pub(crate) next: Option<Cursor>,
}

impl Client {
    /// Lists the versions and delete markers of keys that begin with a prefix.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
    pub(crate) async fn list_versions(
        &self,
        operation: &'static str,
        prefix: &str,
        after: Option<Cursor>,
    ) -> Result<VersionPage> {
        let (key_marker, version_marker) =
            after.map(|Cursor { key, version, .. }| (key, version)).unzip();
        let kinds = Kinds::default();
        let call = self
            .sdk()
            .list_object_versions()
            .bucket(self.bucket())
            .prefix(prefix)
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker.flatten());
        let url = object_url(self.bucket(), prefix);
        let about = self.about(operation, &url);
        let sent = in_time(|| call.clone().customize().interceptor(kinds.clone()).send()).await;
        let answer = sent.map_err(|error| about_versions(failure(about, error)))?;
        page(answer, &kinds.take())
            .ok_or_else(|| about.error(ErrorKind::Unexpected, NOT_UNDERSTOOD))
    }
}

/// Merges versions and delete markers, which the SDK separates, into one order again. `None` if the
/// kinds are not those of the entries.
fn page(answer: ListObjectVersionsOutput, are_markers: &[bool]) -> Option<VersionPage> {
    let mut versions = answer.versions.unwrap_or_default().into_iter();
    let mut markers = answer.delete_markers.unwrap_or_default().into_iter();
    let mut entries = Vec::with_capacity(are_markers.len());
    for is_marker in are_markers {
        entries.push(if *is_marker {
            let marker = markers.next()?;
            Listed {
                key: marker.key?,
                version: marker.version_id,
                is_marker: true,
                is_latest: marker.is_latest == Some(true),
                size_bytes: 0,
                etag: None,
                modified: marker.last_modified,
            }
        } else {
            let version = versions.next()?;
            Listed {
                key: version.key?,
                version: version.version_id,
                is_marker: false,
                is_latest: version.is_latest == Some(true),
                size_bytes: version.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                etag: version.e_tag,
                modified: version.last_modified,
            }
        });
    }
    let next = answer.next_key_marker.zip(answer.next_version_id_marker);
    let next = next.map(|(key, version)| Cursor::behind_version(key, version));
    (versions.next().is_none() && markers.next().is_none()).then_some(VersionPage {
        entries,
        is_truncated: answer.is_truncated,
        next,
    })
}

/// Learns from a reply's document in which order it lists versions and delete markers: for each
/// entry, whether it is a marker.
#[derive(Clone, Debug, Default)]
struct Kinds(Arc<Mutex<Vec<bool>>>);

impl Kinds {
    fn take(&self) -> Vec<bool> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Kinds {
    fn name(&self) -> &'static str {
        "order of versions"
    }

    fn read_after_deserialization(
        &self,
        context: &context::AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_success()
            && let Some(bytes) = response.body().bytes()
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                kinds(std::str::from_utf8(bytes)?)?;
        }
        Ok(())
    }
}

fn kinds(document: &str) -> Result<Vec<bool>, BoxError> {
    let mut document = Document::new(document);
    let mut root = document.root_element()?;
    let mut kinds = Vec::new();
    while let Some(tag) = root.next_tag() {
        match tag.start_el().local() {
            "Version" => kinds.push(false),
            "DeleteMarker" => kinds.push(true),
            _ => {}
        }
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion};

    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?>\
        <ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
        <Version><Key>k</Key><VersionId>3</VersionId></Version>\
        <DeleteMarker><Key>k</Key><VersionId>2</VersionId></DeleteMarker>\
        <Version><Key>k</Key><VersionId>1</VersionId></Version></ListVersionsResult>";

    fn answer() -> ListObjectVersionsOutput {
        let version = |id: &str| ObjectVersion::builder().key("k").version_id(id).build();
        ListObjectVersionsOutput::builder()
            .versions(version("3"))
            .versions(version("1"))
            .delete_markers(DeleteMarkerEntry::builder().key("k").version_id("2").build())
            .build()
    }

    #[test]
    fn the_order_is_the_documents() {
        let kinds = kinds(DOCUMENT).unwrap();
        assert_eq!(kinds, [false, true, false]);
        let ids: Vec<_> = page(answer(), &kinds)
            .unwrap()
            .entries
            .into_iter()
            .map(|e| e.version.unwrap())
            .collect();
        assert_eq!(ids, ["3", "2", "1"]);
    }

    #[test]
    fn a_document_that_does_not_go_with_its_entries_is_not_understood() {
        for kinds in [&[][..], &[false, true], &[false, true, false, true], &[true, true, false]] {
            assert!(page(answer(), kinds).is_none(), "{kinds:?}");
        }
        assert!(kinds("no document").is_err());
    }
}
