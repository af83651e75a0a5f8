//! Messages about a state and a lock that are encrypted with a customer's key, if that key is
//! missing or wrong.

use remote_state_tests::{Cmd, Encryption, S3Server, Sandbox, Suite};

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const OTHER: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

pub(crate) fn add(suite: &mut Suite) {
    let takes_keys =
        |shows: &remote_state_tests::Shows| shows.encryption.contains(&Encryption::SseC);
    suite.on_setups(
        takes_keys,
        "a_customer_key_that_is_missing_or_wrong_says_which_key_to_set",
        &[],
        keys,
    );
}

fn keys(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place();
    let state = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
    sandbox.write("new.json", state);
    let plain =
        |words: &str| sandbox.remote_state().server(server).args(place.flags()).words(words);
    let with = |key: &str, words: &str| -> Cmd {
        plain(words).env("AWS_SSE_CUSTOMER_KEY", key).arg("--backend-config=encrypt=true")
    };
    with(KEY, "push new.json").run().success();
    let id = with(KEY, "lock").run().success().stdout().trim().to_owned();
    assert_eq!(with(KEY, "pull").run().success().stdout(), state);
    with(KEY, "locks").run().success().mentions(&id);

    for words in ["pull", "output", "push new.json", "lock", "locks", "unlock --yes some-id"] {
        let missing = plain(words).run().code(2);
        missing
            .says("has to be sent along (SSE-C), and none is configured")
            .says("`AWS_SSE_CUSTOMER_KEY`");
        let wrong = with(OTHER, words).run().code(1);
        wrong.says("may not be the one that it is encrypted with").says("$AWS_SSE_CUSTOMER_KEY");
    }
    // None of these commands has changed anything.
    with(KEY, "unlock --yes").arg(&id).run().success();
    assert_eq!(with(KEY, "pull").run().success().stdout(), state);
}
