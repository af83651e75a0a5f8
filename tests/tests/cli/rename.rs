//! `workspace rename`, `workspace copy`, and what every command does with a sealed state.

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{S3Server, Signal, Suite, block_on};
use serde_json::Value;

use crate::support::{Case, LINEAGE, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("rename_shows_what_it_does_and_does_it", &[], shown);
    suite.on_each_server("a_sealed_state_stops_reads_and_writes", &[], stopped);
    suite.on_each_server("a_sealed_state_is_in_the_history_and_can_be_unsealed", &[], versions);
    suite.on_each_server("rename_refuses_what_it_cannot_do", &[], refused);
    suite.on_each_server("rename_without_conditions_and_versions_needs_consent", &[], unfenced);
    suite.on_each_server("rename_takes_both_locks_and_leaves_none", &[], locks);
    suite.on_each_server(
        "an_interrupted_wait_for_the_second_lock_releases_the_first",
        &[],
        interrupted,
    );
    suite.on_each_server("renames_in_opposite_directions_end", &[], opposite);
    suite.on_each_server("copy_makes_another_state", &[], copied);
    suite.on_emulator("rename_that_may_leave_a_copy_keeps_it_locked", &[], kept);
}

const PLAN: &str = "state    serial 3, [..], of workspace `dev`\n\
                    copy     to `s3://BUCKET/env:/prod/KEY`\n\
                    seal     `s3://BUCKET/env:/dev/KEY`: renamed to prod on [..]; terraform \
                    workspace select prod\n";

const SEALED: &str = "the state `s3://BUCKET/env:/dev/KEY` is sealed: renamed to `prod`\n";

const WAY_ON: &str = "hint: go on there with `terraform workspace select prod`, or here with `-w \
                      prod`\n";

/// Creates a case with a state in `dev`. The dialect is one that checks conditions of writes.
fn dev(server: &S3Server) -> Case<'_> {
    let mut case = Case::new(server);
    case.place = case.place.with("dialect", "minio");
    case.place.put_state("dev", state(3));
    case
}

fn renamed(server: &S3Server) -> Case<'_> {
    let case = dev(server);
    case.run(case.remote_state("workspace rename dev prod --yes")).code(0);
    case
}

#[track_caller]
fn assert_free(case: &Case<'_>) {
    for workspace in ["default", "dev", "prod"] {
        assert!(case.place.holder(workspace).is_none(), "`{workspace}` is locked");
    }
}

fn shown(server: &S3Server) {
    let case = dev(server);
    case.expect(case.remote_state("workspace rename dev prod --dry-run"), 0, "", PLAN);
    case.expect(
        case.remote_state("workspace rename dev prod"),
        2,
        "",
        &format!(
            "{PLAN}error: this needs your consent, and there is no terminal to ask on\n\nhint: to \
             agree beforehand, pass `--yes`\n"
        ),
    );
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    assert!(case.place.state("prod").is_none());
    assert_free(&case);
    case.expect(
        case.remote_state("workspace rename dev prod --yes --reason tidying"),
        0,
        "",
        &format!(
            "{PLAN}renamed workspace `dev` to `prod`\neveryone who uses it goes on with `terraform \
             workspace select prod`\nlists show `dev` until it is deleted with `remote-state \
             workspace delete dev`; without its seal, clients that have it selected plan to create \
             everything\n"
        ),
    );
    assert_free(&case);
    assert_eq!(case.place.state("prod").unwrap(), state(3));
    let sealed = case.place.state_json("dev");
    assert_eq!((&sealed["serial"], &sealed["lineage"]), (&4.into(), &LINEAGE.into()));
    let mark = &sealed["remote_state"];
    assert_eq!(
        (&mark["kind"], &mark["to"], &mark["serial"]),
        (&"renamed".into(), &"prod".into(), &3.into())
    );
    assert_eq!(mark["size"], state(3).len());
    case.expect(
        case.remote_state("workspace rename dev prod --yes"),
        0,
        "",
        "workspace `dev` was renamed to `prod` already; nothing to do\n",
    );
    let back = case.run(case.remote_state("workspace rename prod dev --yes --json")).code(0).json();
    assert_eq!((&back["result"], &back["from"]["sealed"]), (&"renamed".into(), &true.into()));
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    case.expect(
        case.remote_state("workspace delete prod --yes"),
        0,
        "",
        "deleted workspace `prod`\n",
    );
}

