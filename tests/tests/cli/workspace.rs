//! `workspace`: list, create, delete.

use remote_state_tests::{Requirement, Suite, Terminal};
use serde_json::json;

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("workspaces_are_made_listed_and_deleted", &[], |server| {
        let case = Case::new(server);
        case.expect(case.remote_state("workspace list"), 0, "* default\n", "");
        case.expect(
            case.remote_state("workspace new dev"),
            0,
            "",
            "created workspace `dev` at `s3://BUCKET/env:/dev/KEY`\nuse it with `-w dev`, or \
             `TF_WORKSPACE=dev`\n",
        );
        let state = case.place.state_json("dev");
        assert_eq!(
            (&state["version"], &state["serial"], &state["resources"]),
            (&4.into(), &1.into(), &json!([]))
        );
        case.expect(case.remote_state("workspace list -w dev"), 0, "  default\n* dev\n", "");
        assert_eq!(
            case.run(case.remote_state("workspace list --json").env("TF_WORKSPACE", "dev"))
                .code(0)
                .json(),
            json!({"version": 1, "selected": "dev", "workspaces": ["default", "dev"]})
        );
        case.expect(
            case.remote_state("workspace delete dev --yes"),
            0,
            "",
            "deleted workspace `dev`\n",
        );
        assert!(case.place.state("dev").is_none() && case.place.holder("dev").is_none());
        case.expect(case.remote_state("workspace list"), 0, "* default\n", "");
    });
    suite.on_each_server("a_workspace_that_exists_is_not_made_again", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("dev", state(3));
        case.expect(
            case.remote_state("workspace new dev"),
            5,
            "",
            "error: workspace `dev` exists already\n  state  s3://BUCKET/env:/dev/KEY\n",
        );
        assert_eq!(case.place.state("dev").expect("it is still there"), state(3));
        assert!(case.place.holder("dev").is_none());
        case.run(case.remote_state("workspace new default")).code(5);
    });
    suite.on_each_server("deleting_asks_and_without_a_terminal_refuses", &[], |server| {
        let case = Case::new(server);
        case.run(case.remote_state("workspace new dev")).code(0);
        case.expect(
            case.remote_state("workspace delete dev").stdin("yes\n"),
            2,
            "",
            "error: this needs your consent, and there is no terminal to ask on\n\nhint: to agree \
             beforehand, pass `--yes`\n",
        );
        assert!(case.place.state("dev").is_some());
    });
    suite.on_each_server(
        "a_workspace_with_resources_is_not_deleted_without_force",
        &[],
        |server| {
            let case = Case::new(server);
            case.place.put_state("dev", state(3));
            case.expect(
                case.remote_state("workspace delete dev --yes"),
                5,
                "",
                "error: workspace `dev` still tracks resources, which no client would manage any \
                 more\n  state  s3://BUCKET/env:/dev/KEY\n\nhint: destroy them first, or pass \
                 `--force`\n",
            );
            assert!(case.place.state("dev").is_some() && case.place.holder("dev").is_none());
            case.run(case.remote_state("workspace delete dev --yes --force")).code(0);
            assert!(case.place.state("dev").is_none());
        },
    );
    suite.on_each_server(
        "a_workspace_whose_state_cannot_be_read_is_not_deleted_without_force",
        &[],
        |server| {
            let case = Case::new(server);
            let encrypted =
                r#"{"serial":1,"lineage":"l","meta":{},"encrypted_data":"AA","encryption_version":"v0"}"#;
            for (stored, reason) in [
                (
                    "hunter2".to_owned(),
                    "what is stored is not a Terraform state: it is not a JSON object",
                ),
                (
                    state(3)[..state(3).len() - 9].to_owned(),
                    "what is stored is not a Terraform state: [..]",
                ),
                (encrypted.to_owned(), "its state is encrypted by OpenTofu"),
                (
                    r#"{"version":3,"serial":1,"modules":[]}"#.to_owned(),
                    "its state has an old format",
                ),
            ] {
                case.place.put_state("dev", stored);
                case.expect(
                    case.remote_state("workspace delete dev --yes"),
                    5,
                    "",
                    &format!(
                        "error: cannot tell whether workspace `dev` tracks resources: {reason}\n  \
                         state  s3://BUCKET/env:/dev/KEY\n\n\
                         hint: look at it with `remote-state pull -w dev`; to delete it \
                         all the same, pass `--force`\n"
                    ),
                );
                assert!(case.place.state("dev").is_some() && case.place.holder("dev").is_none());
            }
            case.run(case.remote_state("workspace delete dev --yes --force")).code(0);
            assert!(case.place.state("dev").is_none());
            // The hint's command, with the workspace named twice.
            case.place.put_state("dev", state(3));
            case.expect(case.remote_state("-w other pull -w dev"), 0, &state(3), "");
        },
    );
    suite.on_each_server("a_workspace_without_a_byte_is_deleted", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("dev", "");
        case.expect(case.remote_state("workspace list"), 0, "* default\n  dev\n", "");
        case.run(case.remote_state("pull -w dev")).code(4);
        case.expect(
            case.remote_state("workspace delete dev --yes"),
            0,
            "",
            "deleted workspace `dev`\n",
        );
        case.expect(case.remote_state("workspace list"), 0, "* default\n", "");
    });
    suite.on_each_server("the_default_workspace_and_unknown_ones_are_not_deleted", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("workspace delete default --yes --force"),
            2,
            "",
            "error: the workspace `default` always exists and cannot be deleted\n",
        );
        case.expect(
            case.remote_state("workspace delete nope --yes"),
            4,
            "",
            "error: there is no workspace `nope`\n  state  s3://BUCKET/env:/nope/KEY\n\nhint: see \
             which workspaces have one with `remote-state workspace list`\n",
        );
    });
    suite.on_each_server("a_workspace_name_that_leads_elsewhere_is_refused", &[], |server| {
        let case = Case::stored(server);
        const HINT: &str = "hint: a workspace name holds only letters, digits and the characters \
                            - _ . ~ $ & + : = @\n";
        let new = case.remote_state("workspace new x/..");
        case.expect(
            new,
            2,
            "",
            &format!("error: \"x/..\" is not a workspace name: it contains '/'\n\n{HINT}"),
        );
        let pull = case.remote_state("pull -w x/..");
        case.expect(
            pull,
            2,
            "",
            &format!(
                "error: \"x/..\" is not a workspace name: it contains '/'\n  set in  \
                 --workspace\n\n{HINT}"
            ),
        );
        let pull = case.remote_state("push - ").env("TF_WORKSPACE", "..").stdin(state(4));
        case.expect(
            pull,
            2,
            "",
            &format!(
                "error: \"..\" is not a workspace name: it would name another workspace's \
                 object\n  set in  $TF_WORKSPACE\n\n{HINT}"
            ),
        );
        case.run(case.remote_state("workspace delete x/../ --yes --force")).code(2);
        assert_eq!(case.place.state("default").expect("it is still there"), state(3));
    });
    suite.on_emulator("on_a_terminal_only_yes_is_consent", &[Requirement::Setsid], |server| {
        let case = Case::new(server);
        case.run(case.remote_state("workspace new dev")).code(0);
        // Standard error is no terminal here, so no user can read the question.
        let (_terminal, running) = Terminal::start(case.remote_state("workspace delete dev"));
        running.wait().code(2).says("no terminal to ask on");
        assert!(case.place.state("dev").is_some());
    });
}
