//! Listings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::HttpResponse;
use serde::Serialize;

use super::address::Query as Parameters;
use super::answer::{document_time, xml_answer};
use super::call::Call;
use super::objects::{OWNER, Owner};
use super::refusal::Refusal;
use super::{Oss, headers};
use crate::store::listing::{After, Entry, Page, Query, list};
use crate::store::{BUCKETS, OssKind, VERSIONS, buckets, internal};

const DEFAULT_KEYS: usize = 100;

const MAX_KEYS: usize = 1000;

/// What `encoding-type=url` leaves alone.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The parameters that all kinds of listing have.
struct Ask {
    prefix: Option<String>,
    delimiter: Option<String>,
    max_keys: usize,
    encoding: Option<String>,
    encode: fn(&str) -> String,
}

impl Ask {
    fn read(query: &Parameters) -> Result<Self, Refusal> {
        let encoding = query.text("encoding-type");
        let encode: fn(&str) -> String = match encoding.as_deref() {
            None => |name| name.to_owned(),
            Some("url") => |name| utf8_percent_encode(name, PLAIN).to_string(),
            Some(_) => return Err(Refusal::invalid_argument("Encoding type is invalid.")),
        };
        Ok(Self {
            prefix: query.text("prefix"),
            delimiter: query.text("delimiter"),
            max_keys: page_size(query)?,
            encoding,
            encode,
        })
    }

    fn encoded(&self, text: Option<&str>) -> String {
        (self.encode)(text.unwrap_or_default())
    }
}

/// How many entries a page may have.
pub(super) fn page_size(query: &Parameters) -> Result<usize, Refusal> {
    let Some(text) = query.text("max-keys") else { return Ok(DEFAULT_KEYS) };
    let is_allowed = |keys: &usize| (1..=MAX_KEYS).contains(keys);
    text.parse()
        .ok()
        .filter(is_allowed)
        .ok_or_else(|| Refusal::invalid_argument("max-keys is invalid."))
}

impl Oss {
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listobjects>
    pub(super) async fn list_objects(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let ask = Ask::read(&call.query)?;
        let marker = call.query.text("marker");
        let page = self.page(call, &ask, after_marker(&ask, marker.clone()), false).await?;
        let next = page.next.as_ref().map(place).map(|(key, _)| (ask.encode)(key));
        let list = List {
            name: call.own_bucket(),
            prefix: ask.encoded(ask.prefix.as_deref()),
            marker: Some(ask.encoded(marker.as_deref())),
            max_keys: ask.max_keys,
            delimiter: ask.encoded(ask.delimiter.as_deref()),
            encoding_type: ask.encoding.clone(),
            is_truncated: page.next.is_some(),
            next_marker: next,
            contents: contents(&page, &ask, Ownership::Shown),
            common_prefixes: common_prefixes(&page, &ask),
            ..List::default()
        };
        xml_answer("ListBucketResult", &list)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listobjectsv2>
    pub(super) async fn list_objects_v2(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let ask = Ask::read(&call.query)?;
        let (token, start_after) =
            (call.query.text("continuation-token"), call.query.text("start-after"));
        let after = match &token {
            Some(token) => parse_token(token)?,
            None => after_marker(&ask, start_after.clone()),
        };
        let page = self.page(call, &ask, after, false).await?;
        let ownership = match call.query.get("fetch-owner") {
            Some("true") => Ownership::Shown,
            _ => Ownership::Hidden,
        };
        let list = List {
            name: call.own_bucket(),
            prefix: ask.encoded(ask.prefix.as_deref()),
            start_after: Some(ask.encoded(start_after.as_deref())),
            continuation_token: token,
            max_keys: ask.max_keys,
            key_count: Some(page.entries.len() + page.common_prefixes.len()),
            delimiter: ask.encoded(ask.delimiter.as_deref()),
            encoding_type: ask.encoding.clone(),
            is_truncated: page.next.is_some(),
            next_continuation_token: page.next.as_ref().map(token_of),
            contents: contents(&page, &ask, ownership),
            common_prefixes: common_prefixes(&page, &ask),
            ..List::default()
        };
        xml_answer("ListBucketResult", &list)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listobjectversions>
    pub(super) async fn list_object_versions(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let ask = Ask::read(&call.query)?;
        let (key, id) = (call.query.text("key-marker"), call.query.text("version-id-marker"));
        let after = match (key.clone(), id.clone()) {
            (Some(key), Some(id)) => After::Version(key, id),
            (None, Some(_)) => {
                return Err(Refusal::invalid_argument(
                    "A version-id marker cannot be specified without a key marker.",
                ));
            }
            (key, None) => after_marker(&ask, key),
        };
        let page = self.page(call, &ask, after, true).await?;
        let (next_key, next_id) = page.next.as_ref().map(place).unzip();
        let list = Versions {
            name: call.own_bucket(),
            prefix: ask.encoded(ask.prefix.as_deref()),
            key_marker: ask.encoded(key.as_deref()),
            version_id_marker: id.unwrap_or_default(),
            max_keys: ask.max_keys,
            delimiter: ask.encoded(ask.delimiter.as_deref()),
            encoding_type: ask.encoding.clone(),
            is_truncated: page.next.is_some(),
            next_key_marker: next_key.map(ask.encode),
            next_version_id_marker: next_id.map(|id| id.unwrap_or_default().to_owned()),
            common_prefixes: common_prefixes(&page, &ask),
            versions: page.entries.iter().map(|entry| version(entry, &ask)).collect(),
        };
        xml_answer("ListVersionsResult", &list)
    }

    async fn page(
        &self,
        call: &Call,
        ask: &Ask,
        after: After,
        all_versions: bool,
    ) -> Result<Page, Refusal> {
        let bucket = call.own_bucket();
        let (prefix, delimiter) = (ask.prefix.clone().unwrap_or_default(), ask.delimiter.clone());
        let limit = call.page_limit.map_or(ask.max_keys, |limit| limit.min(ask.max_keys));
        self.storage
            .read(move |txn| {
                buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &bucket)?;
                let query = Query {
                    bucket: &bucket,
                    prefix: &prefix,
                    delimiter: delimiter.as_deref(),
                    after,
                    limit,
                    all_versions,
                };
                Ok(list(&txn.open_table(VERSIONS).map_err(internal)?, &query)?)
            })
            .await
    }
}

/// Returns where a listing resumes. A marker that is a common prefix of the previous page covers
/// all keys below it.
fn after_marker(ask: &Ask, marker: Option<String>) -> After {
    match (marker, &ask.delimiter) {
        (None, _) => After::Nothing,
        (Some(marker), Some(delimiter)) if marker.ends_with(delimiter.as_str()) => {
            After::Prefix(marker)
        }
        (Some(marker), _) => After::Key(marker),
    }
}

/// The key, and perhaps the version, where a page ends.
fn place(after: &After) -> (&str, Option<&str>) {
    match after {
        After::Nothing => ("", None),
        After::Key(key) | After::Prefix(key) => (key, None),
        After::Version(key, id) => (key, Some(id)),
    }
}

/// Returns a continuation token. It is opaque to clients, and tells a key from a common prefix.
fn token_of(after: &After) -> String {
    let kind = if matches!(after, After::Prefix(_)) { 'p' } else { 'k' };
    BASE64.encode(format!("{kind}{}", place(after).0))
}

fn parse_token(token: &str) -> Result<After, Refusal> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text.and_then(|text| match text.split_at_checked(1)? {
        ("k", key) => Some(After::Key(key.to_owned())),
        ("p", prefix) => Some(After::Prefix(prefix.to_owned())),
        _ => None,
    });
    after.ok_or_else(|| Refusal::invalid_argument("The continuation token is invalid."))
}