fn stopped(server: &S3Server) {
    let case = renamed(server);
    let sealed = case.place.state("dev").expect("the seal is there");
    for words in ["output", "output name --raw", "output --json", "list", "show terraform_data.a"] {
        let cmd = case.remote_state(&format!("{words} -w dev"));
        case.expect(cmd, 5, "", &format!("error: {SEALED}\n{WAY_ON}"));
    }
    case.sandbox.write("state.json", state(9));
    for words in ["push state.json", "push --force state.json", "push --repair-digest state.json"] {
        let cmd = case.remote_state(&format!("{words} -w dev"));
        case.expect(cmd, 5, "", &format!("error: {SEALED}\n{WAY_ON}"));
    }
    let text = String::from_utf8(sealed.clone().into()).expect("it is text");
    case.expect(case.remote_state("pull -w dev"), 0, &text, &format!("warning: {SEALED}{WAY_ON}"));
    case.run(case.remote_state("workspace new dev")).code(5);
    assert_eq!(case.place.state("dev").expect("it is still there"), sealed);
    case.expect(
        case.remote_state("output name --raw -w prod"),
        0,
        "it's \"5\" $(id) `id` \\ ${x}\nline 2\n",
        "",
    );
    assert_free(&case);
}

fn versions(server: &S3Server) {
    let mut case = Case::new(server);
    case.place = server.place_in(&block_on(server.make_versioned_bucket()));
    case.place.put_state("dev", state(3));
    case.run(case.remote_state("workspace rename dev prod --yes --reason tidying")).code(0);
    let output = case.run(case.remote_state("history -w dev")).code(0);
    let first = output.stdout().lines().nth(1).expect("it has a version");
    assert!(first.contains(" – ") && first.ends_with("current; renamed"), "{output}");
    assert!(first.contains("rename, tidying"), "{output}");
    let json = case.run(case.remote_state("history -w dev --json")).code(0).json();
    let kind = |number: usize| json["versions"][number]["kind"].clone();
    assert_eq!((kind(0), kind(1)), ("sealed".into(), "state".into()));
    assert_eq!(json["versions"][0]["sealed"]["to"], "prod");
    let id = json["versions"][1]["id"].clone();
    assert_eq!(case.place.state_json("dev")["remote_state"]["version"], id);
    case.expect(
        case.remote_state("restore @1 --yes -w dev"),
        5,
        "",
        &format!(
            "error: {SEALED}\n{WAY_ON}hint: to use this place again, restore the version before \
             with `remote-state -w dev restore @1 --unseal`\n"
        ),
    );
    let output = case.run(case.remote_state("restore @1 --yes --unseal -w dev")).code(0);
    output.says("sealed: renamed to `prod`").says("two states track the same resources");
    assert_eq!(case.place.state("dev").unwrap(), state(5));
    case.run(case.remote_state("restore @1 --yes -w dev"))
        .code(5)
        .says("the version is no state, but a seal: renamed to `prod`");
    assert_free(&case);
}

fn refused(server: &S3Server) {
    let case = dev(server);
    case.expect(
        case.remote_state("workspace rename dev dev --yes"),
        5,
        "",
        "error: `dev` and `dev` are the same workspace\n",
    );
    case.expect(
        case.remote_state("workspace rename nope prod --yes"),
        4,
        "",
        "error: there is no state of workspace `nope`\n  state  s3://BUCKET/env:/nope/KEY\n\nhint: \
         see which workspaces have one with `remote-state workspace list`\n",
    );
    case.run(case.remote_state("workspace rename dev x/.. --yes")).code(2);
    case.place.put_state("prod", state(7));
    let exists = format!(
        "error: workspace `prod` has a state already\n  state    s3://BUCKET/env:/prod/KEY\n  \
         serial   7\n  lineage  {LINEAGE}\n  note     it has the same lineage: a rename that was \
         not finished, or a copy; the one with the higher serial is in use\n\nhint: compare the \
         two before anything is deleted\n"
    );
    case.expect(case.remote_state("workspace rename dev prod --yes"), 5, "", &exists);
    case.run(case.remote_state("workspace copy dev prod --yes --keep-lineage")).code(5);
    case.place.put_state("other", state(7).replace(LINEAGE, "another"));
    case.run(case.remote_state("workspace rename dev other --yes"))
        .code(5)
        .says("if it is not needed, delete it with `remote-state")
        .says("workspace delete other`");
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    assert_eq!(case.place.state("prod").unwrap(), state(7));
    assert_free(&case);
}

/// Nothing is known of the dialect of a server at an address, and the bucket keeps no versions.
fn unfenced(server: &S3Server) {
    let case = Case::new(server);
    case.place.put_state("dev", state(3));
    case.run(case.remote_state("workspace rename dev prod --yes"))
        .code(5)
        .says("while it is sealed")
        .says("pass `--accept-unfenced`");
    assert!(case.place.state("prod").is_none());
    assert_free(&case);
    case.run(case.remote_state("workspace rename dev prod --yes --accept-unfenced"))
        .code(0)
        .says("it is lost then");
    assert_eq!(case.place.state("prod").unwrap(), state(3));
}

