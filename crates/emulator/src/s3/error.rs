//! The store's errors in the words of S3:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use std::io::{self, ErrorKind};

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::store::Error;

impl From<Error> for S3Error {
    fn from(error: Error) -> Self {
        match error {
            Error::BucketMissing => {
                s3_error!(NoSuchBucket, "The specified bucket does not exist")
            }
            Error::BucketHasUploads => s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete has multipart uploads in progress"
            ),
            Error::BucketHasVersions => {
                s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")
            }
            Error::ConditionFailed(name) => precondition_failed(name),
            Error::ConditionNotImplemented(name) => s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: {name}"
            ),
            Error::File(error) => unusable(error),
            error @ (Error::Internal(_) | Error::ItemKeyMissing | Error::TableMissing) => {
                Self::internal_error(error)
            }
            Error::ObjectMissing => s3_error!(NoSuchKey, "The specified key does not exist."),
            Error::PartMissing(number) => s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found: {number}"
            ),
            Error::PartTooSmall => s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ),
            Error::PartsMissing => s3_error!(MalformedXML, "You must specify at least one part"),
            Error::PartsNotAscending => {
                s3_error!(InvalidPartOrder, "The list of parts was not in ascending order.")
            }
            Error::UploadMissing => s3_error!(
                NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload \
                 may have been aborted or completed."
            ),
        }
    }
}

/// S3's answer to a condition that does not hold.
pub(super) fn precondition_failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

/// Describes what is wrong with the file, since the user can mend that. S3 has no codes for these
/// cases: they are the emulator's own.
fn unusable(error: io::Error) -> S3Error {
    let (code, status) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            (S3ErrorCode::Custom("StorageFull".into()), StatusCode::INSUFFICIENT_STORAGE)
        }
        ErrorKind::ReadOnlyFilesystem => {
            (S3ErrorCode::Custom("ReadOnlyFileSystem".into()), StatusCode::FORBIDDEN)
        }
        ErrorKind::TimedOut => {
            (S3ErrorCode::Custom("StoreInUse".into()), StatusCode::SERVICE_UNAVAILABLE)
        }
        _ => (S3ErrorCode::InternalError, StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut answer = S3Error::with_message(code, error.to_string());
    answer.set_status_code(status);
    answer.set_source(Box::new(error));
    answer
}
