//! The answers of `whoami`.

use remote_state_tests::Suite;
use serde_json::json;

use crate::client::{Client, ROLE};
use remote_state_tests::services::{Service, sts};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("whoami::sts_says_whose_the_credentials_are", &[], || {
        let sts = sts();
        let client = Client::new().env_keys("env").key("sts_endpoint", &sts.url);
        let expected = json!({
            "version": 1,
            "backend": "s3",
            "account": "123456789012",
            "arn": "arn:aws:iam::123456789012:user/env",
            "user_id": "id-of-env",
            "unknown_because": null,
            "credentials": {
                "source": "$AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY",
                "access_key_id": "env",
                "expires": null,
            },
            "region": "us-east-1",
            "endpoint": "http://127.0.0.1:1",
            "dialect": "generic",
        });
        assert_eq!(client.whoami(), expected);
        let output = client.command("whoami --quiet").run().success();
        let lines: Vec<_> = output
            .stdout()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "WHAT IS",
                "account 123456789012",
                "arn arn:aws:iam::123456789012:user/env",
                "user id id-of-env",
                "credentials $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY",
                "access key env",
                "region us-east-1",
                "endpoint http://127.0.0.1:1",
                "dialect generic",
            ]
        );
    });
    suite.test("whoami::the_session_of_a_role_is_named_with_what_it_was_assumed_with", &[], || {
        let sts = sts();
        let client = Client::new().env_keys("env").key("sts_endpoint", &sts.url);
        let found =
            client.key("assume_role", &format!("{{ role_arn = \"{ROLE}\" }}")).finds("assumed");
        assert_eq!(found["arn"], "arn:aws:iam::123456789012:user/assumed");
        let source = found["credentials"]["source"].as_str().expect("it is text");
        assert_eq!(
            source,
            format!(
                "role `{ROLE}`, set in --backend-config, assumed with $AWS_ACCESS_KEY_ID and \
                 $AWS_SECRET_ACCESS_KEY"
            )
        );
        assert!(found["credentials"]["expires"].is_string(), "{found}");
    });
    suite.test("whoami::where_no_service_can_be_asked_it_says_so", &[], || {
        let unknown = |client: Client, reason: &str| {
            let found = client.finds("env");
            assert!(found["account"].is_null() && found["arn"].is_null(), "{found}");
            let because = found["unknown_because"].as_str().expect("it is text");
            assert!(because.contains(reason), "{because}");
            client.command("whoami").run().success();
        };
        unknown(Client::new().env_keys("env"), "no STS of its own is named");
        // An emulator without quirks is not Amazon, whose STS does not accept its keys.
        unknown(Client::new().env_keys("env").key("dialect", "aws"), "no STS of its own is named");
        // MinIO answers the request like this, other stores in other ways.
        for (status, body) in [
            (400, "<Error><Code>InvalidParameterValue</Code></Error>"),
            (404, "not found"),
            (405, ""),
            (501, "<Error><Code>NotImplemented</Code></Error>"),
            (200, "<html>welcome</html>"),
        ] {
            let store = Service::start(move |_| (status, body.to_owned()));
            unknown(
                Client::new().env_keys("env").key("sts_endpoint", &store.url),
                "does not answer as STS does",
            );
        }
    });
    suite.test("whoami::credentials_that_are_refused_are_an_error", &[], || {
        for (code, status) in
            [("InvalidClientTokenId", 403), ("ExpiredToken", 403), ("SignatureDoesNotMatch", 403)]
        {
            let sts = Service::start(move |_| {
                (
                    status,
                    format!(
                        "<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></\
                         ErrorResponse>"
                    ),
                )
            });
            let client = Client::new().env_keys("env").key("sts_endpoint", &sts.url);
            client
                .fails(1)
                .says("error: cannot tell whose the credentials are")
                .says(code)
                .says("$AWS_ACCESS_KEY_ID");
        }
        let nowhere = Client::new().env_keys("env").key("sts_endpoint", "http://127.0.0.1:1");
        nowhere.fails(1).says("STS cannot be reached").says("set in");
    });
    suite.test("whoami::no_secret_is_said", &[], || {
        let sts = sts();
        let client = Client::new()
            .key("access_key", "conf")
            .key("secret_key", "hunter2")
            .key("token", "hunter3");
        let output = client.key("sts_endpoint", &sts.url).command("whoami -vvv").run().success();
        assert!(
            !output.to_string().split("--- stdout").nth(1).expect("it is there").contains("hunter"),
            "{output}"
        );
    });
}
