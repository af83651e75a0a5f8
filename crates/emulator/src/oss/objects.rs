//! PUT and DELETE of objects, and their ACLs.

use hyper::StatusCode;
use s3s::HttpResponse;
use serde::Serialize;

use super::Oss;
use super::answer::{empty, set, xml_answer};
use super::call::Call;
use super::headers::{self, KmsKeys, Received};
use super::refusal::Refusal;
use crate::faults::IgnoredConditions;
use crate::store::conditions::Conditions;
use crate::store::objects::{self, Written};
use crate::store::{
    BUCKETS, Checksums, Content, OssFacts, OssKind, VERSIONS, Versioning, blobs, buckets, hex,
    internal, versions,
};

impl Oss {
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/putobject>
    pub(super) async fn put_object(
        &self,
        call: &mut Call,
        ignored: IgnoredConditions,
    ) -> Result<HttpResponse, Refusal> {
        headers::refuse_conditions(call)?;
        let forbids = headers::forbids_overwrite(call)? && ignored != IgnoredConditions::Everywhere;
        let (headers, acl) = (headers::stored(call, KmsKeys::Chosen)?, headers::acl(call)?);
        let (bucket, key) = (call.own_bucket(), call.own_key());
        let received = Received::take(call)?;
        let work = move |txn: &_| {
            let versioning = buckets::get(&open(txn, BUCKETS)?, &bucket)?.versioning;
            // The service ignores the header on other buckets:
            // <https://www.alibabacloud.com/help/en/oss/developer-reference/prevent-objects-from-being-overwritten-by-objects-that-have-the-same-names>.
            if forbids && versioning == Versioning::Never {
                let present = versions::current(&open(txn, VERSIONS)?, &bucket, &key)?;
                if present.is_some_and(|version| version.content.is_some()) {
                    return Err(Refusal::new(
                        409,
                        "FileAlreadyExists",
                        "The object you specified already exists and can not be overwritten.",
                    )
                    .with_ec("0026-00000002"));
                }
            }
            let content = Content {
                etag: hex(&received.md5),
                size_bytes: received.size_bytes,
                segments: vec![blobs::write(txn, received.pieces)?],
                headers,
                checksums: Checksums::default(),
                oss: OssFacts { acl, crc64: Some(received.crc64), kind: OssKind::Normal },
            };
            let written =
                objects::put(txn, &bucket, &key, content.clone(), &Conditions::default())?;
            Ok((content, written))
        };
        let (content, written) = self.storage.write(work).await?;
        let mut answer = empty(StatusCode::OK);
        headers::set_digests(&mut answer, &content);
        headers::set_encryption(&mut answer, &content.headers);
        set_version(&mut answer, &written);
        Ok(answer)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/deleteobject>
    pub(super) async fn delete_object(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let (bucket, key, version) =
            (call.own_bucket(), call.own_key(), call.query.text("versionId"));
        let work = move |txn: &_| match version {
            Some(id) => objects::delete_version(txn, &bucket, &key, &id),
            None => objects::delete(txn, &bucket, &key, &Conditions::default()),
        };
        let written = self.storage.write(work).await?;
        let mut answer = empty(StatusCode::NO_CONTENT);
        set_version(&mut answer, &written);
        if written.is_delete_marker {
            set(&mut answer, "x-oss-delete-marker", "true");
        }
        Ok(answer)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/putobjectacl>
    pub(super) async fn put_object_acl(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        if call.header("x-oss-object-acl").is_none() {
            return Err(Refusal::new(400, "MissingArgument", "Missing Some Required Arguments."));
        }
        let acl = headers::acl(call)?;
        let (bucket, key, version) =
            (call.own_bucket(), call.own_key(), call.query.text("versionId"));
        let work = move |txn: &_| {
            buckets::get(&open(txn, BUCKETS)?, &bucket)?;
            let is_there = objects::amend(txn, &bucket, &key, version.as_deref(), |version| {
                if let Some(content) = &mut version.content {
                    content.oss.acl = acl;
                }
            })?;
            if is_there { Ok(()) } else { Err(Refusal::no_such_key()) }
        };
        self.storage.write(work).await?;
        Ok(empty(StatusCode::OK))
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getobjectacl>
    pub(super) async fn object_acl(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let found = self.find(call).await?;
        xml_answer(
            "AccessControlPolicy",
            &AccessControlPolicy::new(found.content.oss.acl.as_deref().unwrap_or("default")),
        )
    }
}

/// Opens a table.
fn open<'txn, K: redb::Key + 'static, V: redb::Value + 'static>(
    txn: &'txn redb::WriteTransaction,
    table: redb::TableDefinition<'_, K, V>,
) -> crate::store::Result<redb::Table<'txn, K, V>> {
    txn.open_table(table).map_err(internal)
}

/// Sets the header with the id of the written or removed version, if the bucket keeps versions.
pub(super) fn set_version(answer: &mut HttpResponse, written: &Written) {
    if let Some(id) = &written.version_id {
        set(answer, "x-oss-version-id", id);
    }
}

/// The owner of objects and buckets: all belong to one account.
#[derive(Debug, Serialize)]
pub(super) struct Owner {
    #[serde(rename = "ID")]
    id: &'static str,
    #[serde(rename = "DisplayName")]
    display_name: &'static str,
}

pub(super) const OWNER: Owner = Owner { id: "emulator", display_name: "emulator" };

/// The ACL of an object or a bucket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccessControlPolicy<'a> {
    owner: Owner,
    access_control_list: AccessControlList<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccessControlList<'a> {
    pub(super) grant: &'a str,
}

impl<'a> AccessControlPolicy<'a> {
    pub(super) fn new(grant: &'a str) -> Self {
        Self { owner: OWNER, access_control_list: AccessControlList { grant } }
    }
}
