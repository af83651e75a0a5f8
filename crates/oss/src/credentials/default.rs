//! The sources of credentials and their order.
//!
//! As in `backend "oss"`, the first source that yields an access key wins:
//!
//! 1. `access_key`, `secret_key` and `security_token`, each completed from the named profile, if it
//!    holds keys.
//! 2. The named role of the instance (`ecs_role_name`, or a profile of mode `EcsRamRole`).
//!
//! If neither is set, native clients send unsigned requests. This crate searches on, as the
//! vendor's own tools do:
//!
//! 3. The named profile, if it is of another mode: a token (`OIDC`), a program (`External`), a URL,
//!    another profile's role.
//! 4. A token of an identity provider (`oidc_provider_arn`, `oidc_token_file`) with the role.
//! 5. The profile that the CLI has chosen (`current`).
//! 6. `credentials_uri`.
//! 7. The instance's metadata service, with any role that the instance has.
//!
//! With a role to assume (`assume_role_role_arn`, or a profile of mode `RamRoleArn`), these are the
//! credentials that assume it.

use std::path::PathBuf;
use std::sync::Arc;

use remote_state_core::Result;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::credentials::metadata::Metadata;
use crate::credentials::oidc::Oidc;
use crate::credentials::profile::{Current, Profile, source_of};
use crate::credentials::role::{AssumedRole, Role};
use crate::credentials::sts::StsEndpoint;
use crate::credentials::uri::CredentialsUri;
use crate::credentials::{Chain, Credentials, Source, Static, no_credentials};

/// The configured credentials. Empty texts mean none.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretString,
    pub(crate) security_token: SecretString,
    /// Where the keys were set, for messages.
    pub(crate) origin: String,
    /// The named profile.
    pub(crate) profile: Option<Profile>,
    /// The CLI's file.
    pub(crate) profiles_file: PathBuf,
    pub(crate) ecs_role_name: String,
    pub(crate) metadata_endpoint: Url,
    pub(crate) is_metadata_disabled: bool,
    pub(crate) credentials_uri: Option<Url>,
    /// The role to assume, with the keys or with the token.
    pub(crate) role: Option<Role>,
    pub(crate) oidc: Option<OidcToken>,
    pub(crate) sts: StsEndpoint,
    pub(crate) held: Held,
}

/// Restrictions on files of the directory: see `remote_state_core::config`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// The CLI's file lies inside the directory, and a file of the directory names it.
    pub(crate) profiles_file: bool,
    /// The CLI's file may run programs all the same.
    pub(crate) allows_programs: bool,
    /// Where a file of the directory names an STS endpoint without encryption.
    pub(crate) open_sts: Option<String>,
}

/// The identity provider of a token, and the token's file.
#[derive(Clone, Debug)]
pub(crate) struct OidcToken {
    pub(crate) provider_arn: String,
    pub(crate) file: PathBuf,
    /// The place in a file of the directory that names the token's file, if there is one.
    pub(crate) named_by_directory: Option<String>,
    /// See [`Held::open_sts`].
    pub(crate) open_sts: Option<String>,
}

/// Chooses the source.
///
/// # Errors
/// `CredentialInvalid` for half of a pair of keys, and for a profile that this provider cannot use.
pub(crate) fn choose(wanted: &Wanted) -> Result<Arc<dyn Source>> {
    let role = match &wanted.profile {
        // A role in the configuration overrides the profile's.
        Some(profile) => wanted.role.clone().or_else(|| profile.role(&wanted.sts)),
        None => wanted.role.clone(),
    };
    let assumed = |base: Arc<dyn Source>| -> Arc<dyn Source> {
        match role.clone() {
            Some(role) => Arc::new(AssumedRole { base, role }),
            None => base,
        }
    };
    if let Some(keys) = keys(wanted)? {
        return Ok(assumed(Arc::new(keys)));
    }
    let metadata = |role_name: Option<String>| Metadata {
        endpoint: wanted.metadata_endpoint.clone(),
        role_name,
    };
    let of_profile = wanted.profile.as_ref().and_then(Profile::ecs_role_name);
    let named = [wanted.ecs_role_name.as_str(), of_profile.unwrap_or_default()];
    if let Some(name) = named.into_iter().find(|name| !name.is_empty()) {
        return Ok(assumed(Arc::new(metadata(Some(name.to_owned())))));
    }
    if let Some(profile) = &wanted.profile {
        let source = source_of(profile, wanted)?;
        // The source of such a profile already includes its role.
        return Ok(match wanted.role.clone() {
            Some(role) => Arc::new(AssumedRole { base: source, role }),
            None => source,
        });
    }
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    let mut uses_role = true;
    if let (Some(token), Some(role)) = (&wanted.oidc, &wanted.role) {
        sources.push(Arc::new(Oidc { token: token.clone(), role: role.clone() }));
        uses_role = false;
    }
    sources.push(Arc::new(Current { wanted: wanted.clone() }));
    if let Some(url) = &wanted.credentials_uri {
        sources.push(Arc::new(CredentialsUri(url.clone())));
    }
    if !wanted.is_metadata_disabled {
        sources.push(Arc::new(metadata(None)));
    }
    let chain: Arc<dyn Source> = Arc::new(Chain(sources));
    // With a token, the chain itself assumes the role.
    Ok(if uses_role { assumed(chain) } else { chain })
}

/// Returns the configured keys, each completed from the profile, as native clients do.
fn keys(wanted: &Wanted) -> Result<Option<Static>> {
    let profile = wanted.profile.as_ref().filter(|profile| profile.holds_keys());
    let either = |given: &str, of_profile: Option<&str>| {
        if given.is_empty() { of_profile.unwrap_or_default().to_owned() } else { given.to_owned() }
    };
    let access_key =
        either(&wanted.access_key, profile.map(|profile| profile.access_key_id.as_str()));
    let secret_key = either(
        wanted.secret_key.expose_secret(),
        profile.map(|profile| profile.access_key_secret.expose_secret()),
    );
    let token =
        either(wanted.security_token.expose_secret(), profile.and_then(Profile::session_token));
    let missing = match (access_key.is_empty(), secret_key.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {
            let origin = match profile {
                Some(profile) if wanted.access_key.is_empty() => {
                    format!("profile `{}`", profile.name)
                }
                _ => wanted.origin.clone(),
            };
            let credentials = Credentials::new(access_key, secret_key, Some(token));
            return Ok(Some(Static { credentials, origin }));
        }
        (true, false) => ["access_key", "secret_key"],
        (false, true) => ["secret_key", "access_key"],
    };
    let [missing, there] = missing;
    Err(no_credentials(format!("`{missing}` is not set, but `{there}` is: both are needed"))
        .with_context("set in", &wanted.origin))
}
