//! The state that `exec` serves, and the configuration that Terraform plans: always of one
//! directory.
//!
//! A directory is chosen by `-C`, `-chdir` before the subcommand or in `TF_CLI_ARGS`,
//! `TF_DATA_DIR`, and the working directory. A workspace is chosen by `-w`, `TF_WORKSPACE`, an
//! earlier selection, and the variable of this project in a nested command. Each directory here has
//! a resource of its own name, so a plan of one against the state of another creates one resource
//! and destroys one.

use remote_state_tests::terraform::HTTP_BACKEND;
use remote_state_tests::{Cmd, Output, S3Server, Sandbox, Suite};

use crate::project::TERRAFORM;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "no_combination_plans_one_directory_against_the_state_of_another",
        TERRAFORM,
        combinations,
    );
    suite.on_emulator(
        "a_relative_path_is_below_the_directory_that_was_chosen",
        TERRAFORM,
        relative_paths,
    );
    suite.on_emulator("a_workspace_that_was_selected_before_is_served", TERRAFORM, selected_before);
}

/// `dev` and `prod` inside it, each with a state of its own, and a third folder without one.
struct Pair<'a> {
    sandbox: Sandbox,
    server: &'a S3Server,
}

impl<'a> Pair<'a> {
    fn new(server: &'a S3Server) -> Self {
        let pair = Self { sandbox: Sandbox::new(), server };
        pair.sandbox.folder("elsewhere");
        for (folder, name) in [("dev", "dev"), ("dev/prod", "prod")] {
            let resource = format!("{HTTP_BACKEND}resource \"terraform_data\" \"{name}\" {{}}\n");
            pair.sandbox.write(format!("{folder}/main.tf"), resource);
            let block = server.place().backend_block();
            let body = block.trim_start_matches("terraform {\n").trim_end().trim_end_matches('}');
            pair.sandbox.write(format!("{folder}/remote-state.hcl"), body);
            pair.terraform(folder, "", "init -input=false").run().success();
            pair.terraform(folder, "", "apply -auto-approve -input=false").run().success();
        }
        pair
    }

    /// Returns `remote-state` in a folder.
    fn ours(&self, folder: &str, words: &str) -> Cmd {
        self.sandbox
            .remote_state()
            .server(self.server)
            .dir(self.sandbox.folder(folder))
            .words(words)
    }

    /// Returns Terraform through `exec` in a folder, with options of `exec`.
    fn terraform(&self, folder: &str, ours: &str, words: &str) -> Cmd {
        self.ours(folder, ours).arg("exec").then(&self.sandbox.terraform().words(words))
    }
}

/// The folder, the options of `exec`, Terraform's words, variables, and the exit code.
type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], i32);

/// Expects that the plan finds the existing resources, or that there is no plan.
#[track_caller]
fn assert_not_crossed(output: &Output, what: &str) {
    let text = format!("{}{}", output.stdout(), output.stderr());
    for crossed in ["will be created", "will be destroyed", "Plan:"] {
        assert!(!text.contains(crossed), "{what}: {output}");
    }
}

