//! Why an operation on the store fails. Each protocol has its own words for it.

use std::{fmt, io};

use s3s::StdError;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on the store fails.
#[derive(Debug)]
pub(crate) enum Error {
    BucketMissing,
    BucketHasUploads,
    /// Old versions and delete markers count.
    BucketHasVersions,
    /// A condition of this name does not hold.
    ConditionFailed(&'static str),
    /// A condition of this name has a value that S3 does not implement.
    ConditionNotImplemented(&'static str),
    /// The file of the store cannot be used.
    File(io::Error),
    /// The database failed, or a row is not what was stored.
    Internal(StdError),
    /// An item lacks the partition key of its table, or the key is no string.
    ItemKeyMissing,
    /// `If-Match` names an object that does not exist.
    ObjectMissing,
    PartMissing(u32),
    PartTooSmall,
    PartsMissing,
    PartsNotAscending,
    TableMissing,
    UploadMissing,
}

impl Error {
    /// Returns whether the store is in order and cannot grow.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::File(error) if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        ))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BucketMissing => f.write_str("the bucket does not exist"),
            Self::BucketHasUploads => f.write_str("the bucket has multipart uploads in progress"),
            Self::BucketHasVersions => f.write_str("the bucket is not empty"),
            Self::ConditionFailed(name) => write!(f, "the condition `{name}` does not hold"),
            Self::ConditionNotImplemented(name) => {
                write!(f, "this value of `{name}` is not implemented")
            }
            Self::File(error) => error.fmt(f),
            Self::Internal(error) => error.fmt(f),
            Self::ItemKeyMissing => f.write_str("the item lacks its partition key"),
            Self::ObjectMissing => f.write_str("the object does not exist"),
            Self::PartMissing(number) => write!(f, "the part {number} does not exist"),
            Self::PartTooSmall => f.write_str("a part other than the last is too small"),
            Self::PartsMissing => f.write_str("the upload names no part"),
            Self::PartsNotAscending => f.write_str("the parts are not in ascending order"),
            Self::TableMissing => f.write_str("the table does not exist"),
            Self::UploadMissing => f.write_str("the multipart upload does not exist"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Internal(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Turns an error of the database into one of the store.
pub(crate) fn internal(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => unusable(error),
        error => {
            tracing::warn!(%error, "the database of the embedded store failed");
            Error::Internal(error.into())
        }
    }
}

/// Turns an error of the file into one of the store.
pub(crate) fn unusable(error: io::Error) -> Error {
    tracing::warn!(%error, "the embedded store cannot be used");
    Error::File(error)
}
