//! The precedence of several credentials, and the messages without any.

use std::time::Duration;

use remote_state_tests::Suite;

use crate::client::{Client, ROLE};
use remote_state_tests::services::{Service, container, metadata, sts};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("order::each_source_alone_is_found_and_named", &[], || {
        let named = |client: Client, access_key: &str, source: &str| {
            let found = client.finds(access_key);
            let said = found["credentials"]["source"].as_str().expect("it is text");
            assert!(said.contains(source), "{said}");
        };
        let conf = Client::new().key("access_key", "conf").key("secret_key", "s");
        named(conf, "conf", "--backend-config");
        named(
            Client::new().key("profile", "ci").shared(&["ci"]),
            "shared-ci",
            "profile `ci`, set in --backend-config",
        );
        named(
            Client::new().env_keys("env"),
            "env",
            "$AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY",
        );
        named(
            Client::new().env_keys("env").env("AWS_SESSION_TOKEN", "t"),
            "env",
            "$AWS_ACCESS_KEY_ID",
        );
        named(Client::new().env("AWS_PROFILE", "ci").shared(&["ci"]), "shared-ci", "profile `ci`");
        named(Client::new().shared(&["default"]), "shared-default", "profile `default`");
        let imds = metadata("imds");
        named(Client::new().metadata(&imds.url), "imds", "the instance's metadata service");
        let ecs = container(|| ("ecs".to_owned(), "s".to_owned()), HOUR);
        let client = Client::new().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &ecs.url);
        named(client, "ecs", "the container's endpoint");
        let sts = sts();
        let client = Client::new().env("AWS_ENDPOINT_URL_STS", &sts.url).env("AWS_ROLE_ARN", ROLE);
        let client =
            client.home_file("token", "the-token\n").env("AWS_WEB_IDENTITY_TOKEN_FILE", "~/token");
        named(client, "webidentity", "web identity");
        let process = "[default]\ncredential_process = printf \
                       '{\"Version\":1,\"AccessKeyId\":\"process\",\"SecretAccessKey\":\"s\"}'\n";
        named(Client::new().home_file(".aws/config", process), "process", "profile `default`");
    });
    suite.test("order::a_profile_may_sign_in_with_sso", &[], || {
        const PORTAL: &str = "https://corp.example.com/start";
        let session = format!(
            "[profile ci]\nsso_session = corp\nsso_account_id = 123456789012\n\
             sso_role_name = reader\n\n[sso-session corp]\nsso_region = us-east-1\n\
             sso_start_url = {PORTAL}\n"
        );
        let legacy = format!(
            "[profile ci]\nsso_start_url = {PORTAL}\nsso_region = us-east-1\n\
             sso_account_id = 123456789012\nsso_role_name = reader\n"
        );
        // A session's token is stored under the SHA-1 of its name, that of a profile without one
        // under that of the URL.
        for (config, name) in [
            (session, "ee0bfd2552fbd840c02cc48b6e823320543c450f"),
            (legacy, "320c065519a2fc37b0f28a1bd477dc924a630080"),
        ] {
            let portal = Service::start(|request| {
                let expires = jiff::Timestamp::now().as_millisecond() + 3_600_000;
                let is_asked = request.line.contains("role_name=reader")
                    && request.headers.contains("x-amz-sso_bearer_token: the-token");
                let keys = format!(
                    r#"{{"roleCredentials":{{"accessKeyId":"sso","secretAccessKey":"s","sessionToken":"t","expiration":{expires}}}}}"#
                );
                if is_asked { (200, keys) } else { (401, String::new()) }
            });
            let token = format!(
                r#"{{"startUrl":"{PORTAL}","region":"us-east-1","accessToken":"the-token","expiresAt":"2100-01-01T00:00:00Z"}}"#
            );
            let client =
                Client::new().key("profile", "ci").env("AWS_ENDPOINT_URL_SSO", &portal.url);
            client
                .home_file(".aws/config", &config)
                .home_file(&format!(".aws/sso/cache/{name}.json"), &token)
                .finds("sso");
        }
    });
    suite.test("order::what_is_nearer_goes_before_what_is_farther", &[], || {
        let imds = metadata("imds");
        let ecs = container(|| ("ecs".to_owned(), "s".to_owned()), HOUR);
        // All sources at first, and then one less each time.
        let all = |client: Client| {
            client.metadata(&imds.url).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &ecs.url)
        };
        let shared = |client: Client| all(client).shared(&["default", "ci"]);
        let conf = |client: Client| client.key("access_key", "conf").key("secret_key", "s");
        conf(shared(Client::new().env_keys("env").key("profile", "ci"))).finds("conf");
        shared(Client::new().env_keys("env").key("profile", "ci")).finds("shared-ci");
        shared(Client::new().env_keys("env").env("AWS_PROFILE", "ci")).finds("env");
        shared(Client::new().env("AWS_PROFILE", "ci")).finds("shared-ci");
        shared(Client::new()).finds("shared-default");
        all(Client::new()).finds("ecs");
        Client::new().metadata(&imds.url).finds("imds");
        // As before Terraform 1.6.
        shared(
            Client::new().env_keys("env").key("profile", "ci").key("use_legacy_workflow", "true"),
        )
        .finds("env");
    });
    suite.test("order::a_chain_that_ends_empty_says_what_each_source_answered", &[], || {
        let client = Client::new();
        let output = client.fails(1);
        let said: Vec<_> =
            output.stderr().lines().skip_while(|line| !line.starts_with("error")).collect();
        assert_eq!(said[0], "error: no credentials were found");
        let sources = [
            "credentials",
            "configuration",
            "environment",
            "web identity",
            "profile",
            "container",
            "instance metadata",
        ];
        for (line, source) in said[1..].iter().zip(sources) {
            let answer = line.trim_start().strip_prefix(source);
            assert!(answer.is_some_and(|answer| answer.trim().len() > 5), "{source}: {output}");
        }
        output
            .says("`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are not set")
            .says("not asked: `skip_metadata_api_check` is set")
            .says("hint: set `AWS_ACCESS_KEY_ID`");
        // The same from every other command.
        client
            .command("pull")
            .run()
            .code(1)
            .says("no credentials were found")
            .says("instance metadata");
    });
    suite.test("order::a_metadata_service_is_left_alone_if_told_so", &[], || {
        let imds = metadata("imds");
        let client = Client::new().metadata(&imds.url).key("skip_metadata_api_check", "true");
        client.fails(1).says("instance metadata");
        assert!(imds.heard().is_empty());
        let key = Client::new()
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .key("ec2_metadata_service_endpoint", &imds.url);
        key.finds("imds");
        let old = Client::new()
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_METADATA_URL", &imds.url);
        old.finds("imds");
        old.command("whoami")
            .run()
            .success()
            .says("`AWS_METADATA_URL` is an older name of `AWS_EC2_METADATA_SERVICE_ENDPOINT`");
    });
    suite.test("order::a_profile_that_does_not_exist_is_named", &[], || {
        let shared = || Client::new().shared(&["default"]);
        shared()
            .key("profile", "nonesuch")
            .fails(1)
            .says("profile `nonesuch`")
            .says("no credentials");
        shared().env("AWS_PROFILE", "nonesuch").fails(1).says("nonesuch");
        // Keys in the environment override the profile of the environment, whether it exists or
        // not.
        shared().env("AWS_PROFILE", "nonesuch").env_keys("env").finds("env");
    });
    suite.test("order::files_may_be_elsewhere_and_named_with_variables", &[], || {
        let at = |name: &str| {
            format!("[default]\naws_access_key_id = {name}\naws_secret_access_key = s\n")
        };
        let client = || {
            Client::new()
                .home_file("one", &at("one"))
                .home_file("two", &at("two"))
                .shared(&["default"])
        };
        client().key("shared_credentials_file", "~/one").finds("one");
        client().key("shared_credentials_files", "[\"$HOME/one\", \"$${HOME}/two\"]").finds("two");
        client().env("AWS_SHARED_CREDENTIALS_FILE", "~/two").finds("two");
        client()
            .env("AWS_SHARED_CREDENTIALS_FILE", "~/two")
            .key("shared_credentials_file", "~/one")
            .finds("one");
        client().finds("shared-default");
        let config =
            || Client::new().home_file("conf", &at("conf")).home_file("other", &at("other"));
        config().env("AWS_CONFIG_FILE", "~/conf").finds("conf");
        config()
            .env("AWS_CONFIG_FILE", "~/conf")
            .env("AWS_SHARED_CONFIG_FILE", "~/other")
            .finds("other");
        client()
            .key("shared_credentials_file", "$NOT_SET/one")
            .fails(2)
            .says("`NOT_SET`, which is not set");
    });
}
