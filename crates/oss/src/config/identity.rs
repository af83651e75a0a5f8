//! Reads credentials and roles from the configuration.

use std::path::PathBuf;

use remote_state_core::config::{Key, Origin, ResolvedConfig};
use remote_state_core::{Error, Result};
use url::Host;

use crate::config::{keys, nonempty, parse_url, seconds, url};
use crate::credentials::{
    Held, OidcToken, Profile, Role, SESSION_NAME, SESSION_SECONDS, StsEndpoint, Wanted,
};

/// The session durations that may be configured, in seconds.
const SESSION_RANGE: std::ops::RangeInclusive<u32> = 900..=3600;

const STS_EXAMPLE: &str = "sts.cn-beijing.aliyuncs.com";

/// Reads the configured profile, if there is one.
pub(super) fn profile(config: &ResolvedConfig) -> Result<Option<Profile>> {
    let Some(name) = nonempty(config, keys::PROFILE) else { return Ok(None) };
    let file = profiles_file(config)?;
    match Profile::read(&file, name) {
        Ok(profile) => Ok(Some(profile)),
        // A variable names the profile for every tool on the machine, and this store may not need
        // it.
        Err(error)
            if !config.is_configured(keys::PROFILE)
                && nonempty(config, keys::ACCESS_KEY).is_some()
                && nonempty(config, keys::SECRET_KEY).is_some() =>
        {
            tracing::warn!(error = error.to_string(), "the profile is not used");
            Ok(None)
        }
        Err(error) => Err(error.with_context("set in", config.origin(keys::PROFILE))),
    }
}

/// Returns where a file of the directory names an STS endpoint without encryption.
fn open_sts(config: &ResolvedConfig) -> Result<Option<String>> {
    let key = keys::STS_ENDPOINT;
    let Some(url) = url(config, key, STS_EXAMPLE)? else { return Ok(None) };
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    };
    let is_open = url.scheme() != "https" && !is_here && config.is_of_directory(key);
    Ok(is_open.then(|| config.origin(key).to_string()))
}

/// Removes a value that is no security token: only the first proposal of the backend knew this
/// variable, which other tools use for other things.
pub(super) fn without_foreign_token(config: &ResolvedConfig) -> ResolvedConfig {
    let key = keys::SECURITY_TOKEN;
    let is_foreign =
        matches!(config.origin(key), Origin::Environment(name) if name == "SECURITY_TOKEN");
    let config = config.clone();
    if is_foreign && !config.is_set(keys::PATH) { config.without(key) } else { config }
}

fn profiles_file(config: &ResolvedConfig) -> Result<PathBuf> {
    let key = keys::SHARED_CREDENTIALS_FILE;
    let text = match config.get(key) {
        "" => key.row().default.unwrap_or_default(),
        text => text,
    };
    match config.path(key, text) {
        // Without an environment there is no home folder, and so no such file.
        Err(_) if !config.is_configured(key) => Ok(PathBuf::from(text)),
        other => other,
    }
}

pub(super) fn wanted(
    config: &ResolvedConfig,
    profile: Option<Profile>,
    region: Option<&str>,
) -> Result<Wanted> {
    let sts = match (url(config, keys::STS_ENDPOINT, STS_EXAMPLE)?, region) {
        (Some(url), _) => StsEndpoint::Given(url.as_str().to_owned()),
        (None, Some(region)) => StsEndpoint::OfRegion(region.to_owned()),
        (None, None) => StsEndpoint::Unknown,
    };
    let role = role(config, profile.as_ref(), &sts)?;
    let profiles_file = profiles_file(config)?;
    let held = Held {
        profiles_file: config.is_of_directory(keys::SHARED_CREDENTIALS_FILE)
            && config.lies_in_directory(&profiles_file),
        allows_programs: config.allows_directory_programs(),
        open_sts: open_sts(config)?,
    };
    let metadata = keys::ECS_METADATA_ENDPOINT;
    let metadata_default = metadata.row().default.unwrap_or_default();
    let security_token = without_foreign_token(config);
    let security_token = security_token.get(keys::SECURITY_TOKEN).unwrap_or_default();
    Ok(Wanted {
        access_key: config.get(keys::ACCESS_KEY).unwrap_or_default().to_owned(),
        secret_key: config.get(keys::SECRET_KEY).unwrap_or_default().into(),
        security_token: security_token.into(),
        origin: keys_origin(config),
        profile,
        profiles_file,
        ecs_role_name: config.get(keys::ECS_ROLE_NAME).unwrap_or_default().to_owned(),
        metadata_endpoint: parse_url(config, metadata, config.get(metadata), metadata_default)?,
        is_metadata_disabled: config.get(keys::ECS_METADATA_DISABLED),
        credentials_uri: url(config, keys::CREDENTIALS_URI, "http://127.0.0.1:8080/credentials")?,
        oidc: oidc(config, role.is_some(), held.open_sts.as_ref())?,
        held,
        role,
        sts,
    })
}