/// Whether a listing names the owner of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    Hidden,
    Shown,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    name: String,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
    max_keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_count: Option<usize>,
    delimiter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<String>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
    contents: Vec<Object>,
    common_prefixes: Vec<CommonPrefix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Object {
    key: String,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    size: u64,
    storage_class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    name: String,
    prefix: String,
    key_marker: String,
    version_id_marker: String,
    max_keys: usize,
    delimiter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<String>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_version_id_marker: Option<String>,
    common_prefixes: Vec<CommonPrefix>,
    #[serde(rename = "$value")]
    versions: Vec<AnyVersion>,
}

/// Versions and delete markers in one order, newest first within a key.
#[derive(Debug, Serialize)]
enum AnyVersion {
    DeleteMarker(DeleteMarker),
    Version(Box<ObjectVersion>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMarker {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: String,
    owner: Owner,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectVersion {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    size: u64,
    storage_class: &'static str,
    owner: Owner,
}

fn common_prefixes(page: &Page, ask: &Ask) -> Vec<CommonPrefix> {
    page.common_prefixes
        .iter()
        .map(|prefix| CommonPrefix { prefix: (ask.encode)(prefix) })
        .collect()
}

fn contents(page: &Page, ask: &Ask, ownership: Ownership) -> Vec<Object> {
    let object = |entry: &Entry| {
        let content = entry.version.content.as_ref()?;
        Some(Object {
            key: (ask.encode)(&entry.key),
            last_modified: document_time(entry.version.modified_ms),
            etag: headers::etag(content),
            kind: kind(content.oss.kind),
            size: content.size_bytes,
            storage_class: "Standard",
            owner: (ownership == Ownership::Shown).then_some(OWNER),
        })
    };
    page.entries.iter().filter_map(object).collect()
}

fn version(entry: &Entry, ask: &Ask) -> AnyVersion {
    let (key, version_id) = ((ask.encode)(&entry.key), entry.version.id.clone());
    let (is_latest, last_modified) = (entry.is_latest, document_time(entry.version.modified_ms));
    match &entry.version.content {
        None => AnyVersion::DeleteMarker(DeleteMarker {
            key,
            version_id,
            is_latest,
            last_modified,
            owner: OWNER,
        }),
        Some(content) => AnyVersion::Version(Box::new(ObjectVersion {
            key,
            version_id,
            is_latest,
            last_modified,
            etag: headers::etag(content),
            kind: kind(content.oss.kind),
            size: content.size_bytes,
            storage_class: "Standard",
            owner: OWNER,
        })),
    }
}

fn kind(kind: OssKind) -> &'static str {
    match kind {
        OssKind::Appendable => "Appendable",
        OssKind::Normal => "Normal",
    }
}
