//! The sources of credentials that the configuration has chosen.

pub(crate) mod chain;
pub(crate) mod denied;
pub(crate) mod guard;
pub(crate) mod logins;
pub(crate) mod process;
pub(crate) mod role;
pub(crate) mod sts;

use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::client::EndpointMode;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use remote_state_core::Advice;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::credentials::chain::{Chain, Found};
use crate::credentials::guard::{Guard, Guarded};
use crate::credentials::logins::Logins;
use crate::credentials::process::Process;
use crate::credentials::role::WebIdentity;
use crate::credentials::sts::AssumeRoleWithWebIdentity;

/// Which credentials to use.
#[derive(Clone, Debug)]
pub(crate) enum CredentialConfig {
    /// The sources on the machine, in the order of [`Machine::chain`].
    Chain { profile: Option<String>, web_identity: Option<WebIdentity> },
    /// One profile of the shared AWS files.
    Profile(String),
    /// Keys from the configuration.
    Static { access_key: String, secret_key: SecretString, token: Option<SecretString> },
    /// A role that a token allows to assume.
    WebIdentity(WebIdentity),
}

/// The settings of the sources of credentials on a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) credentials_files: Vec<SharedFile>,
    pub(crate) config_files: Vec<SharedFile>,
    pub(crate) metadata_endpoint: Option<Url>,
    pub(crate) metadata_mode: Option<EndpointMode>,
    pub(crate) skip_metadata: bool,
    /// What the files say.
    pub(crate) profiles: Profiles,
    /// Why the selected profile must not be used.
    pub(crate) guard: Guard,
    /// Set for a store whose keys are unrelated to Amazon's.
    pub(crate) own_keys: Option<OwnKeys>,
}

/// The access keys of a store that has keys of its own, for messages about credentials.
#[derive(Clone, Copy, Debug)]
pub struct OwnKeys {
    /// A sentence about its variables, for when they are not set.
    pub unset: &'static str,
    /// The variables to set, access key first.
    pub variables: &'static [&'static str],
}

/// One of the files that AWS tools share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedFile {
    pub(crate) path: PathBuf,
    pub(crate) may_be_missing: bool,
    /// Whether a file of the directory names it and it lies inside the directory.
    pub(crate) is_held: bool,
}

/// What the shared files say, for the SDK.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profiles {
    /// One text with all profiles and sessions, in the form of the config file.
    pub(crate) text: SecretString,
    /// Files that cannot be read.
    pub(crate) unread: Vec<(EnvConfigFileKind, PathBuf)>,
    /// Whether the SDK shall look for the usual config file and the usual credentials file.
    pub(crate) usual: [bool; 2],
    /// The named profile, as the text calls it.
    pub(crate) selected: Option<String>,
    /// The programs that print credentials, each under the name by which the text calls it a
    /// source.
    pub(crate) processes: Vec<(String, Process)>,
    /// What to do if the profile gives no credentials.
    pub(crate) logins: Logins,
}

impl CredentialConfig {
    /// Makes the provider. `settings` is for connections to services that give out credentials,
    /// `sts` for STS without credentials; static keys need none. If one of several sources has
    /// credentials, the provider writes its name to `found`.
    pub(crate) fn provider(
        &self,
        machine: &Machine,
        settings: impl FnOnce() -> ProviderConfig,
        sts: impl FnOnce() -> SdkConfig,
        found: &Found,
    ) -> SharedCredentialsProvider {
        let begun = match machine.own_keys {
            Some(own) => Chain::new(found).with_advice(Advice::GiveCredentials(own.variables)),
            None => Chain::new(found),
        };
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
            Self::WebIdentity(identity) => {
                SharedCredentialsProvider::new(AssumeRoleWithWebIdentity::new(&sts(), identity))
            }
            Self::Profile(name) => {
                let profile = machine.profile(&settings(), Some(name));
                let logins = machine.profiles.logins.clone();
                let chain =
                    begun.or_profile("profile", format!("profile `{name}`"), profile, logins);
                SharedCredentialsProvider::new(chain)
            }
            Self::Chain { profile, web_identity } => {
                let settings = settings();
                let unset = match machine.own_keys {
                    Some(own) => own.unset,
                    None => "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are not set",
                };
                let chain = begun
                    .without(
                        "configuration",
                        "`access_key` and `secret_key` are not set, nor is `profile`",
                    )
                    .without("environment", unset);
                if machine.own_keys.is_some() {
                    let chain = machine.with_profile(chain, &settings, profile.as_deref());
                    return SharedCredentialsProvider::new(chain);
                }
                let (label, name) = ("web identity", "web identity".to_owned());
                let chain = match web_identity {
                    Some(identity) => {
                        chain.or(label, name, AssumeRoleWithWebIdentity::new(&sts(), identity))
                    }
                    // The program that embeds this crate may not have passed on the environment;
                    // the SDK has one of its own.
                    None => {
                        let builder = WebIdentityTokenCredentialsProvider::builder();
                        chain.or(label, name, builder.configure(&settings).build())
                    }
                };
                SharedCredentialsProvider::new(machine.chain(chain, &settings, profile.as_deref()))
            }
        }
    }
}

