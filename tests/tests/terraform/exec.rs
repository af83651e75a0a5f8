//! `exec`: serves Terraform's `http` backend for as long as the command runs.

use std::net::TcpStream;
use std::time::Duration;

use remote_state_tests::{S3Server, Suite};

use crate::project::{Project, TERRAFORM};

const APPLY: &str = "apply -auto-approve -input=false";

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("exec_plans_applies_moves_and_destroys", TERRAFORM, life);
    suite.on_each_server(
        "exec_waits_for_the_lock_as_long_as_terraform_is_told_to",
        TERRAFORM,
        waits,
    );
    suite.on_each_server(
        "exec_keeps_workspaces_apart_where_native_clients_find_them",
        TERRAFORM,
        workspaces,
    );
    suite.on_each_server("exec_lets_terraform_break_a_lock", TERRAFORM, force_unlock);
    suite.on_emulator("exec_ends_as_the_command_does", &[], exit_codes);
    suite.on_emulator("exec_leaves_no_server_behind", &[], leaves_nothing);
}

fn life(server: &S3Server) {
    let project = Project::http(server.place());
    project.exec("plan -input=false -detailed-exitcode").run().code(2);
    assert_eq!(project.place.state("default"), None);
    project.exec(APPLY).run().success();
    let first = project.place.state_json("default");
    assert_eq!(first["outputs"]["a"]["value"], "1");
    assert_eq!(project.ours("output a --raw").run().success().stdout(), "1");
    project.exec("plan -input=false -detailed-exitcode").run().success();

    project.exec("state mv terraform_data.a terraform_data.b").run().success();
    assert_eq!(project.ours("list").run().success().stdout(), "terraform_data.b\n");
    project.exec("state mv terraform_data.b terraform_data.a").run().success();
    project.exec("plan -input=false -detailed-exitcode").run().success();
    project.exec("state rm terraform_data.a").run().success();
    project.exec(&format!("{APPLY} -var v=2")).run().success();

    // Going back takes force, in Terraform as in `remote-state`.
    let pulled = project.exec("state pull").run().success().stdout;
    let serial = project.place.state_json("default")["serial"].clone();
    project.exec(&format!("{APPLY} -var v=3")).run().success();
    project.sandbox.write("old.tfstate", pulled);
    project.exec("state push old.tfstate").run().code(1).mentions("serial");
    assert_ne!(project.place.state_json("default")["serial"], serial);

    project.exec("destroy -auto-approve -input=false").run().success();
    let last = project.place.state_json("default");
    assert_eq!(last["lineage"], first["lineage"]);
    assert_eq!(last["resources"], serde_json::json!([]));
    project.place.assert_unlocked();
}

fn waits(server: &S3Server) {
    let project = Project::http(server.place());
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    project.exec(APPLY).run().code(1).mentions("Error acquiring the state lock").mentions(&id);
    let mut waiting = project.exec(&format!("{APPLY} -lock-timeout=60s")).start();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(waiting.is_running(), "Terraform should wait for the lock");
    project.ours(&format!("unlock {id}")).run().success();
    waiting.wait().success();
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "1");
    project.place.assert_unlocked();
}

fn workspaces(server: &S3Server) {
    let project = Project::http(server.place());
    project.exec_in("dev", &format!("{APPLY} -var v=dev")).run().success();
    assert_eq!(project.place.state("default"), None);
    assert_eq!(project.place.state_json("dev")["outputs"]["a"]["value"], "dev");
    project.exec_in("dev", "plan -input=false -detailed-exitcode -var v=dev").run().success();
    project.exec_in("default", "plan -input=false -detailed-exitcode").run().code(2);

    let native = Project::native(project.place.clone());
    assert!(native.terraform("workspace list").run().success().stdout().contains("dev"));
    native.terraform("workspace select dev").run().success();
    native.terraform("plan -input=false -detailed-exitcode -var v=dev").run().success();
}

fn force_unlock(server: &S3Server) {
    let project = Project::http(server.place());
    let id = project.ours("lock").run().success().stdout().trim().to_owned();
    project.exec(&format!("force-unlock -force {id}")).run().success();
    project.place.assert_unlocked();
}

fn exit_codes(server: &S3Server) {
    let sandbox = remote_state_tests::Sandbox::new();
    let place = server.place();
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
    {
        let exec = sandbox.remote_state().server(server).args(place.flags()).arg("exec");
        exec.args(["--", "sh", "-c", script]).run().code(code);
    }
    let exec = sandbox.remote_state().server(server).args(place.flags()).arg("exec");
    exec.args(["--", "no-such-command"]).run().code(4).says("no-such-command");
    assert_eq!(place.state("default"), None);
    place.assert_unlocked();
}

fn leaves_nothing(server: &S3Server) {
    let sandbox = remote_state_tests::Sandbox::new();
    let place = server.place();
    let exec = sandbox.remote_state().server(server).args(place.flags()).arg("exec");
    let output = exec.args(["--", "sh", "-c", "echo $TF_HTTP_ADDRESS"]).run().success();
    let address =
        output.stdout().trim().strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or_else(|| panic!("{output}"));
    assert!(TcpStream::connect(address).is_err(), "nothing should listen on {address} any more");
    let left: Vec<_> = std::fs::read_dir(sandbox.path()).expect("it can be listed").collect();
    assert!(left.is_empty(), "{left:?}");
}
