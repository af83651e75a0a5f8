//! A provider as a value: its keys, and what its configurations can do.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::{ForeignEndpoint, Key, ProviderSpec, ResolvedConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::store::StateStore;

/// A service that stores state, such as Amazon S3: the type that a `backend` block names.
///
/// Programs keep a list of the providers that they offer, and find one by its
/// [`scheme`](ProviderSpec::scheme): see [`discover`](crate::directory::discover).
pub trait Provider: Debug + Send + Sync + 'static {
    /// Returns the table of the provider's keys.
    fn spec(&self) -> &'static ProviderSpec;

    /// Adds values from files that all clients of the provider share, for keys that neither the
    /// configuration nor the environment sets. [`parse`](Self::parse) does this by itself; call it
    /// to show the values, also those of a configuration that cannot be parsed.
    ///
    /// # Errors
    /// `ConfigInvalid` if such a file cannot be read or parsed.
    fn complete(&self, config: ResolvedConfig) -> Result<ResolvedConfig> {
        Ok(config)
    }

    /// Checks the values of a configuration. It sends nothing.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` for incomplete
    /// credentials.
    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>>;

    /// Describes the embedded store that can stand in for this provider; `None` if none can. The
    /// description may change in any release.
    #[doc(hidden)]
    fn embedded(&self) -> Option<&'static Embedded> {
        None
    }
}

/// A configuration of a provider with checked values.
#[async_trait]
pub trait Backend: Debug + Send + Sync {
    /// Returns what a person should know before using this configuration, in addition to the
    /// [`notes`](ResolvedConfig::notes) on it: that certificates are not checked, that a variable
    /// has an old name.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// Returns the services, other than the vendor's, to which files of the directory send
    /// requests.
    fn foreign_endpoints(&self) -> &[ForeignEndpoint] {
        &[]
    }

    /// Finds the credentials and asks the provider whose they are.
    ///
    /// # Errors
    /// `Unsupported` if the provider knows no accounts; `CredentialInvalid` without credentials, or
    /// if they are not accepted; `Unavailable` if the provider cannot be reached.
    async fn identity(&self) -> Result<Identity> {
        let message = "this provider knows no accounts";
        Err(Error::new(ErrorKind::Unsupported, "identify", message))
    }

    /// Opens the store. It sends nothing before the first operation.
    ///
    /// # Errors
    /// `CredentialInvalid` for incomplete credentials.
    fn open(&self) -> Result<Arc<dyn StateStore>>;
}

/// An embedded store: how a program that includes one has to start and configure it.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Embedded {
    /// The service whose protocol it has to speak.
    pub service: EmbeddedService,
    /// Settings below those of the user, `bucket` included.
    pub settings: &'static [(&'static str, &'static str)],
    /// The keys of the access key's id and of its secret.
    pub access_keys: [Key<Option<String>>; 2],
    /// The keys that name its URL.
    pub endpoint_keys: &'static [Key<Option<String>>],
    /// The key that names a table of locks and digests, if the provider has one.
    pub table_key: Option<Key<Option<String>>>,
    /// The keys that name its URL if a table is used.
    pub table_endpoint_keys: &'static [Key<Option<String>>],
    /// Switches to set, unless the user set them, if no table is used.
    pub switches_without_table: &'static [(Key<bool>, bool)],
    /// The variables that direct native clients to the same store.
    pub variables: EmbeddedVariables,
}

/// The service that an embedded store imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(hidden)]
pub enum EmbeddedService {
    /// Amazon S3 with a versioned bucket, and DynamoDB.
    S3,
    /// S3 as Ceph and related stores speak it, with an unversioned bucket.
    Ceph,
    /// Alibaba Cloud OSS with a versioned bucket, and Tablestore.
    Oss,
}

/// The variables that direct native clients to an embedded store.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct EmbeddedVariables {
    /// The variables for its URL.
    pub endpoints: &'static [&'static str],
    /// The variable for the id of the access key.
    pub access_key: &'static str,
    /// The variable for its secret.
    pub secret_key: &'static str,
    /// The variable for the region.
    pub region: &'static str,
}
