//! A bucket that keeps versions: native locks exclude no client there. Those of `remote-state`
//! exclude each other, and it warns about the others.

use remote_state_core::LockInfo;
use remote_state_tests::{Requirement, S3Server, Setup, Suite, block_on};

use crate::project::{Project, spaces};

const RISK: &str = "native Terraform and OpenTofu do not see their locks";

pub(crate) fn add(suite: &mut Suite) {
    let setup = Setup::named("spaces/ceph-versioned");
    suite.on_setup(setup, "our_locks_hold_and_the_risk_is_told", &[Requirement::Terraform], told);
    suite.on_setup(
        setup,
        "native_terraform_walks_in_and_is_named_before_anything_is_overwritten",
        &[Requirement::Terraform],
        locked_by_native,
    );
}

fn versioned(server: &S3Server) -> Project<'_> {
    Project::initialised(server.place_in(&block_on(server.make_versioned_bucket())))
}

fn told(server: &S3Server) {
    let project = versioned(server);
    project.exec("init -input=false").run().success().says(RISK);
    let holding = project.hold(|words| project.exec(words), "held");
    let holder = project.place.holder("default").expect("exec holds the lock");
    project.spaces("lock").run().code(3).says(holder.id.as_str());
    project.let_go();
    holding.wait().success().says(RISK);

    let locked = project.spaces("lock --json").run().success().says(RISK).json();
    assert!(locked["warning"].as_str().is_some_and(|warning| warning.contains(RISK)), "{locked}");
    let id = locked["id"].as_str().expect("a lock has an id");
    project.exec("apply -auto-approve -input=false").run().code(1).mentions(id);
    project.spaces("pull --output copy.tfstate").run().success();
    project.spaces("push copy.tfstate").run().code(3).says(id);
    project.spaces(&format!("push --force --lock-id {id} copy.tfstate")).run().success().says(RISK);
    project.spaces(&format!("unlock {id}")).run().success();

    let mut serving = spaces(&project.sandbox, &project.place)
        .env("REMOTE_STATE_TOKEN", "0123456789abcdef0123456789abcdef")
        .words("serve --listen 127.0.0.1:0")
        .start();
    serving.wait_for(RISK);
    serving.kill();
    let left = block_on(server.versions(&project.place.bucket, &project.place.lock_key("default")));
    assert_eq!(left, Vec::<String>::new(), "nothing should be left behind");
}

fn locked_by_native(server: &S3Server) {
    let project = versioned(server);
    project.terraform("apply -auto-approve -input=false").run().success();
    project.spaces("pull --output copy.tfstate").run().success();
    let id = project.spaces("lock").run().success().says(RISK).stdout().trim().to_owned();

    // The native lock has no effect here: Terraform runs although `remote-state` holds its lock.
    let native = project.hold(|words| project.terraform(words), "native");
    let theirs: LockInfo = project.place.holder("default").expect("its record is the newest");
    assert_ne!(theirs.id.as_str(), id);
    let before = project.place.state("default");
    project
        .spaces(&format!("push --force --lock-id {id} copy.tfstate"))
        .run()
        .code(3)
        .says("locked by another client too")
        .says(theirs.id.as_str())
        .says(&theirs.who);
    assert_eq!(project.place.state("default"), before, "nothing was written over its head");
    let locks = project.spaces("locks").run().success();
    assert!(locks.stdout().contains(&id) && locks.stdout().contains(theirs.id.as_str()), "{locks}");
    project.let_go();
    drop(native.wait());
}
