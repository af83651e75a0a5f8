//! AppendObject, whose position is a condition too:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/appendobject>.

use hyper::StatusCode;
use s3s::HttpResponse;
use s3s::crypto::{Checksum as _, Md5};

use super::Oss;
use super::answer::{empty, set};
use super::call::Call;
use super::headers::{self, KmsKeys, Received};
use super::objects::set_version;
use super::refusal::Refusal;
use crate::faults::IgnoredConditions;
use crate::store::conditions::Conditions;
use crate::store::objects::{self, Written};
use crate::store::{
    BUCKETS, Checksums, Content, OssFacts, OssKind, VERSIONS, Version, Versioning, blobs, buckets,
    hex, internal, now_ms, versions,
};

impl Oss {
    /// Creates an object that can grow, or makes it longer.
    ///
    /// Position 0 creates: it is refused if there is an object already, whether or not the bucket
    /// keeps versions, but not over a delete marker.
    pub(super) async fn append_object(
        &self,
        call: &mut Call,
        ignored: IgnoredConditions,
    ) -> Result<HttpResponse, Refusal> {
        headers::refuse_conditions(call)?;
        let position: u64 =
            call.query
                .get("position")
                .and_then(|position| position.parse().ok())
                .ok_or_else(|| Refusal::invalid_argument("The append position is invalid."))?;
        let (headers, acl) = (headers::stored(call, KmsKeys::DefaultOnly)?, headers::acl(call)?);
        let (bucket, key) = (call.own_bucket(), call.own_key());
        let received = Received::take(call)?;
        let work = move |txn: &redb::WriteTransaction| {
            let versioning =
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &bucket)?.versioning;
            let ignores = match ignored {
                IgnoredConditions::None | IgnoredConditions::OfUpdates => false,
                IgnoredConditions::OnVersionedBuckets => versioning != Versioning::Never,
                IgnoredConditions::Everywhere => true,
            };
            let present =
                versions::current(&txn.open_table(VERSIONS).map_err(internal)?, &bucket, &key)?;
            let present = present.filter(|version| version.content.is_some() && !ignores);
            let Some(present) = present else {
                if position > 0 {
                    return Err(wrong_position(0));
                }
                let content = Content {
                    etag: hex(&received.md5),
                    size_bytes: received.size_bytes,
                    segments: vec![blobs::write(txn, received.pieces)?],
                    headers,
                    checksums: Checksums::default(),
                    oss: OssFacts { acl, crc64: Some(received.crc64), kind: OssKind::Appendable },
                };
                let written =
                    objects::put(txn, &bucket, &key, content.clone(), &Conditions::default())?;
                return Ok((content, written));
            };
            extend(txn, &bucket, &key, present, position, received, versioning)
        };
        let (content, written) = self.storage.write(work).await?;
        let mut answer = empty(StatusCode::OK);
        headers::set_digests(&mut answer, &content);
        headers::set_encryption(&mut answer, &content.headers);
        set(&mut answer, "x-oss-next-append-position", &content.size_bytes.to_string());
        set_version(&mut answer, &written);
        Ok(answer)
    }
}

/// Appends to an existing object. This makes no new version.
fn extend(
    txn: &redb::WriteTransaction,
    bucket: &str,
    key: &str,
    present: Version,
    position: u64,
    received: Received,
    versioning: Versioning,
) -> Result<(Content, Written), Refusal> {
    let Some(mut content) =
        present.content.filter(|content| content.oss.kind == OssKind::Appendable)
    else {
        return Err(Refusal::new(409, "ObjectNotAppendable", "The object is not appendable")
            .with_ec("0026-00000017"));
    };
    if position != content.size_bytes {
        return Err(wrong_position(content.size_bytes));
    }
    content.etag =
        hex(&Md5::checksum(format!("{}{}", content.etag, hex(&received.md5)).as_bytes()));
    content.oss.crc64 = content.oss.crc64.map(|crc64| {
        crc_fast::checksum_combine(
            headers::CRC64_ALGORITHM,
            crc64,
            received.crc64,
            received.size_bytes,
        )
    });
    content.size_bytes += received.size_bytes;
    content.segments.push(blobs::write(txn, received.pieces)?);
    let longer = content.clone();
    objects::amend(txn, bucket, key, None, |version| {
        version.modified_ms = now_ms();
        version.content = Some(longer);
    })?;
    let version_id = (versioning != Versioning::Never).then_some(present.id);
    Ok((content, Written { version_id, is_delete_marker: false }))
}

fn wrong_position(size_bytes: u64) -> Refusal {
    Refusal::new(409, "PositionNotEqualToLength", "Position is not equal to file length")
        .with_ec("0026-00000016")
        .with_header("x-oss-next-append-position", size_bytes.to_string())
}
