//! `remote-state` reads states of native Terraform, and the other way round.

use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{Cmd, S3Server, Sandbox, Suite};

use crate::project::{Project, TERRAFORM};

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("native_states_are_pulled_byte_for_byte", TERRAFORM, pulled);
    suite.on_each_server("outputs_of_a_native_state_are_read_with_every_digit", TERRAFORM, outputs);
    suite.on_each_server("a_pushed_state_is_read_natively_and_plans_no_change", TERRAFORM, pushed);
    suite.on_each_server(
        "an_endpoint_in_the_shared_aws_files_is_the_same_for_both",
        TERRAFORM,
        shared_files,
    );
}

fn shared_files(server: &S3Server) {
    let (place, sandbox) = (server.place(), Sandbox::new());
    sandbox.write(
        "aws-config",
        format!(
            "[profile lab]\nservices = lab\nendpoint_url = http://127.0.0.1:1\n\n[services \
             lab]\ns3 =\n  endpoint_url = {}\n",
            server.endpoint
        ),
    );
    sandbox.write("main.tf", CONFIGURATION);
    sandbox.write(
        "backend.tf",
        format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"{}\"\n    key = \"{}\"\n    \
             region = \"us-east-1\"\n    use_path_style = true\n    \
             skip_credentials_validation = true\n    skip_requesting_account_id = true\n    \
             skip_region_validation = true\n  }}\n}}\n",
            place.bucket, place.key
        ),
    );
    let at_home = |cmd: Cmd| {
        cmd.server(server).env("AWS_CONFIG_FILE", "aws-config").env("AWS_PROFILE", "lab")
    };
    at_home(sandbox.terraform().words("init -input=false")).run().success();
    at_home(sandbox.terraform().words("apply -auto-approve -input=false")).run().success();
    let stored = place.state("default").expect("Terraform stored it at that endpoint");
    assert_eq!(at_home(sandbox.remote_state().words("pull")).run().success().stdout, stored);
}

fn pulled(server: &S3Server) {
    let project = Project::native(server.place());
    project.terraform("apply -auto-approve -input=false").run().success();
    project.terraform("workspace new dev").run().success();
    project.terraform("apply -auto-approve -input=false -var v=2").run().success();

    let default = project.place.state("default").expect("Terraform stored it");
    let dev = project.place.state("dev").expect("Terraform stored it");
    // `dev` is the selected workspace now, for both.
    assert_eq!(project.ours("pull").run().success().stdout, dev);
    assert_eq!(project.ours("pull -w default").run().success().stdout, default);
    project.ours("pull --output copy.tfstate -w default").run().success();
    assert_eq!(project.sandbox.read("copy.tfstate"), default);
    assert_eq!(
        project.terraform("state pull").run().success().json(),
        project.place.state_json("dev")
    );

    let listed = project.ours("workspace list --json").run().success().json().to_string();
    assert!(listed.contains("\"dev\"") && listed.contains("\"default\""), "{listed}");
    let addresses = project.ours("list").run().success();
    assert_eq!(addresses.stdout(), "terraform_data.a\n");
}

fn outputs(server: &S3Server) {
    let project = Project::native(server.place());
    project.terraform("apply -auto-approve -input=false -var v=seven").run().success();

    assert_eq!(project.ours("output a --raw").run().success().stdout(), "seven");
    assert_eq!(project.ours("output -raw big").run().success().stdout(), "9007199254740993");
    let list = project.ours("output list --json").run().success().json();
    assert_eq!(list, project.terraform("output -json list").run().success().json());

    let all = project.ours("output --json").run().success();
    assert!(all.stdout().contains("9007199254740993"), "{all}");
    assert_eq!(all.json(), project.terraform("output -json").run().success().json());
    let table = project.ours("output").run().success();
    assert!(!table.stdout().contains("hush"), "{table}");
    assert!(table.stdout().contains("9007199254740993"), "{table}");
    project.ours("output missing").run().code(4);
}

fn pushed(server: &S3Server) {
    let writer = Project::native(server.place());
    writer.terraform("apply -auto-approve -input=false").run().success();
    writer.ours("pull --output copy.tfstate").run().success();
    let bytes = writer.sandbox.read("copy.tfstate");

    let reader = Project::native(server.place());
    reader.sandbox.write("copy.tfstate", &bytes);
    reader.ours("push copy.tfstate").run().success();
    assert_eq!(reader.place.state("default").as_deref(), Some(&bytes[..]));
    reader.place.assert_unlocked();
    reader.terraform("plan -input=false -detailed-exitcode").run().success();
    assert_eq!(
        reader.terraform("output -json").run().success().json(),
        writer.terraform("output -json").run().success().json()
    );

    reader.ours("push -w dev copy.tfstate").run().success();
    reader.terraform("workspace select dev").run().success();
    reader.terraform("plan -input=false -detailed-exitcode").run().success();
}
