//! Operations on objects.

use std::time::SystemTime;

use s3s::dto::*;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::error::precondition_failed;
use super::select::Select;
use super::{
    Service, amazons_conditions, checksum_type_of, claimed_checksums, conditions, encryption_of,
    expected, quirks, range, refuse_customer_key, shows_version, size_of, stored_headers, strong,
};
use crate::body::{Outgoing, receive};
use crate::quirks::Quirks;
use crate::store::conditions::Conditions;
use crate::store::objects;
use crate::store::{BUCKETS, CHUNKS, Checksums, Content, OssFacts, blobs, buckets, hex, internal};

/// Bodies up to this size are read in the transaction that finds them, which saves a second one.
const INLINE_BYTES: u64 = 2 * blobs::CHUNK_BYTES as u64;

impl Service {
    pub(super) async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        refuse_customer_key(request.input.sse_customer_algorithm.as_deref())?;
        let body = request.input.body.take();
        let input = &request.input;
        let conditions = conditions(&request, input.if_match.clone(), input.if_none_match.clone());
        let algorithm = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let expected = expected(
            &request,
            claimed_checksums!(input),
            input.content_md5.clone(),
            input.content_length,
            algorithm,
        );
        let headers = stored_headers!(input);
        let quirks = conditions.quirks;
        let received = receive(body, expected).await?;

