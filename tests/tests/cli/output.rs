//! `output`, `list` and `show`: the content of a state, for people, programs and shells.

use remote_state_tests::{Requirement, Suite, terraform};

use crate::support::{Case, empty_state, state};

const NAME: &str = "it's \"5\" $(id) `id` \\ ${x}\nline 2\n";

pub(crate) fn tests(suite: &mut Suite) {
    tables(suite);
    for_programs(suite);
    odd_states(suite);
    missing(suite);
    resources(suite);
}

fn tables(suite: &mut Suite) {
    suite.on_each_server("the_table_of_outputs_masks_what_is_sensitive", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("output"),
            0,
            "NAME       VALUE\nbig        12345678901234567890.10\nname       \"it's \\\"5\\\" \
             $(id) `id` \\\\ ${x}\\nline 2\\n\"\npass-word  <sensitive>\nzones      \
             [\"a\",\"ü\"]\n",
            "",
        );
        case.run(case.remote_state("output -show-sensitive"))
            .code(0)
            .mentions("pass-word \"hunter2\"");
    });
    suite.on_emulator("a_state_without_outputs_is_no_failure", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("default", empty_state(1));
        case.expect(case.remote_state("output"), 0, "", "the state has no outputs\n");
        case.expect(case.remote_state("output --quiet"), 0, "", "");
        case.expect(case.remote_state("output --json"), 0, "{}\n", "");
        case.expect(case.remote_state("output --format env"), 0, "", "");
    });
}

fn for_programs(suite: &mut Suite) {
    suite.on_each_server("raw_is_the_text_and_nothing_else", &[], |server| {
        let case = Case::stored(server);
        case.expect(case.remote_state("output -raw name"), 0, NAME, "");
        case.expect(case.remote_state("output --raw big"), 0, "12345678901234567890.10", "");
        case.expect(case.remote_state("output pass-word --raw"), 0, "hunter2", "");
        case.expect(
            case.remote_state("output --raw zones"),
            1,
            "",
            "error: output `zones` is neither a string nor a number nor a bool\n\nhint: print it \
             with `remote-state output --json zones`\n",
        );
    });
    suite.on_each_server("json_has_numbers_as_they_were_written", &[], |server| {
        let case = Case::stored(server);
        case.expect(case.remote_state("output --json big"), 0, "12345678901234567890.10\n", "");
        case.run(case.remote_state("output --json"))
            .code(0)
            .mentions("\"value\": 12345678901234567890.10");
    });
    suite.on_each_server("env_lines_survive_a_shell", &[], |server| {
        let case = Case::stored(server);
        let lines = case.run(case.remote_state("output --format env")).code(0);
        case.sandbox.write("env.sh", &lines.stdout);
        let shell = case.sandbox.command("sh").arg("-c").arg(
            ". ./env.sh; printf '%s' \"$name\"; printf '|%s' \"$big\" \"$pass_word\" \"$zones\"",
        );
        case.expect(shell, 0, &format!("{NAME}|12345678901234567890.10|hunter2|[\"a\",\"ü\"]"), "");
        case.expect(
            case.remote_state("output --format env pass-word"),
            0,
            "pass_word='hunter2'\n",
            "",
        );
    });
    suite.on_emulator("an_output_may_be_as_deep_as_it_likes", &[], |server| {
        let case = Case::new(server);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        case.place.put_state("default", state(3).replace("[\"a\", \"ü\"]", &deep));
        for words in [
            "output",
            "output zones",
            "output --json",
            "output zones --json",
            "output --format env",
        ] {
            let output = case.run(case.remote_state(words)).code(0);
            let text: String = output.stdout().split_whitespace().collect();
            assert!(text.contains(&deep), "{words}");
        }
    });
    suite.on_emulator("json_has_the_shape_of_terraforms", &[Requirement::Terraform], |server| {
        let case = Case::new(server);
        case.sandbox.write(
            "main.tf",
            format!("{}{}", case.place.backend_block(), terraform::CONFIGURATION),
        );
        let terraform = |words: &str| case.sandbox.terraform().server(server).words(words);
        case.run(terraform("init -input=false")).code(0);
        case.run(terraform("apply -auto-approve -input=false")).code(0);
        let theirs = terraform("output -json").run().success().json();
        let ours = case.bare("output -json").run().success().json();
        assert_eq!(ours, theirs);
        for name in ["a", "big", "list", "secret"] {
            let theirs = terraform("output -json").arg(name).run().success().json();
            assert_eq!(
                case.bare("output -json").arg(name).run().success().json(),
                theirs,
                "{name}"
            );
            if name != "list" {
                let theirs = terraform("output -raw").arg(name).run().success();
                assert_eq!(
                    case.bare("output -raw").arg(name).run().success().stdout,
                    theirs.stdout,
                    "{name}"
                );
            }
        }
        let theirs = terraform("state list").run().success();
        assert_eq!(case.bare("list").run().success().stdout, theirs.stdout);
    });
}

