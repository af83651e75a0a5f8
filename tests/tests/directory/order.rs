//! The precedence of several places, and what happens if two of them differ.

use remote_state_tests::{Requirement, Suite};
use serde_json::{Value, json};

use crate::case::Directory;
use crate::initialised::initialised;

const OWN: &str = "backend \"s3\" {\n  bucket = \"tfstate\"\n  key = \"own\"\n}\n";

fn key(shown: &remote_state_tests::Output) -> Value {
    shown.json()["values"]["key"].clone()
}

pub(crate) fn tests(suite: &mut Suite) {
    places(suite);
    changed(suite);
}

fn places(suite: &mut Suite) {
    suite.on_emulator("a_type_on_the_command_line_reads_nothing_else", &[], |server| {
        let directory =
            initialised(server, "this is = not HCL", &json!({"bucket": "b", "key": "recorded"}));
        directory.write("remote-state.hcl", "nor is this");
        directory.write(".terraform/environment", "dev");
        let words =
            "config show --json --backend s3 --backend-config bucket=b --backend-config key=given";
        let shown = directory.remote_state(words).run().success();
        assert_eq!(key(&shown), json!({"value": "given", "origin": "--backend-config"}));
        assert_eq!(shown.json()["workspace"], "default");
    });
    suite.on_emulator("our_own_file_goes_before_what_terraform_has", &[], |server| {
        let directory = initialised(
            server,
            "bucket = \"b\"\n    key = \"block\"",
            &json!({"bucket": "b", "key": "recorded"}),
        );
        directory.write("remote-state.hcl", OWN);
        let shown = directory.show().success();
        assert_eq!(
            (key(&shown), shown.stderr()),
            (json!({"value": "own", "origin": "remote-state.hcl:3"}), "")
        );
        let shown =
            directory.remote_state("config show --json --backend-config key=given").run().success();
        assert_eq!(key(&shown)["value"], "given");
    });
    suite.on_emulator("our_own_file_serves_a_directory_that_speaks_http", &[], |server| {
        let directory = Directory::empty(server);
        directory.write("main.tf", "terraform {\n  backend \"http\" {}\n}\n");
        directory.write("remote-state.hcl", OWN);
        directory.remote_state("workspace list").run().success();
        directory.remote_state("push -").stdin(state(1)).run().success();
        assert_eq!(directory.remote_state("output -raw o").run().success().stdout(), "hello");
    });
    suite.on_emulator("what_is_wrong_with_our_own_file_is_told", &[], |server| {
        let directory = Directory::empty(server);
        for (content, said) in [
            ("", "`remote-state.hcl` holds no `backend` block"),
            (
                "backend \"s3\" {}\nbackend \"s3\" {}\n",
                "`remote-state.hcl` holds more than one block",
            ),
            ("backend \"gcs\" {}\n", "backend type `gcs` is not supported"),
            ("backend \"s3\" {\n  bucket = var.x\n}\n", "remote-state.hcl:2"),
            ("backend \"s3\" {\n  bukket = \"x\"\n}\n", "remote-state.hcl:2"),
            ("backend \"s3\" {\n  bucket = \"x\"\n}\n", "`key` is not set for provider `s3`"),
        ] {
            directory.write("remote-state.hcl", content);
            directory.show().code(2).says(said);
        }
    });
    suite.on_emulator("what_was_recorded_goes_before_the_block", &[], |server| {
        let config = json!({"bucket": "b", "key": "k", "workspace_key_prefix": "recorded"});
        let directory = initialised(server, "bucket = \"b\"\n    key = \"k\"", &config);
        let shown = directory.show().success();
        assert_eq!(shown.json()["values"]["workspace_key_prefix"]["value"], "recorded");
        let shown =
            directory.remote_state("config show --json --backend-config key=given").run().success();
        assert_eq!((key(&shown)["value"].clone(), shown.stderr()), (json!("given"), ""));
    });
    suite.on_emulator("without_a_record_the_block_counts", &[], |server| {
        let directory = Directory::with_block(server, "bucket = \"tfstate\"\n    key = \"block\"");
        assert_eq!(
            key(&directory.show().success()),
            json!({"value": "block", "origin": "main.tf:4"})
        );
    });
}

