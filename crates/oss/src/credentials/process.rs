//! A program that prints credentials (profile mode `External`).

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use remote_state_core::Result;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::credentials::{Credentials, Source, Surroundings, no_credentials};

/// How long a program may take: it may ask a person.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program. As the CLI does, its arguments are told apart by blanks, and no shell looks at them.
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
        let program = words.next().unwrap_or_default();
        let failed = |because: String| {
            no_credentials(format!(
                "the program `{program}` of profile `{}` gives no credentials",
                self.profile
            ))
            .with_context("because", because)
        };
        let running = Command::new(program)
            .args(words)
            // It may ask a person.
            .stdin(Stdio::inherit())
            .stderr(Stdio::inherit())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            // `Command::output` would keep back standard error.
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let output = timeout(PATIENCE, running.wait_with_output())
            .await
            .map_err(|_| failed(format!("it took longer than {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        // What it prints is a secret even if it is malformed.
        let printed: Printed = serde_json::from_slice(&output.stdout).map_err(|_| {
            failed("it does not print `access_key_id` and `access_key_secret` in JSON".to_owned())
        })?;
        let credentials =
            Credentials::new(printed.access_key_id, printed.access_key_secret, Some(printed.sts_token));
        Ok(Credentials { expires: printed.expiration, ..credentials })
    }
}
