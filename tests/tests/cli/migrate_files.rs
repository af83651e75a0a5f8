//! `migrate` from files: they are sealed in place, and what was there is kept beside them.

use remote_state_tests::{Cmd, S3Server, Suite};
use serde_json::Value;

use crate::migrate::as_side;
use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("states_in_files_move_and_come_back", &[], there_and_back);
    suite.on_emulator("a_state_in_a_file_has_another_path_or_none", &[], places);
}

fn files(case: &Case<'_>) -> [(&'static str, String); 2] {
    let files =
        [("terraform.tfstate", state(3)), ("terraform.tfstate.d/dev/terraform.tfstate", state(5))];
    for (name, text) in &files {
        case.sandbox.write(name, text);
    }
    files
}

fn migrate(case: &Case<'_>, words: &str) -> Cmd {
    let to = as_side(&case.place, "to");
    case.bare("migrate --yes --journal j --from local").args(to).words(words)
}

fn json(case: &Case<'_>, name: &str) -> Value {
    serde_json::from_slice(&case.sandbox.read(name)).expect("it is JSON")
}

/// Returns the files beside a state.
fn beside(case: &Case<'_>, folder: &str, end: &str) -> Vec<String> {
    let names = std::fs::read_dir(case.sandbox.path().join(folder)).expect("it is a folder");
    let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).collect()
}

fn there_and_back(server: &S3Server) {
    let mut case = Case::new(server);
    case.place = case.place.with("dialect", "minio");
    let files = files(&case);
    case.run(migrate(&case, "")).code(0).says("moved workspace `dev` to `s3://");
    for (workspace, (name, text)) in ["default", "dev"].into_iter().zip(&files) {
        assert_eq!(case.place.state(workspace).unwrap(), text.as_str());
        let sealed = json(&case, name);
        let state_key = case.place.state_key(workspace);
        let to = format!("s3://{}/{state_key}", case.place.bucket);
        assert_eq!(sealed["remote_state"]["to"], to);
        let folder = name.trim_end_matches("terraform.tfstate");
        let kept = beside(&case, folder, ".kept");
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(case.sandbox.read(format!("{folder}{}", kept[0])), text.as_bytes());
        assert!(beside(&case, folder, ".lock.info").is_empty());
        assert!(case.place.holder(workspace).is_none());
    }
    case.run(case.bare("migrate --verify j")).code(0);
    case.run(case.bare("migrate --yes --rollback j")).code(0).says("  backend \"local\" {");
    for (name, text) in &files {
        assert_eq!(case.sandbox.read(name), text.as_bytes());
    }
    assert_eq!(case.place.state_json("default")["remote_state"]["sealed"], 1);
}

fn places(server: &S3Server) {
    let mut case = Case::new(server);
    case.place = case.place.with("dialect", "minio");
    case.run(migrate(&case, "")).code(4).says("there is no state to move");
    assert!(beside(&case, "", "tfstate").is_empty(), "none is made");
    case.sandbox.write("other/state", state(3));
    case.run(migrate(&case, "--from-config path=other/state --source freeze"))
        .code(5)
        .says("the lock of a file ends with the process that holds it");
    case.run(migrate(&case, "--from-config path=other/state")).code(0);
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert_eq!(json(&case, "other/state")["remote_state"]["sealed"], 1);
    let to_files = case.remote_state("migrate --yes --to local");
    case.run(to_files).code(2);
}
