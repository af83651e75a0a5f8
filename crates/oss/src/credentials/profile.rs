//! The CLI's file of profiles.
//!
//! <https://www.alibabacloud.com/help/en/cli/configure-credentials>

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use remote_state_core::config::{PROGRAMS_VARIABLE, unprintable};
use remote_state_core::{Advice, Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::credentials::default::{OidcToken, Wanted, choose};
use crate::credentials::oidc::Oidc;
use crate::credentials::process::Process;
use crate::credentials::role::{AssumedRole, Role};
use crate::credentials::sts::StsEndpoint;
use crate::credentials::uri::CredentialsUri;
use crate::credentials::{Credentials, Source, Surroundings, no_credentials};

/// The maximum length of a chain of profiles, each the source of the next one's role.
const DEEPEST: usize = 8;

/// The default name of a session, as in native clients.
pub(crate) const SESSION_NAME: &str = "terraform";

/// The default duration of a session in seconds, as in native clients.
pub(crate) const SESSION_SECONDS: u32 = 3600;

/// One profile. Empty texts mean none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) name: String,
    mode: String,
    pub(crate) access_key_id: String,
    pub(super) access_key_secret: SecretString,
    sts_token: SecretString,
    ram_role_name: String,
    ram_role_arn: String,
    pub(crate) ram_session_name: String,
    pub(crate) expired_seconds: u32,
    pub(crate) region_id: String,
    source_profile: String,
    process_command: String,
    oidc_provider_arn: String,
    oidc_token_file: String,
    credentials_uri: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    current: String,
    profiles: Vec<Profile>,
}

impl Profile {
    /// Reads a profile by its name.
    ///
    /// # Errors
    /// `CredentialInvalid` if the file or the profile is missing, or the file is malformed.
    pub(crate) fn read(file: &Path, name: &str) -> Result<Self> {
        let found = File::read(file)?;
        let names: Vec<_> =
            found.profiles.iter().map(|profile| format!("`{}`", profile.name)).collect();
        let found =
            found.profiles.into_iter().find(|profile| profile.name == name).ok_or_else(|| {
                no_credentials(format!("there is no profile `{name}` in `{}`", file.display()))
                    .with_context(
                        "profiles",
                        if names.is_empty() { "none".to_owned() } else { names.join(", ") },
                    )
            })?;
        found.check_printable(file)?;
        Ok(found)
    }

    /// Refuses characters that would end a header.
    fn check_printable(&self, file: &Path) -> Result<()> {
        for (name, text) in [
            ("access_key_id", self.access_key_id.as_str()),
            ("access_key_secret", self.access_key_secret.expose_secret()),
            ("sts_token", self.sts_token.expose_secret()),
        ] {
            if let Some(reason) = unprintable(text) {
                let what = format!("invalid `{name}` of profile `{}`: {reason}", self.name);
                return Err(Error::config(what).with_context("set in", file.display()));
            }
        }
        Ok(())
    }

    /// Returns whether it has keys; native clients complete missing keys with them.
    pub(crate) fn holds_keys(&self) -> bool {
        matches!(self.mode.as_str(), "AK" | "StsToken" | "RamRoleArn")
    }

    pub(super) fn session_token(&self) -> Option<&str> {
        (self.mode == "StsToken").then(|| self.sts_token.expose_secret())
    }

    /// Returns the role of the instance that it names.
    pub(super) fn ecs_role_name(&self) -> Option<&str> {
        (self.mode == "EcsRamRole")
            .then_some(self.ram_role_name.as_str())
            .filter(|name| !name.is_empty())
    }

    /// Returns the role to assume with its keys.
    pub(crate) fn role(&self, sts: &StsEndpoint) -> Option<Role> {
        (self.mode == "RamRoleArn" && !self.ram_role_arn.is_empty()).then(|| self.as_role(sts))
    }

    fn as_role(&self, sts: &StsEndpoint) -> Role {
        let or = |text: &str, default: &str| {
            if text.is_empty() { default.to_owned() } else { text.to_owned() }
        };
        Role {
            arn: self.ram_role_arn.clone(),
            session_name: or(&self.ram_session_name, SESSION_NAME),
            policy: String::new(),
            duration_seconds: if self.expired_seconds == 0 {
                SESSION_SECONDS
            } else {
                self.expired_seconds
            },
            sts: sts.clone(),
        }
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| {
            no_credentials(format!("cannot read the profiles in `{}`", path.display()))
                .because(error)
        })?;
        // The parser's own message may quote the text: keep only the position.
        serde_json::from_slice(&text).map_err(|error| {
            no_credentials(format!("`{}` is not a file of profiles", path.display()))
                .because(format!(
                    "malformed JSON, or no array `profiles` (line {}, column {})",
                    error.line(),
                    error.column()
                ))
                .with_hint("make it anew with `aliyun configure`")
        })
    }
}