        let (bucket, key) = (request.input.bucket, request.input.key);
        let stored = headers.clone();
        let etag = hex(&received.md5);
        let checksums = received.checksums.clone();
        let written = self
            .storage
            .write(move |txn| {
                let segment = blobs::write(txn, received.pieces)?;
                let content = Content {
                    etag: hex(&received.md5),
                    size_bytes: received.size_bytes,
                    segments: vec![segment],
                    headers: stored,
                    checksums: received.checksums,
                    oss: OssFacts::default(),
                };
                objects::put(txn, &bucket, &key, content, &conditions)
            })
            .await?;
        Ok(PutObjectOutput {
            bucket_key_enabled: headers.bucket_key_enabled,
            checksum_type: checksum_type_of(&checksums),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            e_tag: Some(strong(&etag)),
            server_side_encryption: encryption_of(&headers),
            ssekms_key_id: headers.kms_key_id,
            version_id: written.version_id.filter(|id| shows_version(quirks, id)),
            ..Default::default()
        })
    }

    pub(super) async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<GetObjectOutput> {
        refuse_customer_key(request.input.sse_customer_algorithm.as_deref())?;
        let quirks = quirks(&request);
        let range = range(&request);
        let input = request.input;
        let wants_checksums = input.checksum_mode.is_some();
        let select = Select {
            quirks,
            bucket: input.bucket,
            key: input.key,
            version_id: input.version_id,
            range,
            part_number: input.part_number,
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (found, inline) = self
            .storage
            .read(move |txn| {
                let found = select.find(txn)?;
                let span = &found.span;
                let is_small = span.end - span.start <= INLINE_BYTES;
                let inline = if is_small {
                    let chunks = txn.open_table(CHUNKS).map_err(internal)?;
                    Some(blobs::read(&chunks, &found.content.segments, span.clone(), usize::MAX)?)
                } else {
                    None
                };
                Ok::<_, S3Error>((found, inline))
            })
            .await?;
        let body = match inline {
            Some(bytes) => StreamingBlob::from(Body::from(bytes)),
            None => StreamingBlob::new(Outgoing::start(
                self.storage.clone(),
                found.content.segments.clone(),
                found.span.clone(),
            )),
        };
        let length = size_of(found.span.end - found.span.start);
        let head = found.describe(wants_checksums);
        Ok(GetObjectOutput {
            accept_ranges: head.accept_ranges,
            body: Some(body),
            bucket_key_enabled: head.bucket_key_enabled,
            cache_control: head.cache_control,
            checksum_crc32: head.checksum_crc32,
            checksum_crc32c: head.checksum_crc32c,
            checksum_crc64nvme: head.checksum_crc64nvme,
            checksum_sha1: head.checksum_sha1,
            checksum_sha256: head.checksum_sha256,
            checksum_type: head.checksum_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            content_length: Some(length),
            content_range: head.content_range,
            content_type: head.content_type,
            e_tag: head.e_tag,
            last_modified: head.last_modified,
            metadata: head.metadata,
            parts_count: head.parts_count,
            server_side_encryption: head.server_side_encryption,
            ssekms_key_id: head.ssekms_key_id,
            version_id: head.version_id,
            ..Default::default()
        })
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<HeadObjectOutput> {
        refuse_customer_key(request.input.sse_customer_algorithm.as_deref())?;
        let quirks = quirks(&request);
        let input = request.input;
        let wants_checksums = input.checksum_mode.is_some();
        let select = Select {
            quirks,
            bucket: input.bucket,
            key: input.key,
            version_id: input.version_id,
            range: input.range,
            part_number: input.part_number,
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let found = self.storage.read(move |txn| select.find(txn)).await?;
        Ok(found.describe(wants_checksums))
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let conditions = amazons_conditions(&request, request.input.if_match.clone(), None);
        let input = request.input;
        let written = self
            .storage
            .write(move |txn| match input.version_id {
                Some(id) => objects::delete_version(txn, &input.bucket, &input.key, &id),
                None => objects::delete(txn, &input.bucket, &input.key, &conditions),
            })
            .await?;
        Ok(DeleteObjectOutput {
            delete_marker: written.is_delete_marker.then_some(true),
            version_id: written.version_id,
            ..Default::default()
        })
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let Conditions { ignored, quirks, is_match_quoted, bare_tags_only, .. } =
            amazons_conditions(&request, None, None);
        let input = request.input;
        if input.delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML, "At most 1000 keys may be deleted at once"));
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        let (deleted, errors) = self
            .storage
            .write(move |txn| {
                let bucket = input.bucket.as_str();
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?;
                let (mut deleted, mut errors) = (Vec::new(), Vec::new());
                for object in input.delete.objects {
                    let if_match =
                        object.e_tag.map(ETagCondition::ETag).filter(|_| quirks == Quirks::None);
                    let conditions = Conditions {
                        if_match,
                        if_none_match: None,
                        ignored,
                        quirks,
                        is_match_quoted,
                        bare_tags_only,
                    };
                    let result = match &object.version_id {
                        Some(id) => objects::delete_version(txn, bucket, &object.key, id),
                        None => objects::delete(txn, bucket, &object.key, &conditions),
                    };
                    match result.map_err(S3Error::from) {
                        Ok(written) => deleted.push(DeletedObject {
                            delete_marker: written.is_delete_marker.then_some(true),
                            delete_marker_version_id: written
                                .version_id
                                .filter(|_| written.is_delete_marker),
                            key: Some(object.key),
                            version_id: object.version_id,
                        }),
                        Err(error) if *error.code() == S3ErrorCode::InternalError => {
                            return Err(error);
                        }
                        Err(error) => errors.push(Error {
                            code: Some(error.code().as_str().to_owned()),
                            key: Some(object.key),
                            message: error.message().map(str::to_owned),
                            version_id: object.version_id,
                        }),
                    }
                }
                Ok((deleted, errors))
            })
            .await?;
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..Default::default()
        })
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        refuse_customer_key(request.input.sse_customer_algorithm.as_deref())?;
        let quirks = quirks(&request);
        let input = request.input;
        let CopySource::Bucket { bucket, key, version_id } = input.copy_source.clone() else {
            return Err(s3_error!(
                NotImplemented,
                "Copying from an access point is not implemented"
            ));
        };
        let select = Select {
            quirks,
            bucket: bucket.into(),
            key: key.into(),
            version_id: version_id.map(Into::into),
            range: None,
            part_number: None,
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        };
        let replaces = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        // `find` distinguishes a missing source from a missing bucket; a failed condition of a
        // copy is always 412.
        let source = self.storage.read(move |txn| select.find(txn)).await.map_err(|error| {
            match error.code() {
                S3ErrorCode::NotModified => precondition_failed("x-amz-copy-source-If-None-Match"),
                _ => error,
            }
        })?;
        let pinned = self.storage.pin(&source.content.segments);
        let mut headers =
            if replaces { stored_headers!(input) } else { source.content.headers.clone() };
        headers.encryption =
            input.server_side_encryption.as_ref().map(|encryption| encryption.as_str().to_owned());
        headers.kms_key_id = input.ssekms_key_id.clone();
        let source_version = source.shown_version();
        let (bucket, key, kept) = (input.bucket, input.key, headers.clone());
        let (etag, written) = self
            .storage
            .write(move |txn| {
                let whole = 0..source.content.size_bytes;
                let bytes = {
                    let chunks = txn.open_table(CHUNKS).map_err(internal)?;
                    blobs::read(&chunks, &source.content.segments, whole, usize::MAX)?
                };
                let etag = hex(&<s3s::crypto::Md5 as s3s::crypto::Checksum>::checksum(&bytes));
                let segment = blobs::write(txn, vec![bytes])?;
                let checksums = if source.content.checksums.composite {
                    Checksums::default()
                } else {
                    source.content.checksums
                };
                let content = Content {
                    etag: etag.clone(),
                    size_bytes: source.content.size_bytes,
                    segments: vec![segment],
                    headers: kept,
                    checksums,
                    oss: OssFacts::default(),
                };
                let written = objects::put(txn, &bucket, &key, content, &Conditions::default())?;
                Ok::<_, S3Error>((etag, written))
            })
            .await?;
        drop(pinned);
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(strong(&etag)),
                last_modified: Some(Timestamp::from(SystemTime::now())),
                ..Default::default()
            }),
            copy_source_version_id: source_version,
            server_side_encryption: encryption_of(&headers),
            ssekms_key_id: headers.kms_key_id,
            version_id: written.version_id,
            ..Default::default()
        })
    }
}
