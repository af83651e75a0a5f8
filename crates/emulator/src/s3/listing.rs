//! Listings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::exchange::Exchange;
use super::{Service, size_of, strong};
use crate::store::listing::{After, Entry, Page, Query, list};
use crate::store::{BUCKETS, VERSIONS, buckets, internal, time_of};

/// The most entries on a page, which is also the default.
const MAX_KEYS: i32 = 1000;

/// Characters that `encoding-type=url` does not encode.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// A [`Query`] that owns its text, to be sent to the storage's thread.
struct Ask {
    bucket: String,
    prefix: Option<String>,
    delimiter: Option<String>,
    after: After,
    max_keys: i32,
    all_versions: bool,
}

impl Service {
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => parse_token(token)?,
            (None, Some(key)) => After::Key(key.clone()),
            (None, None) => After::Nothing,
        };
        let page = self
            .page(Ask {
                bucket: input.bucket.clone(),
                prefix: input.prefix.clone(),
                delimiter: input.delimiter.clone(),
                after,
                max_keys,
                all_versions: false,
            })
            .await?;
        let count =
            i32::try_from(page.entries.len() + page.common_prefixes.len()).unwrap_or(i32::MAX);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            max_keys: Some(max_keys),
            key_count: Some(count),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(token),
            common_prefixes: prefixes(page.common_prefixes, encode),
            contents: Some(page.entries.into_iter().map(|entry| object(entry, encode)).collect()),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(encode),
            ..Default::default()
        })
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<ListObjectsOutput> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        // A marker that is a common prefix of the previous page covers all keys below it.
        let after = match (&input.marker, &input.delimiter) {
            (Some(marker), Some(delimiter))
                if !delimiter.is_empty() && marker.ends_with(delimiter.as_str()) =>
            {
                After::Prefix(marker.clone())
            }
            (Some(marker), _) if !marker.is_empty() => After::Key(marker.clone()),
            _ => After::Nothing,
        };
        let page = self
            .page(Ask {
                bucket: input.bucket.clone(),
                prefix: input.prefix.clone(),
                delimiter: input.delimiter.clone(),
                after,
                max_keys,
                all_versions: false,
            })
            .await?;
        let next_marker = match &page.next {
            Some(After::Key(key) | After::Prefix(key)) => Some(encode(key.clone())),
            _ => None,
        };
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            marker: Some(encode(input.marker.unwrap_or_default())),
            max_keys: Some(max_keys),
            is_truncated: Some(page.next.is_some()),
            common_prefixes: prefixes(page.common_prefixes, encode),
            contents: Some(page.entries.into_iter().map(|entry| object(entry, encode)).collect()),
            // S3 gives a next marker only with a delimiter; without, the last key serves.
            next_marker: next_marker.filter(|_| input.delimiter.is_some()),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let exchange = request.extensions.get::<Exchange>().cloned().unwrap_or_default();
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let after =
            match (some(&input.key_marker), some(&input.version_id_marker), some(&input.delimiter))
            {
                (Some(key), Some(id), _) => After::Version(key, id),
                (Some(key), None, Some(delimiter)) if key.ends_with(&delimiter) => {
                    After::Prefix(key)
                }
                (Some(key), None, _) => After::Key(key),
                (None, Some(_), _) => {
                    return Err(s3_error!(
                        InvalidArgument,
                        "A version-id marker cannot be specified without a key marker."
                    ));
                }
                (None, None, _) => After::Nothing,
            };
        let page = self
            .page(Ask {
                bucket: input.bucket.clone(),
                prefix: input.prefix.clone(),
                delimiter: input.delimiter.clone(),
                after,
                max_keys,
                all_versions: true,
            })
            .await?;
        let (next_key_marker, next_version_id_marker) = match &page.next {
            Some(After::Version(key, id)) => (Some(encode(key.clone())), Some(id.clone())),
            Some(After::Key(key) | After::Prefix(key)) => (Some(encode(key.clone())), None),
            Some(After::Nothing) | None => (None, None),
        };
        exchange.set_are_markers(
            page.entries.iter().map(|entry| entry.version.content.is_none()).collect(),
        );
        let (objects, markers): (Vec<Entry>, Vec<Entry>) =
            page.entries.into_iter().partition(|entry| entry.version.content.is_some());
        Ok(ListObjectVersionsOutput {
            common_prefixes: prefixes(page.common_prefixes, encode),
            delete_markers: Some(
                markers.into_iter().map(|entry| delete_marker(entry, encode)).collect(),
            ),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            key_marker: Some(encode(input.key_marker.unwrap_or_default())),
            max_keys: Some(max_keys),
            name: Some(input.bucket),
            next_key_marker,
            next_version_id_marker,
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            versions: Some(
                objects.into_iter().map(|entry| object_version(entry, encode)).collect(),
            ),
            ..Default::default()
        })
    }

    async fn page(&self, ask: Ask) -> S3Result<Page> {
        let page = self
            .storage
            .read(move |txn| {
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &ask.bucket)?;
                let versions = txn.open_table(VERSIONS).map_err(internal)?;
                let query = Query {
                    bucket: &ask.bucket,
                    prefix: ask.prefix.as_deref().unwrap_or_default(),
                    delimiter: ask.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
                    after: ask.after,
                    limit: usize::try_from(ask.max_keys).unwrap_or_default(),
                    all_versions: ask.all_versions,
                };
                list(&versions, &query)
            })
            .await?;
        Ok(page)
    }
}