fn changed(suite: &mut Suite) {
    suite.on_emulator("after_a_change_reads_warn_and_writes_are_refused", &[], |server| {
        let block = "bucket = \"tfstate\"\n    key = \"new\"\n    use_lockfile = true";
        let directory = initialised(
            server,
            block,
            &json!({"bucket": "tfstate", "key": "old", "use_lockfile": true}),
        );
        let given = "--backend s3 --backend-config bucket=tfstate --backend-config key=old";
        directory.remote_state("push -").words(given).stdin(state(1)).run().success();
        let warning = "the `backend` block has changed since `init`\n";
        let sides = "key  `new` in main.tf:4, `old` in .terraform/terraform.tfstate:";
        for words in ["pull", "output", "list", "workspace list", "locks", "config show"] {
            let output = directory.remote_state(words).run().success();
            output.says(&format!("warning: {warning}")).says(sides);
        }
        for words in [
            "push -",
            "lock",
            "unlock some-id",
            "workspace new dev",
            "workspace delete dev --yes",
            "serve --no-auth --listen 127.0.0.1:0",
            "exec",
        ] {
            let cmd = directory.remote_state(words).stdin(state(2));
            let cmd = if words == "exec" { cmd.args(["--", "true"]) } else { cmd };
            let output = cmd.run().code(2).says(&format!("error: {warning}")).says(sides);
            let output =
                output.says("hint: run `terraform init` or `tofu init` to make the block count\n");
            assert_eq!(output.stdout(), "");
        }
        // Neither place was written.
        let stored = directory.remote_state("pull").run().success();
        assert_eq!(stored.stdout, state(1).as_bytes());
        directory.remote_state("pull").words(given).arg("--backend-config=key=new").run().code(4);
        // A user who names one of them may write.
        directory.remote_state("push - --backend-config key=new").stdin(state(2)).run().success();
    });
    suite.on_emulator("a_change_of_a_secret_is_told_without_it", &[], |server| {
        let block = "bucket = \"b\"\n    key = \"k\"\n    secret_key = \"hunter2-new\"\n    \
                     access_key = \"a\"";
        let config =
            json!({"bucket": "b", "key": "k", "secret_key": "hunter2-old", "access_key": "a"});
        let directory = initialised(server, block, &config);
        let output = directory.remote_state("lock").run().code(2);
        let output = output.says(
            "secret_key  a secret value in main.tf:5, a secret value in \
             .terraform/terraform.tfstate:",
        );
        assert!(!output.stderr().contains("hunter2"), "{output}");
    });
    suite.on_emulator("a_block_that_was_removed_or_has_another_type_has_changed", &[], |server| {
        let directory = initialised(
            server,
            "bucket = \"b\"\n    key = \"k\"",
            &json!({"bucket": "b", "key": "k"}),
        );
        directory.remote_state("config show").run().success();
        directory.write("main.tf", "terraform {\n}\n");
        directory
            .remote_state("lock")
            .run()
            .code(2)
            .says("type  no block, `s3` in .terraform/terraform.tfstate");
        directory.write("main.tf", "terraform {\n  backend \"local\" {}\n}\n");
        directory
            .remote_state("lock")
            .run()
            .code(2)
            .says("type  `local` in main.tf:2, `s3` in .terraform/terraform.tfstate");
    });
    suite.on_emulator(
        "where_terraform_asks_for_init_so_do_we",
        &[Requirement::Terraform],
        |server| {
            let directory =
                Directory::with_block(server, "bucket = \"tfstate\"\n    key = \"old\"");
            directory.init().success();
            directory.terraform("state list").run();
            directory
                .write("main.tf", &crate::case::block("bucket = \"tfstate\"\n    key = \"new\""));
            directory
                .terraform("state list")
                .run()
                .code(1)
                .mentions("Backend configuration block has changed");
            directory.terraform("state push -").stdin(state(1)).run().code(1);
            directory
                .remote_state("push -")
                .stdin(state(1))
                .run()
                .code(2)
                .says("has changed since `init`");
            directory.terraform("init -input=false -reconfigure").run().success();
            let output = directory.remote_state("push -").stdin(state(1)).run().success();
            assert!(!output.stderr().contains("has changed"), "{output}");
        },
    );
}

fn state(serial: u64) -> String {
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"l\",\"\
         outputs\":{{\"o\":{{\"value\":\"hello\",\"type\":\"string\"}}}},\"resources\":[]}}"
    )
}
