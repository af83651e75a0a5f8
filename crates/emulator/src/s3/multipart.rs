//! Multipart uploads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use redb::WriteTransaction;
use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Result, s3_error};

use super::{
    Service, amazons_conditions, checksum_type_of, claimed_checksums, encryption_of, expected,
    refuse_customer_key, size_of, stored_headers, strong,
};
use crate::body::{compare, from_dto, hasher_of, receive};
use crate::store::multipart::{self, NamedPart};
use crate::store::{
    BUCKETS, CHUNKS, Checksums, PARTS, Part as StoredPart, UPLOADS, Upload, blobs, buckets, decode,
    hex, internal, now_ms, time_of,
};

/// S3's limit, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MAX_PARTS: i32 = 10_000;

impl Service {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = request.input;
        refuse_customer_key(input.sse_customer_algorithm.as_deref())?;
        let full_object = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
            Some(name) => name == ChecksumType::FULL_OBJECT,
            None => input
                .checksum_algorithm
                .as_ref()
                .is_some_and(|name| name.as_str() == ChecksumAlgorithm::CRC64NVME),
        };
        let upload = Upload {
            initiated_ms: now_ms(),
            headers: stored_headers!(input),
            checksum_algorithm: input
                .checksum_algorithm
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            full_object_checksum: full_object,
        };
        let headers = upload.headers.clone();
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let id =
            self.storage.write(move |txn| multipart::create(txn, &bucket, &key, &upload)).await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            bucket_key_enabled: headers.bucket_key_enabled,
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            key: Some(input.key),
            server_side_encryption: encryption_of(&headers),
            ssekms_key_id: headers.kms_key_id,
            upload_id: Some(id),
            ..Default::default()
        })
    }

    pub(super) async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        refuse_customer_key(request.input.sse_customer_algorithm.as_deref())?;
        let body = request.input.body.take();
        let input = &request.input;
        if !(1..=MAX_PARTS).contains(&input.part_number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            ));
        }
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let upload = {
            let (bucket, key, id) = (bucket.clone(), key.clone(), id.clone());
            let find = move |txn: &redb::ReadTransaction| {
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &bucket)?;
                multipart::get(&txn.open_table(UPLOADS).map_err(internal)?, &bucket, &key, &id)
            };
            self.storage.read(find).await?
        };
        let algorithm = upload.checksum_algorithm.as_deref();
        let expected = expected(
            &request,
            claimed_checksums!(input),
            input.content_md5.clone(),
            input.content_length,
            algorithm,
        );
        let received = receive(body, expected).await?;
        let number = u32::try_from(input.part_number).unwrap_or_default();
        let (etag, checksums) = (hex(&received.md5), received.checksums.clone());
        let upload = self
            .storage
            .write(move |txn| {
                let segment = blobs::write(txn, received.pieces)?;
                let part = StoredPart {
                    segment,
                    md5: received.md5,
                    checksums: received.checksums,
                    modified_ms: now_ms(),
                };
                multipart::put_part(txn, &bucket, &key, &id, number, &part)
            })
            .await?;
        Ok(UploadPartOutput {
            bucket_key_enabled: upload.headers.bucket_key_enabled,
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            e_tag: Some(strong(&etag)),
            server_side_encryption: encryption_of(&upload.headers),
            ssekms_key_id: upload.headers.kms_key_id,
            ..Default::default()
        })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let conditions = amazons_conditions(
            &request,
            request.input.if_match.clone(),
            request.input.if_none_match.clone(),
        );
        let input = request.input;
        let claimed = claimed_checksums!(input);
        let mut named = Vec::new();
        for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
            let number = part.part_number.and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or_else(|| s3_error!(MalformedXML, "A part has no number"))?;
            named.push(NamedPart { number, etag: part.e_tag.map(ETag::into_value) });
        }
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id);
        let (content, written) = self
            .storage
            .write(move |txn| {
                multipart::complete(
                    txn,
                    &bucket,
                    &key,
                    &id,
                    &named,
                    &conditions,
                    |upload, parts| {
                        let checksums = combine(txn, upload, parts)?;
                        compare(&claimed, &checksums)?;
                        Ok::<_, S3Error>(checksums)
                    },
                )
            })
            .await?;
        Ok(CompleteMultipartUploadOutput {
            bucket_key_enabled: content.headers.bucket_key_enabled,
            checksum_type: checksum_type_of(&content.checksums),
            checksum_crc32: content.checksums.crc32,
            checksum_crc32c: content.checksums.crc32c,
            checksum_crc64nvme: content.checksums.crc64nvme,
            checksum_sha1: content.checksums.sha1,
            checksum_sha256: content.checksums.sha256,
            e_tag: Some(strong(&content.etag)),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            server_side_encryption: encryption_of(&content.headers),
            ssekms_key_id: content.headers.kms_key_id,
            version_id: written.version_id,
            ..Default::default()
        })
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let input = request.input;
        self.storage
            .write(move |txn| multipart::abort(txn, &input.bucket, &input.key, &input.upload_id))
            .await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let max_parts = input.max_parts.unwrap_or(1000).clamp(0, 1000);
        let marker = input.part_number_marker.unwrap_or(0);
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, parts) = self
            .storage
            .read(move |txn| {
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &bucket)?;
                let upload = multipart::get(
                    &txn.open_table(UPLOADS).map_err(internal)?,
                    &bucket,
                    &key,
                    &id,
                )?;
                let parts = multipart::parts(&txn.open_table(PARTS).map_err(internal)?, &id)?;
                Ok::<_, S3Error>((upload, parts))
            })
            .await?;
        let number_of = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let rest: Vec<_> =
            parts.into_iter().filter(|(number, _)| number_of(*number) > marker).collect();
        let is_truncated = rest.len() > usize::try_from(max_parts).unwrap_or_default();
        let shown: Vec<Part> = rest
            .into_iter()
            .take(usize::try_from(max_parts).unwrap_or_default())
            .map(|(number, part)| Part {
                checksum_crc32: part.checksums.crc32,
                checksum_crc32c: part.checksums.crc32c,
                checksum_crc64nvme: part.checksums.crc64nvme,
                checksum_sha1: part.checksums.sha1,
                checksum_sha256: part.checksums.sha256,
                e_tag: Some(strong(&hex(&part.md5))),
                last_modified: Some(Timestamp::from(time_of(part.modified_ms))),
                part_number: Some(number_of(number)),
                size: Some(size_of(part.segment.size_bytes)),
            })
            .collect();
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            checksum_algorithm: upload.checksum_algorithm.map(ChecksumAlgorithm::from),
            is_truncated: Some(is_truncated),
            key: Some(input.key),
            max_parts: Some(max_parts),
            next_part_number_marker: shown
                .last()
                .and_then(|part| part.part_number)
                .filter(|_| is_truncated),
            part_number_marker: Some(marker),
            parts: Some(shown),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    /// Lists all uploads on one page: tests use this to find leftovers, of which there are few.
    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let uploads = self
            .storage
            .read(move |txn| {
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &bucket)?;
                let mut found = Vec::new();
                for row in txn
                    .open_table(UPLOADS)
                    .map_err(internal)?
                    .range((bucket.as_str(), prefix.as_str(), "")..)
                    .map_err(internal)?
                {
                    let (row_key, row) = row.map_err(internal)?;
                    let (in_bucket, key, id) = row_key.value();
                    if in_bucket != bucket || !key.starts_with(&prefix) {
                        break;
                    }
                    let upload: Upload = decode(row.value())?;
                    found.push(MultipartUpload {
                        initiated: Some(Timestamp::from(time_of(upload.initiated_ms))),
                        key: Some(key.to_owned()),
                        upload_id: Some(id.to_owned()),
                        ..Default::default()
                    });
                }
                Ok::<_, S3Error>(found)
            })
            .await?;
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(false),
            max_uploads: Some(1000),
            prefix: input.prefix,
            uploads: Some(uploads),
            ..Default::default()
        })
    }
}

