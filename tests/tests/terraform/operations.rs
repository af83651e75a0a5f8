//! What two real applies changed is compared and found, and nothing sensitive is shown.

use remote_state_tests::{Cmd, Output, S3Server, Suite, block_on};

use crate::project::{Project, TERRAFORM};

/// A sensitive value with a mark, copies of it without one, and a check that quotes it.
const SECRETS: &str = r#"
variable "marker" {
  sensitive = true
  default   = "MARKER-one"
}

resource "terraform_data" "secret" {
  input = var.marker
}

resource "terraform_data" "copy" {
  input = {
    url  = "postgres://me:${nonsensitive(var.marker)}@db"
    port = 5432
    name = var.v
  }
}

output "copied" {
  value = "copy of ${terraform_data.secret.output}"
}

output "marked" {
  value     = var.marker
  sensitive = true
}

check "quotes" {
  assert {
    condition     = terraform_data.secret.output == "never"
    error_message = "saw ${terraform_data.secret.output}"
  }
}
"#;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("diff_shows_what_an_apply_changed_and_no_secret", TERRAFORM, diff);
    suite.on_each_server("find_finds_what_an_apply_made_and_shows_no_secret", TERRAFORM, find);
}

/// Creates a project whose state has two versions.
fn applied_twice(server: &S3Server) -> Project<'_> {
    let place = server.place_in(&block_on(server.make_versioned_bucket()));
    let project = Project::http(place);
    project.sandbox.write("secrets.tf", SECRETS);
    let apply = "apply -auto-approve -input=false";
    project.exec(apply).run().success();
    project.exec(&format!("{apply} -var marker=MARKER-two -var v=2")).run().success();
    let state = project.place.state_json("default").to_string();
    assert!(state.contains("saw MARKER-two"), "the check quotes the value");
    project
}

/// Runs a command that must show no secret.
#[track_caller]
fn discreet(cmd: Cmd, code: i32) -> Output {
    let output = cmd.run().code(code);
    assert!(!output.stdout().contains("MARKER"), "{output}");
    assert!(!output.stderr().contains("MARKER"), "{output}");
    output
}

fn diff(server: &S3Server) {
    let project = applied_twice(server);
    // The provisioner's resource is replaced; its id differs from run to run.
    let output = discreet(project.ours("diff --only resources --address terraform_data.copy"), 0);
    let (head, rest) = output.stdout().split_once('\n').expect("it has lines");
    assert!(head.starts_with("serial ") && head.contains(" → "), "{output}");
    assert_eq!(
        rest,
        "~ terraform_data.copy\n    \
             input.value.name   \"1\" → \"2\"\n    \
             input.value.url    (sensitive) changed\n    \
             output.value.name  \"1\" → \"2\"\n    \
             output.value.url   (sensitive) changed\n\
         1 changed; 0 unchanged\n"
    );
    let output = discreet(project.ours("diff"), 0);
    for line in [
        "± terraform_data.a   (replaced)",
        "~ terraform_data.secret",
        "~ output copied   (sensitive) changed",
        "~ output marked   (sensitive) changed",
        "~ output a   \"1\" → \"2\"",
    ] {
        assert!(output.stdout().lines().any(|shown| shown == line), "{line}\n{output}");
    }
    for words in ["diff --json", "diff --json -vvv", "diff -vvv", "diff @0 @1 --order --data"] {
        discreet(project.ours(words), 0);
    }
    discreet(project.ours("diff --exit-code"), 5);
    discreet(project.ours("diff @0 @0 --exit-code"), 0);
    let all = project.ours("diff --values all --yes").run().success();
    assert!(all.stdout().contains("\"MARKER-one\" → \"MARKER-two\""), "{all}");
}

fn find(server: &S3Server) {
    let project = applied_twice(server);
    let state = project.place.state_json("default");
    let resources = state["resources"].as_array().expect("it has resources");
    let copy = resources.iter().find(|one| one["name"] == "copy").expect("it is there");
    let id = copy["instances"][0]["attributes"]["id"].as_str().expect("it has an id");
    let output = discreet(project.ours("find --here --id").arg(id), 0);
    assert!(output.stdout().contains("terraform_data.copy"), "{output}");
    assert_eq!(output.stdout().lines().count(), 2, "{output}");
    for words in [
        "find --here --value-stdin",
        "find --here --value-stdin --json -vvv",
        "find --here --value-stdin --show input,output -vvv",
    ] {
        let output = discreet(project.ours(words).stdin("MARKER-two\n"), 0);
        for holder in ["terraform_data.secret", "terraform_data.copy", "copied", "marked"] {
            assert!(output.stdout().contains(holder), "{words} {holder}\n{output}");
        }
    }
    let checks = discreet(project.ours("find --here --value-stdin").stdin("saw MARKER-two"), 0);
    assert!(checks.stdout().contains("(check results)"), "{checks}");
    discreet(project.ours("find --here --value-stdin").stdin("MARKER-one"), 4);
    // The whole bucket has this state alone.
    let output = discreet(project.ours("find terraform_data.copy --show input,id"), 0);
    assert!(output.stdout().contains("\"port\":5432"), "{output}");
    assert!(output.stdout().contains(id), "{output}");
}
