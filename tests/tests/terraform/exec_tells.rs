//! Messages of `exec`, since Terraform shows only a status: why it refused a request, which option
//! would allow it, what was deleted or emptied, that no request for the state came, that a lock is
//! left, and what it waits for.

use std::time::Duration;

use remote_state_tests::{Cmd, Requirement, S3Server, Sandbox, Signal, Suite};

use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "the_reason_of_a_refusal_is_told_with_the_option_that_changes_it",
        TERRAFORM,
        refusals,
    );
    suite.on_emulator("a_lock_is_waited_for_as_long_as_exec_is_told_to", TERRAFORM, patience);
    suite.on_emulator("a_command_that_never_asks_for_the_state_is_told", TERRAFORM, unasked);
    suite.on_emulator("a_lock_that_is_left_is_named", &[Requirement::Command("curl")], left);
    suite.on_emulator("what_exec_waits_for_is_told_and_can_be_left", &[], waits);
    suite.on_emulator(
        "the_address_opens_one_workspace_and_nothing_else",
        &[Requirement::Command("curl")],
        one_state,
    );
}

fn with_options(project: &Project<'_>, options: &str, words: &str) -> Cmd {
    project.ours("exec").words(options).then(&project.terraform(words))
}

fn refusals(server: &S3Server) {
    let project = Project::http(server.place());
    project.exec(APPLY).run().success();
    let low = project.place.state("default").expect("it was written");
    project.sandbox.write("low.json", low);
    project.exec(&format!("{APPLY} -var v=2")).run().success();

    let refused = project.exec("state push -force low.json").run().code(1);
    refused
        .clone()
        .says("warning: refused to store the state: ")
        .says("serial")
        .says("`--force-write`");
    // Once, and without the lines of the log.
    assert_eq!(refused.stderr().matches("refused to store the state").count(), 1, "{refused}");
    assert!(!refused.stderr().contains("WARN"), "{refused}");
    with_options(&project, "--force-write", "state push -force low.json").run().success();

    let refused =
        with_options(&project, "--require-lock", &format!("{APPLY} -lock=false -var v=3"))
            .run()
            .code(1);
    refused.says("only from clients that hold the lock").says("leave out `--require-lock`");

    let holder = project.ours("lock").run().success().stdout().trim().to_owned();
    let held = project.exec(APPLY).run().code(1).mentions(&holder);
    assert!(!held.stderr().contains("warning: refused"), "Terraform tells this itself: {held}");
    project.ours(&format!("unlock {holder}")).run().success();

    let delete = "curl -sf -X DELETE \"$TF_HTTP_ADDRESS\"";
    let shell =
        |options: &str| project.ours("exec").words(options).args(["--", "sh", "-c", delete]);
    shell("--emptied deny")
        .run()
        .code(22)
        .says("warning: refused to delete the state")
        .says("`--emptied allow`");
    assert!(project.place.state("default").is_some());
    let deleted = shell("")
        .run()
        .success()
        .says("the state of workspace `default` was deleted by the command");
    deleted.says("`--emptied deny`");
    assert_eq!(project.place.state("default"), None);
}

/// The client's own option has no effect before 1.2, and is not used here.
fn patience(server: &S3Server) {
    let project = Project::http(server.place());
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    let mut waiting =
        project.ours("--lock-timeout 60s exec").then(&project.terraform(APPLY)).start();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(waiting.is_running(), "the lock should be waited for");
    project.ours(&format!("unlock {id}")).run().success();
    waiting.wait().success();
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "1");
    project.place.assert_unlocked();

    // A request to end cuts the waiting short.
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    let mut waiting =
        project.ours("--lock-timeout 10m exec").then(&project.terraform(APPLY)).start();
    std::thread::sleep(Duration::from_millis(1500));
    waiting.signal(Signal::INT);
    waiting.wait().code(1);
    assert_eq!(project.holder().id.as_str(), id);
}

