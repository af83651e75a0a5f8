//! A migrated project: native Terraform goes on in the new place with the printed block, every
//! native command in the old place says so and changes nothing, and the way back is as good.

use remote_state_tests::{Cmd, Place, Requirement, S3Server, Suite};

use crate::project::{Project, TERRAFORM};
use crate::sealed::{plain, stopped_with};

const APPLY: &str = "apply -auto-approve -input=false";

const NO_CHANGE: &str = "plan -input=false -detailed-exitcode";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("a_migrated_project_goes_on_with_the_printed_block", TERRAFORM, goes_on);
    suite.on_each_server("native_commands_in_the_old_place_are_told_the_new_one", TERRAFORM, told);
    suite.on_each_server("a_migrated_project_comes_back_with_no_change", TERRAFORM, comes_back);
    suite.on_each_server("a_frozen_place_stops_writers_and_no_readers", TERRAFORM, frozen);
    suite.on_each_server("a_state_that_terraform_has_locked_stays", TERRAFORM, locked);
    suite.on_each_server(
        "a_project_with_files_goes_on_with_the_printed_block",
        TERRAFORM,
        from_files,
    );
}

/// A project with two workspaces and a saved plan, and where it moves to.
struct Moved<'a> {
    project: Project<'a>,
    new: Place<'a>,
}

impl<'a> Moved<'a> {
    fn new(server: &'a S3Server) -> Self {
        let project = Project::native(server.place());
        project.terraform(APPLY).run().success();
        project.terraform("plan -input=false -out=old -var v=2").run().success();
        project.terraform("workspace new dev").run().success();
        project.terraform(&format!("{APPLY} -var v=dev")).run().success();
        project.terraform("workspace select default").run().success();
        Self { project, new: server.place() }
    }

    fn migrate(&self, words: &str) -> Cmd {
        let flags = self.new.flags().into_iter().map(|flag| {
            flag.replace("--backend-config=", "--to-config=").replace("--backend=", "--to=")
        });
        let migrate = self.project.ours("migrate --yes --accept-unfenced --journal j");
        migrate.words(words).args(flags)
    }

    /// Writes the block that the command prints into the project, as the last words say.
    fn use_new_place(&self) {
        let block = self.project.ours("migrate --config j").run().success();
        self.project.sandbox.write("backend.tf", block.stdout());
        self.project.terraform("init -input=false -reconfigure").run().success();
    }

    #[track_caller]
    fn assert_no_change(&self) {
        for (workspace, words) in [("default", ""), ("dev", " -var v=dev")] {
            let plan = self.project.terraform(&format!("{NO_CHANGE}{words}"));
            plan.env("TF_WORKSPACE", workspace).run().code(0);
        }
    }

    #[track_caller]
    fn assert_free(&self) {
        for workspace in ["default", "dev"] {
            for place in [&self.project.place, &self.new] {
                assert!(place.holder(workspace).is_none(), "`{workspace}` is locked");
            }
        }
    }
}

fn goes_on(server: &S3Server) {
    let moved = Moved::new(server);
    let before = ["default", "dev"].map(|name| moved.project.place.state(name));
    let said = moved.migrate("").run().success();
    said.says("then run `terraform init -reconfigure` there");
    assert_eq!(["default", "dev"].map(|name| moved.new.state(name)), before);
    moved.assert_free();
    moved.use_new_place();
    moved.assert_no_change();
    moved.project.terraform(&format!("{APPLY} -var v=3")).run().success();
    assert_eq!(moved.new.state_json("default")["outputs"]["a"]["value"], "3");
    assert_eq!(moved.new.state_json("default")["lineage"], {
        let before = before[0].as_ref().expect("it has a state");
        serde_json::from_slice::<serde_json::Value>(before).unwrap()["lineage"].clone()
    });
}

fn told(server: &S3Server) {
    let moved = Moved::new(server);
    moved.migrate("").run().success();
    let project = &moved.project;
    let sealed = project.place.state("default").expect("the seal is there");
    project.sandbox.write("forced.tfstate", moved.new.state("default").expect("it has moved"));
    let start = format!("moved to s3://{}/", moved.new.bucket);
    let words = [&*start, "; set the new backend, then terraform init -reconfigure"];
    for command in [
        "init -input=false",
        "plan -input=false",
        "plan -input=false -lock=false",
        APPLY,
        "apply -auto-approve -input=false -lock=false",
        "apply -input=false old",
        "refresh -input=false",
        "state list",
        "state pull",
        "output -json",
        "state push -force forced.tfstate",
    ] {
        stopped_with(project.terraform(command), &words);
        assert_eq!(project.place.state("default").as_ref(), Some(&sealed), "{command}");
    }
    stopped_with(project.terraform("plan -input=false").env("TF_WORKSPACE", "dev"), &words);
    // The wrong way to take the new place into use.
    project.sandbox.write("backend.tf", moved.new.backend_block());
    stopped_with(project.terraform("init -input=false -migrate-state -force-copy"), &words);
    assert_eq!(project.place.state("default"), Some(sealed));
    moved.assert_free();
}

