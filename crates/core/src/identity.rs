//! The identity that a provider attributes to the caller.

use jiff::Timestamp;

/// The identity that a provider attributes to the configured credentials, and how to reach the
/// provider.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Identity {
    /// The owner of the credentials.
    pub caller: Caller,
    /// The source of the credentials, and where it was set.
    pub source: String,
    /// The id of the access key, which is no secret.
    pub access_key_id: String,
    /// When the credentials expire, if they do.
    pub expires: Option<Timestamp>,
    /// The region that requests are signed for.
    pub region: String,
    /// The URL of the store, or the vendor's name for its own store.
    pub endpoint: String,
    /// The dialect for the store, if the provider has several.
    pub dialect: Option<String>,
}

impl Identity {
    /// Creates an identity without an expiry and without a dialect.
    pub fn new(
        caller: Caller,
        source: impl Into<String>,
        access_key_id: impl Into<String>,
        region: impl Into<String>,
        endpoint: impl Into<String>,
    ) -> Self {
        Self {
            caller,
            source: source.into(),
            access_key_id: access_key_id.into(),
            expires: None,
            region: region.into(),
            endpoint: endpoint.into(),
            dialect: None,
        }
    }

    /// Sets when the credentials expire.
    #[must_use]
    pub fn with_expiry(mut self, expires: Option<Timestamp>) -> Self {
        self.expires = expires;
        self
    }

    /// Sets the dialect.
    #[must_use]
    pub fn with_dialect(mut self, dialect: impl Into<String>) -> Self {
        self.dialect = Some(dialect.into());
        self
    }
}

/// The owner of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The owner, as the provider reported it.
    Known {
        /// The account.
        account: String,
        /// The resource name of the user, or of the session of a role.
        arn: String,
        /// The unique id of the user, or of the role and its session.
        user_id: String,
    },
    /// Unknown, since no service can be asked, for this reason. It does not mean that the
    /// credentials are valid.
    Unknown(String),
}