/// Returns the source for a profile that is not a pair of keys.
///
/// # Errors
/// `CredentialInvalid` if the mode is unknown here, or lacks a value that it needs.
pub(super) fn source_of(profile: &Profile, wanted: &Wanted) -> Result<Arc<dyn Source>> {
    source_at(profile, wanted, 0)
}

fn source_at(profile: &Profile, wanted: &Wanted, depth: usize) -> Result<Arc<dyn Source>> {
    let Profile { name, mode, .. } = profile;
    let needs =
        |key: &str| no_credentials(format!("profile `{name}` of mode `{mode}` has no `{key}`"));
    let filled = |key: &str, text: &str| if text.is_empty() { Err(needs(key)) } else { Ok(()) };
    match mode.as_str() {
        "OIDC" => {
            filled("oidc_provider_arn", &profile.oidc_provider_arn)?;
            filled("oidc_token_file", &profile.oidc_token_file)?;
            filled("ram_role_arn", &profile.ram_role_arn)?;
            let token = OidcToken {
                provider_arn: profile.oidc_provider_arn.clone(),
                file: PathBuf::from(&profile.oidc_token_file),
                named_by_directory: wanted
                    .held
                    .profiles_file
                    .then(|| format!("profile `{name}` of `{}`", wanted.profiles_file.display())),
                open_sts: wanted.held.open_sts.clone(),
            };
            Ok(Arc::new(Oidc { token, role: profile.as_role(&wanted.sts) }))
        }
        "External" => {
            filled("process_command", &profile.process_command)?;
            if wanted.held.profiles_file && !wanted.held.allows_programs {
                return Err(no_credentials(format!(
                    "the program of profile `{name}` was not run: a file of the directory names it"
                ))
                .with_context("set in", wanted.profiles_file.display())
                .with_advice(Advice::AllowDirectoryPrograms(PROGRAMS_VARIABLE)));
            }
            Ok(Arc::new(Process {
                command: profile.process_command.clone(),
                profile: name.clone(),
            }))
        }
        "CredentialsURI" => {
            let url = Url::parse(&profile.credentials_uri).map_err(|_| needs("credentials_uri"))?;
            Ok(Arc::new(CredentialsUri(url)))
        }
        "ChainableRamRoleArn" => {
            filled("source_profile", &profile.source_profile)?;
            filled("ram_role_arn", &profile.ram_role_arn)?;
            if depth == DEEPEST {
                return Err(no_credentials(format!(
                    "profile `{name}` has a source that leads back to itself"
                )));
            }
            let source = Profile::read(&wanted.profiles_file, &profile.source_profile)?;
            let base = if source.mode == "ChainableRamRoleArn" {
                source_at(&source, wanted, depth + 1)?
            } else {
                choose(&wanted.for_profile(source))?
            };
            Ok(Arc::new(AssumedRole { base, role: profile.as_role(&wanted.sts) }))
        }
        "AK" | "StsToken" | "RamRoleArn" => Err(needs("access_key_id")),
        "EcsRamRole" => Err(needs("ram_role_name")),
        "" => Err(no_credentials(format!("profile `{name}` has no `mode`"))),
        _ => Err(no_credentials(format!(
            "profile `{name}` is of mode `{mode}`, which is not known here"
        ))
        .with_hint(
            "known are `AK`, `StsToken`, `RamRoleArn`, `EcsRamRole`, `OIDC`, `External`, \
             `CredentialsURI` and `ChainableRamRoleArn`",
        )),
    }
}

impl Wanted {
    /// Returns what to load if only this profile is configured.
    fn for_profile(&self, profile: Profile) -> Self {
        Self {
            access_key: String::new(),
            secret_key: SecretString::default(),
            security_token: SecretString::default(),
            origin: format!("profile `{}`", profile.name),
            profile: Some(profile),
            ecs_role_name: String::new(),
            role: None,
            oidc: None,
            credentials_uri: None,
            ..self.clone()
        }
    }
}

/// The profile that the CLI has chosen, read when the credentials load.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) wanted: Wanted,
}

impl fmt::Display for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "current profile of `{}`", self.wanted.profiles_file.display())
    }
}

#[async_trait]
impl Source for Current {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let path = &self.wanted.profiles_file;
        if !path.exists() {
            return Err(no_credentials("there is no such file"));
        }
        let File { current, profiles } = File::read(path)?;
        let profile = profiles.into_iter().find(|profile| profile.name == current).ok_or_else(
            || -> Error {
                no_credentials(format!("it has no profile `{current}`, which is the current one"))
            },
        )?;
        profile.check_printable(path)?;
        choose(&self.wanted.for_profile(profile))?.load(surroundings).await
    }
}
