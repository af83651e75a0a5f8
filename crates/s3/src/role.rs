//! The checked roles of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use remote_state_core::config::{ConfigValue, Origin, ResolvedConfig, Sourced};
use remote_state_core::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};

/// The limits of a session's duration,
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// A role to assume with the credentials from the rest of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) session: Session,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) transitive_tag_keys: Vec<String>,
}

/// A role to assume with a token that another service issued.
#[derive(Clone, Debug)]
pub(crate) struct WebIdentity {
    pub(crate) session: Session,
    pub(crate) token: Token,
}

/// Where the token is.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// The token itself.
    Given(SecretString),
    /// In a file, which is read each time the role is assumed, since the issuer replaces the token.
    File(TokenFile),
}

#[derive(Clone, Debug)]
pub(crate) struct TokenFile {
    pub(crate) path: PathBuf,
    /// The place in a file of the directory that names the token file, if one does.
    pub(crate) named_by_directory: Option<String>,
}

impl TokenFile {
    fn of(config: &ResolvedConfig, key: &str, file: &str) -> Result<Self> {
        let named_by_directory =
            config.is_of_directory(key).then(|| config.origin(key).to_string());
        Ok(Self { path: config.path(key, file)?, named_by_directory })
    }
}

/// What both ways of assuming a role have in common.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) role_arn: String,
    pub(crate) name: Option<String>,
    pub(crate) duration: Option<Duration>,
    pub(crate) policy: Option<String>,
    pub(crate) policy_arns: Vec<String>,
    /// Where the role was set, for messages.
    pub(crate) origin: String,
}

impl Role {
    pub(crate) fn from_resolved(config: &ResolvedConfig) -> Result<Option<Self>> {
        let Some(session) = Session::from_resolved(config, "assume_role")? else { return Ok(None) };
        let external_id = text(config, "assume_role.external_id", 2..=1224, |c| {
            is_name(c) || matches!(c, ':' | '/')
        })?;
        Ok(Some(Self {
            session,
            external_id,
            source_identity: text(config, "assume_role.source_identity", 2..=64, is_name)?,
            tags: map(config, "assume_role.tags"),
            transitive_tag_keys: config.list("assume_role.transitive_tag_keys").to_vec(),
        }))
    }
}

impl WebIdentity {
    pub(crate) fn from_resolved(config: &ResolvedConfig) -> Result<Option<Self>> {
        const OBJECT: &str = "assume_role_with_web_identity";
        // The environment completes what is configured. Alone, it is one of the machine's sources
        // of credentials.
        let is_used = config.iter().any(|(key, value)| {
            key.name.strip_prefix(OBJECT).is_some_and(|rest| rest.starts_with('.'))
                && is_configured(value)
        });
        if !is_used {
            return Ok(None);
        }
        let Some(session) = Session::from_resolved(config, OBJECT)? else { return Ok(None) };
        let (token_key, file_key) = (
            "assume_role_with_web_identity.web_identity_token",
            "assume_role_with_web_identity.web_identity_token_file",
        );
        let configured = |name: &str| {
            config.string(name).filter(|_| config.get(name).is_some_and(is_configured))
        };
        let token = match (configured(token_key), configured(file_key)) {
            (Some(_), Some(_)) => return Err(both(config, token_key, file_key)),
            (Some(token), None) => Token::Given(token.into()),
            (None, Some(file)) => Token::File(TokenFile::of(config, file_key, file)?),
            (None, None) => match (config.string(token_key), config.string(file_key)) {
                (Some(token), _) => Token::Given(token.into()),
                (None, Some(file)) => Token::File(TokenFile::of(config, file_key, file)?),
                (None, None) => return Err(config.missing(file_key)),
            },
        };
        if let Token::Given(token) = &token
            && !(4..=20_000).contains(&token.expose_secret().len())
        {
            return Err(config.invalid(token_key, "a token has 4 to 20,000 characters"));
        }
        Ok(Some(Self { session, token }))
    }
}

impl WebIdentity {
    /// Returns the role that the environment alone configures.
    pub(crate) fn of_environment(config: &ResolvedConfig) -> Result<Option<Self>> {
        let file_key = "assume_role_with_web_identity.web_identity_token_file";
        let Some(file) = config.string(file_key) else { return Ok(None) };
        let Some(session) = Session::from_resolved(config, "assume_role_with_web_identity")? else {
            return Ok(None);
        };
        Ok(Some(Self { session, token: Token::File(TokenFile::of(config, file_key, file)?) }))
    }
}

