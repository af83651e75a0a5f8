//! A program that prints credentials: `credential_process` of a profile.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
//!
//! The SDK runs such programs too, but hides what they write to standard error, and that may be a
//! question.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use jiff::Timestamp;
use remote_state_core::program;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take: it may ask a person, where `remote_state_core::program` allows
/// that. The limit for all sources of credentials together is a little longer.
const PATIENCE: Duration = Duration::from_secs(58);

/// Runs a program with this process's standard error, and with its standard input if the program
/// may read it.
#[derive(Clone, Debug)]
pub(crate) struct Process(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    /// The command for a shell. It may hold a secret.
    command: SecretString,
    profile: String,
    /// Where the command was set.
    origin: String,
    /// The account of the profile, if the program names none.
    account: Option<String>,
    patience: Duration,
}

/// Why a program gave no credentials.
#[derive(Debug)]
struct Failed {
    profile: String,
    origin: String,
    reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, origin, reason } = self;
        write!(f, "`credential_process` of profile `{profile}` ({origin}) {reason}")
    }
}

impl std::error::Error for Failed {}

impl Process {
    pub(crate) fn new(
        command: &str,
        profile: &str,
        origin: String,
        account: Option<String>,
    ) -> Self {
        Self(Arc::new(Settings {
            command: command.into(),
            profile: profile.to_owned(),
            origin,
            account,
            patience: PATIENCE,
        }))
    }

    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        let Settings { command, profile, origin, account, patience } = &*self.0;
        let failed = |reason: String| {
            let (profile, origin) = (profile.clone(), origin.clone());
            CredentialsError::provider_error(Failed { profile, origin, reason })
        };
        let not_run = |error: std::io::Error| failed(format!("cannot be run: {error}"));
        let output = timeout(*patience, program::output(shell(command.expose_secret())))
            .await
            .map_err(|_| failed(format!("took longer than {} s", patience.as_secs())))?
            .map_err(not_run)?;
        if !output.status.success() {
            return Err(failed(format!("failed ({})", output.status)));
        }
        // The output is a secret even if it is malformed.
        credentials(&output.stdout, account.as_deref()).map_err(|reason| failed(reason.to_owned()))
    }
}

impl ProvideCredentials for Process {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

#[cfg(not(windows))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd.exe");
    // The shell removes one pair of quotes around the whole, and keeps those within.
    shell.arg("/C").raw_arg(format!("\"{command}\""));
    shell
}

/// Reads a program's output. The names of members may be in capitals or not.
fn credentials(printed: &[u8], account: Option<&str>) -> Result<Credentials, &'static str> {
    let members: Map<String, Value> =
        serde_json::from_slice(printed).map_err(|_| "does not print an object in JSON")?;
    // If a member comes several times, the last one counts.
    let member = |name: &str| {
        let mut found = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next_back().map(|(_, value)| value)
    };
    let text = |name: &str| member(name).and_then(Value::as_str);
    match member("Version").and_then(Value::as_f64) {
        Some(1.0) => {}
        Some(_) => return Err("prints a `Version` other than 1"),
        None => return Err("prints no `Version`, which must be the number 1"),
    }
    let needed = |name: &str| text(name).filter(|text| !text.is_empty());
    let access_key = needed("AccessKeyId").ok_or("prints no `AccessKeyId`")?;
    let secret_key = needed("SecretAccessKey").ok_or("prints no `SecretAccessKey`")?;
    let expires = text("Expiration").map(str::parse::<Timestamp>).transpose();
    let expires =
        expires.map_err(|_| "prints an `Expiration` that is not a time as in RFC 3339")?;
    let mut builder = Credentials::builder()
        .access_key_id(access_key)
        .secret_access_key(secret_key)
        .provider_name("credential_process");
    builder.set_session_token(text("SessionToken").map(str::to_owned));
    builder.set_expiry(expires.map(SystemTime::from));
    builder.set_account_id(text("AccountId").or(account).map(AccountId::from));
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_takes_too_long_is_named_by_its_profile_and_its_place() {
        let process = Process(Arc::new(Settings {
            command: "exec sleep 600 # hunter2".into(),
            profile: "ci".to_owned(),
            origin: "config:3".to_owned(),
            account: None,
            patience: Duration::from_millis(50),
        }));
        let error = process.ask().await.unwrap_err();
        let said: Vec<_> = crate::causes::causes(&error).map(ToString::to_string).collect();
        let said = said.join(": ");
        assert!(
            said.contains("`credential_process` of profile `ci` (config:3) took longer than"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn everything_that_a_program_may_print_is_read() {
        let printed =
            br#"{ "Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "s", "SessionToken": "t",
            "Expiration": "2022-05-02T18:36:00+00:00", "AccountId": "111122223333", "Other": [null] }"#;
        let found = credentials(printed, Some("9")).unwrap();
        assert_eq!((found.access_key_id(), found.secret_access_key()), ("AK", "s"));
        assert_eq!(found.session_token(), Some("t"));
        let expires: Timestamp = "2022-05-02T18:36:00Z".parse().unwrap();
        assert_eq!(found.expiry(), Some(SystemTime::from(expires)));
        assert_eq!(found.account_id().unwrap().as_str(), "111122223333");
        let short =
            br#"{"version":1,"accesskeyid":"AK","secretaccesskey":"s","SessionToken":null,"Expiration":null}"#;
        let found = credentials(short, Some("9")).unwrap();
        assert_eq!((found.session_token(), found.expiry()), (None, None));
        assert_eq!(found.account_id().unwrap().as_str(), "9");
    }

    #[test]
    fn what_is_wrong_with_the_answer_is_said_without_the_answer() {
        for (printed, reason) in [
            ("", "an object in JSON"),
            ("hunter2", "an object in JSON"),
            ("[\"hunter2\"]", "an object in JSON"),
            (r#"{"AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#, "no `Version`"),
            (r#"{"Version":"1","AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#, "no `Version`"),
            (r#"{"Version":2,"AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#, "other than 1"),
            (r#"{"Version":1,"SecretAccessKey":"hunter2"}"#, "no `AccessKeyId`"),
            (r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":""}"#, "no `SecretAccessKey`"),
            (
                r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"hunter2","Expiration":"hunter2"}"#,
                "RFC 3339",
            ),
        ] {
            let told = credentials(printed.as_bytes(), None).unwrap_err();
            assert!(told.contains(reason) && !told.contains("hunter2"), "{printed}: {told}");
        }
    }
}