fn page_size(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(MAX_KEYS) {
        asked if asked < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )),
        asked => Ok(asked.min(MAX_KEYS)),
    }
}

/// How names are written: as they are, or percent-encoded so that any byte survives XML.
fn encoder(encoding: Option<&EncodingType>) -> S3Result<fn(String) -> String> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(|name| name),
        Some(EncodingType::URL) => Ok(|name| utf8_percent_encode(&name, PLAIN).to_string()),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}

/// Returns a continuation token. It is opaque to clients, and tells a key from a common prefix.
fn token(after: &After) -> String {
    let text = match after {
        After::Nothing => String::new(),
        After::Key(key) | After::Version(key, _) => format!("k{key}"),
        After::Prefix(prefix) => format!("p{prefix}"),
    };
    BASE64.encode(text)
}

fn parse_token(token: &str) -> S3Result<After> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text.and_then(|text| match text.split_at_checked(1)? {
        ("k", key) => Some(After::Key(key.to_owned())),
        ("p", prefix) => Some(After::Prefix(prefix.to_owned())),
        _ => None,
    });
    after.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

fn prefixes(found: Vec<String>, encode: fn(String) -> String) -> Option<Vec<CommonPrefix>> {
    Some(found.into_iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) }).collect())
}

fn object(entry: Entry, encode: fn(String) -> String) -> Object {
    let content = entry.version.content;
    Object {
        e_tag: content.as_ref().map(|content| strong(&content.etag)),
        key: Some(encode(entry.key)),
        last_modified: Some(Timestamp::from(time_of(entry.version.modified_ms))),
        size: content.map(|content| size_of(content.size_bytes)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}

fn object_version(entry: Entry, encode: fn(String) -> String) -> ObjectVersion {
    let content = entry.version.content;
    ObjectVersion {
        e_tag: content.as_ref().map(|content| strong(&content.etag)),
        is_latest: Some(entry.is_latest),
        key: Some(encode(entry.key)),
        last_modified: Some(Timestamp::from(time_of(entry.version.modified_ms))),
        size: content.map(|content| size_of(content.size_bytes)),
        storage_class: Some(ObjectVersionStorageClass::from_static(
            ObjectVersionStorageClass::STANDARD,
        )),
        version_id: Some(entry.version.id),
        ..Default::default()
    }
}

fn delete_marker(entry: Entry, encode: fn(String) -> String) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(entry.is_latest),
        key: Some(encode(entry.key)),
        last_modified: Some(Timestamp::from(time_of(entry.version.modified_ms))),
        version_id: Some(entry.version.id),
        ..Default::default()
    }
}