fn locks(server: &S3Server) {
    let case = dev(server);
    for held in ["dev", "prod"] {
        let output = case.run(case.remote_state(&format!("lock -w {held}"))).code(0);
        let id = output.stdout().trim().to_owned();
        case.run(case.remote_state("workspace rename dev prod --yes")).code(3).says(&id);
        let other = if held == "dev" { "prod" } else { "dev" };
        assert!(case.place.holder(other).is_none(), "`{other}` is left locked");
        case.run(case.remote_state(&format!("unlock -w {held} {id}"))).code(0);
    }
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    assert!(case.place.state("prod").is_none());
}

/// `dev` comes first in the order of locks, so the rename holds its lock while it waits.
fn interrupted(server: &S3Server) {
    let case = dev(server);
    let output = case.run(case.remote_state("lock -w prod")).code(0);
    let words = "workspace rename dev prod --yes --lock-timeout 600s";
    let mut waiting = case.remote_state(words).start();
    waiting.wait_until("the first lock is taken", || case.place.holder("dev").is_some());
    waiting.wait_for("waiting");
    let info = case.place.holder("dev").expect("it is taken").info;
    assert_eq!(info, "unfinished rename: `remote-state workspace rename dev prod` again");
    waiting.signal(Signal::INT);
    waiting.wait().code(130);
    assert!(case.place.holder("dev").is_none(), "the first lock is left");
    let holder = case.place.holder("prod").expect("it is held by another command");
    assert_eq!(holder.id.as_str(), output.stdout().trim());
    assert_eq!(case.place.state("dev").unwrap(), state(3));
}

/// Each waits for the locks that the other has; one of them comes first.
fn opposite(server: &S3Server) {
    let case = dev(server);
    let start = |words: &str| {
        case.remote_state(&format!("workspace rename {words} --yes --lock-timeout 60s")).start()
    };
    for _ in 0..3 {
        let (there, back) = (start("dev prod"), start("prod dev"));
        let codes = [there.wait(), back.wait()].map(|output| output.status.code());
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 4 | 5))), "{codes:?}");
        assert!(codes.contains(&Some(0)), "{codes:?}");
        assert_free(&case);
        let is_sealed = |name: &str| {
            case.place.state(name).is_some_and(|bytes| {
                serde_json::from_slice::<Value>(&bytes).unwrap().get("remote_state").is_some()
            })
        };
        let live = ["dev", "prod"]
            .iter()
            .filter(|name| !is_sealed(name) && case.place.state(name).is_some());
        assert_eq!(live.count(), 1);
    }
}

fn copied(server: &S3Server) {
    let case = dev(server);
    const WARNING: &str = "warning: two states will track the same resources: an apply or a \
                           destroy in either changes them for both\n";
    case.expect(
        case.remote_state("workspace copy dev prod --yes"),
        0,
        "",
        &format!(
            "state    serial 3, [..], of workspace `dev`\n{WARNING}copied workspace `dev` to \
             `prod`\n"
        ),
    );
    let copy = case.place.state_json("prod");
    let lineage = copy["lineage"].as_str().expect("it is a text");
    assert_ne!(lineage, LINEAGE);
    let bytes = case.place.state("prod").unwrap();
    assert_eq!(bytes, state(3).replace(LINEAGE, lineage), "no other byte has changed");
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    let encrypted =
        r#"{"serial":1,"lineage":"l","meta":{},"encrypted_data":"AA","encryption_version":"v0"}"#;
    case.place.put_state("default", encrypted);
    case.run(case.remote_state("workspace copy default sealed --yes"))
        .code(5)
        .says("the state is encrypted")
        .says("--keep-lineage");
    let answer = case
        .run(case.remote_state("workspace copy default sealed --yes --keep-lineage --json"))
        .code(0)
        .json();
    assert_eq!((&answer["result"], &answer["to"]["lineage"]), (&"copied".into(), &"l".into()));
    assert_eq!(case.place.state("sealed").unwrap(), encrypted);
    assert_free(&case);
}

/// The seal is refused, and so is the deletion of the copy: a client could use either state.
fn kept(server: &S3Server) {
    let case = dev(server);
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    for (method, name) in [("PUT", "/dev/"), ("DELETE", "/prod/")] {
        let fault = Fault::new(denied.clone()).with_method(method);
        server.faults().inject(fault.with_key_containing(name).with_key_suffix("tfstate"));
    }
    case.run(case.remote_state("workspace rename dev prod --yes"))
        .code(1)
        .mentions("stays held: a copy of a state that is in use may be there");
    server.faults().clear();
    assert!(case.place.holder("dev").is_none());
    let kept = case.place.holder("prod").expect("the copy is locked");
    assert_eq!(case.place.state("dev").unwrap(), state(3));
    case.run(case.remote_state("workspace rename dev prod --yes")).code(3);
    case.run(case.remote_state(&format!("-w prod unlock {} --force", kept.id))).code(0);
    case.run(case.remote_state("workspace rename dev prod --yes")).code(0);
    assert_eq!(case.place.state("prod").unwrap(), state(3));
    assert_free(&case);
}
