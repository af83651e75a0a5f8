//! State and lock file with every encryption of a store, by `remote-state` and by the real
//! Terraform, each reading what the other wrote.

use std::path::PathBuf;

use aws_sdk_s3::types::ServerSideEncryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{
    Cmd, Encryption, Place, Requirement, Running, S3Server, Sandbox, Setup, Suite, block_on,
};

pub(crate) fn add(suite: &mut Suite) {
    for (name, encryption) in [
        ("sse_s3", Encryption::SseS3),
        ("sse_kms", Encryption::SseKms),
        ("sse_c", Encryption::SseC),
    ] {
        let has = move |shows: &remote_state_tests::Shows| shows.encryption.contains(&encryption);
        let terraform = [Requirement::Terraform];
        for setup in Setup::of("s3").filter(|setup| has(&setup.shows)) {
            let kms_key = move || (encryption == Encryption::SseKms).then(|| setup.told("kms_key"));
            let test = format!("{name}::state_and_lock_file_are_encrypted_and_read_by_both");
            suite.on_setup(setup, &test, &terraform, move |server| {
                shared(server, encryption, kms_key());
            });
        }
        if encryption == Encryption::SseC {
            let test = "sse_c::the_holder_of_an_encrypted_lock_is_shown_to_those_who_have_the_key";
            suite.on_setups(has, test, &terraform, holder);
        }
    }
    let has_kms =
        |shows: &remote_state_tests::Shows| shows.encryption.contains(&Encryption::SseKms);
    suite.on_setups(has_kms, "sse_kms::a_key_that_does_not_exist_is_named", &[], unknown);
    let terraform = [Requirement::Terraform];
    suite.on_setup(
        Setup::named("s3/minio"),
        "a_store_that_cannot_encrypt_says_so",
        &terraform,
        unable,
    );
}

const STATE: &str = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const APPLY: &str = "apply -auto-approve -input=false";

/// Returns 32 bytes in base64, the form of a customer's key.
fn customer_key(byte: u8) -> String {
    BASE64.encode([byte; 32])
}

/// A folder with a configuration for both clients.
struct Project<'a> {
    sandbox: Sandbox,
    place: Place<'a>,
}

impl<'a> Project<'a> {
    fn new(place: Place<'a>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        sandbox.write("backend.tf", place.backend_block());
        Self { sandbox, place }
    }

    fn encrypted(server: &'a S3Server, encryption: Encryption, kms_key: Option<&str>) -> Self {
        let place = server.place().with_hcl("encrypt", "true");
        Self::new(match (encryption, kms_key) {
            (Encryption::SseC, _) => place.with("sse_customer_key", &customer_key(7)),
            (_, Some(key)) => place.with("kms_key_id", key),
            _ => place,
        })
    }

    fn terraform(&self, words: &str) -> Cmd {
        self.sandbox.terraform().server(self.place.server).words(words)
    }

    fn ours(&self, words: &str) -> Cmd {
        self.sandbox.remote_state().server(self.place.server).words(words)
    }

    fn gate(&self) -> PathBuf {
        self.sandbox.path().join("gate")
    }

    /// Starts an apply of Terraform that changes the state and holds the lock until the gate
    /// exists.
    fn hold(&self, value: &str) -> Running {
        let mut holding = self
            .terraform(&format!("{APPLY} -var v={value} -var until={}", self.gate().display()))
            .start();
        holding.wait_for("begun");
        holding
    }

    #[track_caller]
    fn assert_encrypted(&self, key: &str, encryption: Encryption) {
        let customer_key = (encryption == Encryption::SseC).then(|| customer_key(7));
        let found = block_on(self.place.server.encryption(
            &self.place.bucket,
            key,
            customer_key.as_deref(),
        ));
        let expected = match encryption {
            Encryption::SseS3 => Some(ServerSideEncryption::Aes256),
            Encryption::SseKms => Some(ServerSideEncryption::AwsKms),
            // The store reports nothing, but accepts only this key.
            _ => None,
        };
        assert_eq!(found, Ok(expected), "{key}");
        if customer_key.is_some() {
            let without = block_on(self.place.server.encryption(&self.place.bucket, key, None));
            assert!(without.is_err(), "{key} should not be readable without its key");
        }
    }
}

