//! The provider `spaces` and native Terraform with the vendor's block share states and exclude each
//! other.

use remote_state_tests::{S3Server, Sandbox, Suite};

use crate::on_plain_buckets;
use crate::project::{Project, spaces};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    on_plain_buckets(suite, "a_whole_cycle_natively_and_through_exec_is_one_state", cycle);
    on_plain_buckets(
        suite,
        "native_terraform_and_spaces_exclude_each_other_in_both_directions",
        exclusion,
    );
    on_plain_buckets(suite, "three_lines_in_a_file_of_ours_are_enough", own_file);
}

fn cycle(server: &S3Server) {
    let project = Project::initialised(server.place());
    project.terraform(&format!("{APPLY} -var v=one")).run().success();
    assert_eq!(project.spaces("output a --raw").run().success().stdout(), "one");
    project.exec("init -input=false").run().success();
    project.exec("plan -input=false -detailed-exitcode -var v=one").run().success();
    project.exec(&format!("{APPLY} -var v=two")).run().success();
    project.terraform("plan -input=false -detailed-exitcode -var v=two").run().success();

    project.terraform("workspace new dev").run().success();
    project.terraform(&format!("{APPLY} -var v=three")).run().success();
    assert_eq!(project.spaces("output a --raw -w dev").run().success().stdout(), "three");
    let listed = project.spaces("workspace list").run().success();
    assert!(listed.stdout().contains("dev"), "{listed}");
    project.spaces("pull -w dev --output copy.tfstate").run().success();
    project.spaces("push -w prod copy.tfstate").run().success();
    project.terraform("workspace select prod").run().success();
    project.terraform("plan -input=false -detailed-exitcode -var v=three").run().success();

    project.terraform("workspace select default").run().success();
    project.exec("destroy -auto-approve -input=false").run().success();
    assert_eq!(project.terraform("state list").run().success().stdout(), "");
    project.place.assert_unlocked();
}

fn exclusion(server: &S3Server) {
    let project = Project::initialised(server.place());
    project.terraform(APPLY).run().success();
    project.exec("init -input=false").run().success();
    project.spaces("pull --output copy.tfstate").run().success();

    let holding = project.hold(|words| project.terraform(words), "held");
    let holder = project.place.holder("default").expect("Terraform holds the lock");
    for words in ["lock", "push copy.tfstate", "push --force copy.tfstate"] {
        project.spaces(words).run().code(3).says(holder.id.as_str()).says(&holder.who);
    }
    project.exec(APPLY).run().code(1).mentions(holder.id.as_str());
    project.let_go();
    holding.wait().success();

    let id = project.spaces("lock").run().success().stdout().trim().to_owned();
    project.terraform(APPLY).run().code(1).mentions("Error acquiring the state lock").mentions(&id);
    project.terraform(&format!("force-unlock -force {id}")).run().success();
    project.place.assert_unlocked();
}

fn own_file(server: &S3Server) {
    let (sandbox, place) = (Sandbox::new(), server.place());
    sandbox.write(
        "remote-state.hcl",
        format!(
            "backend \"spaces\" {{\n  region = \"nyc3\"\n  bucket = \"{}\"\n  key = \"{}\"\n  \
             endpoint = \"{}\"\n}}\n",
            place.bucket, place.key, server.endpoint
        ),
    );
    sandbox.write(
        "a.tfstate",
        "{\"version\":4,\"serial\":1,\"lineage\":\"l\",\"outputs\":{},\"resources\":[]}",
    );
    // The AWS variables work too.
    let ours = |words: &str| sandbox.remote_state().server(server).words(words);
    ours("push a.tfstate").run().success();
    assert_eq!(
        spaces(&sandbox, &place).arg("pull").run().success().stdout,
        sandbox.read("a.tfstate")
    );
    let shown = ours("config show --json").run().success().json();
    assert_eq!(shown["backend"], "spaces");
    assert_eq!(shown["values"]["use_lockfile"]["value"], true, "{shown}");
    place.assert_unlocked();
}
