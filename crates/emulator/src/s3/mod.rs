//! The S3 operations, in terms of the store.

mod access;
mod address;
mod buckets;
mod error;
mod exchange;
mod interleave;
mod listing;
mod multipart;
mod objects;
mod protocol;
mod request_body;
mod select;

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

pub(crate) use self::access::{Keys, SignedOnly};
pub(crate) use self::address::Localhost;
use self::exchange::Exchange;
pub(crate) use self::protocol::S3;
use crate::body::Expected;
use crate::database::Storage;
use crate::quirks::Quirks;
use crate::store::conditions::Conditions;
use crate::store::objects::NULL_VERSION;
use crate::store::{Checksums, Headers};

/// Implements the operations that state backends and their tests use; the others answer
/// `NotImplemented`.
#[derive(Debug)]
pub(crate) struct Service {
    storage: Storage,
    region: Option<String>,
}

impl Service {
    pub(crate) fn new(storage: Storage, region: Option<String>) -> Self {
        Self { storage, region }
    }
}

/// Forwards each operation of the protocol layer's trait to the method of the same name: an
/// implementation of a trait cannot be split over files.
macro_rules! operations {
    ($($operation:ident($input:ty) -> $output:ty;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Service {
            $(async fn $operation(
                &self,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                self.$operation(request).await.map(S3Response::new)
            })*
        }
    };
}

operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    list_parts(ListPartsInput) -> ListPartsOutput;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
}

/// Returns the quirks of the emulator.
fn quirks<T>(request: &S3Request<T>) -> Quirks {
    request.extensions.get::<Exchange>().map_or(Quirks::None, |exchange| exchange.quirks)
}

/// The conditions of a request whose conditions Ceph ignores.
fn amazons_conditions<T>(
    request: &S3Request<T>,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> Conditions {
    match quirks(request) {
        Quirks::None => conditions(request, if_match, if_none_match),
        Quirks::Ceph => Conditions::default(),
    }
}

/// Returns the conditions of a write, with the faults about conditions.
fn conditions<T>(
    request: &S3Request<T>,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> Conditions {
    let exchange = request.extensions.get::<Exchange>().cloned().unwrap_or_default();
    let Exchange { ignored, quirks, is_match_quoted, bare_tags_only, .. } = exchange;
    Conditions { if_match, if_none_match, ignored, quirks, is_match_quoted, bare_tags_only }
}

/// Returns the requested range, unless a fault ignores it.
fn range(request: &S3Request<GetObjectInput>) -> Option<Range> {
    let is_ignored =
        request.extensions.get::<Exchange>().is_some_and(|exchange| exchange.ignore_ranges);
    request.input.range.filter(|_| !is_ignored)
}

/// Whether an answer names a version that the request did not name.
fn shows_version(quirks: Quirks, id: &str) -> bool {
    quirks == Quirks::None || id != NULL_VERSION
}

/// Returns what the headers, and later the trailers, state about a body.
fn expected<T>(
    request: &S3Request<T>,
    checksums: Checksums,
    md5: Option<String>,
    length: Option<i64>,
    algorithm: Option<&str>,
) -> Expected {
    let is_chunked = request.headers.contains_key("x-amz-decoded-content-length");
    let decoded = request
        .headers
        .get("x-amz-decoded-content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let announced = request
        .headers
        .get("x-amz-trailer")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    Expected {
        checksums,
        md5,
        // The length of an `aws-chunked` body includes its framing.
        length_bytes: if is_chunked {
            decoded
        } else {
            length.and_then(|length| u64::try_from(length).ok())
        },
        trailers: request.trailing_headers.clone(),
        trailer_names: announced.split(',').map(|name| name.trim().to_ascii_lowercase()).collect(),
        algorithm: algorithm.map(str::to_owned),
    }
}

/// Refuses customer keys: S3 accepts them over TLS only, and the emulator does not speak TLS.
fn refuse_customer_key(algorithm: Option<&str>) -> S3Result<()> {
    match algorithm {
        None => Ok(()),
        Some(_) => Err(s3_error!(
            InvalidRequest,
            "Requests specifying Server Side Encryption with Customer provided keys must be made \
             over a secure connection."
        )),
    }
}

/// The headers to store, of a request that may set them. The `aws-chunked` encoding is of the
/// transfer, not of the object.
macro_rules! stored_headers {
    ($input:expr) => {
        $crate::store::Headers {
            bucket_key_enabled: $input.bucket_key_enabled,
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::s3::without_aws_chunked($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            content_type: $input.content_type.clone(),
            encryption: $input
                .server_side_encryption
                .as_ref()
                .map(|encryption| encryption.as_str().to_owned()),
            kms_key_id: $input.ssekms_key_id.clone(),
            metadata: $input.metadata.clone().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(crate) use stored_headers;

/// The checksums a request claims in its headers, or a named part of a multipart upload in its
/// document.
macro_rules! claimed_checksums {
    ($input:expr) => {
        $crate::store::Checksums {
            crc32: $input.checksum_crc32.clone(),
            crc32c: $input.checksum_crc32c.clone(),
            crc64nvme: $input.checksum_crc64nvme.clone(),
            sha1: $input.checksum_sha1.clone(),
            sha256: $input.checksum_sha256.clone(),
            composite: false,
        }
    };
}
pub(crate) use claimed_checksums;

fn without_aws_chunked(encoding: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = encoding?
        .split(',')
        .map(str::trim)
        .filter(|part| *part != "aws-chunked" && !part.is_empty())
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn encryption_of(headers: &Headers) -> Option<ServerSideEncryption> {
    headers.encryption.clone().map(ServerSideEncryption::from)
}

fn metadata_of(headers: &Headers) -> Option<Metadata> {
    let metadata: &BTreeMap<_, _> = &headers.metadata;
    (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
}

fn checksum_type_of(checksums: &Checksums) -> Option<ChecksumType> {
    if *checksums == Checksums::default() {
        return None;
    }
    let name =
        if checksums.composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
    Some(ChecksumType::from_static(name))
}

fn size_of(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn strong(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

fn with_header(mut error: S3Error, headers: &[(&'static str, &str)]) -> S3Error {
    let mut map = hyper::HeaderMap::new();
    // Setting headers replaces the one that names the error document's type.
    map.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/xml"),
    );
    for (name, value) in headers {
        if let Ok(value) = hyper::header::HeaderValue::from_str(value) {
            map.insert(*name, value);
        }
    }
    error.set_headers(map);
    error
}
