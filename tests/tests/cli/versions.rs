//! `history`, `restore` and `undelete`: the stored versions of a state.

use remote_state_tests::{S3Server, Suite, block_on};

use crate::support::{Case, LINEAGE, empty_state, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("history_lists_the_versions_newest_first", &[], |server| {
        let case = versioned(server);
        case.place.put_state("default", empty_state(7));
        case.place.put_state("default", "no state");
        case.place.put_state("default", empty_state(7).replace(LINEAGE, "other"));
        delete(&case);
        case.sandbox.write("state.json", state(9));
        case.run(case.remote_state("push state.json")).code(0);
        let output = case.run(case.remote_state("history")).code(0);
        let lines: Vec<_> = output.stdout().lines().collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(lines[0]),
            ["REF", "VERSION", "SERIAL", "SAVED", "SIZE", "TERRAFORM", "BY", "NOTE"]
        );
        for (line, (reference, serial, end)) in lines[1..].iter().zip([
            ("@0", "9", "current; other lineage"),
            ("@1", "–", "deleted"),
            ("@2", "7", "other lineage"),
            ("@3", "?", "not readable: not a Terraform state: it is not a JSON object"),
            ("@4", "7", "?"),
        ]) {
            let words = words(line);
            assert_eq!((&*words[0], &*words[2]), (reference, serial), "{output}");
            assert!(line.ends_with(end), "{end}\n{output}");
        }
        assert_eq!(lines.len(), 6, "{output}");
        output.says("the lock file may tell who wrote the others");
        let output = case.run(case.remote_state("history -n 2")).code(0);
        assert_eq!(output.stdout().lines().count(), 3, "{output}");
        output.says("there are older versions");
        let json = case.run(case.remote_state("history --json --since 2001-01-01")).code(0).json();
        assert_eq!((&json["version"], &json["more"]), (&1.into(), &false.into()));
        assert_eq!(json["versions"][1]["kind"], "deletion");
        assert_eq!(json["versions"][1]["size"], serde_json::Value::Null);
        assert_eq!(json["versions"][2]["lineage"], "other");
        assert_eq!(json["versions"][0]["writer"]["from"], "annotations");
    });
    suite.on_emulator("history_of_a_bucket_without_versions_is_the_current_state", &[], |server| {
        let case = Case::stored(server);
        let output = case.run(case.remote_state("history")).code(0);
        assert_eq!(output.stdout().lines().count(), 2, "{output}");
        output.says("no older version is kept: unless versioning was turned on");
        case.run(Case::new(server).remote_state("history")).code(4);
    });
    suite.on_each_server("restore_shows_what_it_does_and_does_it", &[], |server| {
        let case = versioned(server);
        case.place.put_state("default", state(3));
        case.place.put_state("default", empty_state(8));
        let plan = "version  `[..]`, serial 3, Terraform 1.11.4, [..], saved [..]\n\
                    current  `[..]`, serial 8, Terraform 1.11.4, 131 B, saved [..]\n\
                    restored as serial 9; resources: 3 added, 0 removed, 0 changed; outputs: 4 \
                    changed\n";
        case.expect(case.remote_state("restore serial:3 --dry-run"), 0, "", plan);
        case.expect(
            case.remote_state("restore serial:3"),
            2,
            "",
            &format!(
                "{plan}error: this needs your consent, and there is no terminal to ask on\n\nhint: \
                 to agree beforehand, pass `--yes`\n"
            ),
        );
        assert_eq!(case.place.state("default").unwrap(), empty_state(8));
        case.place.assert_unlocked();
        case.expect(
            case.remote_state("restore @1 --yes --reason incident-42"),
            0,
            "",
            &format!(
                "{plan}restored serial 3 as serial 9 to `s3://BUCKET/KEY`\nonly the state is \
                 restored, not what it describes: see what Terraform would change with `terraform \
                 plan`\nplans that were saved before are stale\n"
            ),
        );
        assert_eq!(case.place.state("default").unwrap(), state(9));
        case.place.assert_unlocked();
        let again = case.run(case.remote_state("restore @2 --yes")).code(0);
        again.says("is the state of `s3://").says("already; nothing to write");
        let json = case.run(case.remote_state("history --json")).code(0).json();
        assert_eq!(json["versions"].as_array().unwrap().len(), 3);
        assert_eq!(json["versions"][0]["writer"]["reason"], "incident-42");
        let json = case.run(case.remote_state("restore @1 --yes --json")).code(0).json();
        assert_eq!((&json["result"], &json["serial"]), (&"restored".into(), &10.into()));
        assert_eq!(json["changes"]["removed"], 3);
    });
    suite.on_each_server(
        "restore_works_under_a_lock_that_is_held_and_under_no_other",
        &[],
        |server| {
            let case = versioned(server);
            case.place.put_state("default", state(3));
            case.place.put_state("default", state(4).replace("hunter2", "x"));
            let output = case.run(case.remote_state("lock")).code(0);
            let id = output.stdout().trim().to_owned();
            case.run(case.remote_state("restore @1 --yes")).code(3);
            case.run(case.remote_state("restore @1 --yes --lock-id other")).code(3);
            case.run(case.remote_state(&format!("restore @1 --yes --lock-id {id}"))).code(0);
            assert_eq!(case.place.state("default").unwrap(), state(5));
            assert!(case.place.holder("default").is_some(), "the lock stays held");
        },
    );
    suite.on_each_server("restore_refuses_what_it_cannot_do", &[], |server| {
        let case = versioned(server);
        case.run(case.remote_state("restore @0 --yes")).code(4);
        case.place.put_state("default", state(3));
        case.place.put_state("default", state(1).replace(LINEAGE, "other"));
        case.run(case.remote_state("restore @9 --yes")).code(4).says("`@1` is the oldest");
        case.run(case.remote_state("restore id:none --yes")).code(4);
        case.run(case.remote_state("restore x:y")).code(2);
        case.run(case.remote_state("restore @1 --yes"))
            .code(5)
            .says("its lineage is not that of the current one")
            .says("current lineage         other");
        case.place.assert_unlocked();
        case.run(case.remote_state("undelete --yes")).code(5).says("is not deleted");
        case.run(case.remote_state("restore @1 --yes --force")).code(0);
        assert_eq!(case.place.state("default").unwrap(), state(4));
    });
    suite.on_each_server("a_state_of_which_no_version_is_kept_is_not_replaced", &[], |server| {
        let case = versioned(server);
        case.place.put_state("default", state(3));
        suspend(&case);
        case.place.put_state("default", empty_state(8));
        case.run(case.remote_state("restore @1 --yes"))
            .code(5)
            .says("keeps no version of the current state")
            .says("hint: copy it with `remote-state")
            .says("--no-copy");
        assert_eq!(case.place.state("default").unwrap(), empty_state(8));
        case.place.assert_unlocked();
        case.run(case.remote_state("restore @1 --yes --no-copy")).code(0);
        assert_eq!(case.place.state("default").unwrap(), state(9));
    });
    suite.on_each_server("a_half_written_state_is_replaced_by_force_alone", &[], |server| {
        let case = versioned(server);
        case.place.put_state("default", state(3));
        let half = &state(4)[..400];
        case.place.put_state("default", half.to_owned());
        case.run(case.remote_state("restore @1 --yes"))
            .code(5)
            .says("the current object is no state")
            .says("hint: to do it all the same, pass `--force`");
        case.run(case.remote_state("restore @0 --yes --force")).code(5).says("is no state");
        // The half state may have had any serial.
        case.run(case.remote_state("restore @1 --yes --force"))
            .code(0)
            .says("current  400 B that are no state")
            .says("versions whose serial could not be read: 1");
        assert_eq!(case.place.state("default").unwrap(), state(4));
    });
    suite.on_each_server("a_deleted_workspace_is_found_and_brought_back", &[], |server| {
        let case = versioned(server);
        case.place.put_state("default", state(1));
        case.place.put_state("dev", state(5));
        case.expect(
            case.remote_state("workspace list --deleted"),
            0,
            "",
            "no deleted workspace has a version to restore\n",
        );
        case.run(case.remote_state("workspace delete dev --force --yes")).code(0);
        case.expect(
            case.remote_state("workspace list --deleted"),
            0,
            "dev\n",
            "bring one back with `remote-state undelete -w dev`\n",
        );
        let json = case.run(case.remote_state("workspace list --deleted --json")).code(0).json();
        assert_eq!(json["deleted"][0], "dev");
        case.run(case.remote_state("undelete -w dev --yes")).code(0);
        assert_eq!(case.place.state("dev").unwrap(), state(5));
        case.run(case.remote_state("workspace list --deleted"))
            .code(0)
            .says("no deleted workspace");
    });
    suite.on_each_server("undelete_brings_the_last_state_back", &[], |server| {
        let case = versioned(server);
        case.run(case.remote_state("undelete --yes")).code(4);
        case.place.put_state("default", state(5));
        case.place.put_state("default", state(3));
        delete(&case);
        case.run(case.remote_state("undelete --dry-run")).code(0).says("current  no state");
        assert_eq!(case.place.state("default"), None);
        case.run(case.remote_state("undelete --yes"))
            .code(0)
            .says("restored serial 3 as serial 6 to `s3://");
        assert_eq!(case.place.state("default").unwrap(), state(6));
        delete(&case);
        case.run(case.remote_state("undelete --version serial:5 --verbatim --yes")).code(0);
        assert_eq!(case.place.state("default").unwrap(), state(5));
    });
}

fn versioned(server: &S3Server) -> Case<'_> {
    let mut case = Case::new(server);
    case.place = server.place_in(&block_on(server.make_versioned_bucket()));
    case
}

fn delete(case: &Case<'_>) {
    let deletion = case.server.client().delete_object().bucket(&case.place.bucket);
    block_on(deletion.key(&case.place.key).send()).expect("the state can be deleted");
}

fn suspend(case: &Case<'_>) {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let call = case.server.client().put_bucket_versioning().bucket(&case.place.bucket);
    let call = call.versioning_configuration(suspended.build());
    block_on(call.send()).expect("versioning can be suspended");
}
