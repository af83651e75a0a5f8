//! The server is killed while Terraform works: Terraform saves what it could not store in
//! `errored.tfstate`, and a later push stores it.

use remote_state_tests::{Cmd, S3Server, Served, Suite};

use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server(
        "after_a_killed_server_errored_tfstate_is_pushed_by_us",
        TERRAFORM,
        |server| {
            let (project, errored) = lose_the_server(server);
            project.sandbox.write("errored.tfstate", errored);
            project.ours("push errored.tfstate").run().success();
            nothing_is_lost(&project);
        },
    );
    suite.on_each_server(
        "after_a_killed_server_errored_tfstate_is_pushed_by_terraform",
        TERRAFORM,
        |server| {
            let (project, errored) = lose_the_server(server);
            project.sandbox.write("errored.tfstate", errored);
            let again = serve(&project);
            terraform(&again, &project, "state push errored.tfstate").run().success();
            drop(again);
            nothing_is_lost(&project);
        },
    );
    suite.on_emulator(
        "a_server_that_is_told_to_stop_finishes_and_leaves_nothing",
        TERRAFORM,
        stopped,
    );
}

/// Starts `serve` on a port of its own.
pub(crate) fn serve(project: &Project<'_>) -> Served {
    Served::start(project.ours("serve --listen 127.0.0.1:0 --no-auth"))
}

/// Returns Terraform with this server behind its `http` backend.
fn terraform(served: &Served, project: &Project<'_>, words: &str) -> Cmd {
    let state = format!("{}/state/default", served.address);
    project
        .terraform(words)
        .env("TF_HTTP_ADDRESS", &state)
        .env("TF_HTTP_LOCK_ADDRESS", &state)
        .env("TF_HTTP_UNLOCK_ADDRESS", &state)
        .env("TF_HTTP_RETRY_MAX", "0")
}

/// Kills the server between the lock and the write, and returns what Terraform saved.
fn lose_the_server(server: &S3Server) -> (Project<'_>, Vec<u8>) {
    let project = Project::http(server.place());
    project.exec(APPLY).run().success();
    let before = project.place.state("default");

    let served = serve(&project);
    let holding = project.hold(|words| terraform(&served, &project, words));
    let holder = project.holder();
    served.running.kill();
    project.let_go();
    holding.wait().code(1).mentions("errored.tfstate");
    let errored = project.sandbox.read("errored.tfstate");
    assert_eq!(project.place.state("default"), before);

    // The lock outlives the server: no other client got it meanwhile.
    assert_eq!(project.holder(), holder);
    project.ours("push errored.tfstate").run().code(3).says(holder.id.as_str());
    project.ours(&format!("unlock {}", holder.id)).run().success();
    (project, errored)
}

fn nothing_is_lost(project: &Project<'_>) {
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "held");
    let again = serve(project);
    terraform(&again, project, "plan -input=false -detailed-exitcode -var v=held").run().success();
    project.place.assert_unlocked();
}

fn stopped(server: &S3Server) {
    let project = Project::http(server.place());
    let mut served = serve(&project);
    terraform(&served, &project, APPLY).run().success();
    served.running.signal(remote_state_tests::Signal::TERM);
    served.running.wait().success();
    project.place.assert_unlocked();
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "1");
}
