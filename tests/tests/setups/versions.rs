//! Every store lists the versions that it keeps, and an older one becomes the current state again.

use remote_state_tests::{Bucket, Cmd, Place, S3Server, Sandbox, Suite, block_on};

pub(crate) fn add(suite: &mut Suite) {
    suite.on_setups(
        |shows| shows.versions && shows.dialect.is_some(),
        "an_older_version_is_listed_and_restored",
        &[],
        restored,
    );
    suite.on_setups(
        |shows| shows.conditional_write && shows.bucket == Bucket::Plain,
        "a_bucket_without_versions_has_nothing_to_restore",
        &[],
        without_versions,
    );
}

fn state(serial: u64, value: &str) -> String {
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"l\",\
         \"outputs\":{{\"a\":{{\"value\":\"{value}\",\"type\":\"string\"}}}},\"resources\":[]}}\n"
    )
}

/// Runs a command with the dialect of the setup.
fn ours(server: &S3Server, place: &Place<'_>, sandbox: &Sandbox, words: &str) -> Cmd {
    let dialect = server.dialect.expect("the setup names its dialect");
    let command = sandbox.remote_state().server(server).args(place.flags());
    command.args(["--dialect", dialect]).words(words)
}

fn serials(server: &S3Server, place: &Place<'_>, sandbox: &Sandbox) -> Vec<Option<u64>> {
    let json = ours(server, place, sandbox, "history --json").run().success().json();
    let versions = json["versions"].as_array().expect("it is a list");
    versions.iter().map(|version| version["serial"].as_u64()).collect()
}

fn restored(server: &S3Server) {
    let (place, sandbox) =
        (server.place_in(&block_on(server.make_versioned_bucket())), Sandbox::new());
    let ours = |words: &str| ours(server, &place, &sandbox, words);
    for (serial, value) in [(1, "one"), (2, "two"), (3, "three")] {
        ours("push -").stdin(state(serial, value)).run().success();
    }
    assert_eq!(serials(server, &place, &sandbox), [Some(3), Some(2), Some(1)]);
    ours("restore @2 --yes").run().success();
    assert_eq!(place.state("default").expect("it is stored"), state(4, "one"));
    let deletion = server.client().delete_object().bucket(&place.bucket).key(&place.key);
    block_on(deletion.send()).expect("the state can be deleted");
    assert_eq!(
        serials(server, &place, &sandbox),
        [None, Some(4), Some(3), Some(2), Some(1)],
        "the deletion is a version"
    );
    ours("undelete --yes").run().success();
    assert_eq!(place.state("default").expect("it is back"), state(4, "one"));
    ours("restore serial:2 --yes").run().success();
    assert_eq!(place.state("default").expect("it is stored"), state(5, "two"));
    place.assert_unlocked();
}

fn without_versions(server: &S3Server) {
    let (place, sandbox) = (server.place(), Sandbox::new());
    let ours = |words: &str| ours(server, &place, &sandbox, words);
    for serial in [1, 2] {
        ours("push -").stdin(state(serial, "x")).run().success();
    }
    assert_eq!(serials(server, &place, &sandbox), [Some(2)]);
    ours("restore @1 --yes").run().code(4).says("`@0` is the oldest");
    ours("restore @0 --yes").run().success();
    assert_eq!(place.state("default").expect("it is stored"), state(2, "x"));
    place.assert_unlocked();
}
