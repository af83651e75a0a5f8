//! A folder with a configuration from the documentation, and a server in place of Amazon.

use remote_state_emulator::Request;
use remote_state_tests::{Cmd, Output, S3Server, Sandbox, TABLE};

/// A state of that time, with only what the examples show of it.
pub(crate) const STATE: &str = r#"{
    "version": 3,
    "terraform_version": "0.11.14",
    "serial": 1,
    "lineage": "6b8d3f0e-1d3b-4d0b-9d55-5f4a1d3b7f10",
    "modules": [
        {
            "path": [
                "root"
            ],
            "outputs": {
                "addresses": {
                    "sensitive": false,
                    "type": "list",
                    "value": [
                        "52.207.220.222",
                        "54.196.78.166"
                    ]
                },
                "elb_address": {
                    "sensitive": false,
                    "type": "string",
                    "value": "web-elb-790251200.us-east-1.elb.amazonaws.com"
                },
                "public_subnet_id": {
                    "sensitive": false,
                    "type": "string",
                    "value": "subnet-1e05dd33"
                }
            },
            "resources": {},
            "depends_on": []
        }
    ]
}
"#;

/// Starts the server with the buckets of the examples.
pub(crate) fn server() -> S3Server {
    S3Server::emulator_with(|builder| {
        builder.with_bucket("mybucket").with_bucket("terraform-state-prod")
    })
}

/// A folder with `main.tf`.
pub(crate) struct Project<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: &'a S3Server,
    env: Vec<(String, String)>,
}

impl<'a> Project<'a> {
    /// Writes the configuration. The variables from the documentation name the server; nothing sets
    /// the keys to it.
    pub(crate) fn new(server: &'a S3Server, configuration: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", configuration);
        let project = Self { sandbox, server, env: Vec::new() };
        project
            .env("AWS_S3_ENDPOINT", &server.endpoint)
            .env("AWS_DYNAMODB_ENDPOINT", &server.endpoint)
    }

    /// Creates the example with more lines in its block.
    pub(crate) fn with_lines(server: &'a S3Server, lines: &[&str]) -> Self {
        let mut block = "terraform {\n  backend \"s3\" {\n    bucket = \"mybucket\"\n    key    = \
                         \"path/to/my/key\"\n"
            .to_owned();
        if !lines.iter().any(|line| line.starts_with("region")) {
            block.push_str("    region = \"us-east-1\"\n");
        }
        for line in lines {
            block.push_str(&format!("    {line}\n"));
        }
        Self::new(server, &(block + "  }\n}\n"))
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self
    }

    /// Sets the keys to the server in the environment.
    pub(crate) fn with_keys(self) -> Self {
        let (access_key, secret_key) = (self.server.access_key(), self.server.secret_key());
        self.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key)
    }

    /// Returns the binary, as a user types it in the folder.
    pub(crate) fn command(&self, words: &str) -> Cmd {
        let cmd = self.sandbox.remote_state().words(words);
        self.env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
    }

    /// Stores [`STATE`] and reads an output of it back.
    #[track_caller]
    pub(crate) fn works(&self) -> Output {
        let pushed = self.command("push -").stdin(STATE).run().success();
        let output = self.command("output -raw elb_address").run().success();
        assert_eq!(output.stdout(), "web-elb-790251200.us-east-1.elb.amazonaws.com");
        pushed
    }

    /// Returns the request that stored the state, after [`works`](Self::works).
    #[track_caller]
    pub(crate) fn stored_by(&self) -> Request {
        self.works();
        let mut requests = self.server.requests().take().into_iter();
        let is_put = |request: &Request| {
            request.method == "PUT" && request.key.as_deref() == Some("path/to/my/key")
        };
        requests.find(is_put).expect("a state is stored by a PUT")
    }

    /// Takes the lock, expects its item in the table, and releases it.
    #[track_caller]
    pub(crate) fn locks_by_item(&self) {
        let id = self.command("lock").run().success().stdout().trim_end().to_owned();
        let item =
            remote_state_tests::block_on(self.server.item("mybucket/path/to/my/key", "Info"));
        assert!(item.is_some_and(|info| info.contains(&id)), "the lock is an item of `{TABLE}`");
        self.command("unlock --yes").arg(id).run().success();
    }
}
