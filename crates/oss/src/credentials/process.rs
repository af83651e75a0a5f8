//! A program that prints credentials (profile mode `External`).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use remote_state_core::{Result, program};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::credentials::{Credentials, Source, Surroundings, no_credentials};

/// The time limit of a program: it may prompt, where `remote_state_core::program` allows that.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program. As in the CLI, blanks separate its arguments, without a shell.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) command: String,
    pub(super) profile: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program of profile `{}`", self.profile)
    }
}

#[derive(Deserialize)]
struct Printed {
    access_key_id: String,
    access_key_secret: String,
    #[serde(default)]
    sts_token: String,
    expiration: Option<Timestamp>,
}

#[async_trait]
impl Source for Process {
    async fn load(&self, _: &Surroundings) -> Result<Credentials> {
        let mut words = self.command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let failed = |because: String| {
            let profile = &self.profile;
            no_credentials(format!(
                "the program `{name}` of profile `{profile}` gives no credentials"
            ))
            .because(because)
        };
        let mut command = Command::new(name);
        command.args(words);
        let output = timeout(PATIENCE, program::output(command))
            .await
            .map_err(|_| failed(format!("it took longer than {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        // The output is a secret even if it is malformed.
        let printed: Printed = serde_json::from_slice(&output.stdout).map_err(|_| {
            failed("it does not print `access_key_id` and `access_key_secret` in JSON".to_owned())
        })?;
        let credentials = Credentials::new(
            printed.access_key_id,
            printed.access_key_secret,
            Some(printed.sts_token),
        );
        Ok(Credentials { expires: printed.expiration, ..credentials })
    }
}
