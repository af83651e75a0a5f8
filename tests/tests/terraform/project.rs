//! A Terraform project that stores its state on a server.

use std::path::PathBuf;

use remote_state_core::LockInfo;
use remote_state_tests::terraform::{CONFIGURATION, HTTP_BACKEND};
use remote_state_tests::{Cmd, Place, Requirement, Running, Sandbox};

/// The requirement of most of these tests.
pub(crate) const TERRAFORM: &[Requirement] = &[Requirement::Terraform];

/// A folder with a configuration, and the place of its state.
pub(crate) struct Project<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) place: Place<'a>,
    program: PathBuf,
    is_native: bool,
}

impl<'a> Project<'a> {
    /// Creates a project that uses `backend "s3"`, initialised.
    pub(crate) fn native(place: Place<'a>) -> Self {
        let project = Self::new(place, &Requirement::Terraform, true);
        project.sandbox.write("backend.tf", project.place.backend_block());
        project.terraform("init -input=false").run().success();
        project
    }

    /// Creates a project that uses `backend "http"`, initialised, for `exec` and `serve`.
    pub(crate) fn http(place: Place<'a>) -> Self {
        let project = Self::new(place, &Requirement::Terraform, false);
        project.sandbox.write("backend.tf", HTTP_BACKEND);
        project.exec("init -input=false").run().success();
        project
    }

    /// Creates a project that stores its state in a file, initialised.
    pub(crate) fn local(place: Place<'a>, program: Requirement) -> Self {
        let project = Self::new(place, &program, false);
        project.terraform("init -input=false").run().success();
        project
    }

    /// Returns a project with the same state that uses `backend "http"`, initialised.
    pub(crate) fn over_http(&self) -> Self {
        Self::http(self.place.clone())
    }

    fn new(place: Place<'a>, program: &Requirement, is_native: bool) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        let program = program.program().expect("the test requires it");
        Self { sandbox, place, program, is_native }
    }

    /// Returns Terraform alone.
    pub(crate) fn terraform(&self, words: &str) -> Cmd {
        self.sandbox.command(&self.program).server(self.place.server).words(words)
    }

    /// Returns `remote-state`, which finds a native project's place by itself.
    pub(crate) fn ours(&self, words: &str) -> Cmd {
        let ours = self.sandbox.remote_state().server(self.place.server);
        if self.is_native { ours.words(words) } else { ours.args(self.place.flags()).words(words) }
    }

    /// Returns Terraform through `exec`.
    pub(crate) fn exec(&self, words: &str) -> Cmd {
        self.exec_in("default", words)
    }

    /// Returns Terraform through `exec`, in a workspace.
    pub(crate) fn exec_in(&self, workspace: &str, words: &str) -> Cmd {
        self.sandbox
            .remote_state()
            .server(self.place.server)
            .args(self.place.flags())
            .args(["-w", workspace, "exec"])
            .then(&self.terraform(words))
    }

    /// Starts an apply that holds the lock until [`let_go`](Self::let_go), and waits until it does.
    pub(crate) fn hold(&self, apply: impl FnOnce(&str) -> Cmd) -> Running {
        let words = format!(
            "apply -auto-approve -input=false -var v=held -var until={}",
            self.gate().display()
        );
        let mut holding = apply(&words).start();
        holding.wait_for_times("begun", 2);
        holding
    }

    /// Lets the apply that holds the lock continue.
    pub(crate) fn let_go(&self) {
        self.sandbox.write("gate", "");
    }

    fn gate(&self) -> PathBuf {
        self.sandbox.path().join("gate")
    }

    /// Returns the lock holder's record.
    #[track_caller]
    pub(crate) fn holder(&self) -> LockInfo {
        self.place.holder("default").expect("somebody should hold the lock")
    }
}
