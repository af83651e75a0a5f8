//! A client that stores its state through `remote-state`.

use remote_state_tests::terraform::HTTP_BACKEND;
use remote_state_tests::{Cmd, Place, S3Server, Sandbox, Served};

use crate::project::{Project, json, json_text};
use crate::table::Client;

const TOKEN: &str = "a-token-of-the-test";

/// A running server.
pub(crate) struct Serving<'a> {
    place: Place<'a>,
    sandbox: Sandbox,
    _server: Served,
    /// The block for that server, with every argument.
    pub(crate) block: String,
}

impl<'a> Serving<'a> {
    pub(crate) fn start(server: &'a S3Server) -> Self {
        let (place, sandbox) = (server.place(), Sandbox::new());
        let serve = sandbox.remote_state().server(server).args(place.flags());
        let serve = serve.words("serve --listen 127.0.0.1:0").env("REMOTE_STATE_TOKEN", TOKEN);
        let server = Served::start(serve.timeout(std::time::Duration::from_secs(600)));
        let state = format!("{}/state/default", server.address);
        let block = format!(
            "terraform {{\n  backend \"http\" {{\n    address = \"{state}\"\n    lock_address = \
             \"{state}\"\n    unlock_address = \"{state}\"\n    username = \"anybody\"\n    \
             password = \"{TOKEN}\"\n  }}\n}}\n"
        );
        Self { place, sandbox, _server: server, block }
    }

    pub(crate) fn ours(&self, words: &str) -> Cmd {
        ours(&self.sandbox, &self.place, words)
    }

    /// Returns the output `value`, as `remote-state` reads it.
    #[track_caller]
    pub(crate) fn value(&self) -> String {
        self.ours("output --raw value").run().success().stdout().to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_free(&self) {
        let listed = self.ours("locks --json").run().success().json();
        assert_eq!(listed["locks"].as_array().map(Vec::len), Some(0), "{listed}");
    }
}

fn ours(sandbox: &Sandbox, place: &Place<'_>, words: &str) -> Cmd {
    sandbox.remote_state().server(place.server).args(place.flags()).words(words)
}

/// Runs through the whole life of a state.
pub(crate) fn through_serve(client: &'static Client) {
    let server = S3Server::emulator();
    let served = Serving::start(&server);
    let project = Project::new(client, &served.block);
    let run = |words: &str| project.client(words).run();
    run("init -input=false").success();
    run(&Project::apply("1")).success();
    assert_eq!(served.value(), "1");
    // Once more without a change: 0.12 writes the stored state again.
    run(&Project::apply("1")).success();
    run("plan -input=false -detailed-exitcode -var v=1").code(0);
    project.change("2", run);
    assert_eq!(served.value(), "2");

    let id = served.ours("lock --operation migration").run().success().stdout().trim().to_owned();
    run(&Project::apply("3")).code(1).mentions(&id);
    assert_eq!(served.value(), "2");
    run(&format!("force-unlock -force {id}")).success();
    served.assert_free();
    project.change("3", run);
    assert_eq!(served.value(), "3");
    if client.waits {
        waits(&served, &project);
    }

    let pulled = run("state pull").success();
    let state = json(&pulled);
    assert!(state["lineage"].as_str().is_some_and(|lineage| !lineage.is_empty()), "{state}");
    // Unchanged: the oldest versions compare the attributes byte for byte.
    project.sandbox.write("pulled.json", json_text(&pulled));
    run("state push pulled.json").success();
    let listed = run("state list").success();
    assert!(listed.stdout().contains("terraform_remote_state.other"), "{listed}");
    if client.has_resources() {
        run("taint terraform_data.a").success();
        run("state mv terraform_data.a terraform_data.b").success();
        let listed = served.ours("list").run().success();
        assert!(listed.stdout().contains("terraform_data.b"), "{listed}");
        run("state rm terraform_data.b").success();
    }
    run(project.destroy()).success();
    // Without a resource to destroy, 0.12 leaves the outputs.
    if client.age != (0, 12) {
        served.ours("output --raw value").run().code(4);
    }
    served.assert_free();
}

fn waits(served: &Serving<'_>, project: &Project) {
    let id = served.ours("lock").run().success().stdout().trim().to_owned();
    let apply = format!("{} -lock-timeout=300s", Project::apply("4"));
    let mut waiting = project.client(&apply).timeout(std::time::Duration::from_secs(300)).start();
    waiting.wait_for("Acquiring state lock");
    served.ours(&format!("unlock {id}")).run().success();
    waiting.wait().success();
    assert_eq!(served.value(), "4");
}

/// The same without an address: the environment from `exec` supplies everything.
pub(crate) fn through_exec(client: &'static Client) {
    let server = S3Server::emulator();
    let place = server.place();
    let project = Project::new(client, HTTP_BACKEND);
    let ours = |words: &str| ours(&project.sandbox, &place, words);
    let run = |words: &str| ours("exec").then(&project.client(words)).run();
    let value = || ours("output --raw value").run().success().stdout().to_owned();
    run("init -input=false").success();
    run(&Project::apply("1")).success();
    assert_eq!(value(), "1");
    run("plan -input=false -detailed-exitcode -var v=1").code(0);
    run("plan -input=false -out=plan.bin -var v=2").success();
    run("apply -input=false plan.bin").success();
    assert_eq!(value(), "2");
    let id = ours("lock").run().success().stdout().trim().to_owned();
    run(&Project::apply("3")).code(1).mentions(&id);
    ours(&format!("unlock {id}")).run().success();
    run(project.destroy()).success();
    let listed = ours("locks --json").run().success().json();
    assert_eq!(listed["locks"].as_array().map(Vec::len), Some(0), "{listed}");
}
