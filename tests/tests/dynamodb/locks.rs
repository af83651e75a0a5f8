//! One lock for all clients, with every combination of file and item.

use remote_state_tests::{S3Server, Suite};

use crate::project::{Locks, Project, each, everywhere};

pub(crate) fn add(suite: &mut Suite) {
    each(suite, "while_native_terraform_works_we_are_refused_and_told_who_it_is", refused);
    each(suite, "while_we_hold_the_lock_native_terraform_is_refused_and_may_break_it", refusing);
    each(suite, "the_lock_of_a_killed_terraform_is_released_by_its_id", killed);
    each(suite, "clients_with_one_lock_and_clients_with_both_exclude_each_other", mixed);
    everywhere(suite, "both::what_native_terraform_left_of_two_locks_is_released", partial);
}

const APPLY: &str = "apply -auto-approve -input=false";

fn refused(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    project.terraform(APPLY).run().success();
    project.ours("pull --output copy.tfstate").run().success();
    let before = project.place.state("default");

    let holding = project.hold();
    let holder = project.place.item_holder("default").expect("Terraform holds the item");
    assert_eq!(project.place.holder("default").is_some(), locks == Locks::Both);
    for words in ["push --force copy.tfstate", "lock", "lock --lock-timeout 1s"] {
        project.ours(words).run().code(3).says(holder.id.as_str()).says(&holder.who).says("apply");
    }
    project
        .ours("unlock 00000000-0000-0000-0000-000000000000")
        .run()
        .code(3)
        .says(holder.id.as_str());
    let listed = project.ours("locks").run().success();
    assert_eq!(listed.stdout().matches(holder.id.as_str()).count(), 1, "{listed}");
    assert_eq!(project.place.state("default"), before);
    assert_eq!(project.place.item_holder("default"), Some(holder));
    project.let_go();
    holding.wait().success();
    project.assert_free();
}

fn refusing(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    let lock =
        || project.ours("lock --operation migration").run().success().stdout().trim().to_owned();
    let id = lock();
    let holder = project.place.item_holder("default").expect("we hold the item");
    assert_eq!(project.place.holder("default"), (locks == Locks::Both).then(|| holder.clone()));
    project
        .terraform(APPLY)
        .run()
        .code(1)
        .mentions("Error acquiring the state lock")
        .mentions(&id)
        .mentions("migration");
    assert_eq!(project.place.state("default"), None);
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

fn killed(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    project.hold().kill();
    let holder = project.place.item_holder("default").expect("the killed one holds the item");
    project.ours("lock").run().code(3).says(holder.id.as_str());
    project.ours(&format!("unlock {}", holder.id)).run().success();
    project.assert_free();
    project.terraform(APPLY).run().success();
}

fn mixed(server: &S3Server, locks: Locks) {
    let project = Project::new(server, locks);
    let other = project.beside(if locks == Locks::Both { Locks::TableOnly } else { Locks::Both });
    let holding = project.hold();
    let holder = project.place.item_holder("default").expect("Terraform holds the item");
    other.ours("lock").run().code(3).says(holder.id.as_str());
    // A client that got the file but not the item has released the file.
    assert_eq!(project.place.holder("default").is_some(), locks == Locks::Both);
    project.let_go();
    holding.wait().success();

    let id = other.ours("lock").run().success().stdout().trim().to_owned();
    project.terraform(APPLY).run().code(1).mentions(&id);
    other.ours(&format!("unlock {id}")).run().success();
    project.assert_free();
}

fn partial(server: &S3Server) {
    let project = Project::new(server, Locks::Both);
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    // A client with only the table breaks the item, and the file stays.
    project
        .beside(Locks::TableOnly)
        .terraform(&format!("force-unlock -force {id}"))
        .run()
        .success();
    project.terraform(APPLY).run().code(1).mentions(&id);
    project.ours(&format!("unlock {id}")).run().success();
    project.assert_free();
    project.ours(&format!("unlock {id}")).run().code(4);
}
