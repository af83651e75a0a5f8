//! A Terraform project that stores its state in OSS.

use remote_state_tests::terraform::{CONFIGURATION, HTTP_BACKEND};
use remote_state_tests::{Cmd, OssServer, Requirement, Running, Sandbox, Suite};

pub(crate) const TERRAFORM: &[Requirement] = &[Requirement::Terraform];

pub(crate) const APPLY: &str = "apply -auto-approve -input=false";

/// What excludes other clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// The lock object of OSS, which native clients do not know.
    Object,
    /// A Tablestore table, with digests.
    Table,
}

/// A folder with a configuration, and the place of its state.
pub(crate) struct Project<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: &'a OssServer,
    bucket: &'static str,
    locks: Locks,
}

impl<'a> Project<'a> {
    /// Creates a project that uses `backend "oss"`, initialised.
    pub(crate) fn native(server: &'a OssServer, bucket: &'static str, locks: Locks) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        let table = server.tablestore();
        let more = if locks == Locks::Table { &table[..] } else { &[] };
        sandbox.write("backend.tf", server.backend_block(bucket, more));
        let project = Self { sandbox, server, bucket, locks };
        project.terraform("init -input=false").run().success();
        project
    }

    /// Creates a project that uses `backend "http"`, initialised, for `exec`.
    pub(crate) fn http(server: &'a OssServer, bucket: &'static str, locks: Locks) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        sandbox.write("backend.tf", HTTP_BACKEND);
        let project = Self { sandbox, server, bucket, locks };
        project.exec("init -input=false").run().success();
        project
    }

    /// Returns Terraform alone.
    pub(crate) fn terraform(&self, words: &str) -> Cmd {
        self.sandbox.terraform().oss_server(self.server).words(words)
    }

    /// Returns `remote-state`, which finds a native project's place by itself.
    pub(crate) fn ours(&self, words: &str) -> Cmd {
        self.sandbox.remote_state().oss_server(self.server).words(words)
    }

    /// Returns `remote-state` with the place on its command line.
    pub(crate) fn flagged(&self) -> Cmd {
        let mut flags = vec![
            format!("bucket={}", self.bucket),
            format!("region={}", OssServer::REGION),
            format!("endpoint={}", self.server.endpoint()),
        ];
        if self.locks == Locks::Table {
            flags.extend(self.server.tablestore().map(|(key, value)| format!("{key}={value}")));
        }
        let command =
            self.sandbox.remote_state().oss_server(self.server).args(["--backend", "oss"]);
        flags.into_iter().fold(command, |command, flag| command.arg("--backend-config").arg(flag))
    }

    /// Returns Terraform through `exec`.
    pub(crate) fn exec(&self, words: &str) -> Cmd {
        self.flagged().arg("exec").then(&self.terraform(words))
    }

    /// Returns the stored state of a workspace.
    #[track_caller]
    pub(crate) fn stored(&self, workspace: &str) -> Vec<u8> {
        let key = if workspace == "default" {
            "env:/terraform.tfstate".to_owned()
        } else {
            format!("env:/{workspace}/terraform.tfstate")
        };
        self.server
            .object(self.bucket, &key)
            .unwrap_or_else(|| panic!("there should be {key}"))
            .to_vec()
    }

    /// Starts a native apply, and returns when it holds the lock.
    pub(crate) fn hold(&self) -> Running {
        let gate = self.sandbox.path().join("gate");
        let words = format!("{APPLY} -var v=held -var until={}", gate.display());
        let mut holding = self.terraform(&words).start();
        holding.wait_for_times("begun", 2);
        holding
    }

    pub(crate) fn let_go(&self) {
        self.sandbox.write("gate", "");
    }

    /// Returns the id of the held lock.
    #[track_caller]
    pub(crate) fn holder(&self) -> String {
        let listed = self.flagged().words("locks --json").run().success().json();
        listed["locks"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("a lock should be held: {listed}"))
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_free(&self) {
        let listed = self.flagged().words("locks --json").run().success().json();
        assert_eq!(listed["locks"].as_array().map(Vec::len), Some(0), "{listed}");
    }
}

/// Adds a test for each kind of bucket, with and without a table.
pub(crate) fn each(suite: &mut Suite, name: &str, test: fn(&OssServer, &'static str, Locks)) {
    for bucket in [OssServer::PLAIN, OssServer::VERSIONED, OssServer::SUSPENDED] {
        for (kind, locks) in [("object", Locks::Object), ("table", Locks::Table)] {
            suite.test(format!("{bucket}::{kind}::{name}"), TERRAFORM, move || {
                test(&OssServer::emulator(), bucket, locks);
            });
        }
    }
}