impl Session {
    fn from_resolved(config: &ResolvedConfig, object: &str) -> Result<Option<Self>> {
        let key = |member: &str| format!("{object}.{member}");
        let role_key = key("role_arn");
        let Some(role_arn) = config.string(&role_key) else { return Ok(None) };
        check_arn(role_arn, "role/", "arn:aws:iam::123456789012:role/NAME")
            .map_err(|reason| config.invalid(&role_key, &reason))?;
        let policy = config.string(&key("policy")).map(str::trim);
        if let Some(policy) = policy {
            check_policy(policy).map_err(|reason| config.invalid(&key("policy"), reason))?;
        }
        let policy_arns = config.list(&key("policy_arns")).to_vec();
        for arn in &policy_arns {
            check_arn(arn, "policy/", "arn:aws:iam::aws:policy/NAME")
                .map_err(|reason| config.invalid(&key("policy_arns"), &reason))?;
        }
        let duration = config.string(&key("duration")).map(|text| {
            duration(text).filter(|duration| (SHORTEST..=LONGEST).contains(duration)).ok_or_else(
                || {
                    config
                        .invalid(&key("duration"), "expected a time from 15 minutes to 12 hours")
                        .with_hint("write it like `1h30m` or `900s`")
                },
            )
        });
        Ok(Some(Self {
            role_arn: role_arn.to_owned(),
            name: text(config, &key("session_name"), 2..=64, is_name)?,
            duration: duration.transpose()?,
            policy: policy.map(str::to_owned),
            policy_arns,
            origin: config.origin(&role_key).to_string(),
        }))
    }
}

/// Returns whether a value was configured, and is neither a default nor from the environment, which
/// is meant for every program.
pub(crate) fn is_configured(value: &Sourced<ConfigValue>) -> bool {
    !matches!(value.origin, Origin::Environment(_) | Origin::Default)
}

/// Returns the error for two keys of which only one may be set.
pub(crate) fn both(config: &ResolvedConfig, one: &str, other: &str) -> Error {
    Error::config(format!("`{one}` and `{other}` are both set, but exclude each other"))
        .with_context("set in", format_args!("{} (`{one}`)", config.origin(one)))
        .with_context("and in", format_args!("{} (`{other}`)", config.origin(other)))
        .with_hint("keep one of them")
}

/// Returns a map of texts by name; empty if the key is not set.
pub(crate) fn map(config: &ResolvedConfig, name: &str) -> BTreeMap<String, String> {
    match config.get(name) {
        Some(Sourced { value: ConfigValue::Map(map), .. }) => map.clone(),
        _ => BTreeMap::new(),
    }
}

/// Whether a session name may hold this character.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn text(
    config: &ResolvedConfig,
    key: &str,
    length: std::ops::RangeInclusive<usize>,
    allowed: impl Fn(char) -> bool,
) -> Result<Option<String>> {
    let Some(text) = config.string(key) else { return Ok(None) };
    if !length.contains(&text.len()) {
        let (least, most) = length.into_inner();
        return Err(config.invalid(key, &format!("expected {least} to {most} characters")));
    }
    if !text.chars().all(allowed) {
        return Err(config.invalid(key, "it holds a character that STS does not allow there"));
    }
    Ok(Some(text.to_owned()))
}

/// Fails, with the reason, if a text is not an ARN of the expected kind:
/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
fn check_arn(text: &str, resource: &str, example: &str) -> Result<(), String> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, _, _, name]
            if !partition.is_empty()
                && !service.is_empty()
                && name.strip_prefix(resource).is_some_and(|rest| !rest.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(format!("expected an ARN such as `{example}`")),
    }
}

fn check_policy(text: &str) -> Result<(), &'static str> {
    let is_object =
        |text| serde_json::from_str(text).is_ok_and(|value: serde_json::Value| value.is_object());
    match text.chars().next() {
        Some('{') if is_object(text) => Ok(()),
        Some('{') => Err("it is not valid JSON"),
        Some('"') => Err("expected a JSON object, found a string: it may have been encoded twice"),
        _ => Err("expected a JSON object: the policy itself, not the name of a file"),
    }
}

/// Parses `1h30m`, in Go's format. A number without a unit is in seconds, as in
/// `assume_role_duration_seconds`.
fn duration(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().ok()?));
    }
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    Duration::try_from_secs_f64(sum).ok().filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go_or_as_seconds() {
        for (text, seconds) in
            [("1h30m", 5400), ("900s", 900), ("1.5h", 5400), ("900000ms", 900), ("3600", 3600)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "1d", "-1h", "1h30", "1..5h", "an hour"] {
            assert_eq!(duration(text).filter(|duration| !duration.is_zero()), None, "{text}");
        }
    }

    #[test]
    fn arns_name_what_they_are_for() {
        let role = |text| check_arn(text, "role/", "x").is_ok();
        assert!(role("arn:aws:iam::123456789012:role/a/b"));
        assert!(role("arn:aws-cn:iam::123456789012:role/a"));
        for text in [
            "",
            "role/a",
            "arn:aws:iam::1:user/a",
            "arn:aws:iam::1:role/",
            "arn::iam::1:role/a",
            "arn:a:b:c:d",
        ] {
            assert!(!role(text), "{text}");
        }
    }

    #[test]
    fn policies_are_objects_in_json() {
        assert_eq!(check_policy(r#"{"Version":"2012-10-17"}"#), Ok(()));
        assert!(check_policy("{").unwrap_err().contains("not valid JSON"));
        assert!(check_policy(r#""{}""#).unwrap_err().contains("twice"));
        assert!(check_policy("policy.json").unwrap_err().contains("name of a file"));
    }
}
