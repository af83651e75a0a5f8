//! Access to the services: which credentials the configuration selects, and where they are looked
//! for.

use aws_config::imds::client::EndpointMode;
use remote_state_core::config::{ConfigKeySpec, Key, ResolvedConfig};
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

use crate::config::endpoints::endpoint;
use crate::config::keys::{self, KEEP_ONE};
use crate::credentials::guard::Guard;
use crate::credentials::role::WebIdentity;
use crate::credentials::sts::Accounts;
use crate::credentials::{CredentialConfig, Machine, Profiles, SharedFile};

pub(super) fn machine(config: &ResolvedConfig) -> Result<Machine> {
    let file = |key: ConfigKeySpec, text: &str| {
        let path = config.path(key, text)?;
        Ok(SharedFile {
            // A variable may name a file that does not exist; all of Amazon's tools ignore that.
            may_be_missing: !config.is_configured(key),
            is_held: config.is_of_directory(key) && config.lies_in_directory(&path),
            path,
        })
    };
    let files = |key: Key<Option<Vec<String>>>| -> Result<Vec<SharedFile>> {
        let names = config.get(key).unwrap_or_default().iter();
        names.map(|name| file(key.row(), name)).collect()
    };
    let (one, several) = (keys::SHARED_CREDENTIALS_FILE, keys::SHARED_CREDENTIALS_FILES);
    let credentials_files = match config.get(one) {
        Some(_) if config.is_configured(several) => {
            return Err(config.both(one, several).with_hint(KEEP_ONE));
        }
        Some(path) => vec![file(one.row(), path)?],
        None => files(several)?,
    };
    let mode = keys::EC2_METADATA_SERVICE_ENDPOINT_MODE;
    let metadata_mode = match config.get(mode) {
        None => None,
        Some("IPv4") => Some(EndpointMode::IpV4),
        Some("IPv6") => Some(EndpointMode::IpV6),
        Some(_) => return Err(config.invalid(mode, "expected `IPv4` or `IPv6`")),
    };
    Ok(Machine {
        credentials_files,
        config_files: files(keys::SHARED_CONFIG_FILES)?,
        metadata_endpoint: endpoint(config, keys::EC2_METADATA_SERVICE_ENDPOINT)?,
        metadata_mode,
        skip_metadata: config.get(keys::SKIP_METADATA_API_CHECK),
        own_keys: None,
        profiles: Profiles::default(),
        guard: Guard::default(),
    })
}

pub(super) fn accounts(config: &ResolvedConfig) -> Result<Option<Accounts>> {
    let (allowed, forbidden) = (keys::ALLOWED_ACCOUNT_IDS, keys::FORBIDDEN_ACCOUNT_IDS);
    let [of_allowed, of_forbidden] =
        [allowed, forbidden].map(|key| config.get(key).unwrap_or_default());
    let (key, ids) = match (of_allowed, of_forbidden) {
        ([], []) => return Ok(None),
        (ids, []) => (allowed, ids),
        ([], ids) => (forbidden, ids),
        _ => return Err(config.both(allowed, forbidden).with_hint(KEEP_ONE)),
    };
    if ids.iter().any(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(config.invalid(key, "expected account ids, which are digits"));
    }
    Ok(Some(Accounts {
        is_allowed: of_forbidden.is_empty(),
        ids: ids.to_vec(),
        origin: config.origin(key).to_string(),
    }))
}

/// The keys of one access key, which belong together.
const ACCESS_KEYS: [Key<Option<String>>; 3] = [keys::ACCESS_KEY, keys::SECRET_KEY, keys::TOKEN];

