//! Errors name keys that a store does not accept, for any store.

use remote_state_tests::{S3Server, Sandbox, Suite};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_setups(
        |shows| shows.authentication,
        "keys_that_are_not_accepted_are_named_with_the_stores_own_word",
        &[],
        refused,
    );
}

fn refused(server: &S3Server) {
    let place = server.place();
    place.put_state(
        "default",
        r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#,
    );
    let sandbox = Sandbox::new();
    for (name, value, word) in [
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "NOBODYATALL", "InvalidAccessKeyId"),
    ] {
        for words in ["pull", "lock", "workspace list"] {
            let ours = sandbox.remote_state().args(place.flags()).server(server).env(name, value);
            let output = ours.words(words).run().code(1);
            let output = output
                .says("does not accept the credentials")
                .says(word)
                .says("$AWS_ACCESS_KEY_ID");
            assert!(!output.stderr().contains(value) || name == "AWS_ACCESS_KEY_ID", "{output}");
        }
    }
    place.assert_unlocked();
}