/// Terraform is the reference for the meaning of a state: for members that are `null` or duplicate,
/// keys in every spelling, the order, and formats that only its oldest releases wrote.
fn odd_states(suite: &mut Suite) {
    suite.on_emulator(
        "odd_states_are_listed_and_printed_as_terraform_does",
        &[Requirement::Terraform],
        |server| {
            let case = Case::new(server);
            case.sandbox.write("main.tf", case.place.backend_block());
            let terraform = |words: &str| case.sandbox.terraform().server(server).words(words);
            case.run(terraform("init -input=false")).code(0);
            for state in [include_str!("odd-state.json"), include_str!("old-state.json")] {
                case.place.put_state("default", state);
                let theirs = terraform("state list").run().success().stdout().to_owned();
                let ours = case.bare("list").run().success();
                assert_eq!(ours.stdout(), theirs);
                for address in theirs.lines().filter(|address| {
                    !["terraform_data.dep", "null_resource.onlydep"].contains(address)
                }) {
                    case.bare("show").arg(address).run().success();
                }
                let theirs = terraform("output -json").run().success().json();
                let names: Vec<String> = theirs.as_object().unwrap().keys().cloned().collect();
                for name in &names {
                    let theirs = terraform("output -raw").arg(name).run();
                    if theirs.status.success() {
                        assert_eq!(
                            case.bare("output --raw").arg(name).run().success().stdout,
                            theirs.stdout,
                            "{name}"
                        );
                    } else {
                        case.bare("output --raw").arg(name).run().code(1);
                    }
                    let ours = case.bare("output --json").arg(name).run().success();
                    assert_eq!(
                        ours.stdout().lines().count(),
                        1,
                        "{name}: a line of a file of variables"
                    );
                }
                // A value may hold half a pair of surrogates, as in the state. Strict readers
                // refuse that.
                let ours =
                    case.bare("output --json").run().success().stdout().replace("\\ud83d", "");
                let ours: serde_json::Value = serde_json::from_str(&ours).expect("it is JSON");
                assert_eq!(ours.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), names);
            }
            // The address that an older release of this project printed is still an address.
            case.place.put_state("default", include_str!("odd-state.json"));
            for address in [
                "terraform_data.x[\"a\\u0026b\"]",
                "terraform_data.x[\"%{lit}%\"]",
                "terraform_data.x[\\\"10\\\"]",
            ] {
                case.bare("show").arg(address).run().success();
            }
            case.bare("output u").run().success().mentions("?a=1&b=2");
        },
    );
}

