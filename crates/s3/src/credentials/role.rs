//! The checked roles of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use remote_state_core::Result;
use remote_state_core::config::{Key, ResolvedConfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::keys::{self, KEEP_ONE};

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
    fn of(config: &ResolvedConfig, file: &str) -> Result<Self> {
        let key = keys::WEB_IDENTITY_TOKEN_FILE;
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
        let Some(session) = SessionKeys::OF_ROLE.session(config)? else { return Ok(None) };
        let external_id = text(config, keys::ASSUME_ROLE_EXTERNAL_ID, 2..=1224, |c| {
            is_name(c) || matches!(c, ':' | '/')
        })?;
        let source = keys::ASSUME_ROLE_SOURCE_IDENTITY;
        let tags = config.get(keys::ASSUME_ROLE_TAGS).unwrap_or_default();
        let transitive = config.get(keys::ASSUME_ROLE_TRANSITIVE_TAG_KEYS).unwrap_or_default();
        Ok(Some(Self {
            session,
            external_id,
            source_identity: text(config, source, 2..=64, is_name)?,
            tags: tags.map(|(name, value)| (name.clone(), value.clone())).collect(),
            transitive_tag_keys: transitive.to_vec(),
        }))
    }
}

impl WebIdentity {
    pub(crate) fn from_resolved(config: &ResolvedConfig) -> Result<Option<Self>> {
        if !Self::is_configured(config) {
            return Ok(None);
        }
        let Some(session) = SessionKeys::OF_WEB_IDENTITY.session(config)? else { return Ok(None) };
        let (token_key, file_key) = (keys::WEB_IDENTITY_TOKEN, keys::WEB_IDENTITY_TOKEN_FILE);
        let configured =
            |key: Key<Option<String>>| config.get(key).filter(|_| config.is_configured(key));
        let token = match (configured(token_key), configured(file_key)) {
            (Some(_), Some(_)) => return Err(config.both(token_key, file_key).with_hint(KEEP_ONE)),
            (Some(token), None) => Token::Given(token.into()),
            (None, Some(file)) => Token::File(TokenFile::of(config, file)?),
            (None, None) => match (config.get(token_key), config.get(file_key)) {
                (Some(token), _) => Token::Given(token.into()),
                (None, Some(file)) => Token::File(TokenFile::of(config, file)?),
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

    /// Returns whether any key of the role is configured. The environment completes what is; alone,
    /// it is one of the machine's sources of credentials.
    pub(crate) fn is_configured(config: &ResolvedConfig) -> bool {
        config.iter().any(|(key, value)| {
            key.name.starts_with("assume_role_with_web_identity.")
                && value.origin.is_of_configuration()
        })
    }

    /// Returns the role that the environment alone configures.
    pub(crate) fn of_environment(config: &ResolvedConfig) -> Result<Option<Self>> {
        let Some(file) = config.get(keys::WEB_IDENTITY_TOKEN_FILE) else { return Ok(None) };
        let Some(session) = SessionKeys::OF_WEB_IDENTITY.session(config)? else { return Ok(None) };
        Ok(Some(Self { session, token: Token::File(TokenFile::of(config, file)?) }))
    }
}

/// The keys of a session, which both objects have.
struct SessionKeys {
    role_arn: Key<Option<String>>,
    name: Key<Option<String>>,
    duration: Key<Option<String>>,
    policy: Key<Option<String>>,
    policy_arns: Key<Option<Vec<String>>>,
}

impl SessionKeys {
    const OF_ROLE: Self = Self {
        role_arn: keys::ASSUME_ROLE_ROLE_ARN,
        name: keys::ASSUME_ROLE_SESSION_NAME,
        duration: keys::ASSUME_ROLE_DURATION,
        policy: keys::ASSUME_ROLE_POLICY,
        policy_arns: keys::ASSUME_ROLE_POLICY_ARNS,
    };

    const OF_WEB_IDENTITY: Self = Self {
        role_arn: keys::WEB_IDENTITY_ROLE_ARN,
        name: keys::WEB_IDENTITY_SESSION_NAME,
        duration: keys::WEB_IDENTITY_DURATION,
        policy: keys::WEB_IDENTITY_POLICY,
        policy_arns: keys::WEB_IDENTITY_POLICY_ARNS,
    };

    fn session(self, config: &ResolvedConfig) -> Result<Option<Session>> {
        let Some(role_arn) = config.get(self.role_arn) else { return Ok(None) };
        check_arn(role_arn, "role/", "arn:aws:iam::123456789012:role/NAME")
            .map_err(|reason| config.invalid(self.role_arn, &reason))?;
        let policy = config.get(self.policy).map(str::trim);
        if let Some(policy) = policy {
            check_policy(policy).map_err(|reason| config.invalid(self.policy, reason))?;
        }
        let policy_arns = config.get(self.policy_arns).unwrap_or_default();
        for arn in policy_arns {
            check_arn(arn, "policy/", "arn:aws:iam::aws:policy/NAME")
                .map_err(|reason| config.invalid(self.policy_arns, &reason))?;
        }
        let duration = config.get(self.duration).map(|text| {
            duration(text).filter(|duration| (SHORTEST..=LONGEST).contains(duration)).ok_or_else(
                || {
                    config
                        .invalid(self.duration, "expected a time from 15 minutes to 12 hours")
                        .with_hint("write it like `1h30m` or `900s`")
                },
            )
        });
        Ok(Some(Session {
            role_arn: role_arn.to_owned(),
            name: text(config, self.name, 2..=64, is_name)?,
            duration: duration.transpose()?,
            policy: policy.map(str::to_owned),
            policy_arns: policy_arns.to_vec(),
            origin: config.origin(self.role_arn).to_string(),
        }))
    }
}

/// Whether a session name may hold this character.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn text(
    config: &ResolvedConfig,
    key: Key<Option<String>>,
    length: std::ops::RangeInclusive<usize>,
    allowed: impl Fn(char) -> bool,
) -> Result<Option<String>> {
    let Some(text) = config.get(key) else { return Ok(None) };
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
