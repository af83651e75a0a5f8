//! Errors that advise the user about credentials: log in with SSO again, or give the code of a
//! device to a tool that prompts for one. Related: a session of `aws login`. A failure for other
//! reasons gives no such advice.

use remote_state_tests::Suite;
use remote_state_tests::services::Service;

use crate::client::{Client, ROLE};

const PORTAL: &str = "https://corp.example.com/start";

/// Two ways to sign in: with a session that profiles share, and without.
fn profiles(name: &str) -> [String; 2] {
    let header =
        if name == "default" { "[default]".to_owned() } else { format!("[profile {name}]") };
    [
        format!(
            "{header}\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = \
             reader\n\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = {PORTAL}\n"
        ),
        format!(
            "{header}\nsso_start_url = {PORTAL}\nsso_region = us-east-1\nsso_account_id = \
             123456789012\nsso_role_name = reader\n"
        ),
    ]
}

/// Adds a token where the vendor's tools store it: that of a session under the SHA-1 of its name,
/// that of a profile without one under that of the URL.
fn with_token(client: Client, expires: &str) -> Client {
    let token = format!(
        r#"{{"startUrl":"{PORTAL}","region":"us-east-1","accessToken":"hunter2","expiresAt":"{expires}"}}"#
    );
    ["ee0bfd2552fbd840c02cc48b6e823320543c450f", "320c065519a2fc37b0f28a1bd477dc924a630080"]
        .iter()
        .fold(client, |client, name| {
            client.home_file(&format!(".aws/sso/cache/{name}.json"), &token)
        })
}

/// Starts a service that sends this answer to every request.
fn service(status: u16, body: &'static str) -> Service {
    Service::start(move |_| (status, body.to_owned()))
}

/// Starts an STS that refuses a role.
fn refusing_sts() -> Service {
    service(
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not \
         authorized</Message></Error></ErrorResponse>",
    )
}

