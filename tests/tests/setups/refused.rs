//! Clients detect stores that ignore conditions, and refuse them by name, with an alternative.

use remote_state_tests::terraform::{CONFIGURATION, HTTP_BACKEND};
use remote_state_tests::{Locks, Requirement, S3Server, Sandbox, Suite};

pub(crate) fn add(suite: &mut Suite) {
    let is_refused = |shows: &remote_state_tests::Shows| shows.locks == Locks::Refused;
    suite.on_setups(is_refused, "a_store_that_cannot_hold_locks_is_refused_by_name", &[], by_name);
    let terraform = [Requirement::Terraform];
    suite.on_setups(is_refused, "exec_does_not_start_what_it_cannot_lock_for", &terraform, exec);
}

const SENTENCE: &str = "cannot hold locks: ";
const INSTEAD: &str = "hint: keep the state in a ";

fn by_name(server: &S3Server) {
    let place = server.place();
    let sandbox = Sandbox::new();
    sandbox.write(
        "a.tfstate",
        r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#,
    );
    let ours = |words: &str| sandbox.remote_state().server(server).args(place.flags()).words(words);
    for words in ["lock", "push a.tfstate"] {
        let output = ours(words).run().code(1);
        let output = output
            .says(SENTENCE)
            .says(&server.endpoint)
            .says("ignores `If-None-Match`")
            .says(INSTEAD);
        assert_eq!(output.stdout(), "", "there is no id of a lock that is none");
    }
    assert_eq!(place.state("default"), None, "nothing is written without a lock");
    place.assert_unlocked();
}

fn exec(server: &S3Server) {
    let place = server.place();
    let sandbox = Sandbox::new();
    sandbox.write("main.tf", CONFIGURATION);
    sandbox.write("backend.tf", HTTP_BACKEND);
    let exec = |words: &str| {
        let ours = sandbox.remote_state().server(server).args(place.flags()).arg("exec");
        ours.then(&sandbox.terraform().words(words)).run()
    };
    exec("init -input=false").success();
    let output = exec("apply -auto-approve -input=false").mentions(SENTENCE).mentions(INSTEAD);
    assert!(!output.status.success(), "{output}");
    assert_eq!(place.state("default"), None, "nothing is written without a lock");
    place.assert_unlocked();
}