fn keys_origin(config: &ResolvedConfig) -> String {
    let origins = [keys::ACCESS_KEY, keys::SECRET_KEY].map(|key| config.origin_if_set(key));
    let mut origins: Vec<_> = origins.iter().flatten().map(Origin::to_string).collect();
    origins.dedup();
    if origins.is_empty() { "nowhere".to_owned() } else { origins.join(" and ") }
}

/// Returns the configured role: the single keys take precedence over the block, and both over the
/// environment. The profile supplies the rest.
fn role(
    config: &ResolvedConfig,
    profile: Option<&Profile>,
    sts: &StsEndpoint,
) -> Result<Option<Role>> {
    let choose = |single, member| {
        let key = if config.is_configured(single) && nonempty(config, single).is_some()
            || nonempty(config, member).is_none()
        {
            single
        } else {
            member
        };
        nonempty(config, key).map(str::to_owned)
    };
    let (single, member) = (keys::ASSUME_ROLE_ROLE_ARN, keys::BLOCK_ROLE_ARN);
    let Some(arn) = choose(single, member) else { return Ok(None) };
    let key = if nonempty(config, member) == Some(&arn) { member } else { single };
    if !arn.starts_with("acs:ram::") || !arn.contains(":role/") {
        return Err(config.invalid(
            key,
            "expected the ARN of a role, such as `acs:ram::1234567890123456:role/name`",
        ));
    }
    let (single, member) = (keys::ASSUME_ROLE_POLICY, keys::BLOCK_POLICY);
    let policy = choose(single, member).unwrap_or_default();
    if !policy.is_empty()
        && !serde_json::from_str(&policy).is_ok_and(|value: serde_json::Value| value.is_object())
    {
        let key = if nonempty(config, single).is_some() { single } else { member };
        return Err(config
            .invalid(key, "expected a JSON object: the policy itself, not the name of a file"));
    }
    let of_profile =
        profile.map(|profile| profile.ram_session_name.clone()).filter(|name| !name.is_empty());
    let session_name =
        choose(keys::ASSUME_ROLE_SESSION_NAME, keys::BLOCK_SESSION_NAME).or(of_profile);
    Ok(Some(Role {
        arn,
        session_name: session_name.unwrap_or_else(|| SESSION_NAME.to_owned()),
        policy,
        duration_seconds: duration(config, profile)?,
        sts: sts.clone(),
    }))
}

/// As in native clients, the variable comes last and is not checked.
fn duration(config: &ResolvedConfig, profile: Option<&Profile>) -> Result<u32> {
    let single = keys::ASSUME_ROLE_SESSION_EXPIRATION;
    for key in [single, keys::BLOCK_SESSION_EXPIRATION] {
        if config.is_configured(key)
            && let Some(seconds) = seconds(config, key)?
        {
            if !SESSION_RANGE.contains(&seconds) {
                return Err(config.invalid(key, "expected 900 to 3600 seconds"));
            }
            return Ok(seconds);
        }
    }
    let of_profile = profile.map(|profile| profile.expired_seconds).filter(|seconds| *seconds != 0);
    Ok(of_profile.or(seconds(config, single)?).unwrap_or(SESSION_SECONDS))
}

fn oidc(
    config: &ResolvedConfig,
    has_role: bool,
    open_sts: Option<&String>,
) -> Result<Option<OidcToken>> {
    let (arn, file) = (keys::OIDC_PROVIDER_ARN, keys::OIDC_TOKEN_FILE);
    match (nonempty(config, arn), nonempty(config, file)) {
        (None, None) => Ok(None),
        (Some(provider_arn), Some(path)) if has_role => {
            let named_by_directory =
                config.is_of_directory(file).then(|| config.origin(file).to_string());
            Ok(Some(OidcToken {
                provider_arn: provider_arn.to_owned(),
                file: config.path(file, path)?,
                named_by_directory,
                open_sts: open_sts.cloned(),
            }))
        }
        // Other tools may set half of the pair in the environment.
        _ if !config.is_configured(arn) && !config.is_configured(file) => Ok(None),
        (Some(_), None) => Err(needed(config, file, arn)),
        (None, Some(_)) => Err(needed(config, arn, file)),
        (Some(_), Some(_)) => Err(needed(config, keys::ASSUME_ROLE_ROLE_ARN, arn)),
    }
}

fn needed(
    config: &ResolvedConfig,
    missing: Key<Option<String>>,
    there: Key<Option<String>>,
) -> Error {
    let needed_by = format!("`{}`, set in {}", there.name(), config.origin(there));
    config.missing(missing).with_context("needed by", needed_by)
}