pub(crate) fn tests(suite: &mut Suite) {
    suite.test(
        "advice::a_proxy_on_the_way_to_a_source_of_credentials_is_named_and_not_the_keys",
        &[],
        || {
            let role = format!(
                "[profile ci]\nrole_arn = {ROLE}\nsource_profile = base\nregion = \
                 us-east-1\n[profile base]\naws_access_key_id = a\naws_secret_access_key = s\n"
            );
            let [session, plain] = profiles("ci");
            for config in [role, session, plain] {
                for (proxy, code, fault) in [
                    ("http://127.0.0.1:1", 1, "the proxy `http://127.0.0.1:1` cannot be reached"),
                    ("ftp://127.0.0.1:1", 2, "the proxy cannot be used"),
                ] {
                    let client =
                        Client::new().home_file(".aws/config", &config).env("HTTPS_PROXY", proxy);
                    let told =
                        with_token(client, "2099-01-01T00:00:00Z").key("profile", "ci").fails(code);
                    let told = told.says(fault).says("HTTPS_PROXY");
                    assert!(!told.stderr().contains("set `AWS_ACCESS_KEY_ID`"), "{told}");
                }
            }
        },
    );
    suite.test(
        "advice::an_sso_login_that_was_never_made_or_is_over_is_told_with_the_command",
        &[],
        || {
        let over = service(
            401,
            r#"{"__type":"UnauthorizedException","message":"Session token not found or invalid"}"#,
        );
        let command = "hint: log in with `aws sso login --profile ci`";
        for config in profiles("ci") {
            let client = || {
                Client::new()
                    .home_file(".aws/config", &config)
                    .env("AWS_ENDPOINT_URL_SSO", &over.url)
            };
            client()
                .key("profile", "ci")
                .fails(1)
                .says("profile `ci` is over, or was never made")
                .says(command);
            client().env("AWS_PROFILE", "ci").command("pull").run().code(1).says(command);
            for expires in ["2001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
                let output = with_token(client().key("profile", "ci"), expires).fails(1);
                let output = output.says("profile `ci` is over, or was never made").says(command);
                assert!(!output.to_string().contains("hunter2"), "{output}");
            }
        }
        for config in profiles("default") {
            Client::new()
                .home_file(".aws/config", &config)
                .fails(1)
                .says("`aws sso login --profile default`");
        }
        for config in profiles("my mac") {
            let client = Client::new().home_file(".aws/config", &config).key("profile", "my mac");
            client.fails(1).says("`aws sso login --profile 'my mac'`");
        }
        },
    );
    suite.test("advice::the_login_is_that_of_the_profile_that_signs_in", &[], || {
        let [session, _] = profiles("base");
        let config = format!("{session}\n[profile ci]\nrole_arn = {ROLE}\nsource_profile = base\n");
        let client = Client::new().home_file(".aws/config", &config).key("profile", "ci");
        client.fails(1).says("`aws sso login --profile base`");
        // Without the login, a configured role on top of it is unavailable too.
        let client = Client::new()
            .home_file(".aws/config", &config)
            .key("profile", "base")
            .key("role_arn", ROLE);
        client.fails(1).says("cannot assume the role").says("`aws sso login --profile base`");
    });
    suite.test("advice::a_portal_that_refuses_the_role_says_nothing_of_a_login", &[], || {
        let portal = service(403, r#"{"__type":"ForbiddenException","message":"No access"}"#);
        for config in profiles("ci") {
            let client = Client::new().home_file(".aws/config", &config).key("profile", "ci");
            let client = client.env("AWS_ENDPOINT_URL_SSO", &portal.url);
            let output = with_token(client, "2100-01-01T00:00:00Z").fails(1);
            assert!(!output.to_string().contains("sso login"), "{output}");
            output.says("No access");
        }
    });
    suite.test(
        "advice::a_role_that_wants_the_code_of_a_device_is_told_how_to_get_a_session",
        &[],
        || {
            let sts = refusing_sts();
            let keys = "aws_access_key_id = AKB\naws_secret_access_key = hunter2\n";
            let role =
                format!("role_arn = {ROLE}\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n");
            for config in [
                format!("[profile base]\n{keys}\n[profile ci]\nsource_profile = base\n{role}"),
                format!("[profile ci]\nsource_profile = ci\n{keys}{role}"),
                format!(
                    "[profile base]\n{keys}\n[profile mid]\nsource_profile = \
                     base\n{role}\n[profile ci]\nsource_profile = mid\nrole_arn = {ROLE}\n"
                ),
            ] {
                let client = Client::new().home_file(".aws/config", &config).key("profile", "ci");
                let output = client.env("AWS_ENDPOINT_URL_STS", &sts.url).fails(1);
                let name = if config.contains("[profile mid]") { "mid" } else { "ci" };
                let output = output
                    .says(&format!("the role of profile `{name}` was refused, and `mfa_serial`"))
                    .says(".aws/config:")
                    .says(&format!(
                        "`eval \"$(aws configure export-credentials --profile {name} --format \
                         env)\"`"
                    ))
                    .says("aws sts assume-role --serial-number");
                // A configured profile overrides keys in the environment.
                let output = output.says(", and take out `profile` in --backend-config");
                assert!(!output.to_string().contains("hunter2"), "{output}");
                assert!(!output.to_string().contains("set `AWS_ACCESS_KEY_ID`"), "{output}");
            }
            // Without a device, the failure has other reasons, and so it has if STS is down.
            let plain = format!(
                "[profile base]\n{keys}\n[profile ci]\nsource_profile = base\nrole_arn = {ROLE}\n"
            );
            let with =
                format!("[profile base]\n{keys}\n[profile ci]\nsource_profile = base\n{role}");
            for (config, url) in [(plain, sts.url.as_str()), (with, "http://127.0.0.1:1")] {
                let client = Client::new().home_file(".aws/config", &config).key("profile", "ci");
                let output = client.env("AWS_ENDPOINT_URL_STS", url).fails(1);
                assert!(!output.to_string().contains("mfa_serial"), "{output}");
            }
        },
    );
    suite.test(
        "advice::a_profile_that_no_file_has_is_told_with_the_variable_and_the_files",
        &[],
        || {
            let config = "[profile ci]\naws_access_key_id = AKB\naws_secret_access_key = hunter2\n";
            let client = || Client::new().home_file(".aws/config", config);
            let says = |client: Client, origin: &str| {
                client
                    .fails(1)
                    .says("no credentials: profile `nothere` is not in `")
                    .says(".aws/config` or `")
                    .says(".aws/credentials`")
                    .mentions(origin)
                    .says("hint: name a profile that is there: `aws configure list-profiles`");
            };
            says(client().env("AWS_PROFILE", "nothere"), "$AWS_PROFILE");
            says(client().key("profile", "nothere"), "--backend-config");
        },
    );
    suite.test("advice::a_service_that_cannot_be_reached_is_named_by_its_url", &[], || {
        // Nothing listens on port 1.
        let url = "http://127.0.0.1:1";
        for config in profiles("ci") {
            let client = Client::new().home_file(".aws/config", &config).key("profile", "ci");
            let output = with_token(client, "2099-01-01T00:00:00Z")
                .env("AWS_ENDPOINT_URL_SSO", url)
                .fails(1)
                .says("no credentials: `http://127.0.0.1:1` cannot be reached, which profile `ci`");
            assert!(!output.stderr().contains("set `AWS_ACCESS_KEY_ID`"), "{output}");
        }
        let keys = "aws_access_key_id = AKB\naws_secret_access_key = hunter2\n";
        let role = format!(
            "[profile base]\n{keys}\n[profile ci]\nsource_profile = base\nrole_arn = {ROLE}\n"
        );
        let client = || Client::new().home_file(".aws/config", &role);
        client()
            .key("profile", "ci")
            .env("AWS_ENDPOINT_URL_STS", url)
            .fails(1)
            .says("`http://127.0.0.1:1` cannot be reached, which profile `ci` needs");
        client()
            .key("profile", "base")
            .key("role_arn", ROLE)
            .env("AWS_ENDPOINT_URL_STS", url)
            .fails(1)
            .says("STS cannot be reached at `http://127.0.0.1:1`");
    });
    suite.test("advice::a_session_of_aws_login_is_exported_by_the_vendors_tool", &[], || {
        let config = "[profile ci]\nlogin_session = arn:aws:iam::123456789012:user/me\n";
        let output = Client::new().home_file(".aws/config", config).key("profile", "ci").fails(1);
        output.says("`aws login`").says("aws configure export-credentials --profile ci");
    });
}