/// The checksums of a whole made of parts: of its bytes if the upload asked for that, else of the
/// parts' checksums with their count.
fn combine(txn: &WriteTransaction, upload: &Upload, parts: &[StoredPart]) -> S3Result<Checksums> {
    let Some(algorithm) = &upload.checksum_algorithm else { return Ok(Checksums::default()) };
    let mut hasher = hasher_of(&[algorithm]);
    if upload.full_object_checksum {
        let chunks = txn.open_table(CHUNKS).map_err(internal)?;
        for part in parts {
            let mut position = 0;
            while position < part.segment.size_bytes {
                let piece = blobs::read(
                    &chunks,
                    &[part.segment],
                    position..part.segment.size_bytes,
                    blobs::CHUNK_BYTES,
                )?;
                hasher.update(&piece);
                position += piece.len() as u64;
            }
        }
        return Ok(from_dto(hasher.finalize()));
    }
    for part in parts {
        let sums = &part.checksums;
        let sum = [&sums.crc32, &sums.crc32c, &sums.crc64nvme, &sums.sha1, &sums.sha256]
            .into_iter()
            .flatten()
            .next();
        let Some(bytes) = sum.and_then(|sum| BASE64.decode(sum).ok()) else {
            return Ok(Checksums::default());
        };
        hasher.update(&bytes);
    }
    let count = |sum: Option<String>| sum.map(|sum| format!("{sum}-{}", parts.len()));
    let sums = from_dto(hasher.finalize());
    Ok(Checksums {
        crc32: count(sums.crc32),
        crc32c: count(sums.crc32c),
        crc64nvme: count(sums.crc64nvme),
        sha1: count(sums.sha1),
        sha256: count(sums.sha256),
        composite: true,
    })
}
