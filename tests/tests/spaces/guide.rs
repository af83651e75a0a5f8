//! The vendor's guide, followed word for word, with another host in it; then the commands of
//! `remote-state` in that folder, without a flag.

use remote_state_tests::{Requirement, Setup, Suite};

use crate::on_plain_buckets;
use crate::project::{Guide, Project};

pub(crate) fn add(suite: &mut Suite) {
    on_plain_buckets(suite, "the_vendors_guide_is_followed_and_read_without_a_flag", |server| {
        for guide in [Guide::WithoutLock, Guide::WithLock] {
            followed(&Project::new(server.place(), guide), guide);
        }
    });
    suite.on_setup(
        Setup::named("spaces/ceph"),
        "the_vendors_guide_is_followed_with_its_own_host",
        &[Requirement::Terraform],
        |server| {
            for guide in [Guide::WithoutLock, Guide::WithLock] {
                followed(&Project::word_for_word(server.place(), guide), guide);
            }
            // Each sees the other's lock.
            let project = Project::word_for_word(server.place(), Guide::WithLock);
            project.terraform("init").run().success();
            let locked = project.ours("lock").run().success();
            let id = locked.stdout().trim();
            project.terraform("apply").stdin("yes\n").run().code(1).mentions(id);
            project.ours(&format!("unlock {id}")).run().success();
            project.place.assert_unlocked();
        },
    );
}

fn followed(project: &Project<'_>, guide: Guide) {
    let place = &project.place;
    // The keys are in the variables that the guide exports.
    project
        .terraform("init")
        .run()
        .success()
        .mentions("Successfully configured the backend \"s3\"!");
    project.terraform("plan").run().success();
    project.terraform("apply").stdin("yes\n").run().success();

    let output = project.ours("output a --raw").run().success();
    assert_eq!(output.stdout(), "1");
    assert_eq!(output.stderr(), "", "there is nothing to say");
    assert!(project.ours("output").run().success().stdout().contains("9007199254740993"));
    let stored = place.state("default").expect("Terraform stored it");
    assert_eq!(project.ours("pull").run().success().stdout, stored);
    project.ours("locks").run().success().says("no lock is held");

    // A second change, during which `remote-state` runs.
    let holding = project.hold(|words| project.terraform(words), "2");
    let locks = project.ours("locks").run().success();
    assert_eq!(locks.stdout().contains("apply"), guide == Guide::WithLock, "{locks}");
    project.let_go();
    holding.wait().success();
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "2");
    place.assert_unlocked();
}
