//! A renamed workspace: native Terraform goes on under the new name, and every native command
//! under the old one is told so and changes nothing.

use remote_state_tests::{Cmd, Output, S3Server, Sandbox, Suite, block_on};

use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("native_commands_on_a_sealed_state_are_told_where_it_is", TERRAFORM, told);
    suite.on_each_server("native_commands_make_other_workspaces_beside_a_seal", TERRAFORM, beside);
    suite.on_each_server("native_terraform_goes_on_under_the_new_name", TERRAFORM, goes_on);
    suite.on_each_server("native_terraform_goes_on_from_an_unsealed_state", TERRAFORM, unsealed);
    suite.on_each_server("a_copied_state_is_another_one_for_native_terraform", TERRAFORM, copied);
    suite.on_each_server(
        "terraform_through_exec_is_told_and_writes_nothing",
        TERRAFORM,
        through_us,
    );
}

/// Creates a project whose selected workspace `a` has a state and a saved plan, and renames it to
/// `b`.
fn renamed(server: &S3Server) -> Project<'_> {
    let project = Project::native(server.place());
    project.terraform("workspace new a").run().success();
    project.terraform(APPLY).run().success();
    project.terraform("state pull").run().success();
    project.terraform("plan -input=false -out=old -var v=2").run().success();
    let before = project.place.state("a");
    project.ours("workspace rename a b --yes --accept-unfenced").run().success();
    assert_eq!(project.place.state("b"), before);
    for workspace in ["a", "b"] {
        assert!(project.place.holder(workspace).is_none(), "`{workspace}` is locked");
    }
    project
}

/// Runs a native command that a seal stops.
#[track_caller]
fn stopped(cmd: Cmd) -> Output {
    stopped_with(cmd, &["renamed to b on ", "; terraform workspace select b"])
}

/// Runs a native command that a seal stops, which says these words.
#[track_caller]
pub(crate) fn stopped_with(cmd: Cmd, words: &[&str]) -> Output {
    let output = cmd.run().code(1);
    let said = plain(output.stderr());
    assert!(said.contains("Invalid Terraform version string"), "{output}");
    for words in words {
        assert!(said.contains(words), "{words}: {output}");
    }
    output
}

/// Returns what Terraform says: it colours its errors, draws a line beside them, and breaks them.
pub(crate) fn plain(said: &str) -> String {
    let mut parts = said.split("\u{1b}[");
    let plain = parts.next().unwrap_or_default().to_owned();
    let said = parts.fold(plain, |text, part| text + part.split_once('m').map_or("", |it| it.1));
    let said = said.replace('│', " ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn told(server: &S3Server) {
    let project = renamed(server);
    let sealed = project.place.state("a").expect("the seal is there");
    project.sandbox.write("forced.tfstate", project.place.state("b").expect("it has moved there"));
    for words in [
        "init -input=false",
        "plan -input=false",
        "plan -input=false -lock=false",
        "apply -auto-approve -input=false",
        "apply -auto-approve -input=false -lock=false",
        "apply -input=false old",
        "refresh -input=false",
        "state list",
        "state pull",
        "output -json",
        "state push -force forced.tfstate",
    ] {
        stopped(project.terraform(words));
        assert_eq!(project.place.state("a").as_ref(), Some(&sealed), "{words}");
        assert!(project.place.holder("a").is_none(), "{words}");
    }
    let reader = Sandbox::new();
    let block = project.place.backend_block();
    let config = block.trim().trim_start_matches("terraform {\n  backend \"s3\" {");
    let config = config.trim_end_matches("  }\n}");
    reader.write(
        "main.tf",
        format!(
            "data \"terraform_remote_state\" \"other\" {{\n  backend = \"s3\"\n  workspace = \
             \"a\"\n  config = {{\n{config}  }}\n}}\n"
        ),
    );
    let at_reader = |words: &str| reader.terraform().server(server).words(words);
    at_reader("init -input=false").run().success();
    stopped(at_reader("plan -input=false"));
    project.sandbox.write("backend.tf", "terraform {\n  backend \"local\" {}\n}\n");
    stopped(project.terraform("init -input=false -migrate-state -force-copy"));
    assert_eq!(project.place.state("a").as_ref(), Some(&sealed));
    project.terraform("init -input=false -reconfigure").run().success();
}

fn beside(server: &S3Server) {
    let project = renamed(server);
    let sealed = project.place.state("a").expect("the seal is there");
    project.terraform("workspace new c").run().success();
    let listed = project.terraform("workspace list").run().success();
    assert_eq!(
        listed.stdout().split_whitespace().collect::<Vec<_>>(),
        ["default", "a", "b", "*", "c"]
    );
    stopped(project.terraform("workspace delete -force a"));
    stopped(project.terraform("workspace delete a"));
    assert_eq!(project.place.state("a"), Some(sealed));
    project.terraform("workspace select a").run().success();
    project.terraform("workspace select c").run().success();
    project.ours("workspace delete a --yes").run().success();
    assert!(project.place.state("a").is_none());
}

fn goes_on(server: &S3Server) {
    let project = renamed(server);
    project.terraform("workspace select b").run().success();
    project.terraform("plan -input=false -detailed-exitcode").run().code(0);
    project.terraform(&format!("{APPLY} -var v=3")).run().success();
    assert_eq!(project.place.state_json("b")["outputs"]["a"]["value"], "3");
    // The way back, which selects for the native client too.
    project.ours("workspace rename b a --yes --accept-unfenced --select").run().success();
    assert_eq!(project.terraform("workspace show").run().success().stdout().trim(), "a");
    project.terraform("plan -input=false -detailed-exitcode -var v=3").run().code(0);
}

fn unsealed(server: &S3Server) {
    let place = server.place_in(&block_on(server.make_versioned_bucket()));
    let project = Project::native(place);
    project.terraform(APPLY).run().success();
    let before = project.place.state_json("default");
    project.ours("workspace rename default b --yes").run().success();
    stopped(project.terraform("plan -input=false"));
    project.ours("restore @1 --yes").run().code(5);
    project.ours("restore @1 --yes --unseal").run().success();
    let mut restored = project.place.state_json("default");
    let serial = before["serial"].as_u64().expect("it has a serial");
    assert_eq!(restored["serial"], serial + 2, "the seal had a serial too");
    restored["serial"] = before["serial"].clone();
    assert_eq!(restored, before);
    project.terraform("plan -input=false -detailed-exitcode").run().code(0);
}

fn copied(server: &S3Server) {
    let project = Project::native(server.place());
    project.terraform(APPLY).run().success();
    project.terraform("plan -input=false -out=old -var v=2").run().success();
    project.ours("workspace copy default c --yes").run().success();
    let (mut original, copy) = (project.place.state_json("default"), project.place.state_json("c"));
    assert_ne!(original["lineage"], copy["lineage"]);
    original["lineage"] = copy["lineage"].clone();
    assert_eq!(original, copy);
    project.terraform("workspace select c").run().success();
    project.terraform("plan -input=false -detailed-exitcode").run().code(0);
    project.terraform(&format!("{APPLY} -var v=3")).run().success();
    project.terraform("workspace select default").run().success();
    project.terraform("plan -input=false -detailed-exitcode").run().code(0);
}

fn through_us(server: &S3Server) {
    let project = renamed(server);
    let sealed = project.place.state("a").expect("the seal is there");
    let http = project.over_http();
    stopped(http.exec_in("a", "plan -input=false"));
    stopped(http.exec_in("a", APPLY));
    assert_eq!(http.place.state("a"), Some(sealed));
    http.exec_in("b", "plan -input=false -detailed-exitcode").run().code(0);
}
