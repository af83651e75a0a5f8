//! Buckets.

use hyper::StatusCode;
use s3s::HttpResponse;
use serde::{Deserialize, Serialize};

use super::answer::{document_time, empty, xml_answer};
use super::call::Call;
use super::objects::{AccessControlList, AccessControlPolicy, OWNER, Owner};
use super::refusal::Refusal;
use super::{Oss, xml};
use crate::store::{BUCKETS, Bucket, Versioning, buckets, internal};

/// Only the owner may access a bucket, as by default in the service.
const BUCKET_ACL: &str = "private";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersioningConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

impl Oss {
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/putbucket>
    pub(super) async fn put_bucket(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let name = call.own_bucket();
        // It is no error to create a bucket that the account already owns.
        let _created: bool =
            self.storage.write(move |txn| buckets::create(txn, &name, Versioning::Never)).await?;
        Ok(empty(StatusCode::OK))
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/deletebucket>
    pub(super) async fn delete_bucket(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let name = call.own_bucket();
        self.storage.write(move |txn| buckets::delete(txn, &name)).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listbuckets>
    pub(super) async fn list_buckets(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let all = self
            .storage
            .read(|txn| buckets::list(&txn.open_table(BUCKETS).map_err(internal)?))
            .await?;
        let prefix = call.query.text("prefix").unwrap_or_default();
        let marker = call.query.text("marker").unwrap_or_default();
        let limit = super::listing::page_size(&call.query)?;
        let mut found: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| name.starts_with(&prefix) && *name > marker)
            .map(|(name, bucket)| self.entry(name, &bucket))
            .collect();
        let is_truncated = found.len() > limit;
        found.truncate(limit);
        let next_marker = found.last().filter(|_| is_truncated).map(|bucket| bucket.name.clone());
        let list = ListAllMyBuckets {
            prefix,
            marker,
            max_keys: limit,
            is_truncated,
            next_marker,
            owner: OWNER,
            buckets: Buckets { bucket: found },
        };
        xml_answer("ListAllMyBucketsResult", &list)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getbucketinfo>
    pub(super) async fn bucket_info(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let bucket = self.bucket_of(call).await?;
        let versioning = match bucket.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        let info = BucketInfo {
            bucket: Info {
                entry: self.entry(call.own_bucket(), &bucket),
                owner: OWNER,
                access_control_list: AccessControlList { grant: BUCKET_ACL },
                data_redundancy_type: "LRS",
                server_side_encryption_rule: EncryptionRule { sse_algorithm: "None" },
                versioning,
            },
        };
        xml_answer("BucketInfo", &info)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getbucketlocation>
    pub(super) async fn bucket_location(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        self.bucket_of(call).await?;
        xml_answer("LocationConstraint", &self.location())
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getbucketacl>
    pub(super) async fn bucket_acl(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        self.bucket_of(call).await?;
        xml_answer("AccessControlPolicy", &AccessControlPolicy::new(BUCKET_ACL))
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getbucketversioning>
    pub(super) async fn bucket_versioning(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let status = match self.bucket_of(call).await?.versioning {
            _ if call.forgets_versioning => None,
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled".to_owned()),
            Versioning::Suspended => Some("Suspended".to_owned()),
        };
        xml_answer("VersioningConfiguration", &VersioningConfiguration { status })
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/putbucketversioning>
    pub(super) async fn put_bucket_versioning(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let wanted: VersioningConfiguration = xml::parse(&call.body.concat())?;
        let versioning = match wanted.status.as_deref() {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => {
                return Err(Refusal::new(
                    400,
                    "MalformedXML",
                    "The XML you provided was not well-formed or did not validate.",
                ));
            }
        };
        let name = call.own_bucket();
        self.storage.write(move |txn| buckets::set_versioning(txn, &name, versioning)).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn bucket_of(&self, call: &Call) -> Result<Bucket, Refusal> {
        let name = call.own_bucket();
        self.storage
            .read(move |txn| Ok(buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &name)?))
            .await
    }

    fn location(&self) -> String {
        format!("oss-{}", self.region())
    }

    fn entry(&self, name: String, bucket: &Bucket) -> Entry {
        Entry {
            name,
            location: self.location(),
            region: self.region().to_owned(),
            creation_date: document_time(bucket.created_ms),
            extranet_endpoint: format!("oss-{}.aliyuncs.com", self.region()),
            intranet_endpoint: format!("oss-{}-internal.aliyuncs.com", self.region()),
            storage_class: "Standard",
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAllMyBuckets {
    prefix: String,
    marker: String,
    max_keys: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    owner: Owner,
    buckets: Buckets,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Buckets {
    bucket: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: String,
    location: String,
    region: String,
    creation_date: String,
    extranet_endpoint: String,
    intranet_endpoint: String,
    storage_class: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BucketInfo {
    bucket: Info,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(flatten)]
    entry: Entry,
    owner: Owner,
    access_control_list: AccessControlList<'static>,
    data_redundancy_type: &'static str,
    server_side_encryption_rule: EncryptionRule,
    #[serde(skip_serializing_if = "Option::is_none")]
    versioning: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct EncryptionRule {
    #[serde(rename = "SSEAlgorithm")]
    sse_algorithm: &'static str,
}
