//! A provider as a value: its keys, and what a configuration of it can do.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::{ForeignEndpoint, ProviderSpec, ResolvedConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::store::StateStore;

/// Something that keeps state, such as Amazon S3: what a `backend` block names.
///
/// Programs hold the providers that they offer in a list, and find one by its
/// [`scheme`](ProviderSpec::scheme): see [`discover`](crate::directory::discover).
pub trait Provider: Debug + Send + Sync + 'static {
    /// Returns the table of its keys.
    fn spec(&self) -> &'static ProviderSpec;

    /// Fills in what the provider finds where neither the configuration nor the environment says,
    /// in files that all its clients share. [`parse`](Self::parse) does so by itself; this is for
    /// showing the values, also those of a configuration that cannot be parsed.
    ///
    /// # Errors
    /// `ConfigInvalid` if such a file cannot be read or understood.
    fn complete(&self, config: ResolvedConfig) -> Result<ResolvedConfig> {
        Ok(config)
    }

    /// Checks the values of a configuration. Nothing is sent.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` for
    /// credentials of which a part is missing.
    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>>;

    /// Describes the embedded store that can stand in for this provider; `None` if none can.
    fn embedded(&self) -> Option<&'static Embedded> {
        None
    }
}

/// A configuration of a provider, its values checked.
#[async_trait]
pub trait Backend: Debug + Send + Sync {
    /// Returns what a person should know before anything is done with this configuration, beside
    /// the [`notes`](ResolvedConfig::notes) on it: that certificates are not checked, that a
    /// variable has an old name.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// Returns the services other than the vendor's to which files of the directory send requests.
    fn foreign_endpoints(&self) -> &[ForeignEndpoint] {
        &[]
    }

    /// Looks for the credentials and asks the provider whose they are.
    ///
    /// # Errors
    /// `Unsupported` if the provider knows no accounts; `CredentialInvalid` without credentials, or
    /// if they are not accepted; `Unavailable` if the provider cannot be reached.
    async fn identity(&self) -> Result<Identity> {
        let message = "this provider knows no accounts";
        Err(Error::new(ErrorKind::Unsupported, "identify", message))
    }

    /// Opens the store. Nothing is sent before its first operation.
    ///
    /// # Errors
    /// `CredentialInvalid` for credentials of which a part is missing.
    fn open(&self) -> Result<Arc<dyn StateStore>>;
}

/// An embedded store, as a program that brings one along has to start and configure it.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// The service that it has to speak as.
    pub service: EmbeddedService,
    /// Settings that lie below those of the user. `bucket` is among them.
    pub settings: &'static [(&'static str, &'static str)],
    /// The keys that name its URL.
    pub endpoint_keys: &'static [&'static str],
    /// The key that names a table of locks and digests, if there can be one.
    pub table_key: Option<&'static str>,
    /// The keys that name its URL where there is a table.
    pub table_endpoint_keys: &'static [&'static str],
    /// Switches that are set, unless the user set them, where there is no table.
    pub switches_without_table: &'static [(&'static str, bool)],
    /// The variables by which native clients use the same store.
    pub variables: EmbeddedVariables,
}

/// What an embedded store speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbeddedService {
    /// Amazon S3, in a bucket that keeps versions, and DynamoDB.
    S3,
    /// S3 as Ceph's family speaks it, in a bucket without versions.
    Ceph,
    /// Alibaba Cloud OSS, in a bucket that keeps versions, and Tablestore.
    Oss,
}

/// The variables by which native clients use an embedded store.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedVariables {
    /// Those that hold its URL.
    pub endpoints: &'static [&'static str],
    /// The one that holds the id of the access key.
    pub access_key: &'static str,
    /// The one that holds its secret.
    pub secret_key: &'static str,
    /// The one that holds the region.
    pub region: &'static str,
}
