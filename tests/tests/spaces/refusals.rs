//! The command refuses what Spaces cannot honour, with the reason and the place.

use remote_state_tests::services::Service;
use remote_state_tests::{Sandbox, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.test("keys_that_spaces_cannot_honour_are_refused_with_reason_and_place", &[], keys);
    suite.test("endpoints_of_caches_are_refused_by_both_providers", &[], caches);
    suite.test("a_secret_in_a_file_is_warned_of_and_not_shown", &[], secret);
    suite.test("what_a_machine_has_for_amazon_is_not_asked_for_keys_of_spaces", &[], amazons);
    suite.test("three_lines_for_each_provider_stand_side_by_side_in_the_readme", &[], side_by_side);
    suite.test("the_keys_are_listed_without_those_that_are_refused", &[], listed);
}

fn file(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "remote-state.hcl",
        format!(
            "backend \"spaces\" {{\n  region = \"nyc3\"\n  bucket = \"b\"\n  key = \"k\"\n  \
             {more}\n}}\n"
        ),
    );
    sandbox
}

fn keys() {
    for (argument, reason) in [
        ("kms_key_id = \"x\"", "Spaces has no key management service"),
        ("dynamodb_table = \"x\"", "Spaces has no tables; the lock is a file beside the state"),
        ("assume_role = { role_arn = \"x\" }", "Spaces has no roles to assume"),
        (
            "endpoints = { s3 = \"https://nyc3.digitaloceanspaces.com\" }",
            "the endpoint follows from `region`",
        ),
        ("skip_s3_checksum = true", "nothing is asked or sent here that Spaces does not know"),
    ] {
        let name = argument.split(' ').next().expect("it begins with its name");
        file(argument)
            .remote_state()
            .arg("pull")
            .run()
            .code(2)
            .says(&format!("`{name}` cannot be used with DigitalOcean Spaces: {reason}"))
            .says("remote-state.hcl:5");
    }
    file("region_ = \"x\"").remote_state().arg("pull").run().code(2).says("did you mean `region`?");
    let sandbox = Sandbox::new();
    sandbox.write(
        "remote-state.hcl",
        "backend \"spaces\" {\n  region = \"us-east-1\"\n  bucket = \"b\"\n  key = \"k\"\n}\n",
    );
    sandbox
        .remote_state()
        .arg("pull")
        .run()
        .code(2)
        .says("it is a region of Amazon's")
        .says("remote-state.hcl:2");
}

fn caches() {
    const WORDS: &str = "it is a CDN's, and a state from a cache is a wrong state";
    file("endpoint = \"https://nyc3.cdn.digitaloceanspaces.com\"")
        .remote_state()
        .arg("pull")
        .run()
        .code(2)
        .says(WORDS);
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.tf",
        "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n    \
         region = \"us-east-1\"\n    \
         endpoints = { s3 = \"https://nyc3.cdn.digitaloceanspaces.com\" }\n  }\n}\n",
    );
    sandbox.remote_state().arg("pull").run().code(2).says(WORDS).says("main.tf:6");
}

fn secret() {
    let sandbox = file(
        "access_key = \"id\"\n  secret_key = \"hunter2\"\n  endpoint = \"http://127.0.0.1:1\"",
    );
    let output =
        sandbox.remote_state().arg("pull").timeout(std::time::Duration::from_secs(120)).run();
    let output =
        output.says("`secret_key` stands in remote-state.hcl:6").says("SPACES_SECRET_ACCESS_KEY");
    assert!(!output.stderr().contains("hunter2"), "{output}");
    let shown = sandbox.remote_state().words("config show").run().success();
    assert!(!shown.stdout().contains("hunter2"), "{shown}");
}

fn amazons() {
    let service = Service::start(|_| {
        let body = r#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}"#;
        (200, body.to_owned())
    });
    let sandbox = file("endpoint = \"http://127.0.0.1:1\"");
    sandbox.write("token", "a token");
    let ours = |words: &str| {
        sandbox
            .remote_state()
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/keys", service.url))
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci")
            .env("AWS_ENDPOINT_URL_STS", &service.url)
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)
            .words(words)
    };
    for words in ["pull", "whoami"] {
        let output = ours(words).run();
        let output = output
            .says("no credentials were found")
            .says("`SPACES_ACCESS_KEY_ID` and `SPACES_SECRET_ACCESS_KEY`")
            .says("profile `default`");
        for other in ["web identity", "container", "metadata"] {
            assert!(!output.stderr().contains(other), "{output}");
        }
    }
    assert_eq!(service.heard().len(), 0, "no other service should be asked");
    std::fs::create_dir_all(sandbox.home().join(".aws")).expect("the home is ours");
    let profile = "[default]\naws_access_key_id = in-a-profile\naws_secret_access_key = s\n";
    std::fs::write(sandbox.home().join(".aws/credentials"), profile).expect("the home is ours");
    let found = ours("whoami --json").run().success().json();
    assert_eq!(found["credentials"]["access_key_id"], "in-a-profile", "{found}");
}

/// Checks each claim in the columns of the README.
fn side_by_side() {
    let readme = include_str!("../../../README.md");
    let block = readme.split("**The three providers**").nth(1).expect("the README has the part");
    let block = block
        .split("```hcl\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("it has a block");
    let first = block.lines().next().expect("the block has lines");
    let starts: Vec<usize> = first.match_indices("backend \"").map(|(start, _)| start).collect();
    assert_eq!(starts.len(), 3, "{first}");
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied();
        let column = |line: &str| {
            line.get(*start..end.unwrap_or(line.len()).min(line.len()))
                .unwrap_or("")
                .trim_end()
                .to_owned()
        };
        let file: Vec<String> = block.lines().map(column).collect();
        assert_eq!(file.len(), 5, "three lines and the two around them");
        let sandbox = Sandbox::new();
        sandbox.write("remote-state.hcl", file.join("\n"));
        let shown = sandbox.remote_state().words("config show --json").run().success().json();
        assert_eq!(shown["backend"], ["s3", "oss", "spaces"][number]);
        assert_eq!(shown["values"]["bucket"]["value"], "acme-tfstate");
    }
}

fn listed() {
    let keys =
        Sandbox::new().remote_state().words("config keys spaces --json").run().success().json();
    let keys = keys["providers"]["spaces"].as_array().expect("a list of keys");
    let names: Vec<_> = keys.iter().filter_map(|key| key["name"].as_str()).collect();
    assert!(names.contains(&"region") && names.contains(&"use_lockfile"), "{names:?}");
    assert!(!names.contains(&"kms_key_id") && !names.contains(&"endpoints"), "{names:?}");
}
