//! How an emulator differs from Amazon S3.

/// How the emulator's S3 differs from Amazon's, so that it behaves like a store that differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quirks {
    /// It does not differ.
    #[default]
    None,
    /// It behaves like Ceph's RADOS gateway, as measured on 16.2.15.
    ///
    /// On a bucket with versioning enabled the gateway ignores `If-None-Match` and never finds
    /// `If-Match` met. Elsewhere only an entity tag without quotes meets `If-Match`, and the
    /// gateway refuses a create over a delete marker. It ignores conditions of DELETE and of the
    /// completion of a multipart upload, returns version ids only where versioning is enabled, and
    /// refuses trailing checksums.
    Ceph,
}
