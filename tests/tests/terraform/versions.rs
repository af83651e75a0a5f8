//! The versions that real applies leave behind: who wrote them, and how one becomes the current
//! state again.

use remote_state_tests::{S3Server, Suite, block_on};
use serde_json::Value;

use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("history_names_the_writer_of_each_version", TERRAFORM, writers);
    suite.on_each_server("outputs_are_variables_of_another_project", TERRAFORM, variables);
    suite.on_each_server("a_plan_for_a_restored_serial_is_stale", TERRAFORM, stale_plan);
    suite.on_each_server("native_terraform_goes_on_from_a_restored_state", TERRAFORM, goes_on);
    suite.on_each_server("native_terraform_goes_on_from_an_undeleted_state", TERRAFORM, undeleted);
}

/// Creates a native project in a bucket that keeps versions.
fn versioned(server: &S3Server) -> Project<'_> {
    Project::native(server.place_in(&block_on(server.make_versioned_bucket())))
}

fn apply(project: &Project<'_>, v: &str) {
    project.terraform(&format!("{APPLY} -var v={v}")).run().success();
}

#[track_caller]
fn history(project: &Project<'_>, words: &str) -> Vec<Value> {
    let output = project.ours(&format!("history --json {words}")).run().success();
    let json = output.json();
    assert_eq!(json["versioning"], "enabled", "{output}");
    json["versions"].as_array().expect("it is a list").clone()
}

/// Three applies by native Terraform, two pushes and an apply through `exec`.
fn writers(server: &S3Server) {
    let project = versioned(server);
    for v in ["1", "2", "3"] {
        apply(&project, v);
    }
    for _ in 0..2 {
        let state = project.place.state_json("default");
        let serial = state["serial"].as_u64().expect("it has a serial");
        let text = state
            .to_string()
            .replace(&format!("\"serial\":{serial}"), &format!("\"serial\":{}", serial + 1));
        project.ours("push -").stdin(text).run().success();
    }
    let http = project.over_http();
    http.exec(&format!("{APPLY} -var v=4")).run().success();
    let versions = history(&project, "--who");
    let whoami = |version: &Value| version["writer"]["who"].as_str().unwrap_or_default().to_owned();
    let operations = |version: &Value| {
        let writer = &version["writer"];
        (writer["operation"].clone(), writer["from"].clone())
    };
    // An apply may store the state more than once.
    let mut seen: Vec<_> = versions.iter().map(operations).collect();
    seen.dedup();
    let expected =
        [("apply", "annotations"), ("state-push", "annotations"), ("apply", "lock-file")];
    assert_eq!(seen, expected.map(|(one, other)| (one.into(), other.into())), "{versions:#?}");
    assert!(versions.iter().all(|version| whoami(version).contains('@')), "{versions:#?}");
    let ids: std::collections::BTreeSet<_> =
        versions.iter().map(|version| version["writer"]["lock_id"].to_string()).collect();
    assert_eq!(ids.len(), 6, "six clients held the lock: {versions:#?}");
    // Without the lock files only our own writes are known.
    let known: Vec<_> =
        history(&project, "").iter().map(|version| version["writer"].is_null()).collect();
    assert_eq!(known.iter().filter(|is_null| **is_null).count(), versions.len() - 3, "{known:?}");
}

/// What `--format tfvars` prints is read by Terraform as the values that it stored.
fn variables(server: &S3Server) {
    let project = versioned(server);
    let values = r#"{ "text" = "it's \"5\" $${id} %%{if}\\ \nü", "list" = [1.5, null, true, {"a.b" = "x"}] }"#;
    project.sandbox.write("more.tf", format!("output \"more\" {{\n  value = {values}\n}}\n"));
    apply(&project, "1");
    let printed = project.ours("output --format tfvars").run().success();
    let reader = remote_state_tests::Sandbox::new();
    reader.write("given.tfvars", printed.stdout());
    reader.write(
        "main.tf",
        "variable \"a\" {}\nvariable \"more\" {}\n\
         output \"more\" {\n  value = var.more\n}\n",
    );
    reader.terraform().words("init -input=false").run().success();
    let apply = reader.terraform().words(APPLY).arg("-var-file=given.tfvars");
    apply.run().success();
    let read = reader.terraform().words("output -json more").run().success().json();
    assert_eq!(read, project.place.state_json("default")["outputs"]["more"]["value"]);
}

fn stale_plan(server: &S3Server) {
    let project = versioned(server);
    apply(&project, "1");
    apply(&project, "2");
    project.terraform("plan -input=false -out=saved -var v=3").run().success();
    project.ours("restore @1 --yes").run().success();
    let output = project.terraform("apply -input=false saved").run().code(1);
    assert!(output.stderr().contains("Saved plan is stale"), "{output}");
}

fn goes_on(server: &S3Server) {
    let project = versioned(server);
    apply(&project, "1");
    let before = project.place.state_json("default");
    apply(&project, "2");
    let bad = project.place.state_json("default");
    let versions = history(&project, "");
    let wanted = versions.iter().find(|version| version["serial"] == before["serial"]);
    let reference = wanted.expect("the first state is a version")["ref"].as_str().expect("a text");
    let output = project.ours(&format!("restore {reference} --yes")).run().success();
    assert!(output.stderr().contains("restored serial"), "{output}");
    project.place.assert_unlocked();
    let mut restored = project.place.state_json("default");
    assert_eq!(restored["serial"].as_u64(), bad["serial"].as_u64().map(|serial| serial + 1));
    restored["serial"] = before["serial"].clone();
    assert_eq!(restored, before);
    project.terraform("plan -input=false -detailed-exitcode -var v=1").run().code(0);
    apply(&project, "5");
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "5");
}

fn undeleted(server: &S3Server) {
    let project = versioned(server);
    apply(&project, "1");
    let before = project.place.state("default");
    let deletion = server.client().delete_object().bucket(&project.place.bucket);
    block_on(deletion.key(&project.place.key).send()).expect("the state can be deleted");
    project.terraform("plan -input=false -detailed-exitcode -var v=1").run().code(2);
    project.ours("undelete").run().code(2);
    project.ours("undelete --yes").run().success();
    assert_eq!(project.place.state("default"), before);
    project.place.assert_unlocked();
    project.terraform("plan -input=false -detailed-exitcode -var v=1").run().code(0);
}
