//! The whole life of a state through the `http` backend, with each available client.

use remote_state_tests::terraform::HTTP_BACKEND;
use remote_state_tests::{Requirement, S3Server, Suite};

use crate::project::Project;

pub(crate) fn add(suite: &mut Suite) {
    for client in [Requirement::Terraform, Requirement::Tofu] {
        let name = format!("terraform_and_tofu_full_cycle::{}", client.name());
        suite.on_each_server(&name, &[client], move |server| {
            terraform_and_tofu_full_cycle(server, client);
        });
    }
}

fn terraform_and_tofu_full_cycle(server: &S3Server, client: Requirement) {
    let apply = "apply -auto-approve -input=false";
    let project = Project::local(server.place(), client);
    project.terraform(apply).run().success();

    // Migrate from local.
    project.sandbox.write("backend.tf", HTTP_BACKEND);
    project.exec("init -migrate-state -force-copy -input=false").run().success();
    project.exec("plan -input=false -detailed-exitcode").run().success();

    // A plan during a lock is refused with the holder, unless it takes no lock.
    let holding = project.hold(|words| project.exec(words));
    let holder = project.holder();
    project
        .exec("plan -input=false")
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(holder.id.as_str());
    project.exec("plan -input=false -lock=false").run().success();
    project.let_go();
    holding.wait().success();
    project.exec("plan -input=false -detailed-exitcode -var v=held").run().success();

    // Pull a state and push it back.
    let pulled = project.exec("state pull").run().success().json();
    assert_eq!(pulled, project.place.state_json("default"));
    let mut next = pulled;
    let serial = next["serial"].as_u64().expect("a serial is a number") + 5;
    next["serial"] = serial.into();
    project.sandbox.write("next.tfstate", next.to_string());
    project.exec("state push next.tfstate").run().success();
    // Terraform counts the push as one more change.
    assert_eq!(project.place.state_json("default")["serial"], serial + 1);
    project.exec("state push -force next.tfstate").run().success();

    // A lock that no client will release.
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    let refused = project.exec(apply).run().code(1).mentions(&id);
    // Terraform shows only the id, beside a record of its own.
    let refused = refused.mentions("the command was refused the lock on").mentions("held by");
    assert!(!refused.stderr().contains("never asked for the state"), "{refused}");
    project.exec(&format!("force-unlock -force {id}")).run().success();
    project.place.assert_unlocked();

    project.exec("destroy -auto-approve -input=false").run().success();
    project.place.assert_unlocked();
    assert_eq!(project.place.state_json("default")["resources"], serde_json::json!([]));
}
