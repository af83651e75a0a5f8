//! Programs that print credentials may prompt: the user sees the question at once, and the answer
//! reaches the program. Covers a program behind a role or behind another profile, and the mode
//! `External` of the vendor's profiles for OSS.

use remote_state_tests::Suite;
use remote_state_tests::services::sts;

use crate::client::{Client, ROLE};

/// Prompts for a code, and prints an access key that contains it.
const ASKS: &str = "#!/bin/sh\necho 'Enter MFA code:' >&2\nread code\nprintf \
                    '{\"Version\":1,\"AccessKeyId\":\"AK%s\",\"SecretAccessKey\":\"hunter2\"}' \
                    \"$code\"\n";

/// A client with a program, whose file is `~/ask.sh`.
fn client(program: &str, config: &str) -> Client {
    let client = Client::new().home_file("ask.sh", program);
    let path = client.sandbox.home().join("ask.sh");
    client.home_file(
        ".aws/config",
        &config.replace("PROGRAM", &format!("sh '{}' hunter3", path.display())),
    )
}

/// Runs a program for OSS that prompts, with a line on standard input, and returns what it has
/// read.
#[track_caller]
fn heard_by_oss(profile: &[&str], words: &str, says: &str) -> String {
    let client = Client::new().home_file(
        "ask.sh",
        "#!/bin/sh\necho 'Enter MFA code:' >&2\nread code\nprintf %s \"$code\" > \
         \"$HOME/code\"\nprintf \
         '{\"mode\":\"AK\",\"access_key_id\":\"AK\",\"access_key_secret\":\"hunter2\"}'\n",
    );
    let path = client.sandbox.home().join("ask.sh");
    let profiles = serde_json::json!({ "current": "ci", "profiles": [
        { "name": "ci", "mode": "External", "process_command": format!("sh {}", path.display()) },
    ] });
    let client = client.home_file(".aliyun/config.json", &profiles.to_string());
    let endpoint = "endpoint=http://127.0.0.1:1";
    let keys = ["bucket=tfstate", "region=cn-beijing", endpoint, "max_retries=0"];
    let cmd = client.sandbox.remote_state().arg("--backend=oss");
    let flags = keys.iter().chain(profile).map(|key| format!("--backend-config={key}"));
    let cmd = cmd.args(flags).words(words).env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    cmd.stdin("987\n").run().code(1).says("Enter MFA code:\n").says(says);
    let code = client.sandbox.home().join("code");
    std::fs::read_to_string(code).expect("the program has written it")
}

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("process::a_question_is_seen_and_its_answer_reaches_the_program", &[], || {
        for config in [
            "[default]\ncredential_process = PROGRAM\n",
            "[profile default]\ncredential_process: PROGRAM\n",
        ] {
            let output =
                client(ASKS, config).command("whoami --json").stdin("123\n").run().success();
            let output = output.says("Enter MFA code:\n");
            assert_eq!(output.json()["credentials"]["access_key_id"], "AK123");
        }
    });
    suite.test("process::a_question_is_seen_before_the_program_ends", &[], || {
        let waits =
            ASKS.replace("read code", "while [ ! -e \"$HOME/go\" ]; do sleep 0.01; done; code=456");
        let client = client(&waits, "[default]\ncredential_process = PROGRAM\n");
        let mut running = client.command("whoami --json").start();
        running.wait_for("Enter MFA code:");
        std::fs::write(client.sandbox.home().join("go"), "").expect("the home is ours");
        assert_eq!(running.wait().success().json()["credentials"]["access_key_id"], "AK456");
    });
    suite.test("process::a_program_may_stand_behind_roles_and_other_profiles", &[], || {
        let sts = sts();
        let role = format!("role_arn = {ROLE}\n");
        for config in [
            format!(
                "[profile ci]\n{role}source_profile = base\n[profile base]\ncredential_process = \
                 PROGRAM\n"
            ),
            format!("[profile ci]\n{role}credential_process = PROGRAM\n"),
            format!("[profile ci]\n{role}source_profile = ci\ncredential_process = PROGRAM\n"),
        ] {
            let client = client(ASKS, &config)
                .env("AWS_PROFILE", "ci")
                .env("AWS_ENDPOINT_URL_STS", &sts.url);
            let output = client
                .command("whoami --json")
                .stdin("7\n")
                .run()
                .success()
                .says("Enter MFA code:");
            assert_eq!(output.json()["credentials"]["access_key_id"], "assumed", "{config}");
            let heard = sts.heard();
            assert!(
                heard.iter().any(|request| request.headers.contains("credential=ak7/")),
                "{config}"
            );
        }
        let config = "[profile base]\ncredential_process = PROGRAM\n";
        let client = client(ASKS, config)
            .key("profile", "base")
            .key("role_arn", ROLE)
            .key("sts_endpoint", &sts.url);
        client.command("whoami").stdin("8\n").run().success().says("Enter MFA code:");
    });
    suite.test(
        "process::a_program_that_fails_is_named_by_profile_and_file_without_a_secret",
        &[],
        || {
            for (program, reason) in [
                ("echo 'no such user' >&2; exit 3", "failed (exit status: 3)"),
                ("echo hunter2", "does not print an object in JSON"),
                (
                    "printf '{\"Version\":2,\"SecretAccessKey\":\"hunter2\"}'",
                    "prints a `Version` other than 1",
                ),
                (
                    "printf '{\"Version\":1,\"SecretAccessKey\":\"hunter2\"}'",
                    "prints no `AccessKeyId`",
                ),
            ] {
                let config = "[profile ci]\nregion = x\ncredential_process = PROGRAM\n";
                let output = client(program, config)
                    .env("AWS_PROFILE", "ci")
                    .command("whoami -vvv")
                    .run()
                    .code(1);
                let output = output
                    .says("no credentials: profile `ci` failed")
                    .says("`credential_process` of profile `ci` (");
                let output = output.says(".aws/config:3)").says(reason);
                assert!(!output.stderr().contains("hunter"), "{output}");
                if program.contains("no such user") {
                    output.says("no such user\n");
                }
            }
        },
    );
    suite.test("process::what_oss_asks_is_seen_and_answered_too", &[], || {
        for profile in [&[][..], &["profile=ci"]] {
            assert_eq!(heard_by_oss(profile, "pull", "cannot reach"), "987");
        }
    });
    suite.test("process::what_is_piped_to_a_server_is_not_for_programs", &[], || {
        let marks = ASKS.replace("read code", "read code; printf %s \"$code\" > \"$HOME/code\"");
        let serve = "serve --no-auth --listen 127.0.0.1:0";
        for words in ["exec -- true", "exec -- sh -c true", serve] {
            let client = client(&marks, "[default]\ncredential_process = PROGRAM\n");
            let client = client.key("use_lockfile", "true").key("max_retries", "0");
            let code = client.sandbox.home().join("code");
            let mut running = client.command(words).stdin("123\n").start();
            running.wait_for("Enter MFA code:\n");
            // There is no prompt to wait for, and the store is down.
            running.wait_for("cannot reach");
            drop(running);
            let code = std::fs::read_to_string(code).expect("the program has written it");
            assert_eq!(code, "", "{words}");
        }
        for words in ["exec -- true", "exec -- sh -c true"] {
            assert_eq!(heard_by_oss(&[], words, "cannot reach"), "", "{words}");
        }
    });
}
