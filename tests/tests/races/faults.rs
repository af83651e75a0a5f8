//! A store with faults: overloaded, cut off, far away.

use std::time::Duration;

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Cmd, Place, S3Server, Sandbox, Suite};

use crate::state;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator("a_store_that_fails_a_few_times_is_asked_again", &[], a_few_times);
    suite.on_emulator("a_store_that_fails_for_good_is_reported", &[], for_good);
    suite.on_emulator("a_body_that_breaks_off_is_an_error_and_leaves_no_file", &[], truncated);
    suite.on_emulator("a_slow_link_is_no_error", &[], slow);
}

fn ours(sandbox: &Sandbox, place: &Place<'_>, words: &str) -> Cmd {
    sandbox.remote_state().server(place.server).args(place.flags()).words(words)
}

fn a_few_times(server: &S3Server) {
    let (sandbox, place) = (Sandbox::new(), server.place());
    let mut serial = 0;
    for trouble in [Misbehaviour::internal_error(), Misbehaviour::slow_down()] {
        for method in ["GET", "PUT"] {
            serial += 1;
            sandbox.write("a.tfstate", state(serial));
            server.faults().inject(Fault::new(trouble.clone()).with_method(method).with_times(2));
            ours(&sandbox, &place, "push a.tfstate").run().success();
            server.faults().inject(Fault::new(trouble.clone()).with_method("GET").with_times(2));
            assert_eq!(
                ours(&sandbox, &place, "pull").run().success().stdout,
                state(serial).as_bytes()
            );
            assert_eq!(server.faults().count(), 0, "every failure was met");
        }
    }
    place.assert_unlocked();
}

fn for_good(server: &S3Server) {
    let (sandbox, place) = (Sandbox::new(), server.place());
    place.put_state("default", state(1));
    server.faults().inject(Fault::new(Misbehaviour::slow_down()));
    for words in ["pull", "output n", "lock"] {
        let output =
            ours(&sandbox, &place, words).arg("--backend-config=max_retries=1").run().code(1);
        assert_eq!(output.stdout(), "", "{output}");
    }
    server.faults().clear();
    place.assert_unlocked();
}

fn truncated(server: &S3Server) {
    let (sandbox, place) = (Sandbox::new(), server.place());
    let long = state(1).replace(
        "\"resources\":[]",
        &format!("\"resources\":[],\"pad\":{:?}", "x".repeat(100_000)),
    );
    place.put_state("default", long.clone());
    for after_bytes in [0, 10, 50_000] {
        server
            .faults()
            .inject(Fault::new(Misbehaviour::TruncateBody { after_bytes }).with_method("GET"));
        sandbox.write("folder/kept.tfstate", "kept");
        for name in ["folder/new.tfstate", "folder/kept.tfstate"] {
            ours(&sandbox, &place, "pull --output").arg(name).run().code(1);
        }
        let left = std::fs::read_dir(sandbox.folder("folder")).expect("it can be listed");
        let left: Vec<_> = left.map(|entry| entry.expect("it can be listed").file_name()).collect();
        assert_eq!(left, ["kept.tfstate"], "no part of a state is left behind");
        assert_eq!(sandbox.read("folder/kept.tfstate"), b"kept", "what was there stays");
        ours(&sandbox, &place, "pull").run().code(1);
        if after_bytes < 50 {
            ours(&sandbox, &place, "output n").run().code(1);
        }
        server.faults().clear();
    }
    assert_eq!(ours(&sandbox, &place, "pull").run().success().stdout, long.as_bytes());
}

fn slow(server: &S3Server) {
    let (sandbox, place) = (Sandbox::new(), server.place());
    server.faults().set_latency(Duration::from_millis(100));
    server.faults().set_bytes_per_second(Some(200_000));
    let long = state(1).replace(
        "\"resources\":[]",
        &format!("\"resources\":[],\"pad\":{:?}", "x".repeat(300_000)),
    );
    sandbox.write("a.tfstate", &long);
    ours(&sandbox, &place, "push a.tfstate").run().success();
    assert_eq!(ours(&sandbox, &place, "pull").run().success().stdout, long.as_bytes());
    let id = ours(&sandbox, &place, "lock").run().success().stdout().trim().to_owned();
    ours(&sandbox, &place, "lock").run().code(3).says(&id);
    ours(&sandbox, &place, "unlock").arg(id).run().success();
    place.assert_unlocked();
}
