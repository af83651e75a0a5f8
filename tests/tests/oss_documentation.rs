//! The examples of the document that first proposed `backend "oss"`, word for word.

use std::process::ExitCode;

use remote_state_tests::{Cmd, OssServer, Sandbox, Suite};

/// Its first example.
const EXAMPLE: &str = r#"terraform {
  backend "oss" {
    bucket = "bucket-for-terraform-state"
    path   = "path/mystate"
    name   = "version-1.tfstate"
    region = "cn-beijing"
  }
}
"#;

/// Its second one.
const REMOTE_STATE: &str = r#"terraform {
  backend "oss" {
    bucket = "remote-state-dns"
    path    = "mystate/state"
    region = "cn-beijing"
  }
}
"#;

const STATE: &str = "{\n  \"version\": 4,\n  \"terraform_version\": \"0.11.14\",\n  \
                     \"serial\": 1,\n  \"lineage\": \"l\",\n  \"outputs\": {\n    \
                     \"zone\": {\n      \"value\": \"example.com\",\n      \
                     \"type\": \"string\"\n    },\n    \"ids\": {\n      \"value\": [\n        \
                     \"a\",\n        \"b\"\n      ],\n      \"type\": [\n        \
                     \"list\",\n        \"string\"\n      ]\n    }\n  },\n  \"resources\": []\n}\n";

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.test("the_example_stores_at_path_mystate_version_1_tfstate", &[], example);
    suite.test("without_a_name_the_state_is_at_mystate_state_terraform_tfstate", &[], default_name);
    suite.test("output_prints_what_terraform_remote_state_would_return", &[], remote_state);
    suite.test("state_is_locked_by_default_and_lock_turns_it_off", &[], lock);
    suite.test("encrypt_and_acl_are_sent_as_oss_has_them", &[], headers);
    suite.test("records_of_the_first_proposals_clients_are_understood", &[], original_locks);
    suite.test("every_environment_variable_stands_in_for_its_key", &[], variables);
    suite.run()
}

fn server() -> OssServer {
    OssServer::emulator_with(|builder| {
        builder.with_bucket("bucket-for-terraform-state").with_bucket("remote-state-dns")
    })
}

/// Returns `remote-state` in a folder with a block, with the endpoint set as the document's note
/// says.
fn ours(sandbox: &Sandbox, server: &OssServer, words: &str) -> Cmd {
    sandbox.remote_state().oss_server(server).env("OSS_ENDPOINT", server.endpoint()).words(words)
}

fn with_block(block: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("main.tf", block);
    sandbox.write("s.tfstate", STATE);
    sandbox
}

fn example() {
    let (server, sandbox) = (server(), with_block(EXAMPLE));
    ours(&sandbox, &server, "push s.tfstate").run().success();
    let bucket = "bucket-for-terraform-state";
    let stored = server
        .object(bucket, "path/mystate/version-1.tfstate")
        .expect("it is where the document says");
    assert_eq!(stored, STATE);
    ours(&sandbox, &server, "-w staging push s.tfstate").run().success();
    assert!(server.object(bucket, "path/mystate/staging/version-1.tfstate").is_some());
    let listed = ours(&sandbox, &server, "workspace list").run().success();
    assert_eq!(listed.stdout(), "* default\n  staging\n");
    assert_eq!(ours(&sandbox, &server, "pull").run().success().stdout(), STATE);
}

fn default_name() {
    let (server, sandbox) = (server(), with_block(REMOTE_STATE));
    ours(&sandbox, &server, "push s.tfstate").run().success();
    assert!(server.object("remote-state-dns", "mystate/state/terraform.tfstate").is_some());
}

fn remote_state() {
    let (server, sandbox) = (server(), with_block(REMOTE_STATE));
    ours(&sandbox, &server, "push s.tfstate").run().success();
    let outputs = ours(&sandbox, &server, "output --json").run().success().json();
    assert_eq!(outputs["zone"]["value"], "example.com");
    assert_eq!(outputs["ids"]["value"], serde_json::json!(["a", "b"]));
    assert_eq!(
        ours(&sandbox, &server, "output zone --raw").run().success().stdout(),
        "example.com"
    );
}

fn lock() {
    let (server, sandbox) = (server(), with_block(EXAMPLE));
    let id = ours(&sandbox, &server, "lock").run().success().stdout().trim().to_owned();
    let lock = "path/mystate/version-1.tfstate.tflock";
    let record = server.object("bucket-for-terraform-state", lock).expect("it is beside the state");
    assert!(String::from_utf8_lossy(&record).starts_with(&format!("{{\"ID\":\"{id}\",")));
    ours(&sandbox, &server, "push s.tfstate").run().code(3).says(&id);
    ours(&sandbox, &server, &format!("unlock {id}")).run().success();
    assert_eq!(server.object("bucket-for-terraform-state", lock), None);

    sandbox.write("main.tf", EXAMPLE.replace("region", "lock = false\n    region"));
    ours(&sandbox, &server, "lock").run().code(2).mentions("no lock is configured");
    server.requests().take();
    ours(&sandbox, &server, "push s.tfstate").run().success().mentions("no lock is configured");
    assert!(
        server.requests().take().iter().all(|asked| !asked
            .key
            .as_deref()
            .unwrap_or_default()
            .ends_with(".tflock"))
    );
}