impl Machine {
    /// Adds the sources that a machine has, in the order in which they are tried. Keys in the
    /// environment come before all of these, see `config`.
    ///
    /// 1. Web identity, which the chain begins with: `AWS_WEB_IDENTITY_TOKEN_FILE` with
    ///    `AWS_ROLE_ARN`.
    /// 2. The named profile, or `default`, with everything that a profile can say (roles, SSO,
    ///    `credential_process`).
    /// 3. The container's endpoint (ECS, EKS).
    /// 4. The instance's metadata service, unless it is disabled.
    fn chain(&self, chain: Chain, settings: &ProviderConfig, profile: Option<&str>) -> Chain {
        let container = EcsCredentialsProvider::builder().configure(settings).build();
        let chain = self.with_profile(chain, settings, profile).or(
            "container",
            "the container's endpoint".to_owned(),
            container,
        );
        const METADATA: &str = "instance metadata";
        if self.skip_metadata {
            chain.without(METADATA, "not asked: `skip_metadata_api_check` is set")
        } else {
            chain.or(
                METADATA,
                "the instance's metadata service".to_owned(),
                self.metadata(settings),
            )
        }
    }

    fn with_profile(
        &self,
        chain: Chain,
        settings: &ProviderConfig,
        profile: Option<&str>,
    ) -> Chain {
        let name = profile.unwrap_or("default");
        let logins = self.profiles.logins.clone();
        chain.or_profile(
            "profile",
            format!("profile `{name}`"),
            self.profile(settings, profile),
            logins,
        )
    }

    fn profile(
        &self,
        settings: &ProviderConfig,
        name: Option<&str>,
    ) -> Guarded<ProfileFileCredentialsProvider> {
        let mut builder = ProfileFileCredentialsProvider::builder().configure(settings);
        builder = builder.profile_files(self.files());
        if self.metadata_endpoint.is_some() || self.metadata_mode.is_some() {
            builder = builder.with_custom_provider("Ec2InstanceMetadata", self.metadata(settings));
        }
        for (name, process) in &self.profiles.processes {
            builder = builder.with_custom_provider(name.clone(), process.clone());
        }
        // Always named, since the SDK by itself would use an empty variable as a name.
        let selected = self.profiles.selected.as_deref().or(name);
        let source = builder.profile_name(selected.unwrap_or("default")).build();
        Guarded { guard: self.guard.clone(), source }
    }

    fn metadata(&self, settings: &ProviderConfig) -> ImdsCredentialsProvider {
        // Without such a service no reply comes, and each attempt takes a second.
        let mut client = imds::Client::builder().configure(settings).max_attempts(2);
        if let Some(mode) = &self.metadata_mode {
            client = client.endpoint_mode(mode.clone());
        }
        if let Some(url) = &self.metadata_endpoint {
            client = client.endpoint(url.as_str()).expect("what is a URL is a URI");
        }
        ImdsCredentialsProvider::builder().configure(settings).imds_client(client.build()).build()
    }

    /// Returns the shared files as a text that the SDK understands.
    fn files(&self) -> EnvConfigFiles {
        let Profiles { text, unread, usual: [config, credentials], .. } = &self.profiles;
        let builder = EnvConfigFiles::builder()
            .include_default_config_file(*config)
            .include_default_credentials_file(*credentials)
            .with_contents(EnvConfigFileKind::Config, text.expose_secret());
        // The SDK reports why it cannot read them.
        unread.iter().fold(builder, |builder, (kind, path)| builder.with_file(*kind, path)).build()
    }
}
