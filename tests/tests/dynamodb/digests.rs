//! Writers record the digest, and readers check it.

use md5::{Digest as _, Md5};
use remote_state_tests::terraform::HTTP_BACKEND;
use remote_state_tests::{S3Server, Sandbox, Suite};

use crate::project::{Locks, Project, each};

pub(crate) fn add(suite: &mut Suite) {
    each(suite, "what_native_terraform_wrote_is_verified_by_us", native);
    each(suite, "what_we_wrote_is_verified_by_native_terraform", ours);
    each(
        suite,
        "state_that_was_written_without_the_table_is_refused_by_both_until_it_is_repaired",
        repaired,
    );
}

const APPLY: &str = "apply -auto-approve -input=false";

#[track_caller]
fn assert_digest_is_kept(project: &Project<'_>, workspace: &str) {
    let state = project.place.state(workspace).expect("there is a state");
    let sum: String = Md5::digest(&state).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(project.place.digest(workspace), Some(sum));
}

fn native(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    project.terraform(APPLY).run().success();
    assert_digest_is_kept(&project, "default");
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "1");
    project.terraform("workspace new dev").run().success();
    project.terraform(APPLY).run().success();
    assert_digest_is_kept(&project, "dev");
    assert_eq!(
        project.ours("pull").run().success().stdout,
        project.place.state("dev").expect("it is stored")
    );
    project.assert_free();
}

fn ours(server: &S3Server, locks: Locks) {
    let writer = Project::new(server, locks);
    writer.terraform(APPLY).run().success();
    writer.ours("pull --output copy.tfstate").run().success();

    let reader = Project::new(server, locks);
    reader.sandbox.write("copy.tfstate", writer.sandbox.read("copy.tfstate"));
    reader.ours("push copy.tfstate").run().success();
    assert_digest_is_kept(&reader, "default");
    reader.terraform("plan -input=false -detailed-exitcode").run().success();
    reader.ours("workspace new dev").run().success();
    assert_digest_is_kept(&reader, "dev");
    reader.terraform("workspace select dev").run().success();
    reader.terraform("workspace select default").run().success();
    reader.ours("workspace delete dev --yes").run().success();
    assert_eq!(reader.place.digest("dev"), None);
    reader.assert_free();
}

fn repaired(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    project.terraform(APPLY).run().success();
    let before = project.place.digest("default").expect("Terraform records it");
    // A client without the table.
    let without = Project::plain(
        project.place.clone().with("dynamodb_table", "").with("use_lockfile", "true"),
    );
    without.terraform(&format!("{APPLY} -var v=2")).run().success();
    assert_eq!(project.place.digest("default").as_deref(), Some(&*before));
    let right = project.place.state("default").expect("it is stored");

    let reading = project.ours("pull").start();
    project.terraform("state pull").run().code(1).mentions(&before);
    reading.wait().code(5).says(&before).says("does not match its recorded digest");

    // Terraform behind `exec` waits as long as `exec` itself, not seven times as long, and the
    // message names the repair.
    let behind = Sandbox::new();
    behind.write("main.tf", HTTP_BACKEND);
    let exec = behind.remote_state().server(server).args(project.place.flags()).arg("exec");
    let refused = exec.then(&behind.terraform().words("init -input=false -no-color")).run().code(1);
    refused
        .says("refused to read the state: ")
        .says("does not match its recorded digest")
        .says("--repair-digest");

    project.sandbox.write("right.tfstate", &right);
    let repaired = project.ours("push --repair-digest right.tfstate").run().success();
    repaired.says(" already; its digest is recorded");
    assert_digest_is_kept(&project, "default");
    assert_eq!(project.place.state("default").expect("it is stored"), right);
    assert_eq!(project.terraform("output -raw a").run().success().stdout(), "2");
    assert_eq!(project.ours("output --raw a").run().success().stdout(), "2");
    project.assert_free();
}