fn headers() {
    let (server, sandbox) = (server(), Sandbox::new());
    sandbox.write(
        "main.tf",
        EXAMPLE.replace("region", "encrypt = true\n    acl = \"private\"\n    region"),
    );
    sandbox.write("s.tfstate", STATE);
    server.requests().take();
    ours(&sandbox, &server, "push s.tfstate").run().success();
    let asked = server.requests().take();
    let puts: Vec<_> = asked.iter().filter(|request| request.method == "PUT").collect();
    assert!(puts.len() >= 2, "state and lock object: {puts:?}");
    for put in puts {
        let header = |name: &str| put.headers.get(name).map(String::as_str);
        assert_eq!(header("x-oss-server-side-encryption"), Some("AES256"), "{put:?}");
        assert_eq!(
            (header("x-oss-object-acl"), header("x-oss-acl")),
            (Some("private"), None),
            "{put:?}"
        );
    }
    sandbox.write("main.tf", EXAMPLE.replace("region", "acl = \"everyone\"\n    region"));
    ours(&sandbox, &server, "pull").run().code(2).mentions("public-read-write");
}

/// Clients of the proposal wrote the record before they knew the path.
fn original_locks() {
    let (server, sandbox) = (server(), with_block(EXAMPLE));
    let id = "8e2f49ac-0000-4000-8000-000000000000";
    let record = format!(
        "{{\"ID\":\"{id}\",\"Operation\":\"OperationTypeApply\",\"Info\":\"\",\"Who\":\"root@vm\",\
         \"Version\":\"0.12.0\",\"Created\":\"2026-11-21T00:19:08.252594657Z\",\"Path\":\"\"}}"
    );
    let (bucket, lock) = ("bucket-for-terraform-state", "path/mystate/version-1.tfstate.tflock");
    server.put_object(bucket, lock, record);
    ours(&sandbox, &server, "push s.tfstate").run().code(3).says(id).says("root@vm");
    ours(&sandbox, &server, &format!("unlock {id}")).run().success();
    // Those clients would crash here.
    ours(&sandbox, &server, &format!("unlock {id}")).run().code(4);
    for garbage in ["", "{", "[]"] {
        server.put_object(bucket, lock, garbage.to_owned());
        ours(&sandbox, &server, "lock").run().code(3);
        ours(&sandbox, &server, &format!("unlock {id}")).run().code(3).mentions("cannot be read");
    }
}

fn variables() {
    let server = server();
    let sandbox = Sandbox::new();
    sandbox.write("s.tfstate", STATE);
    for (key, names) in [
        ("access_key", &["ALICLOUD_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID"][..]),
        ("secret_key", &["ALICLOUD_SECRET_KEY", "ALICLOUD_ACCESS_KEY_SECRET"]),
        ("region", &["ALICLOUD_REGION", "ALICLOUD_DEFAULT_REGION"]),
        ("endpoint", &["ALICLOUD_OSS_ENDPOINT", "OSS_ENDPOINT"]),
    ] {
        let values = [
            ("access_key", server.access_key()),
            ("secret_key", server.secret_key()),
            ("region", OssServer::REGION),
            ("endpoint", server.endpoint()),
        ];
        let value = values.iter().find(|(name, _)| *name == key).expect("it is one of them").1;
        let others = values.iter().filter(|(name, _)| *name != key);
        let command = |variables: &[(&str, &str)]| {
            let place = ["bucket=bucket-for-terraform-state", "path=p"]
                .map(|flag| format!("--backend-config={flag}"));
            let flags =
                others.clone().map(|(name, value)| format!("--backend-config={name}={value}"));
            let command = sandbox.remote_state().args(["--backend", "oss"]).args(place).args(flags);
            variables
                .iter()
                .fold(command, |command, (name, value)| command.env(name, value))
                .words("push s.tfstate --force")
        };
        for name in names {
            command(&[(name, value)]).run().success();
        }
        // The first name overrides the others.
        command(&[(names[0], value), (names[1], "wrong")]).run().success();
    }
    // A token belongs to temporary keys.
    let temporary = OssServer::emulator_with(|builder| {
        builder.with_temporary_credentials("temp", "tempsecret", "token+/=")
    });
    for name in ["ALICLOUD_SECURITY_TOKEN", "SECURITY_TOKEN"] {
        let command = sandbox
            .remote_state()
            .env("ALICLOUD_ACCESS_KEY", "temp")
            .env("ALICLOUD_SECRET_KEY", "tempsecret")
            .env("OSS_ENDPOINT", temporary.endpoint())
            .env("ALICLOUD_REGION", OssServer::REGION)
            .args(["--backend", "oss", "--backend-config", "path=p", "--backend-config"])
            .arg(format!("bucket={}", OssServer::PLAIN));
        command.env(name, "token+/=").words("push s.tfstate --force").run().success();
    }
}
