//! The record of `init`, and its use.

use remote_state_tests::{Requirement, S3Server, Suite};
use serde_json::{Value, json};

use crate::case::{Case, Directory};

const BLOCK: &str = "bucket = \"tfstate\"\n    key = \"k\"";

pub(crate) fn tests(suite: &mut Suite) {
    Case::new("another_data_directory_is_used")
        .block(BLOCK)
        .env("TF_DATA_DIR", "data")
        .has_key("k")
        .add_to(suite);
    real(suite);
    made_up(suite);
    workspaces(suite);
}

fn real(suite: &mut Suite) {
    let needs = &[Requirement::Terraform];
    suite.on_emulator("what_init_recorded_is_used_with_its_place", needs, |server| {
        let directory = Directory::with_block(server, "bucket = \"tfstate\"");
        directory.terraform("init -input=false -backend-config=key=given").run().success();
        let shown = directory.show().success();
        let key = &shown.json()["values"]["key"];
        assert_eq!(key["value"], "given");
        let origin = key["origin"].as_str().expect("a string");
        assert!(origin.starts_with(".terraform/terraform.tfstate:"), "{origin}");
        // The record does not contain values from the environment, so the environment still
        // supplies them.
        assert_eq!(
            shown.json()["values"]["region"],
            json!({"value": "us-east-1", "origin": "$AWS_REGION"})
        );
        assert_eq!(shown.stderr(), "");
    });
    suite.on_emulator("what_init_recorded_in_another_data_directory_is_used", needs, |server| {
        let directory = Directory::with_block(server, "bucket = \"tfstate\"");
        let init = directory.terraform("init -input=false -backend-config=key=given");
        init.env("TF_DATA_DIR", "data").run().success();
        directory.show().code(2).says("`key` is not set");
        let shown =
            directory.remote_state("config show --json").env("TF_DATA_DIR", "data").run().success();
        assert_eq!(shown.json()["values"]["key"]["value"], "given");
    });
    suite.on_emulator("a_real_directory_needs_no_flag_to_read_outputs", needs, |server| {
        let directory =
            Directory::with_block(server, "bucket = \"tfstate\"\n    use_lockfile = true");
        directory
            .write("outputs.tf", "output \"o\" {\n  value = \"hello ${terraform.workspace}\"\n}\n");
        directory.terraform("init -input=false -backend-config=key=given").run().success();
        directory.terraform("apply -auto-approve").run().success();
        let output = directory.remote_state("output -raw o").run().success();
        assert_eq!((output.stdout(), output.stderr()), ("hello default", ""));
        directory.terraform("workspace new dev").run().success();
        directory.terraform("apply -auto-approve").run().success();
        assert_eq!(directory.remote_state("output -raw o").run().success().stdout(), "hello dev");
        assert_eq!(directory.show().success().json()["workspace"], "dev");
        let chosen =
            directory.remote_state("output -raw o").env("TF_WORKSPACE", "default").run().success();
        assert_eq!(chosen.stdout(), "hello default");
        assert_eq!(
            directory.remote_state("output -raw o -w default").run().success().stdout(),
            "hello default"
        );
        assert_eq!(
            directory.remote_state("workspace list").run().success().stdout(),
            "  default\n* dev\n"
        );
    });
}

