//! Messages about the configuration, valid or not.

use remote_state_tests::Suite;
use serde_json::json;

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_emulator(
        "a_missing_bucket_says_where_the_block_is_and_how_to_set_it",
        &[],
        |server| {
            let case = Case::new(server);
            case.sandbox
                .write("main.tf", "terraform {\n  backend \"s3\" {\n    key = \"k\"\n  }\n}\n");
            case.expect(
                case.bare("pull").env("AWS_REGION", "us-east-1"),
                2,
                "",
                "error: `bucket` is not set for provider `s3`\n  backend named in  \
                 main.tf:2\n\nhint: set `bucket` in the `backend` block, or pass \
                 `--backend-config bucket=…`\n",
            );
        },
    );
    suite.on_emulator("the_kind_of_store_is_said_on_the_command_line", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("default", state(1));
        for dialect in ["generic", "minio", "aws", "auto"] {
            case.remote_state(&format!("pull --dialect {dialect}")).run().success();
        }
        case.remote_state("pull --dialect azure").run().code(2).says(
            "invalid value for `dialect`: expected `auto`, `aws`, `minio`, `ceph`, `spaces`, \
             `r2`, `garage`, `generic`",
        );
        let shown = case.remote_state("config show --dialect ceph --json").run().success().json();
        assert_eq!(shown["values"]["dialect"]["value"], "ceph", "{shown}");
    });
    suite.on_emulator("an_unknown_key_is_named_with_file_line_and_nearest_name", &[], |server| {
        let case = Case::new(server);
        case.sandbox
            .write("main.tf", "terraform {\n  backend \"s3\" {\n    buckt = \"b\"\n  }\n}\n");
        case.expect(
            case.bare("output"),
            2,
            "",
            "error: unknown key `buckt` for provider `s3`\n  set in  main.tf:3\n\nhint: did you \
             mean `bucket`?\n",
        );
        case.expect(
            case.bare("config show --backend s3 --backend-config use_lock_file=true"),
            2,
            "",
            "error: unknown key `use_lock_file` for provider `s3`\n  set in  \
             --backend-config\n\nhint: did you mean `use_lockfile`?\n",
        );
    });
    suite.on_emulator("hcl_that_cannot_be_read_is_named_with_its_place", &[], |server| {
        let case = Case::new(server);
        case.sandbox.write(
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    secret_key = \"hunter2\" oops\n  }\n}\n",
        );
        case.expect(
            case.bare("pull"),
            2,
            "",
            "error: cannot parse `main.tf`: [..]\n  found in  main.tf:3, column [..]\n",
        );
    });
    suite.on_emulator(
        "a_value_that_does_not_do_is_named_with_the_form_it_should_have",
        &[],
        |server| {
            let case = Case::new(server);
            case.sandbox.write(
                "main.tf",
                "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n    \
                 use_lockfile = \"yes\"\n  }\n}\n",
            );
            case.expect(
                case.bare("pull"),
                2,
                "",
                "error: invalid value `yes` for `use_lockfile`: expected `true` or `false`, found \
                 a string\n  set in  main.tf:5\n\nhint: write it as `use_lockfile = true`\n",
            );
        },
    );
    suite.on_emulator("a_directory_without_a_backend_says_what_was_looked_for", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.bare("pull"),
            2,
            "",
            "error: no backend is configured here\n  directory   .\n  looked for  \
             `remote-state.hcl`, `.terraform/terraform.tfstate`, and a `backend` block in `*.tf` \
             and `*.tofu` files\n\nhint: name the backend with `--backend TYPE` and \
             `--backend-config key=value`\nhint: or add a file `remote-state.hcl`, such as\n\
             backend \"s3\" {\n  \
             bucket = \"…\"\n  key = \"…\"\n  region = \"…\"\n}\n",
        );
        case.expect(
            case.bare("pull -C nowhere"),
            1,
            "",
            "error: cannot read the directory `nowhere`: No such file or directory (os error 2)\n",
        );
    });
    suite.on_emulator("a_backend_that_is_not_spoken_is_named", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.bare("pull --backend gcs"),
            2,
            "",
            "error: backend type `gcs` is not supported\n  set in  --backend\n\nhint: supported \
             are `s3`, `oss`, `spaces`\n",
        );
    });
    suite.on_emulator(
        "endpoint_in_the_shared_aws_files_is_used_and_shown_with_its_line",
        &[],
        |server| {
            let case = Case::stored(server);
            case.sandbox.write(
                "aws-config",
                format!("[profile lab]\nendpoint_url = {}\n", server.endpoint),
            );
            let mut options = "--backend s3".to_owned();
            for (name, value) in [
                ("bucket", &*case.place.bucket),
                ("key", &case.place.key),
                ("region", "us-east-1"),
                ("use_path_style", "true"),
            ] {
                options += &format!(" --backend-config {name}={value}");
            }
            let run = |command: &str| {
                let cmd = case.bare(&format!("{command} {options}"));
                case.run(cmd.env("AWS_CONFIG_FILE", "aws-config").env("AWS_PROFILE", "lab")).code(0)
            };
            let shown = run("config show --json").json();
            assert_eq!(
                shown["values"]["endpoints.s3"],
                json!({"value": server.endpoint, "origin": "aws-config:2"})
            );
            assert_eq!(run("pull").stdout(), state(3));
            // File names are relative to the configuration.
            case.sandbox.write("infra/aws-config", case.sandbox.read("aws-config"));
            std::fs::remove_file(case.sandbox.path().join("aws-config")).expect("it was there");
            let shown = run("-C infra config show --json").json();
            let origin = case.sandbox.path().join("infra/aws-config:2").display().to_string();
            assert_eq!(shown["values"]["endpoints.s3"]["origin"], origin);
            assert_eq!(run("-C infra pull").stdout(), state(3));
        },
    );
    suite.on_emulator("config_show_has_one_exact_form_in_json", &[], |server| {
        let case = Case::new(server);
        case.sandbox.write(
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n    \
             use_lockfile = true\n    secret_key = \"hunter2\"\n    access_key = \"a\"\n  }\n}\n",
        );
        let words = "config show --json --backend-config max_retries=2 -w prod";
        let cmd = case.sandbox.remote_state().words(words);
        let cmd = cmd.env("AWS_REGION", "r").env("AWS_SESSION_TOKEN", "hunter2");
        let output = case.run(cmd).code(0);
        assert_eq!(output.stderr(), "");
        // The output has every key with a default; which keys exist depends on the provider.
        let mut shown = output.json();
        let default = |value| json!({"value": value, "origin": "default"});
        let values = shown["values"].as_object_mut().expect("it is an object");
        for (key, value) in [("workspace_key_prefix", json!("env:")), ("encrypt", json!(false))] {
            assert_eq!(values[key], default(value), "{key}");
        }
        values.retain(|_, value| value["origin"] != "default");
        assert_eq!(
            shown,
            json!({
                "version": 1,
                "backend": "s3",
                "workspace": "prod",
                "values": {
                    "bucket": {"value": "b", "origin": "main.tf:3"},
                    "key": {"value": "k", "origin": "main.tf:4"},
                    "region": {"value": "r", "origin": "$AWS_REGION"},
                    "access_key": {"value": "a", "origin": "main.tf:7"},
                    "secret_key": {"redacted": true, "origin": "main.tf:6"},
                    "use_lockfile": {"value": true, "origin": "main.tf:5"},
                    "max_retries": {"value": 2, "origin": "--backend-config"},
                    "skip_metadata_api_check":
                        {"value": true, "origin": "$AWS_EC2_METADATA_DISABLED"},
                }
            })
        );
        assert!(!output.stdout().contains("hunter2"));
    });
    suite.on_emulator("config_show_tells_people_where_each_value_was_set", &[], |server| {
        let case = Case::new(server);
        case.sandbox.write(
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n  }\n}\n",
        );
        case.sandbox.write(".terraform/environment", "prod");
        let output = case.run(case.bare("config show").env("AWS_REGION", "r")).code(0);
        for line in [
            "KEY                          VALUE                 SET IN",
            "(backend)                    s3                    main.tf:2",
            "(workspace)                  prod                  .terraform/environment",
            "bucket                       b                     main.tf:3",
            "secret_key                   <secret>              $AWS_SECRET_ACCESS_KEY",
        ] {
            // The width of a column depends on the longest value.
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                output.stdout().lines().any(|said| words(said) == words(line)),
                "{line}: {output}"
            );
        }
    });
    suite.on_emulator("config_keys_lists_every_key_with_its_meaning", &[], |server| {
        let case = Case::new(server);
        let output = case.run(case.bare("config keys --json")).code(0).json();
        assert_eq!(output["version"], 1);
        let keys = output["providers"]["s3"].as_array().expect("a list");
        let key =
            |name: &str| keys.iter().find(|key| key["name"] == name).expect("the key is listed");
        assert_eq!(
            key("endpoints.s3"),
            &json!({
                "name": "endpoints.s3",
                "aliases": ["endpoint"],
                "type": "string",
                "environment": ["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"],
                "default": null,
                "required": false,
                "secret": false,
                "deprecated": null,
                "doc": key("endpoints.s3")["doc"],
            })
        );
        assert_eq!(
            (&key("bucket")["required"], &key("secret_key")["secret"]),
            (&json!(true), &json!(true))
        );
        assert!(keys.iter().all(|key| key["doc"].as_str().is_some_and(|doc| doc.ends_with('.'))));
        case.run(case.bare("config keys s3")).code(0);
        case.expect(
            case.bare("config keys azurerm"),
            4,
            "",
            "error: there is no provider `azurerm`\n\nhint: the providers are `s3`, `oss`, \
             `spaces`\n",
        );
    });
    suite.on_emulator(
        "a_block_that_changed_since_init_is_a_warning_with_its_hint_to_readers",
        &[],
        |server| {
            let case = Case::stored(server);
            let config = json!({
                "bucket": case.place.bucket,
                "key": case.place.key,
                "region": "us-east-1",
                "use_path_style": true,
                "endpoints": {"s3": server.endpoint},
            });
            let backend = json!({"type": "s3", "config": config, "hash": 1});
            let record = json!({"version": 3, "backend": backend});
            case.sandbox.write(".terraform/terraform.tfstate", record.to_string());
            let block = case.place.backend_block().replace("us-east-1", "us-west-2");
            case.sandbox.write("main.tf", block);
            let refused = case.run(case.bare("workspace new dev"));
            let is_hint = |line: &&str| line.starts_with("hint: ");
            let hints: Vec<_> = refused.stderr().lines().filter(is_hint).collect();
            assert!(!hints.is_empty(), "{refused}");
            let warned = case.run(case.bare("output --raw big")).code(0).says("warning: ");
            let told: Vec<_> = warned.stderr().lines().filter(is_hint).collect();
            assert_eq!(told, hints, "{warned}");
        },
    );
    suite.on_emulator("config_client_prints_what_a_shell_evaluates", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.bare(
                "config client --address https://state.example.com/state/prod --plain-methods",
            ),
            0,
            "export TF_HTTP_ADDRESS='https://state.example.com/state/prod'\n\
             export TF_HTTP_LOCK_ADDRESS='https://state.example.com/lock/prod'\n\
             export TF_HTTP_UNLOCK_ADDRESS='https://state.example.com/unlock/prod'\n\
             export TF_HTTP_UPDATE_METHOD='POST'\n\
             export TF_HTTP_LOCK_METHOD='POST'\n\
             export TF_HTTP_UNLOCK_METHOD='DELETE'\n\
             export TF_HTTP_RETRY_MAX='6'\n\
             export TF_HTTP_RETRY_WAIT_MIN='1'\n\
             export TF_HTTP_RETRY_WAIT_MAX='30'\n\
             export TF_HTTP_USERNAME='remote-state'\n",
            "and set TF_HTTP_PASSWORD to the server's token; the configuration needs only:\n\
             terraform {\n  backend \"http\" {}\n}\n",
        );
        let json = case.run(case.bare("config client --json")).code(0).json();
        assert_eq!(json["environment"]["TF_HTTP_ADDRESS"], "http://127.0.0.1:8321/state/default");
        case.expect(
            case.bare("config client --address state/prod"),
            2,
            "",
            "error: `state/prod` is not the address of a state: it is no URL\n\n\
             hint: expected something like `https://state.example.com/state/default`\n",
        );
    });
    suite.on_each_server("a_directory_with_a_backend_block_needs_no_flag_at_all", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("default", state(3));
        case.sandbox.write("main.tf", case.place.backend_block());
        let output = case.run(case.bare("output zones -json")).code(0);
        assert_eq!(output.stdout(), "[\"a\",\"ü\"]\n");
        assert_eq!(output.stderr(), "");
    });
}
