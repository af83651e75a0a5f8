//! Messages if the store refuses access, does not exist, or breaks off.

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{S3Server, Suite};

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("a_wrong_secret_is_named_with_where_it_was_set", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("pull").env("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
            1,
            "",
            "error: cannot read `s3://BUCKET/KEY`: `ENDPOINT` does not accept the credentials \
             (SignatureDoesNotMatch)\n  credentials  $AWS_ACCESS_KEY_ID and \
             $AWS_SECRET_ACCESS_KEY\n\nhint: see which credentials are used with `remote-state \
             config show`\n",
        );
    });
    suite.on_each_server("an_unknown_access_key_is_named_with_where_it_was_set", &[], |server| {
        let case = Case::stored(server);
        let cmd = case.remote_state(
            "lock --backend-config access_key=nobody --backend-config secret_key=hunter2",
        );
        case.expect(
            cmd,
            1,
            "",
            "error: cannot lock `s3://BUCKET/KEY.tflock`: `ENDPOINT` does not accept the \
             credentials (InvalidAccessKeyId)\n  credentials  --backend-config\n\nhint: see which \
             credentials are used with `remote-state --backend-config access_key=nobody \
             --backend-config secret_key=… config show`\n",
        );
    });
    suite.on_emulator("no_credentials_at_all_say_how_to_give_some", &[], |server| {
        let case = Case::stored(server);
        let cmd = case.sandbox.remote_state().arg("pull").args(case.place.flags());
        case.expect(
            cmd,
            1,
            "",
            "error: cannot read `s3://BUCKET/KEY`: no credentials were found\n  \
             credentials        what the machine offers\n  \
             configuration      `access_key` and `secret_key` are not set, nor is `profile`\n  \
             environment        `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are not set\n  \
             web identity       [..]AWS_WEB_IDENTITY_TOKEN_FILE[..]\n  \
             profile            profile `default` has none\n  \
             container          [..]\n  \
             instance metadata  not asked: `skip_metadata_api_check` is set\n\n\
             hint: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or name a `profile` with \
             `--backend-config profile=…`\n",
        );
    });
    suite.on_emulator("a_profile_that_does_not_exist_is_named", &[], |server| {
        let case = Case::stored(server);
        let cmd = case.remote_state("pull --backend-config profile=nonesuch");
        case.run(cmd)
            .code(1)
            .says("credentials")
            .says("profile `nonesuch`, set in --backend-config");
    });
    suite.on_each_server("half_of_a_pair_of_keys_is_not_enough", &[], |server| {
        let case = Case::new(server);
        let cmd = case.sandbox.remote_state().arg("pull").args(case.place.flags());
        let cmd = cmd.arg("--backend-config=access_key=x");
        case.expect(
            cmd,
            1,
            "",
            "error: `secret_key` is not set, but `access_key` is: both are needed\n  set in  \
             --backend-config\n",
        );
    });
    suite.on_each_server("a_bucket_that_does_not_exist_is_named", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("pull --backend-config bucket=no-such-bucket-anywhere"),
            4,
            "",
            "error: bucket `no-such-bucket-anywhere` does not exist at `ENDPOINT`\n  set in  \
             --backend-config\n\nhint: check `bucket`, `region` and `endpoints.s3` with \
             `remote-state --backend-config bucket=no-such-bucket-anywhere config show`\nhint: a \
             bucket that was just created may take a minute to appear\n",
        );
        for words in ["workspace list", "lock", "locks", "output", "exec -- true"] {
            let (command, rest) = words.split_once(" -- ").unwrap_or((words, ""));
            let mut cmd =
                case.remote_state(command).arg("--backend-config=bucket=no-such-bucket-anywhere");
            if !rest.is_empty() {
                cmd = cmd.arg("--").words(rest);
            }
            case.run(cmd).code(4).says("bucket `no-such-bucket-anywhere` does not exist");
        }
    });
    suite.test("another_region_is_named_with_the_right_one", &[], || {
        let server = S3Server::emulator_with(|builder| builder.with_region("eu-central-1"));
        let case = Case::new(&server);
        case.expect(
            case.remote_state("pull"),
            2,
            "",
            "error: bucket `tfstate` is not in region `us-east-1`\n  set in  \
             --backend-config\n\nhint: set `region = \"eu-central-1\"` in the `backend` block, or \
             pass `--backend-config region=eu-central-1`\n",
        );
        case.run(case.remote_state("pull --backend-config region=eu-central-1")).code(4);
    });
    suite.on_emulator("an_endpoint_without_a_server_is_named", &[], |server| {
        let case = Case::new(server);
        let cmd = case.bare(
            "pull --backend s3 --backend-config bucket=b --backend-config key=k --backend-config \
             max_retries=1",
        );
        let cmd =
            cmd.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");
        case.expect(
            cmd,
            1,
            "",
            "error: cannot read `s3://b/k`: cannot reach `http://127.0.0.1:1`\n  because  \
             Connection refused (os error 111)\n  set in   $AWS_ENDPOINT_URL_S3\n\nhint: check \
             the network, and `endpoints.s3` and `region` with `remote-state --backend s3 \
             --backend-config bucket=b --backend-config key=k --backend-config max_retries=1 \
             config show`\n",
        );
    });
    suite.on_emulator("a_lock_that_may_have_been_taken_is_told_with_its_id", &[], |server| {
        let case = Case::new(server);
        server.faults().inject(Fault::new(Misbehaviour::LoseReply).with_key_suffix(".tflock"));
        // A known store: on others a look precedes every write, and nothing is in doubt.
        let cmd =
            case.remote_state("lock --backend-config max_retries=1 --backend-config dialect=aws");
        case.expect(
            cmd,
            1,
            "",
            "error: the lock of `s3://BUCKET/KEY` may or may not have been taken\n  because  \
             cannot lock `s3://BUCKET/KEY.tflock`: cannot reach `ENDPOINT`\n  lock     \
             s3://BUCKET/KEY.tflock\n  lock id  [..]\n\nhint: see whether it is held with \
             `remote-state --backend-config max_retries=1 --backend-config dialect=aws locks` \
             when the store answers again\nhint: if it is held with this id, release it with \
             `remote-state --backend-config max_retries=1 --backend-config dialect=aws unlock \
             [..]`\n",
        );
        server.faults().clear();
        // The id in the message releases the lock.
        let holder = case.place.holder("default").expect("the reply was lost, not the request");
        case.run(case.remote_state("unlock").arg(holder.id.as_str())).code(0);
    });
    suite.on_emulator("a_store_that_fails_is_told_from_one_that_says_no", &[], |server| {
        let case = Case::stored(server);
        server.faults().inject(Fault::new(Misbehaviour::internal_error()));
        case.expect(
            case.remote_state("pull --backend-config max_retries=1"),
            1,
            "",
            "error: cannot read `s3://BUCKET/KEY`: `ENDPOINT` failed (status 500, InternalError)\n",
        );
        server.faults().clear();
        let denied =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        server.faults().inject(Fault::new(denied));
        case.expect(
            case.remote_state("pull"),
            1,
            "",
            "error: cannot read `s3://BUCKET/KEY`: access denied\n\nhint: needed are \
             `s3:ListBucket` on the bucket, and `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` \
             on state and lock file\n",
        );
    });
    suite.on_emulator("a_lock_that_cannot_be_released_is_told_with_its_id", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        // Such as keys that expire in the middle.
        let expired =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        server.faults().inject(Fault::new(expired).with_method("DELETE"));
        case.expect(
            case.remote_state("push new.json"),
            1,
            "",
            "error: cannot unlock `s3://BUCKET/KEY.tflock`: access denied\n  lock     \
             s3://BUCKET/KEY.tflock\n  lock id  [..]\n  note     the work itself was done; only \
             the lock could not be released\n\nhint: needed are `s3:ListBucket` on the bucket, \
             and `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` on state and lock file\nhint: \
             the lock is still held: release it with `remote-state unlock [..]`\n",
        );
        server.faults().clear();
        let holder = case.place.holder("default").expect("it was not released");
        case.run(case.remote_state("unlock").arg(holder.id.as_str())).code(0);
    });
    suite.on_emulator("a_transfer_that_breaks_off_leaves_no_file", &[], |server| {
        let case = Case::stored(server);
        let truncated = Misbehaviour::TruncateBody { after_bytes: 200 };
        server.faults().inject(Fault::new(truncated).with_key_suffix("tfstate"));
        let cmd = case.remote_state("pull -o state.json --backend-config max_retries=1");
        let output = case.run(cmd).code(1);
        assert_eq!(output.stdout(), "");
        output.says("error: ").says(&case.place.key);
        let left: Vec<_> = std::fs::read_dir(case.sandbox.path()).expect("it is there").collect();
        assert!(left.is_empty(), "{left:?}");
        for words in ["output", "list", "show terraform_data.a", "workspace list"] {
            let output = case.run(case.remote_state(words));
            assert_eq!(
                output.status.code(),
                Some(i32::from(words != "workspace list")),
                "{output}"
            );
        }
    });
    suite.on_emulator("secrets_stay_secret_however_much_is_said", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        let secret = server.secret_key().to_owned();
        for words in [
            "pull -o x -vvv",
            "output -vvv",
            "push new.json -vvv",
            "lock -vvv",
            "locks -vvv",
            "config show -vvv",
        ] {
            case.run(case.remote_state(words).env("RUST_LOG", "trace")).code(0);
        }
        for words in ["pull", "push new.json", "lock", "config show", "workspace new x"] {
            let cmd = case
                .remote_state(words)
                .args(["-vvv", "--backend-config"])
                .arg(format!("secret_key=not-{secret}"));
            case.run(
                cmd.arg("--backend-config=access_key=x").arg("--backend-config=token=hunter2"),
            );
        }
    });
}
