//! Each listed key and variable, by itself.

use remote_state_tests::{S3Server, Suite, TABLE};

use crate::place::{Project, server};

pub(crate) fn add(suite: &mut Suite) {
    suite.test("bucket_and_key_say_where_the_state_is", &[], || {
        let server = server();
        let other = "terraform {\n  backend \"s3\" {\n    bucket = \"terraform-state-prod\"\n    \
                     key = \"other\"\n    region = \"us-east-1\"\n  }\n}\n";
        Project::new(&server, other).with_keys().works();
        assert!(
            remote_state_tests::block_on(server.get_object("terraform-state-prod", "other"))
                .is_some()
        );
    });
    suite.test("region_is_the_one_that_requests_are_signed_for", &[], || {
        let server = S3Server::emulator_with(|builder| {
            builder.with_bucket("mybucket").with_region("eu-central-1")
        });
        Project::with_lines(&server, &["region = \"eu-central-1\""]).with_keys().works();
        let wrong = Project::with_lines(&server, &["region = \"us-west-2\""]).with_keys();
        wrong.command("pull").run().code(2).says("bucket `mybucket` is not in region `us-west-2`");
    });
    suite.test("region_may_come_from_aws_default_region", &[], || {
        let server = S3Server::emulator_with(|builder| {
            builder.with_bucket("mybucket").with_region("eu-central-1")
        });
        let block = "terraform {\n  backend \"s3\" {\n    bucket = \"mybucket\"\n    key    = \
                     \"path/to/my/key\"\n  }\n}\n";
        let project = Project::new(&server, block).with_keys();
        project
            .command("pull")
            .run()
            .code(2)
            .says("`region` is not set")
            .says("`AWS_DEFAULT_REGION`");
        project.env("AWS_DEFAULT_REGION", "eu-central-1").works();
    });
    suite.test("endpoint_is_where_the_api_is", &[], || {
        let server = server();
        let line = format!("endpoint = {:?}", server.endpoint);
        let project = Project::with_lines(&server, &[&line]).with_keys().without("AWS_S3_ENDPOINT");
        project.works().says("`endpoint` (main.tf:6) is an older name of `endpoints.s3`");
    });
    suite.test("endpoint_may_come_from_aws_s3_endpoint", &[], || {
        let server = server();
        Project::with_lines(&server, &[])
            .with_keys()
            .works()
            .says("`AWS_S3_ENDPOINT` is an older name of `AWS_ENDPOINT_URL_S3`");
        let nowhere = Project::with_lines(&server, &["max_retries = 1"])
            .with_keys()
            .without("AWS_S3_ENDPOINT");
        let nowhere = nowhere.env("AWS_S3_ENDPOINT", "http://127.0.0.1:1");
        nowhere
            .command("pull")
            .run()
            .code(1)
            .says("cannot reach `http://127.0.0.1:1`")
            .says("$AWS_S3_ENDPOINT");
    });
    suite.test("encrypt_asks_the_store_to_encrypt", &[], || {
        let header = |lines: &[&str]| {
            let server = server();
            let request = Project::with_lines(&server, lines).with_keys().stored_by();
            request.headers.get("x-amz-server-side-encryption").cloned()
        };
        assert_eq!(header(&["encrypt = true"]).as_deref(), Some("AES256"));
        assert_eq!(header(&["encrypt = \"true\""]).as_deref(), Some("AES256"));
        assert_eq!(header(&["encrypt = false"]), None);
        assert_eq!(header(&[]), None);
    });
    suite.test("acl_goes_with_the_state", &[], || {
        let server = server();
        let request = Project::with_lines(&server, &["acl = \"bucket-owner-full-control\""])
            .with_keys()
            .stored_by();
        assert_eq!(request.headers["x-amz-acl"], "bucket-owner-full-control");
    });
    suite.test("access_key_and_secret_key_open_the_store", &[], || {
        let server = server();
        let (access_key, secret_key) = (server.access_key(), server.secret_key());
        let lines =
            [format!("access_key = {access_key:?}"), format!("secret_key = {secret_key:?}")];
        Project::with_lines(&server, &[&lines[0], &lines[1]]).works();
        let wrong = Project::with_lines(&server, &[&lines[0], "secret_key = \"not it\""]);
        wrong.command("pull").run().code(1).says("does not accept the credentials").says("main.tf");
    });
    suite.test("access_key_and_secret_key_may_come_from_their_variables", &[], || {
        let server = server();
        let project = Project::with_lines(&server, &[]);
        project.command("pull").run().code(1).says("no credentials were found");
        project.with_keys().works();
    });
    suite.test("kms_key_id_goes_with_the_state", &[], || {
        let server = server();
        let arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-a6ef-1234567890ab";
        let line = format!("kms_key_id = {arn:?}");
        let request =
            Project::with_lines(&server, &["encrypt = true", &line]).with_keys().stored_by();
        assert_eq!(request.headers["x-amz-server-side-encryption"], "aws:kms");
        assert_eq!(request.headers["x-amz-server-side-encryption-aws-kms-key-id"], arn);
        let alone = Project::with_lines(&server, &[&line]).with_keys();
        alone
            .command("pull")
            .run()
            .code(2)
            .says("no effect while `encrypt` is not true")
            .says("set `encrypt = true`");
    });
    suite.test("lock_table_holds_the_lock", &[], || {
        let server = server();
        let line = format!("lock_table = {TABLE:?}");
        let project = Project::with_lines(&server, &[&line]).with_keys();
        project.works().says("`lock_table` (main.tf:6) is an older name of `dynamodb_table`");
        project.locks_by_item();
    });
    suite.test("dynamodb_table_holds_the_lock_and_the_digest", &[], || {
        let server = server();
        let line = format!("dynamodb_table = {TABLE:?}");
        let project = Project::with_lines(&server, &[&line]).with_keys();
        project.locks_by_item();
        project.works();
        let digest =
            remote_state_tests::block_on(server.item("mybucket/path/to/my/key-md5", "Digest"));
        assert_eq!(digest.map(|digest| digest.len()), Some(32));
        // "If not present, locking will be disabled."
        let without = Project::with_lines(&server, &[]).with_keys();
        without.command("lock").run().code(2).says("no lock is configured");
    });
    suite.test("profile_is_looked_for_in_the_shared_credentials_file", &[], || {
        let server = server();
        let project = Project::with_lines(&server, &["profile = \"ci\""]);
        project.command("pull").run().code(1).says("profile `ci`, set in main.tf:6");
        let folder = project.sandbox.home().join(".aws");
        std::fs::create_dir_all(&folder).expect("the home is ours");
        std::fs::write(folder.join("credentials"), profile(&server)).expect("the home is ours");
        project.works();
    });
    suite.test("shared_credentials_file_is_where_the_profile_is_looked_for", &[], || {
        let server = server();
        let lines = ["profile = \"ci\"", "shared_credentials_file = \"~/elsewhere\""];
        let project = Project::with_lines(&server, &lines);
        std::fs::write(project.sandbox.home().join("elsewhere"), profile(&server))
            .expect("the home is ours");
        project.works().says("`shared_credentials_file` (main.tf:7) is deprecated");
    });
    suite.test("token_goes_with_every_request", &[], || {
        let server = server();
        let (access_key, secret_key) = (server.access_key(), server.secret_key());
        let lines =
            [format!("access_key = {access_key:?}"), format!("secret_key = {secret_key:?}")];
        let configured = Project::with_lines(&server, &[&lines[0], &lines[1], "token = \"mfa\""]);
        assert_eq!(configured.stored_by().headers["x-amz-security-token"], "mfa");
        let server = crate::place::server();
        let variable =
            Project::with_lines(&server, &[]).with_keys().env("AWS_SESSION_TOKEN", "mfa");
        assert_eq!(variable.stored_by().headers["x-amz-security-token"], "mfa");
    });
}

fn profile(server: &S3Server) -> String {
    format!(
        "[ci]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        server.access_key(),
        server.secret_key()
    )
}
