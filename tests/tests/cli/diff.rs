//! `diff`: what two versions of a state differ in.

use remote_state_tests::{S3Server, Suite, block_on};

use crate::support::{Case, SECRET, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("diff_says_what_the_last_write_changed", &[], |server| {
        let case = changed(server);
        case.expect(
            case.remote_state("diff"),
            0,
            "serial 3 → 4, Terraform 1.11.4 → 1.12.0\n\
             ~ terraform_data.a\n    \
                 input   (sensitive) changed\n    \
                 output  (sensitive) changed\n    \
                 tags    + {\"n\":1.50}\n\
             - module.net.terraform_data.b[1]\n\
             → module.net.terraform_data.b[0] → module.net.terraform_data.c[0]   (same id two)\n\
             ~ output big   12345678901234567890.10 → 12345678901234567890.1\n\
             ~ output pass-word   (sensitive) changed\n\
             - output zones   - [\"a\",\"ü\"]\n\
             1 removed, 1 moved, 1 changed, 3 outputs; 0 unchanged\n",
            "",
        );
        case.expect(
            case.remote_state("diff @0 @0 --exit-code"),
            0,
            "serial 4, Terraform 1.12.0\nnothing differs; 2 unchanged\n",
            "",
        );
        case.run(case.remote_state("diff --exit-code")).code(5);
        case.run(case.remote_state("diff serial:3 serial:4 --exit-code")).code(5);
        case.expect(
            case.remote_state("diff --values none --only resources --address terraform_data.a"),
            0,
            "serial 3 → 4, Terraform 1.11.4 → 1.12.0\n\
             ~ terraform_data.a\n    \
                 input\n    \
                 output\n    \
                 tags    added\n\
             1 changed; 0 unchanged\n",
            "",
        );
    });
    suite.on_emulator("diff_is_coloured_where_it_is_asked_for_and_says_the_same", &[], |server| {
        let case = changed(server);
        let plain = case.run(case.remote_state("diff")).code(0);
        let coloured = case.run(case.remote_state("diff --color always")).code(0);
        assert!(!plain.stdout().contains('\u{1b}'), "{plain}");
        let mut text = coloured.stdout().to_owned();
        assert!(text.contains("\u{1b}[32m+"), "{coloured}");
        while let Some(start) = text.find('\u{1b}') {
            let end = text[start..].find('m').expect("each ends");
            text.replace_range(start..=start + end, "");
        }
        assert_eq!(text, plain.stdout());
    });
    suite.on_each_server("diff_answers_in_json_with_the_digits_of_numbers", &[], |server| {
        let case = changed(server);
        let output = case.run(case.remote_state("diff --json")).code(0);
        let text = output.stdout();
        for expected in [
            r#""before":12345678901234567890.10,"after":12345678901234567890.1,"#,
            r#"{"path":"input","change":"changed","before":null,"after":null,"sensitive":true}"#,
            r#""after":{"n":1.50}"#,
        ] {
            assert!(text.contains(expected), "{expected}\n{output}");
        }
        let json = output.json();
        assert_eq!(json["version"], 1);
        assert_eq!((&json["a"]["ref"], &json["a"]["serial"]), (&"@1".into(), &3.into()));
        assert_eq!((&json["b"]["ref"], &json["b"]["serial"]), (&"@0".into(), &4.into()));
        assert!(json["b"]["version_id"].is_string());
        let moved = &json["resources"][2];
        assert_eq!(moved["change"], "moved");
        assert_eq!(moved["previous_address"], "module.net.terraform_data.b[0]");
        assert_eq!(
            (&json["summary"]["removed"], &json["summary"]["outputs"]),
            (&1.into(), &3.into())
        );
    });
    suite.on_each_server("diff_shows_no_secret_however_much_it_says", &[], |server| {
        let case = changed(server);
        for words in
            ["diff -vvv", "diff --json -vvv", "diff @0 @1 --order --data", "diff --values none"]
        {
            let output = case.run(case.remote_state(words)).code(0);
            for secret in [SECRET, "correct-horse"] {
                assert!(!output.stdout().contains(secret), "{words}\n{output}");
                assert!(!output.stderr().contains(secret), "{words}\n{output}");
            }
        }
    });
    suite.on_emulator("sensitive_values_are_for_a_terminal_or_for_who_agrees", &[], |server| {
        let case = changed(server);
        case.expect(
            case.remote_state("diff --values all"),
            2,
            "",
            "error: sensitive values are shown only on a terminal, and standard output is \
             none\n\nhint: to write them all the same, pass `--yes`\n",
        );
        let output = case.remote_state("diff --values all --yes").run().success();
        assert!(output.stdout().contains("input   \"hunter2\" → \"correct-horse\""), "{output}");
    });
    suite.on_each_server("versions_that_are_not_there_are_told", &[], |server| {
        let case = changed(server);
        case.expect(
            case.remote_state("diff @2"),
            4,
            "",
            "error: `s3://BUCKET/KEY` has no such version\n  \
             because  there is no `@2`: `@1` is the \
             oldest\n\nhint: a bucket without versioning keeps the current state alone\n",
        );
        case.run(case.remote_state("diff serial:9")).code(4).says("because  none has the serial 9");
        case.run(case.remote_state("diff --at 2001-01-01")).code(4);
        case.run(case.remote_state("diff id:nonsense")).code(4);
        case.run(case.remote_state("diff workspace:nobody")).code(4);
        case.run(case.remote_state("diff @x")).code(2).says("`@N` (`@0` is the newest)");
        case.run(case.remote_state("diff --at soon")).code(2);
        case.run(case.remote_state("diff file:nothing")).code(4).says("cannot read `nothing`: ");
        case.run(case.remote_state("diff - -")).code(2);
        let deletion = server.client().delete_object().bucket(&case.place.bucket);
        block_on(deletion.key(&case.place.key).send()).expect("the state can be deleted");
        case.run(case.remote_state("diff"))
            .code(4)
            .says("because  `@0` records a deletion of the state");
        case.run(case.remote_state("diff @2 @1")).code(0);
    });
    suite.on_emulator("a_bucket_without_versions_has_one_version", &[], |server| {
        let case = Case::stored(server);
        case.run(case.remote_state("diff")).code(4).says("there is no `@1`: `@0` is the oldest");
    });
    suite.on_each_server("states_of_files_pipes_and_workspaces_are_compared", &[], |server| {
        let case = changed(server);
        case.place.put_state("dev@1", state(3));
        case.sandbox.write("old.json", state(3));
        for words in [
            "diff @1 file:old.json",
            "diff file:old.json workspace:dev@1",
            "diff workspace:dev@1/@0 @1",
            "diff - workspace:dev@1",
        ] {
            let cmd = case.remote_state(&format!("{words} --exit-code")).stdin(state(3));
            let output = case.run(cmd).code(0);
            assert!(
                output.stdout().ends_with("nothing differs; 3 unchanged\n"),
                "{words}\n{output}"
            );
        }
        // No store is needed.
        case.sandbox.write("bad.json", "hunter2");
        case.expect(
            case.sandbox.remote_state().words("diff file:old.json - --exit-code").stdin(state(3)),
            0,
            "serial 3, Terraform 1.11.4\nnothing differs; 3 unchanged\n",
            "",
        );
        case.expect(
            case.sandbox.remote_state().words("diff file:old.json file:bad.json"),
            1,
            "",
            "error: not a Terraform state: it is not a JSON object\n  state  the second one\n",
        );
    });
    suite.test("two_versions_of_the_embedded_store_are_compared", &[], || {
        let sandbox = remote_state_tests::Sandbox::new();
        for serial in [1, 2] {
            sandbox.write("state.json", state(serial));
            sandbox.remote_state().words("--dev push state.json").run().success();
        }
        let output = sandbox.remote_state().words("--dev diff").run().success();
        assert_eq!(
            output.stdout(),
            "serial 1 → 2, Terraform 1.11.4\nnothing differs; 3 unchanged\n"
        );
    });
}

