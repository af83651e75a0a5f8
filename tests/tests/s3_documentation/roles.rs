//! The keys of a role. The store knows only the session's key, so a successful request used the
//! session.

use remote_state_tests::services::{Service, sts};
use remote_state_tests::{S3Server, Suite};

use crate::place::Project;

const ROLE: &str = "role_arn = \"arn:aws:iam::123456789012:role/ci\"";

pub(crate) fn add(suite: &mut Suite) {
    suite.test("role_arn_is_the_role_whose_session_opens_the_store", &[], || {
        let fields = assumed(&[ROLE], "role_arn");
        assert!(
            fields.contains(&"RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fci".to_owned()),
            "{fields:?}"
        );
    });
    suite.test("assume_role_policy_narrows_the_session", &[], || {
        let fields = assumed(
            &[ROLE, r#"assume_role_policy = "{\"Version\":\"2012-10-17\"}""#],
            "assume_role_policy",
        );
        let policy = "Policy=%7B%22Version%22%3A%222012-10-17%22%7D".to_owned();
        assert!(fields.contains(&policy), "{fields:?}");
    });
    suite.test("external_id_is_told_to_the_owner_of_the_role", &[], || {
        let fields = assumed(&[ROLE, "external_id = \"acme\""], "external_id");
        assert!(fields.contains(&"ExternalId=acme".to_owned()), "{fields:?}");
    });
    suite.test("session_name_is_the_name_of_the_session", &[], || {
        let fields = assumed(&[ROLE, "session_name = \"terraform\""], "session_name");
        assert!(fields.contains(&"RoleSessionName=terraform".to_owned()), "{fields:?}");
    });
}

/// Stores and reads a state with a role, expects the note about an old name, and returns the first
/// request to STS.
#[track_caller]
fn assumed(lines: &[&str], old_name: &str) -> Vec<String> {
    let server = S3Server::emulator_with(|builder| {
        builder.with_bucket("mybucket").with_credentials("assumed", "s")
    });
    let sts: Service = sts();
    let project = Project::with_lines(&server, lines)
        .env("AWS_STS_ENDPOINT", &sts.url)
        .env("AWS_ACCESS_KEY_ID", "unknown-to-the-store")
        .env("AWS_SECRET_ACCESS_KEY", "x");
    project
        .works()
        .says("is an older name of `assume_role.")
        .says(&format!("`{old_name}` (main.tf:"));
    let request = sts.heard().into_iter().next().expect("STS was asked");
    assert!(request.headers.contains("credential=unknown-to-the-store/"), "{request:?}");
    assert!(request.body.contains("Action=AssumeRole"), "{request:?}");
    request.body.split('&').map(str::to_owned).collect()
}
