//! A Terraform project that locks its state through a table.

use std::path::PathBuf;

use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{
    Cmd, Place, Requirement, Running, S3Server, Sandbox, Setup, Suite, TABLE,
};

/// The parts of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    Both,
    TableOnly,
}

/// A folder with a configuration, initialised by Terraform.
pub(crate) struct Project<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) place: Place<'a>,
}

impl<'a> Project<'a> {
    pub(crate) fn new(server: &'a S3Server, locks: Locks) -> Self {
        Self::at(server.place(), locks)
    }

    /// Returns a second project for the same state.
    pub(crate) fn beside(&self, locks: Locks) -> Self {
        Self::at(self.place.clone(), locks)
    }

    fn at(place: Place<'a>, locks: Locks) -> Self {
        let use_lockfile = if locks == Locks::Both { "true" } else { "false" };
        let place = place.with("dynamodb_table", TABLE).with("use_lockfile", use_lockfile);
        Self::plain(place)
    }

    /// Creates a project for a place with its configuration unchanged.
    pub(crate) fn plain(place: Place<'a>) -> Self {
        let project = Self { sandbox: Sandbox::new(), place };
        project.sandbox.write("main.tf", CONFIGURATION);
        project.sandbox.write("backend.tf", project.place.backend_block());
        project.terraform("init -input=false").run().success();
        project
    }

    pub(crate) fn terraform(&self, words: &str) -> Cmd {
        self.sandbox.terraform().server(self.place.server).words(words)
    }

    pub(crate) fn ours(&self, words: &str) -> Cmd {
        self.sandbox.remote_state().server(self.place.server).words(words)
    }

    /// Starts an apply of Terraform that holds the lock until [`let_go`](Self::let_go).
    pub(crate) fn hold(&self) -> Running {
        let words = format!(
            "apply -auto-approve -input=false -var v=held -var until={}",
            self.gate().display()
        );
        let mut holding = self.terraform(&words).start();
        holding.wait_for("begun");
        holding
    }

    pub(crate) fn let_go(&self) {
        self.sandbox.write("gate", "");
    }

    fn gate(&self) -> PathBuf {
        self.sandbox.path().join("gate")
    }

    #[track_caller]
    pub(crate) fn assert_free(&self) {
        assert_eq!(self.place.item_holder("default"), None);
        self.place.assert_unlocked();
    }
}

/// Adds a test for each server with a table and each kind of lock.
pub(crate) fn each(suite: &mut Suite, name: &str, test: fn(&S3Server, Locks)) {
    for (kind, locks) in [("table", Locks::TableOnly), ("both", Locks::Both)] {
        everywhere(suite, &format!("{kind}::{name}"), move |server| test(server, locks));
    }
}

/// Adds a test for the emulator, for moto, for dynalite with its bucket on MinIO, and for dynalite
/// with the bucket on Ceph.
pub(crate) fn everywhere(
    suite: &mut Suite,
    name: &str,
    test: impl Fn(&S3Server) + Clone + Send + 'static,
) {
    let needs = [Requirement::Terraform];
    suite.on_emulator(name, &needs, test.clone());
    for setup in ["s3/dynalite", "s3/moto"] {
        suite.on_setup(Setup::named(setup), name, &needs, test.clone());
    }
    let table = [Requirement::Terraform, Requirement::Setup("s3/dynalite")];
    suite.on_setup(Setup::named("s3/ceph"), &format!("dynalite::{name}"), &table, move |server| {
        test(&server.with_table_of(&S3Server::named("s3/dynalite")));
    });
}
