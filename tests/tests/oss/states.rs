//! States are the same for all clients, whichever wrote them.

use remote_state_tests::{OssServer, Suite};
use serde_json::Value;

use crate::project::{APPLY, Locks, Project, each};

pub(crate) fn add(suite: &mut Suite) {
    each(suite, "what_native_terraform_wrote_is_read_byte_for_byte", native_first);
    each(suite, "what_we_wrote_is_read_natively_and_nothing_is_to_be_changed", ours_first);
    each(suite, "exec_goes_through_the_full_cycle", cycle);
    each(suite, "reading_creates_nothing", reads);
    each(suite, "an_older_version_is_restored_and_native_terraform_goes_on", restored);
}

fn native_first(server: &OssServer, bucket: &'static str, locks: Locks) {
    let project = Project::native(server, bucket, locks);
    project.terraform(APPLY).run().success();
    project.terraform("workspace new dev").run().success();
    project.terraform(&format!("{APPLY} -var v=dev")).run().success();
    for (workspace, value) in [("default", "1"), ("dev", "dev")] {
        let pulled = project.ours(&format!("-w {workspace} pull")).run().success();
        assert_eq!(pulled.stdout, project.stored(workspace), "{workspace}");
        assert_eq!(
            project.ours(&format!("-w {workspace} output a --raw")).run().success().stdout(),
            value
        );
    }
    // `remote-state` finds the selected workspace as Terraform does.
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "dev");
    let listed = project.ours("workspace list --json").run().success().json();
    assert!(listed.to_string().contains("\"dev\""), "{listed}");
}

fn ours_first(server: &OssServer, bucket: &'static str, locks: Locks) {
    let project = Project::native(server, bucket, locks);
    project.terraform(APPLY).run().success();
    // The next state, with a change in an attribute that no plan reads.
    let mut state: Value =
        serde_json::from_slice(&project.stored("default")).expect("a state is JSON");
    let serial = state["serial"].as_u64().expect("a serial is a number") + 1;
    state["serial"] = serial.into();
    let text =
        format!("{}\n", serde_json::to_string_pretty(&state).expect("a value can be written"));
    project.sandbox.write("next.json", &text);
    for workspace in ["default", "dev"] {
        project.ours(&format!("-w {workspace} push next.json")).run().success();
        assert_eq!(project.stored(workspace), text.as_bytes(), "{workspace}");
        project.terraform(&format!("workspace select {workspace}")).run().success();
        project.terraform("plan -input=false -detailed-exitcode").run().success();
        let pulled = project.terraform("state pull").run().success().json();
        assert_eq!(pulled["serial"], serial, "{workspace}");
        project.terraform(&format!("{APPLY} -var v=2")).run().success();
        assert_eq!(
            project.ours(&format!("-w {workspace} output a --raw")).run().success().stdout(),
            "2"
        );
    }
    project.terraform("workspace select default").run().success();
    project.ours("workspace delete dev --force --yes").run().success();
    let listed = project.terraform("workspace list").run().success();
    assert!(!listed.stdout().contains("dev"), "{listed}");
}

fn cycle(server: &OssServer, bucket: &'static str, locks: Locks) {
    let project = Project::http(server, bucket, locks);
    project.exec("plan -input=false -detailed-exitcode").run().code(2);
    project.exec(APPLY).run().success();
    assert_eq!(project.flagged().words("output a --raw").run().success().stdout(), "1");
    project.exec(&format!("{APPLY} -var v=2")).run().success();
    project.exec("plan -input=false -detailed-exitcode -var v=2").run().success();
    // A native client sees the same state, and leaves one with which `exec` continues.
    let native = Project::native(server, bucket, locks);
    native.terraform("plan -input=false -detailed-exitcode -var v=2").run().success();
    native.terraform(&format!("{APPLY} -var v=3")).run().success();
    project.exec("plan -input=false -detailed-exitcode -var v=3").run().success();
    project.exec("destroy -auto-approve -input=false").run().success();
    let stored: Value =
        serde_json::from_slice(&project.stored("default")).expect("a state is JSON");
    assert_eq!(stored["resources"].as_array().map(Vec::len), Some(0));
    project.assert_free();
}

fn reads(server: &OssServer, bucket: &'static str, locks: Locks) {
    let project = Project::native(server, bucket, locks);
    for words in ["pull", "-w ghost pull", "-w ghost output"] {
        project.ours(words).run().code(4);
    }
    for words in ["locks", "workspace list"] {
        project.ours(words).run().success();
    }
    for key in ["env:/terraform.tfstate", "env:/ghost/terraform.tfstate"] {
        assert_eq!(server.object(bucket, key), None, "{key}");
    }
}

/// A bucket without versions has one state, and nothing to restore.
fn restored(server: &OssServer, bucket: &'static str, locks: Locks) {
    let project = Project::native(server, bucket, locks);
    project.terraform(APPLY).run().success();
    let before = project.stored("default");
    project.terraform(&format!("{APPLY} -var v=2")).run().success();
    let listed = project.ours("history --json").run().success().json();
    let versions = listed["versions"].as_array().expect("it is a list");
    if listed["versioning"] != "enabled" {
        assert_eq!(versions.len(), 1, "{listed}");
        project.ours("restore @1 --yes").run().code(4);
        return;
    }
    let serial = |state: &[u8]| -> Option<u64> {
        serde_json::from_slice::<Value>(state).expect("a state is JSON")["serial"].as_u64()
    };
    let wanted = versions.iter().find(|version| version["serial"].as_u64() == serial(&before));
    let id = wanted.expect("it is a version")["id"].as_str().expect("it has an id");
    let highest = serial(&project.stored("default"));
    project.ours(&format!("restore id:{id} --yes")).run().success();
    let restored = project.stored("default");
    assert_eq!(serial(&restored), highest.map(|serial| serial + 1));
    project.terraform("plan -input=false -detailed-exitcode").run().success();
    let deleted = project.ours("diff --exit-code").run();
    deleted.code(5);
}