fn missing(suite: &mut Suite) {
    suite.on_each_server(
        "an_output_that_does_not_exist_is_told_with_those_that_do",
        &[],
        |server| {
            let case = Case::stored(server);
            for words in [
                "output nope",
                "output nope --raw",
                "output nope --json",
                "output nope --format env",
            ] {
                case.expect(
                    case.remote_state(words),
                    4,
                    "",
                    "error: the state has no output `nope`\n\nhint: it has `big`, `name`, \
                     `pass-word`, `zones`\n",
                );
            }
            case.place.put_state("default", empty_state(9));
            case.expect(
                case.remote_state("output nope"),
                4,
                "",
                "error: the state has no output `nope`\n\nhint: it has no outputs at all\n",
            );
        },
    );
    suite.on_each_server(
        "outputs_of_what_is_no_state_are_an_error_without_its_text",
        &[],
        |server| {
            let case = Case::new(server);
            for (stored, reason) in [
                ("password = hunter2", "it is not a JSON object"),
                ("{\"outputs\": {\"a\": hunter2", "[..]"),
            ] {
                case.place.put_state("default", stored);
                for words in ["output", "list", "show a.b"] {
                    case.expect(
                        case.remote_state(words),
                        1,
                        "",
                        &format!(
                            "error: what is stored at `s3://BUCKET/KEY` is not a Terraform state: \
                             {reason}\n  size      {} bytes\n  modified  [..] UTC\n\nhint: look \
                             at it with `remote-state pull`\n",
                            stored.len()
                        ),
                    );
                }
            }
        },
    );
}

