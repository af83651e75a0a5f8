//! Variables or a block for another server of the `http` protocol do no harm here.
//!
//! A method of another server turns a lock into a state, an unlock into a deletion, or a write into
//! nothing; an address or a name leads elsewhere; a certificate or a wait belongs to another
//! server. The tests use the variables as the documentation of GitLab, Gitea and Lynx recommends
//! exporting them, and other likely ones.

use remote_state_tests::{Cmd, S3Server, Served, Suite, remote_state};
use serde_json::Value;

use crate::lost_server::serve;
use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

/// Sets of variables, each from a server's documentation, and likely variations.
const EXPORTED: [(&str, &[(&str, &str)]); 5] = [
    (
        "GitLab",
        &[
            ("TF_HTTP_ADDRESS", "https://gitlab.invalid/api/v4/projects/1/terraform/state/prod"),
            (
                "TF_HTTP_LOCK_ADDRESS",
                "https://gitlab.invalid/api/v4/projects/1/terraform/state/prod/lock",
            ),
            (
                "TF_HTTP_UNLOCK_ADDRESS",
                "https://gitlab.invalid/api/v4/projects/1/terraform/state/prod/lock",
            ),
            ("TF_HTTP_LOCK_METHOD", "POST"),
            ("TF_HTTP_UNLOCK_METHOD", "DELETE"),
            ("TF_HTTP_USERNAME", "gitlab-ci-token"),
            ("TF_HTTP_PASSWORD", "glcbt-1"),
            ("TF_HTTP_RETRY_WAIT_MIN", "5"),
        ],
    ),
    (
        "Gitea",
        &[
            ("TF_HTTP_ADDRESS", "https://gitea.invalid/api/packages/me/terraform/state/prod"),
            ("TF_HTTP_LOCK_METHOD", "POST"),
            ("TF_HTTP_UNLOCK_METHOD", "DELETE"),
            ("TF_HTTP_UPDATE_METHOD", "POST"),
            ("TF_HTTP_USERNAME", "me"),
            ("TF_HTTP_PASSWORD", "gitea-1"),
        ],
    ),
    (
        "Lynx",
        &[
            ("TF_HTTP_ADDRESS", "https://lynx.invalid/client/org/project/env/state"),
            ("TF_HTTP_LOCK_ADDRESS", "https://lynx.invalid/client/org/project/env/lock"),
            ("TF_HTTP_UNLOCK_ADDRESS", "https://lynx.invalid/client/org/project/env/unlock"),
            ("TF_HTTP_LOCK_METHOD", "POST"),
            ("TF_HTTP_UNLOCK_METHOD", "POST"),
        ],
    ),
    (
        "PUT and PATCH",
        &[
            ("TF_HTTP_LOCK_METHOD", "PUT"),
            ("TF_HTTP_UNLOCK_METHOD", "PUT"),
            ("TF_HTTP_UPDATE_METHOD", "PATCH"),
            ("TF_HTTP_RETRY_MAX", "0"),
            ("TF_HTTP_RETRY_WAIT_MAX", "1"),
        ],
    ),
    (
        "certificates",
        &[
            ("TF_HTTP_CLIENT_CA_CERTIFICATE_PEM", "nonsense"),
            ("TF_HTTP_CLIENT_CERTIFICATE_PEM", "nonsense"),
            ("TF_HTTP_CLIENT_PRIVATE_KEY_PEM", "nonsense"),
        ],
    ),
];

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "what_is_exported_for_another_server_does_no_harm_in_exec",
        TERRAFORM,
        |server| {
            for (whose, exported) in EXPORTED {
                let project = Project::http(server.place());
                lives(&project, whose, |words| with(project.exec(words), exported));
            }
        },
    );
    suite.on_emulator(
        "what_is_exported_for_another_server_does_no_harm_with_config_client",
        TERRAFORM,
        |server| {
            // The certificates are for a TLS proxy in front of a server.
            for (whose, exported) in EXPORTED.iter().filter(|(whose, _)| *whose != "certificates") {
                let project = Project::http(server.place());
                let served = serve(&project);
                lives(&project, whose, |words| {
                    let script = "eval \"$(\"$1\" config client --address \"$2/state/default\" \
                                  2>/dev/null)\"; shift 2; exec \"$@\"";
                    let shell = project.sandbox.command("sh").args(["-c", script, "sh"]);
                    let shell = shell.arg(remote_state()).arg(&served.address);
                    with(shell.words_of(&project.terraform(words)), exported)
                });
            }
        },
    );
    suite.on_emulator("methods_that_the_block_names_do_no_harm", TERRAFORM, |server| {
        for [update, lock, unlock] in [
            ["POST", "POST", "DELETE"],
            ["POST", "POST", "POST"],
            ["PUT", "PUT", "PUT"],
            ["PATCH", "LOCK", "DELETE"],
            ["PUT", "PATCH", "UNLOCK"],
        ] {
            let project = Project::http(server.place());
            let block = format!(
                "terraform {{\n  backend \"http\" {{\n    update_method = \"{update}\"\n    \
                 lock_method = \"{lock}\"\n    unlock_method = \"{unlock}\"\n  }}\n}}\n"
            );
            project.sandbox.write("backend.tf", block);
            project.exec("init -input=false -reconfigure").run().success();
            lives(&project, &format!("{update} {lock} {unlock}"), |words| project.exec(words));
        }
    });
    suite.on_emulator(
        "credentials_for_another_server_stay_the_commands_own",
        TERRAFORM,
        foreign_credentials,
    );
}

