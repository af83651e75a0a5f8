//! A client with a backend of its own, at the same place as `remote-state`: they share states,
//! workspaces and locks.

use std::fmt::Write as _;

use remote_state_tests::{Cmd, OssServer, Place, S3Server, TABLE};
use serde_json::Value;

use crate::project::{Project, json};
use crate::table::Client;

/// A native client in its folder, with its environment.
struct Native<'a> {
    project: Project,
    keys: &'a dyn Fn(Cmd) -> Cmd,
}

pub(crate) fn s3(client: &'static Client, server: &S3Server) {
    let block = s3_block(client, &server.place(), false);
    let native =
        Native { project: Project::new(client, &block), keys: &|command| command.server(server) };
    native.shares(client.has_lock_file());
}

pub(crate) fn dynamodb(client: &'static Client, server: &S3Server) {
    let block = s3_block(client, &server.place(), true);
    let native =
        Native { project: Project::new(client, &block), keys: &|command| command.server(server) };
    native.shares(true);
}

pub(crate) fn oss(client: &'static Client) {
    let server = OssServer::emulator();
    let table = server.tablestore();
    let more = if client.tablestore { &table[..] } else { &[] };
    let block = server.backend_block(OssServer::PLAIN, more);
    let native = Native {
        project: Project::new(client, &block),
        keys: &|command| command.oss_server(&server),
    };
    native.shares(client.tablestore);
}

/// Returns the block as users wrote it for that client.
fn s3_block(client: &Client, place: &Place<'_>, with_table: bool) -> String {
    let endpoint = &place.server.endpoint;
    let tables = place.server.dynamodb_endpoint.as_deref().unwrap_or(endpoint);
    let mut block = format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket = {:?}\n    key = {:?}\n    region = \
         \"us-east-1\"\n    skip_credentials_validation = true\n    skip_metadata_api_check = \
         true\n    skip_region_validation = true\n",
        place.bucket, place.key
    );
    let mut line = |text: &str| writeln!(block, "    {text}").expect("a string takes everything");
    if client.age >= (1, 6) {
        line("use_path_style = true");
        line(&format!("endpoints = {{ s3 = {endpoint:?}, dynamodb = {tables:?} }}"));
    } else {
        line("force_path_style = true");
        line(&format!("endpoint = {endpoint:?}"));
        if with_table {
            line(&format!("dynamodb_endpoint = {tables:?}"));
        }
    }
    // It was removed in 0.13 and came back in 1.6.1.
    if client.age >= (1, 6) || client.age <= (0, 12) {
        line("skip_requesting_account_id = true");
    }
    if with_table {
        line(&format!("dynamodb_table = {TABLE:?}"));
    } else if client.has_lock_file() {
        line("use_lockfile = true");
    }
    block + "  }\n}\n"
}

impl Native<'_> {
    fn ours(&self, words: &str) -> Cmd {
        (self.keys)(self.project.sandbox.remote_state().words(words))
    }

    fn client(&self, words: &str) -> Cmd {
        (self.keys)(self.project.client(words))
    }

    #[track_caller]
    fn value(&self, workspace: &str) -> String {
        let words = format!("-w {workspace} output --raw value");
        self.ours(&words).run().success().stdout().to_owned()
    }

    #[track_caller]
    fn assert_free(&self) {
        let listed = self.ours("locks --json").run().success().json();
        assert_eq!(listed["locks"].as_array().map(Vec::len), Some(0), "{listed}");
    }

    /// Each reads what the other wrote, and waits for the other's lock.
    fn shares(&self, has_locks: bool) {
        let run = |words: &str| self.client(words).run();
        run("init -input=false").success();
        run(&Project::apply("1")).success();
        assert_eq!(self.value("default"), "1");
        if has_locks {
            self.excludes();
        }

        // The client continues from the state that `remote-state` wrote.
        let mut state: Value = self.ours("pull").run().success().json();
        let serial = state["serial"].as_u64().expect("a serial") + 10;
        state["serial"] = serial.into();
        self.project.sandbox.write("raised.json", state.to_string());
        let push = if has_locks { "push raised.json" } else { "push --force raised.json" };
        self.ours(push).run().success();
        // 0.11 increments the serial whenever it has rewritten the state in its own form.
        let pulled = json(&run("state pull").success())["serial"].as_u64();
        assert!(pulled.is_some_and(|pulled| pulled >= serial), "{pulled:?}");
        self.project.change("3", run);
        assert_eq!(self.value("default"), "3");

        run("workspace new dev").success();
        run(&Project::apply("4")).success();
        self.project.change("4", run);
        let listed = self.ours("workspace list").run().success();
        assert!(listed.stdout().contains("dev"), "{listed}");
        assert_eq!((self.value("dev"), self.value("default")), ("4".to_owned(), "3".to_owned()));
        if has_locks {
            self.assert_free();
        }
    }

    fn excludes(&self) {
        let holding = self.project.hold(self.keys);
        let listed = self.ours("locks --json").run().success().json();
        let id =
            listed["locks"][0]["id"].as_str().unwrap_or_else(|| panic!("a lock is held: {listed}"));
        self.ours("lock").run().code(3).says(id);
        self.project.let_go();
        holding.wait().code(1);
        assert_eq!(self.value("default"), "1");
        self.assert_free();

        let id = self.ours("lock --operation migration").run().success().stdout().trim().to_owned();
        self.client(&Project::apply("2")).run().code(1).mentions(&id);
        assert_eq!(self.value("default"), "1");
        self.client(&format!("force-unlock -force {id}")).run().success();
        self.assert_free();
    }
}
