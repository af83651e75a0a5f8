//! Roles on top of every source of credentials, with all their keys.

use std::time::Duration;

use remote_state_tests::Suite;

use crate::client::{Client, ROLE};
use remote_state_tests::services::{Heard, container, metadata, sts};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns the fields of the only request for a session, and its caller.
fn asked(heard: Vec<Heard>) -> (String, Vec<String>) {
    let mut sessions =
        heard.into_iter().filter(|request| request.body.contains("Action=AssumeRole"));
    let request = sessions.next().expect("a session was asked for");
    assert!(sessions.next().is_none(), "a session is asked for once");
    let asker = request
        .headers
        .split_once("credential=")
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    (asker.to_owned(), request.body.split('&').map(str::to_owned).collect())
}

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("roles::role_is_assumed_with_the_credentials_of_every_source", &[], || {
        let sts = sts();
        let imds = metadata("imds");
        let ecs = container(|| ("ecs".to_owned(), "s".to_owned()), HOUR);
        let with = |client: Client| {
            client
                .key("sts_endpoint", &sts.url)
                .key("assume_role", &format!("{{ role_arn = \"{ROLE}\", session_name = \"ci\" }}"))
        };
        let keys = "[profile keys]\naws_access_key_id = chained\naws_secret_access_key = s\n";
        for (client, asker) in [
            (Client::new().key("access_key", "conf").key("secret_key", "s"), "conf"),
            (Client::new().env_keys("env"), "env"),
            (Client::new().key("profile", "ci").shared(&["ci"]), "shared-ci"),
            (Client::new().env("AWS_PROFILE", "keys").home_file(".aws/config", keys), "chained"),
            (Client::new().shared(&["default"]), "shared-default"),
            (Client::new().metadata(&imds.url), "imds"),
            (Client::new().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &ecs.url), "ecs"),
        ] {
            with(client).finds("assumed");
            assert_eq!(asked(sts.heard()).0, asker);
        }
    });
    suite.test("roles::a_profile_may_assume_a_role_from_where_it_says", &[], || {
        let sts = sts();
        let imds = metadata("imds");
        let profile = |source: &str| {
            format!(
                "[profile ci]\n{source}\nrole_arn = {ROLE}\nexternal_id = acme\n\n[profile \
                 keys]\naws_access_key_id = chained\naws_secret_access_key = s\n"
            )
        };
        for (source, asker) in [
            ("source_profile = keys", "chained"),
            ("credential_source = Environment", "env"),
            ("credential_source = Ec2InstanceMetadata", "imds"),
        ] {
            let client = Client::new().key("profile", "ci").env_keys("env").metadata(&imds.url);
            client
                .env("AWS_ENDPOINT_URL_STS", &sts.url)
                .home_file(".aws/config", &profile(source))
                .finds("assumed");
            let (found, fields) = asked(sts.heard());
            assert_eq!(found, asker, "{source}");
            assert!(fields.contains(&"ExternalId=acme".to_owned()), "{fields:?}");
        }
    });
    suite.test("roles::historic_and_nested_names_ask_for_the_same", &[], || {
        let sts = sts();
        let client = || Client::new().env_keys("env").key("sts_endpoint", &sts.url);
        let policy = r#"{"Version":"2012-10-17"}"#;
        let nested = format!(
            r#"{{ role_arn = "{ROLE}", duration = "1h", external_id = "ext:1", policy = {policy:?}, policy_arns = ["arn:aws:iam::aws:policy/P"], session_name = "ci", tags = {{ team = "net" }}, transitive_tag_keys = ["team"] }}"#
        );
        client().key("assume_role", &nested).finds("assumed");
        let (_, new) = asked(sts.heard());
        let old = client()
            .key("role_arn", ROLE)
            .key("assume_role_duration_seconds", "3600")
            .key("external_id", "ext:1")
            .key("assume_role_policy", policy)
            .key("assume_role_policy_arns", r#"["arn:aws:iam::aws:policy/P"]"#)
            .key("session_name", "ci")
            .key("assume_role_tags", r#"{ team = "net" }"#)
            .key("assume_role_transitive_tag_keys", r#"["team"]"#);
        let output = old.command("whoami --json").run().success();
        for name in ["role_arn", "external_id", "assume_role_policy", "session_name"] {
            output.clone().says(&format!(
                "`{name}` (--backend-config) is an older name of `assume_role."
            ));
        }
        assert_eq!(asked(sts.heard()).1, new);
        for field in [
            "DurationSeconds=3600",
            "ExternalId=ext%3A1",
            "RoleSessionName=ci",
            "Tags.member.1.Key=team",
        ] {
            assert!(new.iter().any(|asked| asked == field), "{field}: {new:?}");
        }
        client()
            .key("assume_role", &format!("{{ role_arn = \"{ROLE}\" }}"))
            .key("external_id", "abc")
            .fails(2)
            .says("write `external_id` as `assume_role.external_id`");
        let identity = format!(r#"{{ role_arn = "{ROLE}", source_identity = "me" }}"#);
        client().key("assume_role", &identity).finds("assumed");
        assert!(asked(sts.heard()).1.contains(&"SourceIdentity=me".to_owned()));
    });
    suite.test("roles::role_that_is_refused_says_what_to_look_at", &[], || {
        let sts = sts();
        let client =
            Client::new().env_keys("denied").key("sts_endpoint", &sts.url).key("role_arn", ROLE);
        client
            .fails(1)
            .says("cannot assume the role")
            .says("AccessDenied: you may not")
            .says("`external_id`");
        let empty = Client::new().key("assume_role", "{ role_arn = \"\" }");
        empty.fails(2).says("`assume_role.role_arn` is not set").says("empty in");
        // A null object counts as absent.
        Client::new().env_keys("env").key("assume_role", "null").finds("env");
        let without_keys = Client::new().key("sts_endpoint", &sts.url).key("role_arn", ROLE);
        without_keys.fails(1).says("no credentials were found").says("instance metadata");
    });
    suite.test("roles::token_is_taken_from_where_it_is_configured", &[], || {
        let sts = sts();
        let arn = ROLE;
        let client = || {
            Client::new()
                .key("sts_endpoint", &sts.url)
                .home_file("conf-token", "of-conf")
                .home_file("env-token", "of-env")
        };
        let object = |members: &str| format!("{{ role_arn = \"{arn}\", {members} }}");
        let web = "assume_role_with_web_identity";
        let token = || {
            let (asker, fields) = asked(sts.heard());
            assert_eq!(asker, "", "the token is the credential");
            fields
                .iter()
                .find_map(|field| Some(field.strip_prefix("WebIdentityToken=")?.to_owned()))
                .expect("it is sent")
        };
        let env = |client: Client| {
            client.env("AWS_WEB_IDENTITY_TOKEN_FILE", "~/env-token").env("AWS_ROLE_ARN", arn)
        };
        for (client, expected) in [
            (client().key(web, &object("web_identity_token = \"inline\"")), "inline"),
            (client().key(web, &object("web_identity_token_file = \"~/conf-token\"")), "of-conf"),
            (
                client().key(web, &object("web_identity_token_file = \"$HOME/conf-token\"")),
                "of-conf",
            ),
            (env(client()), "of-env"),
            (
                env(client()).key(web, &object("web_identity_token_file = \"~/conf-token\"")),
                "of-conf",
            ),
            (env(client()).shared(&["default"]), "of-env"),
            (
                client()
                    .key(web, &object("web_identity_token = \"inline\""))
                    .shared(&["default"])
                    .env_keys("env"),
                "inline",
            ),
        ] {
            client.finds("webidentity");
            assert_eq!(token(), expected);
        }
        let more = object(
            "web_identity_token = \"inline\", duration = \"1h\", policy = \"{}\", session_name = \
             \"ci\"",
        );
        client().key(web, &more).finds("webidentity");
        let (_, fields) = asked(sts.heard());
        for field in ["DurationSeconds=3600", "Policy=%7B%7D", "RoleSessionName=ci"] {
            assert!(fields.iter().any(|asked| asked == field), "{field}: {fields:?}");
        }
        client()
            .key(web, "{}")
            .fails(2)
            .says("`assume_role_with_web_identity.role_arn` is not set");
        client().key(web, &object("duration = \"1h\"")).fails(2).says("web_identity_token_file");
        let both =
            object("web_identity_token = \"inline\", web_identity_token_file = \"~/conf-token\"");
        client().key(web, &both).fails(2).says("exclude each other");
    });
}