fn with(command: Cmd, variables: &[(&str, &str)]) -> Cmd {
    variables.iter().fold(command, |command, (name, value)| command.env(name, value))
}

/// Runs through the life of a state, and checks that nothing is lost and no lock remains.
#[track_caller]
fn lives(project: &Project<'_>, what: &str, terraform: impl Fn(&str) -> Cmd) {
    let value = || project.place.state_json("default")["outputs"]["a"]["value"].clone();
    terraform(APPLY).run().success();
    assert_eq!(value(), "1", "{what}");
    project.place.assert_unlocked();
    // No client holds this lock: the commands release nothing and delete nothing.
    terraform("force-unlock -force 11111111-2222-3333-4444-555555555555").run();
    assert_eq!(value(), "1", "{what}");
    terraform(&format!("{APPLY} -var v=2")).run().success();
    assert_eq!(value(), "2", "{what}");
    project.place.assert_unlocked();
    terraform("plan -input=false -detailed-exitcode -var v=2").run().success();
    terraform("state rm terraform_data.a").run().success();
    assert_eq!(
        project.place.state_json("default")["resources"],
        Value::Array(Vec::new()),
        "{what}"
    );
    project.place.assert_unlocked();
}

/// Another server, here a `remote-state serve` that requires a token, which a data source reads
/// with the variables that users export for it.
fn foreign_credentials(server: &S3Server) {
    let network = Project::http(server.place());
    network.exec(&format!("{APPLY} -var v=net")).run().success();
    let foreign =
        Served::start(network.ours("serve --listen 127.0.0.1:0").env("REMOTE_STATE_TOKEN", "tok"));
    let project = Project::http(server.place());
    let data = format!(
        "data \"terraform_remote_state\" \"net\" {{\n  backend = \"http\"\n  config = {{\n    \
         address = \"{}/state/default\"\n  }}\n}}\noutput \"net\" {{\n  value = \
         data.terraform_remote_state.net.outputs.a\n}}\n",
        foreign.address
    );
    project.sandbox.write("net.tf", data);
    let command = project.exec(APPLY).env("TF_HTTP_USERNAME", "ci").env("TF_HTTP_PASSWORD", "tok");
    let output = command.run().success();
    assert_eq!(project.place.state_json("default")["outputs"]["net"]["value"], "net", "{output}");
    project.place.assert_unlocked();
    // The served state needs neither name nor token.
    project.exec(APPLY).env("TF_HTTP_USERNAME", "ci").run().code(1).mentions("requires auth");
}