/// Keeps an access key, its secret and its token only if they come from one source: otherwise a
/// token of another source would be sent to a store that it is not meant for.
pub(super) fn of_one_source(config: &ResolvedConfig, notes: &mut Vec<String>) -> ResolvedConfig {
    let is_configured = |key: &Key<_>| config.is_configured(key);
    let goes_before = ACCESS_KEYS.iter().any(is_configured)
        || ((is_configured(&keys::PROFILE) || WebIdentity::is_configured(config))
            && config.get(keys::USE_LEGACY_WORKFLOW) != Some(true));
    let origins = [keys::ACCESS_KEY, keys::SECRET_KEY].map(|key| config.origin_if_set(key));
    let half = match &origins {
        [Some(id), None] => Some((id, "AWS_SECRET_ACCESS_KEY")),
        [None, Some(secret)] => Some((secret, "AWS_ACCESS_KEY_ID")),
        _ => None,
    };
    if let Some((half, missing)) = half.filter(|_| !goes_before) {
        notes.push(format!("`{half}` is passed over: `{missing}` is not set"));
    }
    let is_unused = goes_before || origins.contains(&None);
    ACCESS_KEYS
        .into_iter()
        .filter(|key| is_unused && !is_configured(key))
        .fold(config.clone(), ResolvedConfig::without)
}

pub(super) fn credentials(config: &ResolvedConfig) -> Result<CredentialConfig> {
    let static_keys = || -> Result<CredentialConfig> {
        let (id, secret) = (keys::ACCESS_KEY, keys::SECRET_KEY);
        match (config.get(id), config.get(secret)) {
            (Some(access_key), Some(secret_key)) => Ok(CredentialConfig::Static {
                access_key: access_key.to_owned(),
                secret_key: SecretString::from(secret_key),
                token: config.get(keys::TOKEN).map(SecretString::from),
            }),
            (access_key, _) => {
                let (there, missing) =
                    if access_key.is_some() { (id, secret) } else { (secret, id) };
                let (name, missing) = (there.name(), missing.name());
                let error = Error::new(
                    ErrorKind::CredentialInvalid,
                    "configure",
                    format!("`{missing}` is not set, but `{name}` is: both are needed"),
                );
                Err(match config.origin_if_set(there) {
                    Some(origin) => error.with_context("set in", origin),
                    None => error,
                })
            }
        }
    };
    // The order of Terraform 1.7 and later: keys in the configuration, a token and a profile in the
    // configuration, keys in the environment, the rest.
    if ACCESS_KEYS.iter().any(|key| config.is_configured(key)) {
        return static_keys();
    }
    let in_environment = config.is_set(keys::ACCESS_KEY) || config.is_set(keys::SECRET_KEY);
    if config.get(keys::USE_LEGACY_WORKFLOW) == Some(true) && in_environment {
        return static_keys();
    }
    if let Some(identity) = WebIdentity::from_resolved(config)? {
        return Ok(CredentialConfig::WebIdentity(identity));
    }
    let profile = config.get(keys::PROFILE).map(str::to_owned);
    if config.is_configured(keys::PROFILE) {
        return Ok(CredentialConfig::Profile(profile.unwrap_or_default()));
    }
    if in_environment {
        return static_keys();
    }
    Ok(CredentialConfig::Chain { profile, web_identity: WebIdentity::of_environment(config)? })
}

/// Describes which credentials are used.
pub(super) fn credentials_origin(config: &ResolvedConfig) -> Result<String> {
    Ok(match credentials(config)? {
        CredentialConfig::Static { .. } => {
            let origins =
                [keys::ACCESS_KEY, keys::SECRET_KEY].map(|key| config.origin(key).to_string());
            match origins {
                [one, other] if one == other => one,
                origins => origins.join(" and "),
            }
        }
        CredentialConfig::Profile(name) => {
            format!("profile `{name}`, set in {}", config.origin(keys::PROFILE))
        }
        CredentialConfig::WebIdentity(identity) => {
            format!("role `{}`, set in {}", identity.session.role_arn, identity.session.origin)
        }
        CredentialConfig::Chain { .. } => "what the machine offers".to_owned(),
    })
}
