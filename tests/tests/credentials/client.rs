//! A command that prints its identity, with files, variables and flags of a test's choosing.

use remote_state_tests::{Cmd, Output, Sandbox};
use serde_json::Value;

/// The role of these tests.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

/// A machine with a home.
pub(crate) struct Client {
    pub(crate) sandbox: Sandbox,
    flags: Vec<String>,
    env: Vec<(String, String)>,
}

impl Client {
    /// Creates one that knows only a store outside Amazon's domains.
    pub(crate) fn new() -> Self {
        let keys = ["bucket=b", "key=k", "region=us-east-1", "endpoint=http://127.0.0.1:1"];
        Self {
            sandbox: Sandbox::new(),
            flags: keys.map(|key| format!("--backend-config={key}")).into(),
            env: Vec::new(),
        }
    }

    /// Sets a key of the configuration, in HCL if it is not text.
    pub(crate) fn key(mut self, name: &str, value: &str) -> Self {
        self.flags.push(format!("--backend-config={name}={value}"));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets both access keys in the environment.
    pub(crate) fn env_keys(self, access_key: &str) -> Self {
        self.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", "s")
    }

    /// Enables the metadata service at this URL.
    pub(crate) fn metadata(self, url: &str) -> Self {
        self.env("AWS_EC2_METADATA_DISABLED", "false").env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    }

    /// Writes a file in the home.
    pub(crate) fn home_file(self, name: &str, content: &str) -> Self {
        let path = self.sandbox.home().join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the home"))
            .expect("the home is ours");
        std::fs::write(path, content).expect("the home is ours");
        self
    }

    /// Writes profiles, each with an access key named after it.
    pub(crate) fn shared(self, profiles: &[&str]) -> Self {
        let section = |name: &&str| {
            format!("[{name}]\naws_access_key_id = shared-{name}\naws_secret_access_key = s\n")
        };
        let content: String = profiles.iter().map(section).collect();
        self.home_file(".aws/credentials", &content)
    }

    pub(crate) fn command(&self, words: &str) -> Cmd {
        let cmd = self.sandbox.remote_state().arg("--backend=s3").args(&self.flags).words(words);
        self.env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
    }

    #[track_caller]
    pub(crate) fn whoami(&self) -> Value {
        self.command("whoami --json").run().success().json()
    }

    /// Expects that the command finds these credentials.
    #[track_caller]
    pub(crate) fn finds(&self, access_key: &str) -> Value {
        let found = self.whoami();
        assert_eq!(found["credentials"]["access_key_id"], access_key, "{found}");
        found
    }

    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> Output {
        self.command("whoami").run().code(code)
    }
}
