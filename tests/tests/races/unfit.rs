//! Stores that cannot hold a lock: clients detect them, and write nothing without a real lock.

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Place, S3Server, Sandbox, Suite};

use crate::state;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "a_store_that_ignores_conditions_is_refused_with_the_reason",
        &[],
        |server| {
            server.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
            let place = server.place();
            refused(&place, &format!("{} ignores `If-None-Match`, so two clients", shown(server)));
            refused(
                &server.place_in("tfstate-versioned"),
                "ignores `If-None-Match` on this versioned bucket",
            );
        },
    );
    suite.on_emulator(
        "a_store_that_ignores_conditions_on_versioned_buckets_is_refused_there_alone",
        &[],
        |server| {
            server.faults().inject(Fault::new(Misbehaviour::IgnoreConditionsOnVersionedBuckets));
            let place = server.place_in("tfstate-versioned");
            refused(&place, "ignores `If-None-Match` on this versioned bucket, so two clients");
            let output = lock(&place).code(1);
            output.says("keep the state in a bucket without versioning");
            let place = server.place();
            lock(&place).code(0);
            lock(&place).code(3);
        },
    );
}

fn shown(server: &S3Server) -> String {
    format!("`{}`", server.endpoint)
}

fn lock(place: &Place<'_>) -> remote_state_tests::Output {
    Sandbox::new().remote_state().server(place.server).args(place.flags()).arg("lock").run()
}

fn refused(place: &Place<'_>, sentence: &str) {
    for _ in 0..2 {
        let output = lock(place)
            .code(1)
            .says(sentence)
            .says("hint: keep the state in a ")
            .says("use_lockfile");
        assert_eq!(output.stdout(), "", "there is no id of a lock that is none");
        place.assert_unlocked();
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.tfstate", state(1));
    let ours = || sandbox.remote_state().server(place.server).args(place.flags());
    ours().words("push a.tfstate").run().code(1).says(sentence);
    assert_eq!(place.state("default"), None, "nothing is written without a lock");
    place.assert_unlocked();
}
