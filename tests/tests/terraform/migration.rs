//! Terraform's own commands move states from one backend to the other.

use remote_state_tests::terraform::HTTP_BACKEND;
use remote_state_tests::{Requirement, S3Server, Suite};

use crate::project::{Project, TERRAFORM};

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server(
        "a_state_migrates_from_a_file_to_http_to_s3_unchanged",
        TERRAFORM,
        migrates,
    );
}

fn migrates(server: &S3Server) {
    let project = Project::local(server.place(), Requirement::Terraform);
    project.terraform("apply -auto-approve -input=false").run().success();
    let first: serde_json::Value =
        serde_json::from_slice(&project.sandbox.read("terraform.tfstate"))
            .expect("a state is JSON");

    project.sandbox.write("backend.tf", HTTP_BACKEND);
    project.exec("init -migrate-state -force-copy -input=false").run().success();
    same(&project.place.state_json("default"), &first);
    project.exec("plan -input=false -detailed-exitcode").run().success();
    project.place.assert_unlocked();

    // The old backend is still `exec`'s then, so this also runs under `exec`.
    let elsewhere = server.place();
    project.sandbox.write("backend.tf", elsewhere.backend_block());
    project.exec("init -migrate-state -force-copy -input=false").run().success();
    same(&elsewhere.state_json("default"), &first);
    project.terraform("plan -input=false -detailed-exitcode").run().success();
    elsewhere.assert_unlocked();
    project.place.assert_unlocked();
}

fn same(now: &serde_json::Value, first: &serde_json::Value) {
    // Terraform gives a migrated state a new lineage, with any backends.
    for part in ["outputs", "resources"] {
        assert_eq!(now[part], first[part], "{part}");
    }
}
