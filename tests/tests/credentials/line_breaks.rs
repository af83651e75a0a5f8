//! Values with a line break or another control character, which would end a header: every provider
//! refuses them with the name of the variable, the key or the profile, and never panics or blames
//! the network. Secrets in CI often end in a line break. Covers credentials from a program too.

use remote_state_tests::{Output, Suite};
use serde_json::json;

use crate::client::Client;

/// Reads a state of a provider, with these keys and variables.
fn pull(client: &Client, backend: &str, keys: &[(&str, &str)], env: &[(&str, &str)]) -> Output {
    let flags = keys.iter().map(|(name, value)| format!("--backend-config={name}={value}"));
    let cmd =
        client.sandbox.remote_state().arg(format!("--backend={backend}")).args(flags).words("pull");
    env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value)).run()
}

/// Expects a refusal that contains this name, and no secret.
#[track_caller]
fn refused(output: Output, name: &str) {
    let output = output.code(2).says(name);
    for word in ["panicked", "cannot reach", "hunter2"] {
        assert!(!output.stderr().contains(word), "{output}");
    }
}

const S3: &[(&str, &str)] =
    &[("bucket", "b"), ("key", "k"), ("region", "us-east-1"), ("endpoint", "http://127.0.0.1:1")];
const OSS: &[(&str, &str)] =
    &[("bucket", "tfstate"), ("region", "cn-beijing"), ("endpoint", "http://127.0.0.1:1")];
