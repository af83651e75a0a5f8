//! Access to the services: which credentials the configuration selects, and where they are looked
//! for.

use aws_config::imds::client::EndpointMode;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

use crate::config::endpoint;
use crate::credentials::{CredentialConfig, Machine, Profiles, SharedFile};
use crate::guard::Guard;
use crate::role::{WebIdentity, both, is_configured};
use crate::sts::Accounts;

pub(super) fn machine(config: &ResolvedConfig) -> Result<Machine> {
    let (one, several) = ("shared_credentials_file", "shared_credentials_files");
    let files = |name: &str, names: &[String]| -> Result<Vec<SharedFile>> {
        // A variable may name a file that does not exist; all of Amazon's tools ignore that.
        let may_be_missing = config.get(name).is_some_and(|value| !is_configured(value));
        let file = |text: &String| {
            let path = config.path(name, text)?;
            let is_held = config.is_of_directory(name) && config.lies_in_directory(&path);
            Ok(SharedFile { path, may_be_missing, is_held })
        };
        names.iter().map(file).collect()
    };
    let credentials_files = match config.string(one) {
        Some(_) if config.get(several).is_some_and(is_configured) => {
            return Err(both(config, one, several));
        }
        Some(path) => files(one, &[path.to_owned()])?,
        None => files(several, config.list(several))?,
    };
    let mode = "ec2_metadata_service_endpoint_mode";
    let metadata_mode = match config.string(mode) {
        None => None,
        Some("IPv4") => Some(EndpointMode::IpV4),
        Some("IPv6") => Some(EndpointMode::IpV6),
        Some(_) => return Err(config.invalid(mode, "expected `IPv4` or `IPv6`")),
    };
    Ok(Machine {
        credentials_files,
        config_files: files("shared_config_files", config.list("shared_config_files"))?,
        metadata_endpoint: endpoint(config, "ec2_metadata_service_endpoint")?,
        metadata_mode,
        skip_metadata: config.bool("skip_metadata_api_check"),
        own_keys: None,
        profiles: Profiles::default(),
        guard: Guard::default(),
    })
}

pub(super) fn accounts(config: &ResolvedConfig) -> Result<Option<Accounts>> {
    let (allowed, forbidden) = ("allowed_account_ids", "forbidden_account_ids");
    let (name, is_allowed) = match (config.list(allowed), config.list(forbidden)) {
        ([], []) => return Ok(None),
        ([_, ..], []) => (allowed, true),
        ([], [_, ..]) => (forbidden, false),
        _ => return Err(both(config, allowed, forbidden)),
    };
    let ids = config.list(name).to_vec();
    if ids.iter().any(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(config.invalid(name, "expected account ids, which are digits"));
    }
    Ok(Some(Accounts { is_allowed, ids, origin: config.origin(name).to_string() }))
}

/// Keeps an access key, its secret and its token only if they come from one source: otherwise a
/// token of another source would be sent to a store that it is not meant for.
pub(super) fn of_one_source(config: &ResolvedConfig, notes: &mut Vec<String>) -> ResolvedConfig {
    const KEYS: [&str; 3] = ["access_key", "secret_key", "token"];
    let is_configured = |name: &str| config.get(name).is_some_and(is_configured);
    let has_role = config.iter().any(|(key, value)| {
        key.name.starts_with("assume_role_with_web_identity.") && crate::role::is_configured(value)
    });
    let goes_before = KEYS.into_iter().any(is_configured)
        || ((is_configured("profile") || has_role) && !config.bool("use_legacy_workflow"));
    let (id, secret) = (config.get("access_key"), config.get("secret_key"));
    let half = match (id, secret) {
        (Some(id), None) => Some((id, "AWS_SECRET_ACCESS_KEY")),
        (None, Some(secret)) => Some((secret, "AWS_ACCESS_KEY_ID")),
        _ => None,
    };
    if let Some((half, missing)) = half.filter(|_| !goes_before) {
        notes.push(format!("`{}` is passed over: `{missing}` is not set", half.origin));
    }
    let is_unused = goes_before || id.is_none() || secret.is_none();
    KEYS.into_iter()
        .filter(|name| is_unused && !is_configured(name))
        .fold(config.clone(), ResolvedConfig::without)
}

pub(super) fn credentials(config: &ResolvedConfig) -> Result<CredentialConfig> {
    let is_configured = |name: &str| config.get(name).is_some_and(is_configured);
    let keys = || -> Result<CredentialConfig> {
        match (config.string("access_key"), config.string("secret_key")) {
            (Some(access_key), Some(secret_key)) => Ok(CredentialConfig::Static {
                access_key: access_key.to_owned(),
                secret_key: SecretString::from(secret_key),
                token: config.string("token").map(SecretString::from),
            }),
            (access_key, _) => {
                let (there, missing) = if access_key.is_some() {
                    ("access_key", "secret_key")
                } else {
                    ("secret_key", "access_key")
                };
                let error = Error::new(
                    ErrorKind::CredentialInvalid,
                    "configure",
                    format!("`{missing}` is not set, but `{there}` is: both are needed"),
                );
                Err(match config.get(there) {
                    Some(value) => error.with_context("set in", &value.origin),
                    None => error,
                })
            }
        }
    };
    // The order of Terraform 1.7 and later: keys in the configuration, a token and a profile in the
    // configuration, keys in the environment, the rest.
    if ["access_key", "secret_key", "token"].into_iter().any(is_configured) {
        return keys();
    }
    let in_environment = config.get("access_key").is_some() || config.get("secret_key").is_some();
    if config.bool("use_legacy_workflow") && in_environment {
        return keys();
    }
    if let Some(identity) = WebIdentity::from_resolved(config)? {
        return Ok(CredentialConfig::WebIdentity(identity));
    }
    let profile = config.string("profile").map(str::to_owned);
    if is_configured("profile") {
        return Ok(CredentialConfig::Profile(profile.unwrap_or_default()));
    }
    if in_environment {
        return keys();
    }
    Ok(CredentialConfig::Chain { profile, web_identity: WebIdentity::of_environment(config)? })
}

/// Describes which credentials are used.
pub(super) fn credentials_origin(config: &ResolvedConfig) -> Result<String> {
    Ok(match credentials(config)? {
        CredentialConfig::Static { .. } => {
            let origins = ["access_key", "secret_key"].map(|name| config.origin(name).to_string());
            match origins {
                [one, other] if one == other => one,
                origins => origins.join(" and "),
            }
        }
        CredentialConfig::Profile(name) => {
            format!("profile `{name}`, set in {}", config.origin("profile"))
        }
        CredentialConfig::WebIdentity(identity) => {
            format!("role `{}`, set in {}", identity.session.role_arn, identity.session.origin)
        }
        CredentialConfig::Chain { .. } => "what the machine offers".to_owned(),
    })
}
