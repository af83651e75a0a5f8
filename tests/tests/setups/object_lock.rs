//! A bucket that retains every version for a day: writes to it need a checksum.

use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule,
};
use remote_state_tests::{S3Server, Sandbox, Setup, Suite, block_on, unique};

pub(crate) fn add(suite: &mut Suite) {
    for (mode, name) in [
        (
            ObjectLockRetentionMode::Governance,
            "states_and_locks_live_in_a_bucket_that_retains_by_governance",
        ),
        (
            ObjectLockRetentionMode::Compliance,
            "states_and_locks_live_in_a_bucket_that_retains_by_compliance",
        ),
    ] {
        suite.on_setup(Setup::named("s3/minio"), name, &[], move |server| retained(server, &mode));
    }
}

fn retained(server: &S3Server, mode: &ObjectLockRetentionMode) {
    let bucket = unique("retained");
    block_on(async {
        let client = server.client();
        client
            .create_bucket()
            .bucket(&bucket)
            .object_lock_enabled_for_bucket(true)
            .send()
            .await
            .expect("a bucket");
        let retention = DefaultRetention::builder().mode(mode.clone()).days(1).build();
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let lock = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(rule);
        let set = client
            .put_object_lock_configuration()
            .bucket(&bucket)
            .object_lock_configuration(lock.build());
        set.send().await.expect("a bucket may retain");
    });
    let sandbox = Sandbox::new();
    let place = server.place_in(&bucket);
    let run =
        |words: &str| sandbox.remote_state().server(server).args(place.flags()).words(words).run();
    for round in 1..=2 {
        let small = format!(
            r#"{{"version":4,"serial":{round},"lineage":"l","outputs":{{}},"resources":[]}}"#
        );
        sandbox.write("state.json", &small);
        run("push state.json").success();
        assert_eq!(run("pull").success().stdout(), small);
        let id = run("lock").success().stdout().trim().to_owned();
        run("lock").code(3).says(&id);
        run(&format!("unlock --yes {id}")).success();
    }
    // More than one part, if the client sends parts.
    let padding = "x".repeat(10 << 20);
    let large = format!(
        r#"{{"version":4,"serial":9,"lineage":"l","outputs":{{"o":{{"type":"string","value":"{padding}"}}}},"resources":[]}}"#
    );
    sandbox.write("large.json", &large);
    run("push large.json").success();
    assert!(run("pull").success().stdout == large.as_bytes(), "the large state is what was stored");
    run("workspace new dev").success();
    run("workspace delete dev --yes").success();
    assert!(!run("workspace list").success().stdout().contains("dev"));
    place.assert_unlocked();
}
