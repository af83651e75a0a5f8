//! Where credentials come from, once the configuration has decided.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use secrecy::{ExposeSecret as _, SecretString};

/// Which credentials to use.
#[derive(Clone, Debug)]
pub(crate) enum CredentialConfig {
    /// What the machine offers, asked in the order of [`chain`].
    Chain { profile: Option<String>, skip_metadata: bool },
    /// One profile of the shared AWS files.
    Profile(String),
    /// Keys that were given.
    Static { access_key: String, secret_key: SecretString, token: Option<SecretString> },
}

impl CredentialConfig {
    /// Makes the provider. `machine` connects to whatever service hands credentials out; static keys need none.
    pub(crate) fn provider(&self, machine: impl FnOnce() -> ProviderConfig) -> SharedCredentialsProvider {
        match self {
            Self::Static { access_key, secret_key, token } => {
                SharedCredentialsProvider::new(Credentials::new(
                    access_key,
                    secret_key.expose_secret(),
                    token.as_ref().map(|token| token.expose_secret().to_owned()),
                    None,
                    "configured keys",
                ))
            }
            Self::Profile(name) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder().configure(&machine()).profile_name(name).build(),
            ),
            Self::Chain { profile, skip_metadata } => {
                SharedCredentialsProvider::new(chain(&machine(), profile.as_deref(), *skip_metadata))
            }
        }
    }
}

/// The sources in the order in which they are asked. Keys in the environment come before all of these, see `config.rs`.
///
/// 1. Web identity: `AWS_WEB_IDENTITY_TOKEN_FILE` with `AWS_ROLE_ARN`.
/// 2. The profile that was named, or `default`, with everything that a profile can say (roles, SSO, `credential_process`).
/// 3. The container's endpoint (ECS, EKS).
/// 4. The instance's metadata service, unless it is to be left alone.
fn chain(machine: &ProviderConfig, profile: Option<&str>, skip_metadata: bool) -> CredentialsProviderChain {
    let mut from_profile = ProfileFileCredentialsProvider::builder().configure(machine);
    if let Some(name) = profile {
        from_profile = from_profile.profile_name(name);
    }
    let chain = CredentialsProviderChain::first_try(
        "web identity",
        WebIdentityTokenCredentialsProvider::builder().configure(machine).build(),
    )
    .or_else("profile", from_profile.build())
    .or_else("container", EcsCredentialsProvider::builder().configure(machine).build());
    if skip_metadata {
        chain
    } else {
        chain.or_else("instance metadata", ImdsCredentialsProvider::builder().configure(machine).build())
    }
}