fn unasked(server: &S3Server) {
    let told = "the command never asked for the state that is served to it";
    for block in [
        "terraform {\n  backend \"local\" {}\n}\n".to_owned(),
        String::new(),
        "terraform {\n  backend \"local\" {\n    path = \"other.tfstate\"\n  }\n}\n".to_owned(),
    ] {
        let project = Project::http(server.place());
        std::fs::remove_dir_all(project.sandbox.path().join(".terraform"))
            .expect("it was initialised");
        project.sandbox.write("backend.tf", block);
        project.exec("init -input=false").run().success().says(told);
        project.exec(APPLY).run().success().says(told).says("backend \"http\" {}");
        assert_eq!(project.place.state("default"), None);
    }
    // A command that reads no state is no reason for a warning.
    let project = Project::http(server.place());
    for words in ["version", "validate", "fmt", "-help"] {
        assert!(!project.exec(words).run().success().stderr().contains("warning"), "{words}");
    }
}

fn shell(sandbox: &Sandbox, server: &S3Server, script: &str) -> Cmd {
    let ours = sandbox.remote_state().server(server).args(server.place().flags());
    ours.args(["exec", "--", "sh", "-c", script])
}

fn left(server: &S3Server) {
    let sandbox = Sandbox::new();
    let record = r#"{\"ID\":\"left-behind\",\"Operation\":\"OperationTypeApply\"}"#;
    let lock = format!("curl -sf -X LOCK --data \"{record}\" \"$TF_HTTP_LOCK_ADDRESS\" >/dev/null");
    let output = shell(&sandbox, server, &format!("{lock}; exit 7")).run().code(7);
    output
        .says("the command took the lock here, and never asked for the state")
        .says("warning: the command has ended and left its lock behind")
        .says("unlock left-behind");
    let unlock = format!("curl -sf -X UNLOCK --data \"{record}\" \"$TF_HTTP_UNLOCK_ADDRESS\"");
    let output = shell(&sandbox, server, &format!("{lock}; {unlock}")).run().success();
    assert!(!output.stderr().contains("left its lock behind"), "{output}");
}

fn waits(server: &S3Server) {
    let sandbox = Sandbox::new();
    // The first signal is passed on and ignored; the second one ends the wait.
    let script = "(trap '' TERM; until test -e gate; do sleep 0.05; done) & exit 5";
    for is_let_go in [true, false] {
        let mut running = shell(&sandbox, server, script).start();
        running.wait_for("the command has ended; its state is still served to ");
        if is_let_go {
            sandbox.write("gate", "");
            running.wait().code(5);
            std::fs::remove_file(sandbox.path().join("gate")).expect("it was there");
        } else {
            running.signal(Signal::TERM);
            std::thread::sleep(Duration::from_millis(1500));
            assert!(running.is_running(), "the first signal is for the command");
            running.signal(Signal::TERM);
            running.wait_for("warning: stopped waiting for ");
            sandbox.write("gate", "");
            running.wait_for_all().code(5);
        }
    }
}

fn one_state(server: &S3Server) {
    let sandbox = Sandbox::new();
    let script = "code() { curl -s -o /dev/null -w '%{http_code} ' \"$@\"; }; code \
                  \"$TF_HTTP_ADDRESS\"; code \"${TF_HTTP_ADDRESS%/default}/other\"; code \
                  \"${TF_HTTP_LOCK_ADDRESS%/default}/other\"; base=${TF_HTTP_ADDRESS%/exec/*}; \
                  code \"$base/state/default\"; code \"$base/exec/wrong/state/default\"; code -u \
                  any:thing \"$TF_HTTP_ADDRESS\"";
    let output = shell(&sandbox, server, script).run().success();
    assert_eq!(output.stdout(), "404 403 403 403 403 404 ", "{output}");
    let secret = "case \"$TF_HTTP_ADDRESS\" in */exec/*) s=${TF_HTTP_ADDRESS#*/exec/}; echo \
                  ${s%%/*};; esac; curl -s \"$TF_HTTP_ADDRESS\"";
    let ours = sandbox.remote_state().server(server).args(server.place().flags()).arg("-vvv");
    let output = ours.args(["exec", "--", "sh", "-c", secret]).run().success();
    let secret = output.stdout().trim();
    assert!(
        secret.len() == 64 && !output.stderr().contains(secret),
        "the log should not hold it: {output}"
    );
}
