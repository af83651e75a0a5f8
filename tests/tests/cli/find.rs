//! `find`: which states hold a resource, an output or a value.

use remote_state_tests::{Place, S3Server, Suite, unique};
use serde_json::Value;

use crate::support::{Case, SECRET, empty_state, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("find_names_states_resources_and_ids", &[], |server| {
        let case = searchable(server);
        let prefix = prefix(&case.place);
        case.expect(
            case.remote_state("find terraform_data.b --prefix").arg(&prefix),
            0,
            &format!(
                "STATE{}  WORKSPACE  ADDRESS                         ID\n\
                 s3://BUCKET/KEY  -          module.net.terraform_data.b[0]  two\n\
                 s3://BUCKET/KEY  -          module.net.terraform_data.b[1]  three\n",
                " ".repeat(format!("s3://{}/{}", case.place.bucket, case.place.key).len() - 5)
            ),
            "2 matches in 2 states\n",
        );
        case.run(case.remote_state("find --id on? --prefix").arg(&prefix)).code(0);
        case.run(case.remote_state("find --type aws_* --prefix").arg(&prefix))
            .code(4)
            .says("error: nothing was found in 2 states");
    });
    suite.on_each_server("find_searches_the_workspaces_of_the_configured_state", &[], |server| {
        let case = searchable(server);
        case.place.put_state("dev", state(1).replace("\"two\"", "\"dev-two\""));
        let output = case.run(case.remote_state("find --here --id *two --json")).code(0);
        let lines = lines(output.stdout());
        let shown = |line: &Value| (line["workspace"].clone(), line["id"].clone());
        assert_eq!(shown(&lines[0]), ("default".into(), "two".into()));
        assert_eq!(shown(&lines[1]), ("dev".into(), "dev-two".into()));
        assert_eq!(lines[1]["address"], "module.net.terraform_data.b[0]");
        assert_eq!((&lines[2]["type"], &lines[2]["states"]), (&"summary".into(), &2.into()));
    });
    suite.on_each_server("a_leaked_value_is_found_and_never_shown", &[], |server| {
        let case = searchable(server);
        let prefix = prefix(&case.place);
        for words in [
            "find --value-stdin --show input,id",
            "find --value-stdin --json -vvv",
            "find --value-stdin -vvv",
        ] {
            let cmd = case.remote_state(&format!("{words} --prefix")).arg(&prefix);
            let output = case.run(cmd.stdin(format!("{SECRET}\n"))).code(0);
            for found in ["terraform_data.a", "pass-word"] {
                assert!(output.stdout().contains(found), "{words}\n{output}");
            }
            assert!(!output.stdout().contains(SECRET), "{words}\n{output}");
        }
        let nothing = case.remote_state("find --here --value-stdin").stdin("correct-horse");
        case.run(nothing).code(4);
        case.run(case.remote_state("find --here --value-stdin").stdin("\n")).code(2);
    });
    suite.on_each_server("a_state_that_cannot_be_read_is_never_nothing_found", &[], |server| {
        let case = searchable(server);
        case.place.put_state("broken", "{\"version\": 4, \"serial\": 1, \"resources\": [");
        case.expect(
            case.remote_state("find --here no-such-thing"),
            1,
            "",
            "warning: `s3://BUCKET/env:/broken/KEY` could not be read: not a Terraform state: it \
             ends in the middle\nerror: 1 of 2 states could not be read\n",
        );
        let output = case.run(case.remote_state("find --here --id two --json")).code(1);
        let lines = lines(output.stdout());
        let kinds: Vec<_> = lines.iter().map(|line| line["type"].clone()).collect();
        assert!(kinds.contains(&"unreadable".into()) && kinds.contains(&"resource".into()));
    });
    suite.on_emulator("a_search_for_nothing_is_refused", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("find"),
            2,
            "",
            "error: nothing was said about what to look for\n\nhint: name a PATTERN, or a \
             condition such as `--type` or `--value-stdin`\n",
        );
        case.run(case.remote_state("find --attribute tags")).code(2);
        case.run(case.remote_state("find x --show a..b")).code(2);
    });
}

/// Creates a case with two states, a lock and an object that is no state below one prefix.
fn searchable(server: &S3Server) -> Case<'_> {
    let mut case = Case::new(server);
    let folder = unique("find");
    case.place.key = format!("{folder}/network");
    case.place.put_state("default", state(3));
    let mut other = server.place();
    other.key = format!("{folder}/empty.tfstate");
    other.put_state("default", empty_state(1));
    other.key = format!("{folder}/page.json");
    other.put_state("default", "{\"version\": 1, \"a\": \"terraform_data.b\"}");
    case
}

fn prefix(place: &Place<'_>) -> String {
    let (folder, _) = place.key.rsplit_once('/').expect("the key is in a folder");
    format!("{folder}/")
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}
