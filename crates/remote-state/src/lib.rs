#![doc = include_str!("../README.md")]

use std::sync::Arc;

use crate::config::{ForeignEndpoint, ProviderSpec, ResolvedConfig, Setting};

pub use remote_state_core::*;

#[cfg(feature = "oss")]
pub use remote_state_oss as oss;
#[cfg(feature = "s3")]
pub use remote_state_s3 as s3;
#[cfg(feature = "spaces")]
pub use remote_state_spaces as spaces;

/// The table from a provider's name to its keys. Where an example is shown, it is the first one's.
static PROVIDERS: &[&ProviderSpec] = &[
    #[cfg(feature = "s3")]
    &remote_state_s3::PROVIDER,
    #[cfg(feature = "oss")]
    &remote_state_oss::PROVIDER,
    #[cfg(feature = "spaces")]
    &remote_state_spaces::PROVIDER,
];

/// Returns the providers that were compiled in, one table of keys each.
pub fn providers() -> &'static [&'static ProviderSpec] {
    PROVIDERS
}

/// Opens the store that a resolved configuration describes. Nothing is sent before the first
/// operation.
///
/// # Errors
/// `ConfigInvalid` if a value does not do, with the place where it was set; `Unsupported` if the
/// provider was not compiled in.
pub fn open_resolved(config: &ResolvedConfig) -> Result<Arc<dyn StateStore>> {
    match config.provider().scheme {
        #[cfg(feature = "oss")]
        "oss" => Ok(Arc::new(oss::OssStore::new(&oss::OssConfig::from_resolved(config)?)?)),
        #[cfg(feature = "s3")]
        "s3" => Ok(Arc::new(s3::S3Store::new(&s3::S3Config::from_resolved(config)?))),
        #[cfg(feature = "spaces")]
        "spaces" => Ok(Arc::new(spaces::SpacesConfig::from_resolved(config)?.store())),
        scheme => Err(not_compiled_in(scheme)),
    }
}

/// Fills in what a provider finds where neither the configuration nor the environment says:
/// endpoints in the shared AWS files. Opening a store does so by itself; this is for showing the
/// values.
///
/// # Errors
/// `ConfigInvalid` if such a file cannot be read or understood.
pub fn completed(config: ResolvedConfig) -> Result<ResolvedConfig> {
    match config.provider().scheme {
        #[cfg(feature = "s3")]
        "s3" => s3::S3Config::completed(config),
        _ => Ok(config),
    }
}

/// Looks for the credentials of a configuration and asks the provider whose they are.
///
/// # Errors
/// As [`open_resolved`]; `CredentialInvalid` without credentials, or if they are not accepted;
/// `Unavailable` if the provider cannot be reached.
pub async fn identity(config: &ResolvedConfig) -> Result<Identity> {
    match config.provider().scheme {
        #[cfg(feature = "s3")]
        "s3" => s3::S3Config::from_resolved(config)?.identity().await,
        #[cfg(feature = "spaces")]
        "spaces" => spaces::SpacesConfig::from_resolved(config)?.s3().identity().await,
        #[cfg(feature = "oss")]
        "oss" => oss::OssConfig::from_resolved(config)?.identity().await,
        scheme => Err(not_compiled_in(scheme)),
    }
}

/// Returns what a person should be told before anything is done with a configuration that is good,
/// beside its [`notes`](ResolvedConfig::notes): that certificates are not looked at, that a
/// variable has an old name.
///
/// # Errors
/// As [`open_resolved`].
pub fn warnings(config: &ResolvedConfig) -> Result<Vec<String>> {
    match config.provider().scheme {
        #[cfg(feature = "s3")]
        "s3" => Ok(s3::S3Config::from_resolved(config)?.notes().to_vec()),
        #[cfg(feature = "spaces")]
        "spaces" => Ok(spaces::SpacesConfig::from_resolved(config)?.notes().to_vec()),
        #[cfg(feature = "oss")]
        "oss" => Ok(oss::OssConfig::from_resolved(config)?.notes().to_vec()),
        _ => Ok(Vec::new()),
    }
}

/// Returns the services other than the vendor's to which files of the directory send requests.
///
/// # Errors
/// As [`open_resolved`].
pub fn foreign_endpoints(config: &ResolvedConfig) -> Result<Vec<ForeignEndpoint>> {
    match config.provider().scheme {
        #[cfg(feature = "s3")]
        "s3" => Ok(s3::S3Config::from_resolved(config)?.foreign_endpoints().to_vec()),
        #[cfg(feature = "spaces")]
        "spaces" => Ok(spaces::SpacesConfig::from_resolved(config)?.foreign_endpoints().to_vec()),
        #[cfg(feature = "oss")]
        "oss" => Ok(oss::OssConfig::from_resolved(config)?.foreign_endpoints().to_vec()),
        _ => Ok(Vec::new()),
    }
}

/// Opens a store from a provider's name and its keys, without looking at the environment.
///
/// # Errors
/// As [`open_resolved`]; `ConfigInvalid` also for a key that the provider does not have.
pub fn open<'a>(
    provider: &str,
    keys: impl IntoIterator<Item = (&'a str, impl Into<Setting>)>,
) -> Result<Arc<dyn StateStore>> {
    let Some(spec) = providers().iter().find(|spec| spec.scheme == provider) else {
        return Err(not_compiled_in(provider));
    };
    open_resolved(&ResolvedConfig::from_pairs(spec, keys)?)
}

fn not_compiled_in(scheme: &str) -> Error {
    let known: Vec<_> = providers().iter().map(|spec| format!("`{}`", spec.scheme)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::new(ErrorKind::Unsupported, "open", format!("there is no provider `{scheme}` here"))
        .with_context("providers", known)
        .with_hint("a provider is a cargo feature of the crate `remote-state`, off by default")
}