fn made_up(suite: &mut Suite) {
    suite.on_emulator("a_record_of_opentofu_is_read", &[], |server| {
        let directory = initialised(
            server,
            "bucket = \"b\"\n    key = \"x/${var.x}\"",
            &json!({"bucket": "b", "key": "x/v"}),
        );
        // A missing value is not compared, and the recorded one is used.
        let shown = directory
            .show()
            .success()
            .says("`key` was recorded for another run and is not compared");
        assert_eq!(&shown.json()["values"]["key"]["value"], "x/v");
        // A value that is set again takes its present meaning.
        let shown =
            directory.remote_state("config show --json").env("TF_VAR_x", "v").run().success();
        assert_eq!((&shown.json()["values"]["key"]["value"], shown.stderr()), (&"x/v".into(), ""));
        let other =
            directory.remote_state("config show --json").env("TF_VAR_x", "w").run().success();
        other
            .says("the `backend` block has changed since `init`")
            .says("`x/w` in main.tf:4 (`var.x` set in $TF_VAR_x), `x/v` in .terraform");
    });
    suite.on_emulator(
        "a_record_of_another_run_is_read_with_a_note_and_neither_written_nor_locked",
        &[],
        |server| {
            let block =
                "bucket = \"tfstate\"\n    use_lockfile = true\n    key = \"x/${lower(var.x)}\"";
            let recorded = json!({"bucket": "tfstate", "key": "x/v", "use_lockfile": true});
            let directory = initialised(server, block, &recorded);
            directory.write(
                "new.json",
                r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#,
            );
            let not_compared = "`key` was recorded for another run and is not compared";
            for words in [
                "lock",
                "push new.json",
                "workspace new dev",
                "exec -- true",
                "serve --no-auth --listen 0",
            ] {
                let refused = directory.remote_state(words).run().code(2);
                refused
                    .says(not_compared)
                    .says("main.tf:")
                    .says("hint: to set `key` for this run, pass `--backend-config key=…`");
            }
            directory.remote_state("push new.json --backend-config key=x/v").run().success();
            directory.remote_state("lock").arg("--backend-config=key=x/v").run().success();
            let read = directory.remote_state("pull").run().success().says(not_compared);
            assert!(!read.stdout().is_empty());
            for words in ["output --json", "list", "locks", "workspace list"] {
                directory.remote_state(words).run().success().says(not_compared);
            }
            // With a value, a name is compared; then it is unclear which side the user means.
            directory.write(
                "main.tf",
                "terraform {\n backend \"s3\" {\n bucket = \"tfstate\"\n use_lockfile = true\n \
                 key = \"x/${var.x}\"\n }\n}\nvariable \"x\" { default = \"v\" }\n",
            );
            directory.remote_state("output --json").run().success();
            let dev =
                directory.remote_state("output --json").env("TF_VAR_x", "prod").run().success();
            dev.says("warning: the `backend` block has changed since `init`")
                .says("`x/prod` in main.tf:5");
            directory
                .remote_state("lock")
                .env("TF_VAR_x", "prod")
                .run()
                .code(2)
                .says("`x/prod` in main.tf:5");
        },
    );
    suite.on_emulator("arguments_that_were_not_set_are_recorded_as_null", &[], |server| {
        let config = json!({
            "bucket": "b",
            "key": "k",
            "assume_role": null,
            "endpoints": null,
            "region": null,
            "use_lockfile": null,
            "of_the_future": null,
        });
        let directory = initialised(server, "bucket = \"b\"\n    key = \"k\"", &config);
        let shown = directory.show().success();
        assert_eq!(shown.json()["values"]["region"]["origin"], "$AWS_REGION");
        assert_eq!(shown.json()["values"]["use_lockfile"]["origin"], "default");
    });
    suite.on_emulator("a_record_of_another_backend_is_told_from_one_of_ours", &[], |server| {
        let directory = Directory::empty(server);
        write_record(&directory, "azurerm", &json!({"storage_account_name": "s"}));
        directory
            .show()
            .code(2)
            .says("backend type `azurerm` is not supported")
            .says(".terraform/terraform.tfstate");
    });
    suite.on_emulator("a_record_that_cannot_be_read_is_told_with_what_to_do", &[], |server| {
        let directory = Directory::with_block(server, BLOCK);
        directory.write(
            ".terraform/terraform.tfstate",
            "{\"version\": 3, \"backend\": {\"type\": \"s3\", \"config\": {\"secret_key\": \
             \"hunter2\" oops",
        );
        let output = directory
            .show()
            .code(2)
            .says(".terraform/terraform.tfstate")
            .says("run `terraform init`");
        assert!(!output.stderr().contains("hunter2"), "{output}");
    });
}

fn workspaces(suite: &mut Suite) {
    suite.on_emulator(
        "the_selected_workspace_is_used_and_the_variable_goes_before_it",
        &[],
        |server| {
            let directory = Directory::with_block(server, BLOCK);
            assert_eq!(directory.show().success().json()["workspace"], "default");
            directory.write(".terraform/environment", "dev");
            assert_eq!(directory.show().success().json()["workspace"], "dev");
            let shown = directory
                .remote_state("config show --json")
                .env("TF_WORKSPACE", "prod")
                .run()
                .success();
            assert_eq!(shown.json()["workspace"], "prod");
            let shown = directory
                .remote_state("config show --json -w test")
                .env("TF_WORKSPACE", "prod")
                .run()
                .success();
            assert_eq!(shown.json()["workspace"], "test");
            directory.write(".terraform/environment", "../other");
            directory.show().code(2).says("is not a workspace name").says(".terraform/environment");
        },
    );
}

/// Returns a directory with this block and the record that `tofu init` would write for it.
pub(crate) fn initialised<'a>(server: &'a S3Server, lines: &str, config: &Value) -> Directory<'a> {
    let directory = Directory::empty(server);
    directory
        .write("main.tf", &format!("terraform {{\n  backend \"s3\" {{\n    {lines}\n  }}\n}}\n"));
    write_record(&directory, "s3", config);
    directory
}

fn write_record(directory: &Directory<'_>, name: &str, config: &Value) {
    let record = json!({"version": 3, "backend": {"type": name, "config": config, "hash": 1}});
    directory.write(".terraform/terraform.tfstate", &format!("{record:#}"));
}