const SPACES: &[(&str, &str)] =
    &[("bucket", "b"), ("key", "k"), ("region", "nyc3"), ("endpoint", "http://127.0.0.1:1")];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("line_breaks::in_variables_are_refused_by_their_names", &[], || {
        let client = Client::new();
        for (backend, keys, usual, names) in [
            ("s3", S3, "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCESS_KEY_ID"),
            ("s3", S3, "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY"),
            (
                "s3",
                S3,
                "AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=s",
                "AWS_SESSION_TOKEN AWS_SSE_CUSTOMER_KEY HTTPS_PROXY AWS_EXECUTION_ENV",
            ),
            (
                "oss",
                OSS,
                "ALICLOUD_SECRET_KEY=s",
                "ALICLOUD_ACCESS_KEY ALIBABA_CLOUD_ACCESS_KEY_ID",
            ),
            (
                "oss",
                OSS,
                "ALICLOUD_ACCESS_KEY=AK",
                "ALICLOUD_SECRET_KEY ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            ),
            (
                "oss",
                OSS,
                "ALICLOUD_ACCESS_KEY=AK ALICLOUD_SECRET_KEY=s",
                "ALICLOUD_SECURITY_TOKEN ALIBABA_CLOUD_SECURITY_TOKEN HTTPS_PROXY",
            ),
            ("spaces", SPACES, "SPACES_SECRET_ACCESS_KEY=s", "SPACES_ACCESS_KEY_ID"),
            ("spaces", SPACES, "SPACES_ACCESS_KEY_ID=AK", "SPACES_SECRET_ACCESS_KEY"),
            ("spaces", SPACES, "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCESS_KEY_ID"),
            (
                "spaces",
                SPACES,
                "SPACES_ACCESS_KEY_ID=AK SPACES_SECRET_ACCESS_KEY=s",
                "AWS_SSE_CUSTOMER_KEY HTTPS_PROXY",
            ),
        ] {
            for name in names.split(' ') {
                for bad in ["hunter2\n", "hunter2\r\n", "hunt\ner2", "hunt\u{7}er2"] {
                    let value = match name {
                        "HTTPS_PROXY" => format!("http://alice:{bad}@p.test"),
                        _ => bad.to_owned(),
                    };
                    let usual = usual.split(' ').filter_map(|pair| pair.split_once('='));
                    let env: Vec<_> = usual.chain([(name, value.as_str())]).collect();
                    refused(pull(&client, backend, keys, &env), &format!("${name}"));
                }
            }
        }
    });
    suite.test("line_breaks::in_the_configuration_are_refused_by_the_key", &[], || {
        let client = Client::new();
        for (backend, keys, name) in [
            ("s3", S3, "access_key"),
            ("s3", S3, "token"),
            ("oss", OSS, "secret_key"),
            ("oss", OSS, "security_token"),
            ("spaces", SPACES, "access_key"),
        ] {
            let given = [("access_key", "AK"), ("secret_key", "s"), (name, "hunter2\n")];
            let keys: Vec<_> = keys.iter().copied().chain(given).collect();
            refused(pull(&client, backend, &keys, &[]), &format!("`{name}`"));
        }
    });
    suite.test("line_breaks::in_profiles_are_refused_with_their_place", &[], || {
        for (file, place) in [
            (
                "[default]\naws_access_key_id = AK\n  hunter2\naws_secret_access_key = s\n",
                "`aws_access_key_id` of profile `default`",
            ),
            (
                "[default]\naws_access_key_id = AK\naws_secret_access_key = s\n  hunter2\n",
                "`aws_secret_access_key` of profile `default`",
            ),
            (
                "[default]\naws_access_key_id = AK\naws_secret_access_key = s\n\
              aws_session_token = t\n  hunter2\n",
                "`aws_session_token` of profile `default`",
            ),
        ] {
            let client = Client::new().home_file(".aws/credentials", file);
            refused(pull(&client, "s3", S3, &[]).says(".aws/credentials:"), place);
            refused(pull(&client, "spaces", SPACES, &[]).says(".aws/credentials:"), place);
            // The environment overrides the file.
            let keys = [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "s")];
            let s3 = [S3, &[("max_retries", "1")]].concat();
            pull(&client, "s3", &s3, &keys).code(1).says("cannot reach");
        }
        for (name, mode) in
            [("access_key_id", "AK"), ("access_key_secret", "AK"), ("sts_token", "StsToken")]
        {
            let mut profile = json!({
                "name": "ci",
                "mode": mode,
                "access_key_id": "AK",
                "access_key_secret": "s",
                "sts_token": "t",
            });
            profile[name] = json!("hunter2\n");
            let file = json!({ "current": "ci", "profiles": [profile] }).to_string();
            let client = Client::new().home_file(".aliyun/config.json", &file);
            let place = format!("`{name}` of profile `ci`");
            let named = [OSS, &[("profile", "ci")]].concat();
            refused(pull(&client, "oss", &named, &[]).says(".aliyun/config.json"), &place);
            let disabled = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
            let output = pull(&client, "oss", OSS, &disabled).says(&place);
            assert!(!output.stderr().contains("hunter2"), "{output}");
        }
    });
    suite.test("line_breaks::in_what_a_source_hands_out_are_refused_by_the_source", &[], || {
        for printed in [
            r#"{"Version":1,"AccessKeyId":"hunter2\n","SecretAccessKey":"s"}"#,
            r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"s","SessionToken":"hunter2\n"}"#,
        ] {
            let client = Client::new().home_file("printed", printed);
            let config = "[default]\ncredential_process = cat \"$HOME/printed\"\n";
            let client = client.home_file(".aws/config", config);
            refused(pull(&client, "s3", S3, &[]), "profile `default`");
        }
        let token = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2\n"),
        ];
        refused(pull(&Client::new(), "s3", S3, &token), "`AWS_CONTAINER_AUTHORIZATION_TOKEN`");
    });
    suite.test("line_breaks::in_a_variable_that_is_for_somebody_else_do_not_matter", &[], || {
        let env = [
            ("ALICLOUD_ACCESS_KEY", "AK"),
            ("ALICLOUD_SECRET_KEY", "s"),
            ("SECURITY_TOKEN", "x\n"),
        ];
        let keys = [OSS, &[("max_retries", "0")]].concat();
        pull(&Client::new(), "oss", &keys, &env).code(1).says("cannot reach");
    });
}
