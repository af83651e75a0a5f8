//! Operations on buckets.

use redb::{ReadableTable, WriteTransaction};

use super::{
    BUCKETS, Bucket, Error, Result, UPLOADS, VERSIONS, Versioning, decode, encode, internal, now_ms,
};

/// Returns a bucket, or `BucketMissing`.
pub(crate) fn get(
    buckets: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Bucket> {
    match buckets.get(name).map_err(internal)? {
        Some(row) => decode(row.value()),
        None => Err(Error::BucketMissing),
    }
}

/// Returns every bucket, by name.
pub(crate) fn list(
    buckets: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Vec<(String, Bucket)>> {
    let mut found = Vec::new();
    for row in buckets.iter().map_err(internal)? {
        let (name, bucket) = row.map_err(internal)?;
        found.push((name.value().to_owned(), decode(bucket.value())?));
    }
    Ok(found)
}

/// Creates a bucket; false if it was there already, which leaves it as it is.
pub(crate) fn create(txn: &WriteTransaction, name: &str, versioning: Versioning) -> Result<bool> {
    let mut buckets = txn.open_table(BUCKETS).map_err(internal)?;
    if buckets.get(name).map_err(internal)?.is_some() {
        return Ok(false);
    }
    let row = encode(&Bucket { created_ms: now_ms(), versioning })?;
    buckets.insert(name, row.as_slice()).map_err(internal)?;
    Ok(true)
}

/// Sets versioning. S3 has no way back to `Never`.
pub(crate) fn set_versioning(
    txn: &WriteTransaction,
    name: &str,
    versioning: Versioning,
) -> Result<()> {
    let mut buckets = txn.open_table(BUCKETS).map_err(internal)?;
    let bucket = Bucket { versioning, ..get(&buckets, name)? };
    buckets.insert(name, encode(&bucket)?.as_slice()).map_err(internal)?;
    Ok(())
}

/// Deletes an empty bucket. Old versions and delete markers count as contents, as they do on S3.
pub(crate) fn delete(txn: &WriteTransaction, name: &str) -> Result<()> {
    let mut buckets = txn.open_table(BUCKETS).map_err(internal)?;
    get(&buckets, name)?;
    let versions = txn.open_table(VERSIONS).map_err(internal)?;
    if let Some(first) = versions.range((name, "", 0)..).map_err(internal)?.next()
        && first.map_err(internal)?.0.value().0 == name
    {
        return Err(Error::BucketHasVersions);
    }
    let uploads = txn.open_table(UPLOADS).map_err(internal)?;
    if let Some(first) = uploads.range((name, "", "")..).map_err(internal)?.next()
        && first.map_err(internal)?.0.value().0 == name
    {
        return Err(Error::BucketHasUploads);
    }
    buckets.remove(name).map_err(internal)?;
    Ok(())
}
