//! Whom a provider takes us for.

use jiff::Timestamp;

/// Whom a provider takes the holder of the configured credentials for, and how it is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Identity {
    /// Whose the credentials are.
    pub caller: Caller,
    /// Which source gave the credentials, and where that was set.
    pub source: String,
    /// The id of the access key, which is no secret.
    pub access_key_id: String,
    /// When the credentials end, if they do.
    pub expires: Option<Timestamp>,
    /// The region, as requests are signed for it.
    pub region: String,
    /// The URL of the store, or its vendor's name for its own.
    pub endpoint: String,
    /// The dialect in which the provider speaks to the store, if there are several.
    pub dialect: Option<String>,
}

impl Identity {
    /// Creates one without an end and without a dialect.
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

    /// Says when the credentials end.
    #[must_use]
    pub fn with_expiry(mut self, expires: Option<Timestamp>) -> Self {
        self.expires = expires;
        self
    }

    /// Names the dialect.
    #[must_use]
    pub fn with_dialect(mut self, dialect: impl Into<String>) -> Self {
        self.dialect = Some(dialect.into());
        self
    }
}

/// Whose credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The provider said so.
    Known {
        /// The account.
        account: String,
        /// The resource name of the user, or of the session of a role.
        arn: String,
        /// The unique id of the user, or of the role and its session.
        user_id: String,
    },
    /// Nobody can be asked, for this reason. It does not mean that the credentials are good.
    Unknown(String),
}
