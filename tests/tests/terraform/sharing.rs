//! One lock for all: native clients and `remote-state` exclude each other, and can break each
//! other's abandoned locks.

use remote_state_tests::{S3Server, Setup, Suite};

use crate::project::{Project, TERRAFORM};

/// The emulator, and one setup of each kind of server that honours `If-None-Match`.
const SETUPS: [&str; 3] = ["s3/ceph", "s3/minio", "s3/moto"];

pub(crate) fn add(suite: &mut Suite) {
    for (name, test) in [
        (
            "while_native_terraform_works_we_are_refused_and_told_who_it_is",
            refused as fn(&S3Server),
        ),
        ("while_we_hold_the_lock_native_terraform_is_refused", refusing),
        ("the_lock_of_a_killed_terraform_is_released_by_its_id", killed),
        ("native_terraform_and_exec_exclude_each_other", exec),
    ] {
        suite.on_emulator(name, TERRAFORM, test);
        for setup in SETUPS {
            suite.on_setup(Setup::named(setup), name, TERRAFORM, test);
        }
    }
}

fn refused(server: &S3Server) {
    let project = Project::native(server.place());
    project.terraform("apply -auto-approve -input=false").run().success();
    project.ours("pull --output copy.tfstate").run().success();
    let before = project.place.state("default");

    let holding = project.hold(|words| project.terraform(words));
    let holder = project.holder();
    for words in ["push copy.tfstate", "push --force copy.tfstate", "lock"] {
        project.ours(words).run().code(3).says(holder.id.as_str()).says(&holder.who).says("apply");
    }
    project.ours("lock --lock-timeout 1s").run().code(3).says(holder.id.as_str());
    project
        .ours("unlock 00000000-0000-0000-0000-000000000000")
        .run()
        .code(3)
        .says(holder.id.as_str());
    assert!(project.ours("locks").run().success().stdout().contains(holder.id.as_str()));
    assert_eq!(project.place.state("default"), before);
    assert_eq!(project.holder(), holder);

    // Reading takes no lock.
    project.ours("output a").run().success();
    project.let_go();
    holding.wait().success();
    project.place.assert_unlocked();
}

fn refusing(server: &S3Server) {
    let project = Project::native(server.place());
    let locked = project.ours("lock --operation migration --info weekly").run().success();
    let id = locked.stdout().trim().to_owned();
    let apply = "apply -auto-approve -input=false";
    project
        .terraform(apply)
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(&id)
        .mentions("migration");
    assert_eq!(project.place.state("default"), None);
    project.ours("lock").run().code(3).says(&id);

    project.terraform(&format!("force-unlock -force {id}")).run().success();
    project.place.assert_unlocked();
    project.ours(&format!("unlock {id}")).run().code(4);

    // The apply has to wait until `remote-state` releases the lock.
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    let mut waiting = project.terraform(&format!("{apply} -lock-timeout=60s")).start();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(waiting.is_running(), "Terraform should wait for the lock");
    project.ours(&format!("unlock {id}")).run().success();
    waiting.wait().success();
    project.place.assert_unlocked();
}

fn killed(server: &S3Server) {
    let project = Project::native(server.place());
    project.hold(|words| project.terraform(words)).kill();
    let holder = project.holder();
    project.ours("lock").run().code(3).says(holder.id.as_str());
    project.ours(&format!("unlock {}", holder.id)).run().success();
    project.place.assert_unlocked();
    project.terraform("apply -auto-approve -input=false").run().success();
}

fn exec(server: &S3Server) {
    let native = Project::native(server.place());
    let http = Project::http(native.place.clone());
    let apply = "apply -auto-approve -input=false";

    let holding = native.hold(|words| native.terraform(words));
    http.exec(apply)
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(native.holder().id.as_str());
    native.let_go();
    holding.wait().success();
    // Each has what the other wrote.
    http.exec("plan -input=false -detailed-exitcode -var v=held").run().success();
    native.place.assert_unlocked();

    let holding = http.hold(|words| http.exec(&words.replace("v=held", "v=again")));
    native
        .terraform(apply)
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(http.holder().id.as_str());
    http.let_go();
    holding.wait().success();
    native.terraform("plan -input=false -detailed-exitcode -var v=again").run().success();
    native.place.assert_unlocked();
}
