//! The tables of the database, their rows, and the operations on them.
//!
//! Each operation takes a redb transaction, so that a condition and its write are one atomic step.
//! Nothing here knows HTTP or the errors of a protocol.

pub(crate) mod blobs;
pub(crate) mod buckets;
pub(crate) mod conditions;
mod error;
pub(crate) mod listing;
pub(crate) mod multipart;
pub(crate) mod objects;
mod pins;
pub(crate) mod rows;
pub(crate) mod tables;
pub(crate) mod versions;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3s::crypto::{Checksum as _, Sha256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use self::error::{Error, Result, internal, unusable};
pub(crate) use self::pins::{Pinned, Pins};

/// Buckets by name.
pub(crate) const BUCKETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("buckets");

/// Versions by bucket, key and age: the third part counts down, so the first row of a key is its
/// current version.
pub(crate) const VERSIONS: TableDefinition<'_, (&str, &str, u64), &[u8]> =
    TableDefinition::new("versions");

/// Bodies, cut into rows of at most [`blobs::CHUNK_BYTES`], so that a range reads only what it
/// needs.
pub(crate) const CHUNKS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("chunks");

/// Bodies that no version refers to any more, by the time since when.
pub(crate) const GARBAGE: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("garbage");

/// Multipart uploads by bucket, key and upload id.
pub(crate) const UPLOADS: TableDefinition<'_, (&str, &str, &str), &[u8]> =
    TableDefinition::new("uploads");

/// Parts by upload id and number.
pub(crate) const PARTS: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("parts");

/// Names of partition keys by table.
pub(crate) const TABLES: TableDefinition<'_, &str, &str> = TableDefinition::new("tables");

/// Items by table and key.
pub(crate) const ITEMS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("items");

/// Tables of Tablestore by name.
pub(crate) const OTS_TABLES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("ots_tables");

/// Rows of Tablestore by table and primary key.
pub(crate) const OTS_ROWS: TableDefinition<'_, (&str, &[u8]), &[u8]> =
    TableDefinition::new("ots_rows");

/// The last number that was used, by purpose.
pub(crate) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

/// Whether a bucket keeps old versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// A bucket's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) created_ms: u64,
    pub(crate) versioning: Versioning,
}

/// A version's row: an object, or a delete marker if there is no content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    /// `null` unless it was written while versioning was enabled.
    pub(crate) id: String,
    pub(crate) modified_ms: u64,
    pub(crate) content: Option<Content>,
}

/// The content of a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) size_bytes: u64,
    /// One for a plain upload, one per part for a multipart one.
    pub(crate) segments: Vec<Segment>,
    pub(crate) headers: Headers,
    pub(crate) checksums: Checksums,
    /// Rows from before the emulator spoke OSS do not have it.
    #[serde(default)]
    pub(crate) oss: OssFacts,
}

/// The properties of an object in OSS.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OssFacts {
    /// None is the ACL of the bucket.
    pub(crate) acl: Option<String>,
    /// CRC-64/XZ of the bytes; none if the object was written through S3.
    pub(crate) crc64: Option<u64>,
    pub(crate) kind: OssKind,
}

/// How an object was created, which decides whether clients may append to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OssKind {
    Appendable,
    #[default]
    Normal,
}

/// A run of bytes in [`CHUNKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) blob: u64,
    pub(crate) size_bytes: u64,
}

/// Headers stored with an object and returned with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Headers {
    pub(crate) bucket_key_enabled: Option<bool>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Checksums as S3 spells them: base64, with `-parts` at the end if composite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksums {
    pub(crate) crc32: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
    /// A checksum of the parts' checksums, not of the bytes.
    pub(crate) composite: bool,
}

/// A multipart upload's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) initiated_ms: u64,
    pub(crate) headers: Headers,
    pub(crate) checksum_algorithm: Option<String>,
    /// The client asked for a checksum of the whole object rather than one of the parts'
    /// checksums.
    pub(crate) full_object_checksum: bool,
}

/// A part's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) segment: Segment,
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
    pub(crate) modified_ms: u64,
}

/// Creates every table, so that readers never meet a missing one.
pub(crate) fn create_tables(txn: &WriteTransaction) -> Result<(), redb::TableError> {
    txn.open_table(BUCKETS)?;
    txn.open_table(VERSIONS)?;
    txn.open_table(CHUNKS)?;
    txn.open_table(GARBAGE)?;
    txn.open_table(UPLOADS)?;
    txn.open_table(PARTS)?;
    txn.open_table(TABLES)?;
    txn.open_table(ITEMS)?;
    txn.open_table(OTS_TABLES)?;
    txn.open_table(OTS_ROWS)?;
    txn.open_table(COUNTERS)?;
    Ok(())
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The inverse of [`now_ms`].
pub(crate) fn time_of(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

/// Returns the next number for a purpose, starting at one.
pub(crate) fn next_number(txn: &WriteTransaction, purpose: &str) -> Result<u64> {
    let mut counters = txn.open_table(COUNTERS).map_err(internal)?;
    let last = counters.get(purpose).map_err(internal)?.map_or(0, |guard| guard.value());
    counters.insert(purpose, last + 1).map_err(internal)?;
    Ok(last + 1)
}

/// Makes an identifier of 32 hexadecimal digits. It hides the number, since clients must not order
/// by it.
pub(crate) fn opaque_id(purpose: &str, number: u64) -> String {
    let seed = format!("{purpose}/{number}/{}/{}", now_ms(), std::process::id());
    hex(&Sha256::checksum(seed.as_bytes())[..16])
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(row).map_err(|error| Error::Internal(error.into()))
}

pub(crate) fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T> {
    serde_json::from_slice(row).map_err(|error| Error::Internal(error.into()))
}
