//! A key for the encryption of an object that is sent with each request about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::provider::Md5Sum;
use secrecy::ExposeSecret as _;

use crate::config::Encryption;

/// The only algorithm for keys that are sent with a request.
pub(super) const CUSTOMER_ALGORITHM: &str = "AES256";

/// A key that is sent with a request, in the form of its headers.
pub(super) struct CustomerKey<'a> {
    pub(super) key: &'a str,
    pub(super) md5: String,
}

impl Encryption {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>
    pub(super) fn customer_key(&self) -> Option<CustomerKey<'_>> {
        let Self::Customer(key) = self else { return None };
        let key = key.expose_secret();
        let bytes = BASE64.decode(key).unwrap_or_default();
        Some(CustomerKey { key, md5: BASE64.encode(Md5Sum::of(&bytes)) })
    }
}
