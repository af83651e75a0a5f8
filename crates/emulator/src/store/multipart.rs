//! Multipart uploads.

use redb::{ReadableTable, WriteTransaction};
use s3s::crypto::{Checksum as _, Md5};

use super::conditions::{self, Conditions};
use super::objects::{self, Written};
use super::{
    BUCKETS, Checksums, Content, Error, OssFacts, PARTS, Part, Result, Segment, UPLOADS, Upload,
    blobs, buckets, decode, encode, hex, internal, next_number, opaque_id,
};

/// The smallest part S3 takes, except for the last:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MIN_PART_BYTES: u64 = 5 << 20;

/// What `CompleteMultipartUpload` names for each part: its number and its ETag without quotes.
#[derive(Debug)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    pub(crate) etag: Option<String>,
}

/// Starts an upload and returns its id.
pub(crate) fn create(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    upload: &Upload,
) -> Result<String> {
    buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?;
    let id = opaque_id("upload", next_number(txn, "upload")?);
    let mut uploads = txn.open_table(UPLOADS).map_err(internal)?;
    uploads.insert((bucket, key, id.as_str()), encode(upload)?.as_slice()).map_err(internal)?;
    Ok(id)
}

/// Returns an upload, or `UploadMissing`.
pub(crate) fn get(
    uploads: &impl ReadableTable<(&'static str, &'static str, &'static str), &'static [u8]>,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Upload> {
    match uploads.get((bucket, key, id)).map_err(internal)? {
        Some(row) => decode(row.value()),
        None => Err(Error::UploadMissing),
    }
}

/// Returns the parts of an upload, by number.
pub(crate) fn parts(
    parts: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    id: &str,
) -> Result<Vec<(u32, Part)>> {
    let mut found = Vec::new();
    for row in parts.range((id, 0)..=(id, u32::MAX)).map_err(internal)? {
        let (row_key, part) = row.map_err(internal)?;
        found.push((row_key.value().1, decode(part.value())?));
    }
    Ok(found)
}

/// Files a part, in the place of an earlier one with its number.
pub(crate) fn put_part(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
    number: u32,
    part: &Part,
) -> Result<Upload> {
    let upload = get(&txn.open_table(UPLOADS).map_err(internal)?, bucket, key, id)?;
    let mut table = txn.open_table(PARTS).map_err(internal)?;
    let replaced = table.insert((id, number), encode(part)?.as_slice()).map_err(internal)?;
    if let Some(replaced) = replaced {
        blobs::discard(txn, &[decode::<Part>(replaced.value())?.segment])?;
    }
    Ok(upload)
}

/// Makes an object of the named parts if the conditions hold, and deletes the upload.
///
/// `combine` computes the checksums of the whole from the upload and its parts.
pub(crate) fn complete<E: From<Error>>(
    txn: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
    named: &[NamedPart],
    conditions: &Conditions,
    combine: impl FnOnce(&Upload, &[Part]) -> Result<Checksums, E>,
) -> Result<(Content, Written), E> {
    let versioning = buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?.versioning;
    let upload = get(&txn.open_table(UPLOADS).map_err(internal)?, bucket, key, id)?;
    conditions::check(txn, bucket, key, versioning, conditions)?;
    let mut stored = parts(&txn.open_table(PARTS).map_err(internal)?, id)?;
    let chosen = choose(&mut stored, named)?;
    let digests: Vec<u8> = chosen.iter().flat_map(|part| part.md5).collect();
    let content = Content {
        etag: format!("{}-{}", hex(&Md5::checksum(&digests)), chosen.len()),
        size_bytes: chosen.iter().map(|part| part.segment.size_bytes).sum(),
        segments: chosen.iter().map(|part| part.segment).collect(),
        checksums: combine(&upload, &chosen)?,
        headers: upload.headers,
        oss: OssFacts::default(),
    };
    let written = objects::put(txn, bucket, key, content.clone(), &Conditions::default())?;
    forget(txn, bucket, key, id)?;
    let left_over: Vec<Segment> = stored.iter().map(|(_, part)| part.segment).collect();
    blobs::discard(txn, &left_over)?;
    Ok((content, written))
}

/// Drops an upload and its parts.
pub(crate) fn abort(txn: &WriteTransaction, bucket: &str, key: &str, id: &str) -> Result<()> {
    buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?;
    get(&txn.open_table(UPLOADS).map_err(internal)?, bucket, key, id)?;
    let segments: Vec<Segment> = parts(&txn.open_table(PARTS).map_err(internal)?, id)?
        .into_iter()
        .map(|(_, part)| part.segment)
        .collect();
    blobs::discard(txn, &segments)?;
    forget(txn, bucket, key, id)
}

fn forget(txn: &WriteTransaction, bucket: &str, key: &str, id: &str) -> Result<()> {
    txn.open_table(UPLOADS).map_err(internal)?.remove((bucket, key, id)).map_err(internal)?;
    let mut table = txn.open_table(PARTS).map_err(internal)?;
    table.retain_in((id, 0)..=(id, u32::MAX), |_, _| false).map_err(internal)?;
    Ok(())
}

/// Moves the named parts out of the stored ones, checking order, ETag and size.
fn choose(stored: &mut Vec<(u32, Part)>, named: &[NamedPart]) -> Result<Vec<Part>> {
    if named.is_empty() {
        return Err(Error::PartsMissing);
    }
    if named.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(Error::PartsNotAscending);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for name in named {
        let position = stored.iter().position(|(number, part)| {
            *number == name.number && name.etag.as_ref().is_none_or(|etag| *etag == hex(&part.md5))
        });
        let Some(position) = position else {
            return Err(Error::PartMissing(name.number));
        };
        chosen.push(stored.remove(position).1);
    }
    if chosen[..chosen.len() - 1].iter().any(|part| part.segment.size_bytes < MIN_PART_BYTES) {
        return Err(Error::PartTooSmall);
    }
    Ok(chosen)
}