fn comes_back(server: &S3Server) {
    let moved = Moved::new(server);
    moved.migrate("").run().success();
    let block = moved.project.place.backend_block();
    moved.use_new_place();
    let rollback = moved.project.ours("migrate --yes --accept-unfenced --rollback j").run();
    rollback.success().says("set this backend in every directory");
    let start = format!("moved to s3://{}/", moved.project.place.bucket);
    stopped_with(moved.project.terraform("plan -input=false"), &[&start]);
    moved.project.sandbox.write("backend.tf", block);
    moved.project.terraform("init -input=false -reconfigure").run().success();
    moved.assert_no_change();
    moved.assert_free();
    moved.project.terraform("apply -input=false old").run().success();
    assert_eq!(moved.project.place.state_json("default")["outputs"]["a"]["value"], "2");
}

fn frozen(server: &S3Server) {
    let moved = Moved::new(server);
    moved.migrate("--source freeze").run().success();
    let project = &moved.project;
    let before = project.place.state("default");
    for command in ["plan -input=false", APPLY, "apply -input=false old"] {
        let output = project.terraform(command).run().code(1);
        let said = plain(output.stderr());
        assert!(said.contains("Error acquiring the state lock"), "{output}");
        assert!(said.contains("moved to s3://"), "{output}");
        assert!(said.contains("set the new backend, then terraform init -reconfigure"), "{output}");
        assert_eq!(project.place.state("default"), before, "{command}");
    }
    project.terraform("output -raw a").run().success();
    moved.use_new_place();
    moved.assert_no_change();
}

fn locked(server: &S3Server) {
    let project = Project::native(server.place());
    project.terraform(APPLY).run().success();
    let moved = Moved { project, new: server.place() };
    let holding = moved.project.hold(|words| moved.project.terraform(words));
    moved.migrate("").run().code(3).says("for `apply`");
    assert!(moved.new.state("default").is_none());
    moved.project.let_go();
    holding.wait().success();
    moved.project.ours("migrate --yes --accept-unfenced --resume j").run().success();
    assert_eq!(moved.new.state_json("default")["outputs"]["a"]["value"], "held");
    moved.assert_free();
}

/// Natively a migration empties the file, and a client that still uses it plans to create
/// everything.
fn from_files(server: &S3Server) {
    let project = Project::local(server.place(), Requirement::Terraform);
    project.terraform(APPLY).run().success();
    project.terraform("workspace new dev").run().success();
    project.terraform(&format!("{APPLY} -var v=dev")).run().success();
    project.terraform("workspace select default").run().success();
    let flags = project.place.flags().into_iter().map(|flag| {
        flag.replace("--backend-config=", "--to-config=").replace("--backend=", "--to=")
    });
    let ours = |words: &str| project.sandbox.remote_state().server(server).words(words);
    let holding = project.hold(|words| project.terraform(words));
    let to: Vec<_> = flags.collect();
    let migrate = || ours("migrate --yes --from local").args(&to);
    migrate().run().code(3).says("for `apply`");
    project.let_go();
    holding.wait().success();
    migrate()
        .arg("--journal=j")
        .run()
        .success()
        .says("mv terraform.tfstate terraform.tfstate.sealed")
        .says("mv terraform.tfstate.d terraform.tfstate.d.sealed");
    let start = format!("moved to s3://{}/", project.place.bucket);
    for command in ["plan -input=false", APPLY, "state list", "output -json"] {
        stopped_with(project.terraform(command), &[&start]);
    }
    let block = ours("migrate --config j").run().success();
    project.sandbox.write("backend.tf", block.stdout());
    // Terraform looks for a state in its directory whatever the backend is.
    stopped_with(project.terraform("init -input=false -reconfigure"), &[&start]);
    for name in ["terraform.tfstate", "terraform.tfstate.d"] {
        let path = project.sandbox.path().join(name);
        std::fs::rename(&path, project.sandbox.path().join(format!("{name}.sealed")))
            .expect("it is there");
    }
    project.terraform("init -input=false -reconfigure").run().success();
    for (workspace, value) in [("default", "held"), ("dev", "dev")] {
        let plan = project.terraform(&format!("{NO_CHANGE} -var v={value}"));
        plan.env("TF_WORKSPACE", workspace).run().code(0);
    }
}
