//! The examples of the documentation.

use remote_state_tests::{Requirement, Suite, block_on};
use serde_json::json;

use crate::place::{Project, STATE, server};

const BACKEND: &str = r#"terraform {
  backend "s3" {
    bucket = "mybucket"
    key    = "path/to/my/key"
    region = "us-east-1"
  }
}
"#;

/// The content of `config { … }` in `data "terraform_remote_state" "network"`.
const REMOTE_STATE_CONFIG: &str = r#"    bucket = "terraform-state-prod"
    key    = "network/terraform.tfstate"
    region = "us-east-1"
"#;

pub(crate) fn add(suite: &mut Suite) {
    suite.test("example_stores_the_state_under_its_key", &[], || {
        let server = server();
        let project = Project::new(&server, BACKEND).with_keys();
        project.works();
        let stored =
            block_on(server.get_object("mybucket", "path/to/my/key")).expect("it is stored");
        assert_eq!(stored, STATE);
        assert_eq!(project.command("pull").run().success().stdout(), STATE);
    });
    suite.test("example_works_with_credentials_of_a_partial_configuration", &[], || {
        let server = server();
        let project = Project::new(&server, BACKEND);
        project.command("pull").run().code(1).says("no credentials were found");
        let keys = format!(
            "access_key = {:?}\nsecret_key = {:?}\n",
            server.access_key(),
            server.secret_key()
        );
        project.sandbox.write("keys.tfbackend", keys);
        project.command("push - -backend-config=keys.tfbackend").stdin(STATE).run().success();
        assert_eq!(
            project.command("pull -backend-config=keys.tfbackend").run().success().stdout(),
            STATE
        );
    });
    suite.test("example_of_the_data_source_gives_the_outputs_it_shows", &[], || {
        let server = server();
        block_on(server.put_object(
            "terraform-state-prod",
            "network/terraform.tfstate",
            STATE.into(),
        ));
        let project = Project::new(&server, "").with_keys();
        project.sandbox.write("network.tfbackend", REMOTE_STATE_CONFIG);
        let output = |words: &str| {
            project
                .command(&format!("output --backend s3 --backend-config network.tfbackend {words}"))
                .run()
                .success()
        };
        assert_eq!(
            output("-raw elb_address").stdout(),
            "web-elb-790251200.us-east-1.elb.amazonaws.com"
        );
        assert_eq!(output("-raw public_subnet_id").stdout(), "subnet-1e05dd33");
        assert_eq!(output("-json addresses").json(), json!(["52.207.220.222", "54.196.78.166"]));
        let all = output("-json").json();
        let names: Vec<_> = all.as_object().expect("it is an object").keys().collect();
        assert_eq!(names, ["addresses", "elb_address", "public_subnet_id"]);
    });
    suite.test(
        "example_of_the_data_source_reads_the_same_for_terraform",
        &[Requirement::Terraform],
        || {
            let server = server();
            block_on(server.put_object(
                "terraform-state-prod",
                "network/terraform.tfstate",
                STATE.into(),
            ));
            // Current Terraform requires `config = {`, and validates the credentials at Amazon by
            // default.
            let data = format!(
                "data \"terraform_remote_state\" \"network\" {{\n  backend = \"s3\"\n  config \
                     = {{\n{REMOTE_STATE_CONFIG}{}  }}\n}}\n\noutput \"it\" {{\n  value = \
                     data.terraform_remote_state.network.outputs\n}}\n",
                "    skip_credentials_validation = true\n    skip_requesting_account_id = \
                     true\n    use_path_style = true\n"
            );
            let project = Project::new(&server, &data);
            let terraform = |words: &str| {
                let cmd = project
                    .sandbox
                    .terraform()
                    .server(&server)
                    .env("AWS_ENDPOINT_URL_S3", &server.endpoint);
                cmd.words(words).run().success()
            };
            terraform("init");
            terraform("apply -auto-approve");
            let theirs = terraform("output -json it").json();
            let ours = Project::new(&server, "").with_keys();
            ours.sandbox.write("network.tfbackend", REMOTE_STATE_CONFIG);
            let ours = ours
                .command("output --json --backend s3 --backend-config network.tfbackend")
                .run()
                .success()
                .json();
            for (name, value) in theirs.as_object().expect("it is an object") {
                assert_eq!(&ours[name]["value"], value, "{name}");
            }
        },
    );
}