/// Creates a case with two versions of a state.
fn changed(server: &S3Server) -> Case<'_> {
    let mut case = Case::new(server);
    case.place = server.place_in(&block_on(server.make_versioned_bucket()));
    case.place.put_state("default", state(3));
    let after = state(4)
        .replace("\"terraform_version\": \"1.11.4\"", "\"terraform_version\": \"1.12.0\"")
        .replace("12345678901234567890.10", "12345678901234567890.1")
        .replace(
            "\"id\": \"one\", \"input\": \"hunter2\"",
            "\"id\": \"one\", \"input\": \"correct-horse\", \"output\": \"x-correct-horse\", \
             \"tags\": {\"n\": 1.50}",
        )
        .replace("\"value\": \"hunter2\"", "\"value\": \"correct-horse\"")
        .replace("\"name\": \"b\"", "\"name\": \"c\"");
    let zones = after.find(",\n    \"zones\"").expect("it has zones");
    let end = after.find("\n  },\n  \"resources\"").expect("it has resources");
    let after = format!("{}{}", &after[..zones], &after[end..]);
    let third = after.find(",\n        {\"index_key\": 1").expect("it has a second instance");
    let end = after.find("\n      ]\n    }\n  ],\n  \"check_results\"").expect("it ends");
    case.place.put_state("default", format!("{}{}", &after[..third], &after[end..]));
    case
}