fn resources(suite: &mut Suite) {
    suite.on_each_server("list_prints_addresses", &[], |server| {
        let case = Case::stored(server);
        let addresses =
            "module.net.terraform_data.b[0]\nmodule.net.terraform_data.b[1]\nterraform_data.a\n";
        let output = case.run(case.remote_state("list")).code(0);
        let mut lines: Vec<_> = output.stdout().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n") + "\n", addresses);
        let json = case.run(case.remote_state("list --json")).code(0).json();
        assert_eq!(json["version"], 1);
        let resources = json["resources"].as_array().expect("a list");
        let tainted: Vec<_> =
            resources.iter().filter(|r| r["tainted"] == true).map(|r| &r["address"]).collect();
        assert_eq!(tainted, ["module.net.terraform_data.b[1]"]);
        case.place.put_state("default", empty_state(9));
        case.expect(case.remote_state("list"), 0, "", "the state tracks no resources\n");
    });
    suite.on_each_server("show_masks_what_is_sensitive", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("show terraform_data.a"),
            0,
            "ATTRIBUTE  VALUE\nid         \"one\"\ninput      <sensitive>\n",
            "terraform_data.a\n",
        );
        case.run(case.remote_state("show terraform_data.a --show-sensitive"))
            .code(0)
            .mentions("\"hunter2\"");
        let json = case.run(case.remote_state("show terraform_data.a --json")).code(0).json();
        assert_eq!(json["attributes"]["id"], "one");
        assert_eq!(json["sensitive_attributes"], serde_json::json!(["input"]));
    });
    suite.on_emulator(
        "show_hides_the_usual_secrets_of_a_state_without_marks_and_says_so",
        &[],
        |server| {
            let case = Case::new(server);
            let note = "the state does not record which attributes its providers hide";
            let resource = |kind: &str, attributes: &str, marks: &str| {
                format!(
                    r#"{{"mode":"managed","type":"{kind}","name":"db","provider":"p","instances":[{{"schema_version":0,"attributes":{attributes},"sensitive_attributes":[{marks}]}}]}}"#
                )
            };
            let stored = |resources: &[String]| {
                format!(
                    r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{}},"resources":[{}]}}"#,
                    resources.join(",")
                )
            };
            for (kind, secret) in [
                ("random_password", "result"),
                ("tls_private_key", "private_key_pem"),
                ("aws_iam_access_key", "secret"),
                ("azurerm_storage_account", "primary_access_key"),
            ] {
                let attributes = format!(r#"{{"id":"none","{secret}":"hunter2"}}"#);
                case.place.put_state("default", stored(&[resource(kind, &attributes, "")]));
                let shown =
                    case.run(case.remote_state(&format!("show {kind}.db"))).code(0).says(note);
                assert!(
                    shown.stdout().contains("<sensitive>") && shown.stdout().contains("\"none\""),
                    "{shown}"
                );
                assert!(!shown.stdout().contains("hunter2"), "{shown}");
                let all = case
                    .run(case.remote_state(&format!("show {kind}.db --show-sensitive")))
                    .code(0);
                assert!(all.stdout().contains("hunter2") && !all.stderr().contains(note), "{all}");
            }
            // By type and attribute: the command shows the same name elsewhere. If a state has any
            // mark, it records marks.
            let plain = resource("terraform_data", r#"{"id":"none","result":"shown"}"#, "");
            case.place.put_state("default", stored(std::slice::from_ref(&plain)));
            case.run(case.remote_state("show terraform_data.db"))
                .code(0)
                .says(note)
                .mentions("\"shown\"");
            let marked = resource(
                "random_password",
                r#"{"result":"hunter2"}"#,
                r#"[{"type":"get_attr","value":"result"}]"#,
            );
            case.place.put_state("default", stored(&[plain, marked]));
            let shown = case.run(case.remote_state("show terraform_data.db")).code(0);
            assert!(!shown.stderr().contains(note), "{shown}");
            // Version 3 cannot record marks.
            let old =
                r#"{"version":3,"serial":1,"lineage":"l","modules":[{"path":["root"],"outputs":{},"resources":{"random_password.db":{"type":"random_password","primary":{"id":"none","attributes":{"id":"none","result":"hunter2"}}}}}]}"#;
            case.place.put_state("default", old);
            let shown = case.run(case.remote_state("show random_password.db")).code(0).says(note);
            assert!(
                shown.stdout().contains("<sensitive>") && !shown.stdout().contains("hunter2"),
                "{shown}"
            );
        },
    );
    suite.on_each_server(
        "a_resource_that_does_not_exist_is_told_with_similar_ones",
        &[],
        |server| {
            let case = Case::stored(server);
            case.expect(
                case.remote_state("show module.net.terraform_data.b"),
                4,
                "",
                "error: the state tracks no resource `module.net.terraform_data.b`\n\nhint: it \
                 tracks `module.net.terraform_data.b[0]`, `module.net.terraform_data.b[1]`\n",
            );
            case.expect(
                case.remote_state("show x.y"),
                4,
                "",
                "error: the state tracks no resource `x.y`\n\nhint: see which it tracks with \
                 `remote-state list`\n",
            );
        },
    );
    suite.on_emulator("what_opentofu_encrypted_is_kept_and_not_read", &[], |server| {
        let case = Case::new(server);
        let bytes = "{\"serial\":1,\"lineage\":\"l\",\"meta\":{},\"encrypted_data\":\"\
                     aHVudGVyMg==\",\"encryption_version\":\"v0\"}";
        case.run(case.remote_state("push -").stdin(bytes)).code(0);
        case.expect(case.remote_state("pull"), 0, bytes, "");
        for (words, what) in [
            ("output", "outputs"),
            ("output a --raw", "outputs"),
            ("list", "resources"),
            ("show a.b", "resources"),
        ] {
            case.expect(
                case.remote_state(words),
                1,
                "",
                &format!(
                    "error: the state is encrypted by OpenTofu, and its {what} with it\n  \
                     state     s3://BUCKET/KEY\n  \
                     size      [..] bytes\n  \
                     modified  [..] UTC\n\n\
                     hint: read it with `tofu`, which has the key\n"
                ),
            );
        }
    });
    suite.on_emulator("a_state_with_fields_of_the_future_is_read", &[], |server| {
        let case = Case::new(server);
        case.place.put_state(
            "default",
            state(3).replace("  \"check_results\": null\n", "  \"unknown\": [1]\n"),
        );
        case.run(case.remote_state("output -raw big")).code(0);
    });
}