fn shared(server: &S3Server, encryption: Encryption, kms_key: Option<&str>) {
    let project = Project::encrypted(server, encryption, kms_key);
    let (state, lock) = (project.place.state_key("default"), project.place.lock_key("default"));
    project.terraform("init -input=false").run().success();

    let holding = project.hold("held");
    project.assert_encrypted(&lock, encryption);
    project.ours("lock").run().code(3).says("apply");
    project.sandbox.write("gate", "");
    holding.wait().success();
    project.assert_encrypted(&state, encryption);
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "held");

    let id = project.ours("lock --operation repair").run().success().stdout().trim().to_owned();
    project.assert_encrypted(&lock, encryption);
    let refused = project.terraform(APPLY).run().code(1).mentions("Error acquiring the state lock");
    if encryption != Encryption::SseC {
        // Terraform does not send its own key when it reads a lock, so it cannot name the holder.
        refused.mentions(&id);
    }
    project.ours(&format!("unlock {id}")).run().success();

    project.ours("pull --output copy.tfstate").run().success();
    project.ours("push --force copy.tfstate").run().success();
    project.assert_encrypted(&state, encryption);
    project.terraform("plan -input=false -detailed-exitcode -var v=held").run().success();
    project.terraform("workspace new dev").run().success();
    assert!(project.ours("workspace list").run().success().stdout().contains("dev"));
    if encryption != Encryption::SseC {
        let id = project.ours("lock").run().success().stdout().trim().to_owned();
        project.terraform(&format!("force-unlock -force {id}")).run().success();
        project.ours(&format!("unlock {id}")).run().code(4);
    }
}

fn holder(server: &S3Server) {
    let project = Project::encrypted(server, Encryption::SseC, None);
    project.terraform("init -input=false").run().success();
    let holding = project.hold("held");
    let listed = project.ours("locks --json").run().success();
    let lock = &listed.json()["locks"][0];
    let (who, id) = (lock["who"].as_str(), lock["id"].as_str());
    let (Some(who), Some(id)) = (who, id) else { panic!("the holder should be shown: {listed}") };
    project.ours("lock").run().code(3).says(who).says(id);
    project.sandbox.write("gate", "");
    holding.wait().success();

    // The lock of a killed client is released by its id.
    std::fs::remove_file(project.gate()).expect("it was written");
    project.hold("again").kill();
    let id = project.ours("locks --json").run().success().json()["locks"][0]["id"].clone();
    project.ours(&format!("unlock {}", id.as_str().expect("the holder is shown"))).run().success();
    project.place.assert_unlocked();
}

/// A key that the key service does not have.
fn unknown(server: &S3Server) {
    let project = Project::encrypted(
        server,
        Encryption::SseKms,
        Some("00000000-0000-4000-8000-000000000000"),
    );
    project.sandbox.write("a.tfstate", STATE);
    for words in ["lock", "push a.tfstate"] {
        project
            .ours(words)
            .run()
            .code(2)
            .says("no such key as `kms_key_id` names")
            .says("backend.tf:");
    }
    assert_eq!(project.place.state("default"), None);
    project.place.assert_unlocked();
}

/// MinIO without a key service: it refuses what it cannot do, and the command reports that.
fn unable(server: &S3Server) {
    let project = Project::encrypted(server, Encryption::SseS3, None);
    project.sandbox.write("a.tfstate", STATE);
    project.terraform("init -input=false").run().success();
    project.terraform(APPLY).run().code(1).mentions("NotImplemented");
    for words in ["lock", "push a.tfstate"] {
        project.ours(words).run().code(1).says("`encrypt`").says("hint: ");
    }
    assert_eq!(project.place.state("default"), None);
    project.place.assert_unlocked();
}