fn combinations(server: &S3Server) {
    let pair = Pair::new(server);
    let data =
        |folder: &str| pair.sandbox.path().join(folder).join(".terraform").display().to_string();
    let (dev, prod) = (data("dev"), data("dev/prod"));
    let whole = pair.sandbox.path().join("dev/prod").display().to_string();
    let plan = "plan -input=false -detailed-exitcode";
    let to_prod = format!("-chdir={whole} {plan}");
    // 0 is a plan without changes, 2 a refusal by `exec`.
    let rows: [Row<'_>; 24] = [
        ("dev", "", plan, &[], 0),
        ("dev/prod", "", plan, &[], 0),
        ("dev", "-C prod", plan, &[], 0),
        ("dev/prod", "-C ..", plan, &[], 0),
        ("elsewhere", "-C ../dev/prod", plan, &[], 0),
        ("dev", "-C prod", "-chdir=. plan -input=false -detailed-exitcode", &[], 0),
        ("dev", "-C .", plan, &[], 0),
        ("dev", "-C prod", "-chdir=prod plan -input=false -detailed-exitcode", &[], 1),
        ("dev", "-C prod", "-chdir=.. plan -input=false -detailed-exitcode", &[], 2),
        ("dev", "", "-chdir=prod plan -input=false -detailed-exitcode", &[], 2),
        ("dev", "", "-chdir=. -chdir=prod plan -input=false -detailed-exitcode", &[], 2),
        ("dev", "", &to_prod, &[], 2),
        ("dev/prod", "", "-chdir=.. plan -input=false -detailed-exitcode", &[], 2),
        ("dev/prod", "-C ..", &to_prod, &[], 2),
        ("dev", "-C prod", &to_prod, &[], 0),
        ("dev", "", plan, &[("TF_CLI_ARGS", "-chdir=prod")], 2),
        ("dev", "", plan, &[("TF_CLI_ARGS_plan", "-no-color '-chdir=prod'")], 2),
        ("dev", "-C prod", plan, &[("TF_CLI_ARGS_plan", "-no-color")], 0),
        ("dev", "-C prod", plan, &[("TF_DATA_DIR", ".terraform")], 0),
        ("dev", "-C prod", plan, &[("TF_DATA_DIR", &dev)], 0),
        ("dev", "", plan, &[("TF_DATA_DIR", &prod)], 0),
        ("dev", "-C prod", plan, &[("TF_DATA_DIR", &prod), ("TF_WORKSPACE", "default")], 0),
        ("dev", "-C prod -w default", plan, &[("TF_WORKSPACE", "other")], 0),
        ("dev", "", plan, &[("PWD", &whole)], 0),
    ];
    for (folder, ours, words, variables, code) in rows {
        let what = format!("in {folder}: {ours} exec -- {words} with {variables:?}");
        let command = pair.terraform(folder, ours, words);
        let command =
            variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let output = command.run();
        assert_not_crossed(&output, &what);
        assert_eq!(output.status.code(), Some(code), "{what}: {output}");
    }
    // A missing workspace is created in the right directory.
    let new = pair.terraform("dev", "-C prod", plan).env("TF_WORKSPACE", "other").run().code(2);
    assert!(
        new.stdout().contains("terraform_data.prod")
            && !new.stdout().contains("terraform_data.dev"),
        "{new}"
    );
}

/// `--backend-config FILE`, `pull -o FILE`, `push FILE`, and files that a command opens: relative
/// paths mean the same for all, as with `git -C`.
fn relative_paths(server: &S3Server) {
    let pair = Pair::new(server);
    let below = |name: &str| pair.sandbox.path().join("dev").join(name).exists();
    pair.ours("dev", "-C prod pull -o state.json").run().success();
    assert!(below("prod/state.json") && !below("state.json"));
    pair.ours("dev", "-C prod push state.json").run().success();
    pair.ours("dev", "push state.json").run().code(4);
    pair.ours("dev", "-C prod exec -- touch made").run().success();
    assert!(below("prod/made") && !below("made"));
    pair.sandbox.write("dev/prod/other.hcl", "key = \"other.tfstate\"\n");
    pair.ours("dev", "-C prod --backend-config other.hcl pull").run().code(4).says("other.tfstate");
    let printed = pair.ours("dev", "-C prod exec -- pwd").run().success();
    let prod = pair.sandbox.path().join("dev/prod").canonicalize().expect("it is there");
    assert_eq!(printed.stdout().trim(), prod.display().to_string());
}

/// With this backend the client refuses every workspace but `default`, even one that was selected
/// with another backend.
fn selected_before(server: &S3Server) {
    let pair = Pair::new(server);
    pair.sandbox.write("dev/.terraform/environment", "stage");
    for words in [
        "init -input=false -reconfigure",
        "apply -auto-approve -input=false",
        "plan -input=false -detailed-exitcode",
    ] {
        pair.terraform("dev", "", words).run().success();
    }
    assert_eq!(pair.ours("dev", "list").run().success().stdout(), "terraform_data.dev\n");
    assert_eq!(pair.ours("dev", "-w stage list").run().success().stdout(), "terraform_data.dev\n");
    // Nested commands of `remote-state` use the served workspace, whatever Terraform's variables
    // say; `-w` overrides that.
    let inside = |ours: &str, script: &str| {
        pair.ours("dev", ours)
            .args(["exec", "--", "sh", "-c", script])
            .run()
            .success()
            .stdout()
            .to_owned()
    };
    let binary = remote_state_tests::remote_state().display().to_string();
    let serial = |workspace: &str| {
        let state = pair.ours("dev", &format!("-w {workspace} pull")).run().success().json();
        state["lineage"].as_str().expect("it is a string").to_owned()
    };
    let (stage, default) = (serial("stage"), serial("default"));
    assert_ne!(stage, default);
    assert!(inside("", &format!("{binary} pull")).contains(&stage));
    assert!(inside("", &format!("{binary} exec -- {binary} pull")).contains(&stage));
    assert!(inside("-w default", &format!("{binary} pull")).contains(&default));
    assert!(inside("-w default", &format!("{binary} -w stage pull")).contains(&stage));
}
