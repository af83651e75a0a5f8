//! One lock for all clients that can see it.

use remote_state_tests::{OssServer, Suite};

use crate::project::{APPLY, Locks, Project, TERRAFORM};

pub(crate) fn add(suite: &mut Suite) {
    let mut test = |name: &str, test: fn(&OssServer)| {
        suite.test(name, TERRAFORM, move || test(&OssServer::emulator()));
    };
    test("table::while_native_terraform_works_we_are_refused_and_told_who_it_is", refused);
    test("table::while_we_hold_the_lock_native_terraform_is_refused_and_may_break_it", refusing);
    test("table::the_lock_of_a_killed_terraform_is_released_by_its_id", killed);
    test("table::digests_are_kept_for_each_other", digests);
    test(
        "object::our_clients_exclude_each_other_and_are_told_that_native_ones_see_nothing",
        object,
    );
}

fn refused(server: &OssServer) {
    let project = Project::native(server, OssServer::PLAIN, Locks::Table);
    project.terraform(APPLY).run().success();
    project.ours("pull --output copy.tfstate").run().success();
    let before = project.stored("default");
    let holding = project.hold();
    let id = project.holder();
    for words in ["push --force copy.tfstate", "lock", "lock --lock-timeout 1s"] {
        project.ours(words).run().code(3).says(&id).says("apply");
    }
    project.ours("unlock 00000000-0000-0000-0000-000000000000").run().code(3).says(&id);
    assert_eq!(project.stored("default"), before);
    project.let_go();
    holding.wait().success();
    project.assert_free();
}

fn refusing(server: &OssServer) {
    let project = Project::native(server, OssServer::PLAIN, Locks::Table);
    let lock =
        || project.ours("lock --operation migration").run().success().stdout().trim().to_owned();
    let id = lock();
    assert_eq!(project.holder(), id);
    project
        .terraform(APPLY)
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(&id)
        .mentions("migration");
    project.terraform("force-unlock -force 00000000-0000-0000-0000-000000000000").run().code(1);
    project.terraform(&format!("force-unlock -force {id}")).run().success();
    project.assert_free();
    project.ours(&format!("unlock {id}")).run().code(4);

    let id = lock();
    let mut waiting = project.terraform(&format!("{APPLY} -lock-timeout=60s")).start();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(waiting.is_running(), "Terraform should wait for the lock");
    project.ours(&format!("unlock {id}")).run().success();
    waiting.wait().success();
    project.assert_free();
}

fn killed(server: &OssServer) {
    let project = Project::native(server, OssServer::VERSIONED, Locks::Table);
    drop(project.hold().kill());
    let id = project.holder();
    project.ours("lock").run().code(3).says(&id);
    project.ours(&format!("unlock {id}")).run().success();
    project.assert_free();
    project.terraform(APPLY).run().success();
}

fn digests(server: &OssServer) {
    let project = Project::native(server, OssServer::PLAIN, Locks::Table);
    project.terraform(APPLY).run().success();
    project.ours("pull --output good.tfstate").run().success();
    // Another client writes without the table.
    let mut bytes = project.stored("default");
    bytes.push(b'\n');
    server.put_object(OssServer::PLAIN, "env:/terraform.tfstate", bytes);
    project.ours("pull").run().code(5).says("recorded").says("computed");
    project.terraform("state pull").run().code(1).mentions("does not have the expected content");
    project.ours("push --repair-digest --force good.tfstate").run().success();
    project.terraform("plan -input=false -detailed-exitcode").run().success();
    project.terraform(&format!("{APPLY} -var v=2")).run().success();
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "2");
}

fn object(server: &OssServer) {
    for bucket in [OssServer::PLAIN, OssServer::VERSIONED, OssServer::SUSPENDED] {
        let project = Project::native(server, bucket, Locks::Object);
        let id = project.ours("lock").run().success().stdout().trim().to_owned();
        assert!(server.object(bucket, "env:/terraform.tfstate.tflock").is_some());
        let beside = Project::http(server, bucket, Locks::Object);
        beside.exec(APPLY).run().code(1).mentions(&id);
        // A native client without a table neither takes nor sees a lock: that is the purpose of a
        // table.
        project.terraform(APPLY).run().success();
        project.ours("unlock 00000000-0000-0000-0000-000000000000").run().code(3).says(&id);
        project.ours(&format!("unlock {id}")).run().success();
        assert_eq!(server.object(bucket, "env:/terraform.tfstate.tflock"), None);
        beside.exec(&format!("{APPLY} -var v=2")).run().success();
    }
}
