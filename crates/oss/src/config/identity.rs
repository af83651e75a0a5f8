//! Reads credentials and roles from the configuration.

use std::path::PathBuf;

use remote_state_core::config::{Origin, ResolvedConfig};
use remote_state_core::{Error, Result};
use secrecy::SecretString;
use url::Host;

use crate::config::{is_configured, nonempty, seconds, url};
use crate::credentials::{
    Held, OidcToken, Profile, Role, SESSION_NAME, SESSION_SECONDS, StsEndpoint, Wanted,
};

/// The session durations that may be configured, in seconds.
const SESSION_RANGE: std::ops::RangeInclusive<u32> = 900..=3600;

/// Reads the configured profile, if there is one.
pub(super) fn profile(config: &ResolvedConfig) -> Result<Option<Profile>> {
    let Some(name) = nonempty(config, "profile") else { return Ok(None) };
    let file = profiles_file(config)?;
    match Profile::read(&file, name) {
        Ok(profile) => Ok(Some(profile)),
        // A variable names the profile for every tool on the machine, and this store may not need
        // it.
        Err(error)
            if !is_configured(config, "profile")
                && nonempty(config, "access_key").is_some()
                && nonempty(config, "secret_key").is_some() =>
        {
            tracing::warn!(error = error.to_string(), "the profile is not used");
            Ok(None)
        }
        Err(error) => Err(error.with_context("set in", config.origin("profile"))),
    }
}

const PROFILES_FILE: &str = "shared_credentials_file";

/// Returns where a file of the directory names an STS endpoint without encryption.
fn open_sts(config: &ResolvedConfig) -> Result<Option<String>> {
    let Some(url) = url(config, "sts_endpoint", "sts.cn-beijing.aliyuncs.com")? else {
        return Ok(None);
    };
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    };
    let is_open = url.scheme() != "https" && !is_here && config.is_of_directory("sts_endpoint");
    Ok(is_open.then(|| config.origin("sts_endpoint").to_string()))
}

/// Removes a value that is no security token: only the first proposal of the backend knew this
/// variable, which other tools use for other things.
pub(super) fn without_foreign_token(config: &ResolvedConfig) -> ResolvedConfig {
    const KEY: &str = "security_token";
    let is_foreign =
        matches!(config.origin(KEY), Origin::Environment(name) if name == "SECURITY_TOKEN");
    let config = config.clone();
    if is_foreign && config.get("path").is_none() { config.without(KEY) } else { config }
}

fn profiles_file(config: &ResolvedConfig) -> Result<PathBuf> {
    const KEY: &str = PROFILES_FILE;
    let text = nonempty(config, KEY).unwrap_or("~/.aliyun/config.json");
    match config.path(KEY, text) {
        // Without an environment there is no home folder, and so no such file.
        Err(_) if !is_configured(config, KEY) => Ok(PathBuf::from(text)),
        other => other,
    }
}

pub(super) fn wanted(
    config: &ResolvedConfig,
    profile: Option<Profile>,
    region: Option<&str>,
) -> Result<Wanted> {
    let secret = |name: &str| SecretString::from(config.string(name).unwrap_or_default());
    let sts = match (nonempty(config, "sts_endpoint"), region) {
        (Some(_), _) => match url(config, "sts_endpoint", "sts.cn-beijing.aliyuncs.com")? {
            Some(url) => StsEndpoint::Given(url.as_str().to_owned()),
            None => StsEndpoint::Unknown,
        },
        (None, Some(region)) => StsEndpoint::OfRegion(region.to_owned()),
        (None, None) => StsEndpoint::Unknown,
    };
    let role = role(config, profile.as_ref(), &sts)?;
    let profiles_file = profiles_file(config)?;
    let held = Held {
        profiles_file: config.is_of_directory(PROFILES_FILE)
            && config.lies_in_directory(&profiles_file),
        allows_programs: config.allows_directory_programs(),
        open_sts: open_sts(config)?,
    };
    let security_token = SecretString::from(
        without_foreign_token(config).string("security_token").unwrap_or_default(),
    );
    Ok(Wanted {
        access_key: config.string("access_key").unwrap_or_default().to_owned(),
        secret_key: secret("secret_key"),
        security_token,
        origin: keys_origin(config),
        profile,
        profiles_file,
        ecs_role_name: config.string("ecs_role_name").unwrap_or_default().to_owned(),
        metadata_endpoint: match url(config, "ecs_metadata_endpoint", "http://100.100.100.200")? {
            Some(url) => url,
            None => return Err(config.missing("ecs_metadata_endpoint")),
        },
        is_metadata_disabled: config.bool("ecs_metadata_disabled"),
        credentials_uri: url(config, "credentials_uri", "http://127.0.0.1:8080/credentials")?,
        oidc: oidc(config, role.is_some(), held.open_sts.as_ref())?,
        held,
        role,
        sts,
    })
}

fn keys_origin(config: &ResolvedConfig) -> String {
    let names = ["access_key", "secret_key"].into_iter().filter(|name| config.get(name).is_some());
    let mut origins: Vec<_> = names.map(|name| config.origin(name).to_string()).collect();
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
    let choose = |single: &str, member: &str| {
        let name = if is_configured(config, single) && nonempty(config, single).is_some()
            || nonempty(config, member).is_none()
        {
            single
        } else {
            member
        };
        nonempty(config, name).map(str::to_owned)
    };
    let Some(arn) = choose("assume_role_role_arn", "assume_role.role_arn") else { return Ok(None) };
    let key = if nonempty(config, "assume_role.role_arn") == Some(&arn) {
        "assume_role.role_arn"
    } else {
        "assume_role_role_arn"
    };
    if !arn.starts_with("acs:ram::") || !arn.contains(":role/") {
        return Err(config.invalid(
            key,
            "expected the ARN of a role, such as `acs:ram::1234567890123456:role/name`",
        ));
    }
    let policy = choose("assume_role_policy", "assume_role.policy").unwrap_or_default();
    if !policy.is_empty()
        && !serde_json::from_str(&policy).is_ok_and(|value: serde_json::Value| value.is_object())
    {
        let key = if nonempty(config, "assume_role_policy").is_some() {
            "assume_role_policy"
        } else {
            "assume_role.policy"
        };
        return Err(config
            .invalid(key, "expected a JSON object: the policy itself, not the name of a file"));
    }
    let of_profile =
        profile.map(|profile| profile.ram_session_name.clone()).filter(|name| !name.is_empty());
    let session_name =
        choose("assume_role_session_name", "assume_role.session_name").or(of_profile);
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
    let single = "assume_role_session_expiration";
    for name in [single, "assume_role.session_expiration"] {
        if is_configured(config, name)
            && let Some(seconds) = seconds(config, name)?
        {
            if !SESSION_RANGE.contains(&seconds) {
                return Err(config.invalid(name, "expected 900 to 3600 seconds"));
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
    let (arn, file) = ("oidc_provider_arn", "oidc_token_file");
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
        _ if !is_configured(config, arn) && !is_configured(config, file) => Ok(None),
        (Some(_), None) => Err(needed(config, file, arn)),
        (None, Some(_)) => Err(needed(config, arn, file)),
        (Some(_), Some(_)) => Err(needed(config, "assume_role_role_arn", arn)),
    }
}

fn needed(config: &ResolvedConfig, missing: &str, there: &str) -> Error {
    config
        .missing(missing)
        .with_context("needed by", format!("`{there}`, set in {}", config.origin(there)))
}
