//! Files of a directory come from the author of the repository: what they may make the command do.
//!
//! Covers all ways in which a file names a program to run or a destination: a block, the record of
//! `init`, `remote-state.hcl` and a file of `--backend-config` may name a file of profiles, a
//! token's file and an endpoint; a profile may name a program, a token's file, an endpoint, another
//! profile.

use std::path::Path;

use remote_state_tests::services::{Service, sts};
use remote_state_tests::{Cmd, Sandbox, Suite};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.c2ln";
const PRIVATE_KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n";

const S3: &str = "bucket = \"b\"\nkey = \"k\"\nregion = \"us-east-1\"\n";
const OSS: &str = "bucket = \"bkt\"\nkey = \"k\"\nregion = \"cn-beijing\"\n";

/// An address without a listener. No request is sent, since the credentials come first.
const NOWHERE: &str = "http://127.0.0.1:1";

pub(crate) fn tests(suite: &mut Suite) {
    let mut test = |name: &'static str, run: fn()| suite.test(name, &[], run);
    test("repository::a_program_of_its_profiles_runs_only_if_a_person_allows_it", programs);
    test(
        "repository::a_program_of_ones_own_profiles_runs_whatever_names_the_profile",
        own_programs,
    );
    test("repository::a_file_that_is_no_token_is_not_sent_as_one", tokens);
    test("repository::a_token_of_oss_is_held_to_the_same", oss_tokens);
    test("repository::a_token_goes_over_plain_http_to_this_machine_alone", plain_http);
    test("repository::the_file_that_sends_the_vendors_keys_elsewhere_is_named", endpoints);
}

/// Returns a program that prints credentials and leaves a trace, and the path of the trace.
fn program(sandbox: &Sandbox, is_oss: bool) -> (String, std::path::PathBuf) {
    let trace = sandbox.home().join("ran");
    let printed = if is_oss {
        r#"{"mode":"AK","access_key_id":"given","access_key_secret":"s"}"#
    } else {
        r#"{"Version":1,"AccessKeyId":"given","SecretAccessKey":"s"}"#
    };
    let script = sandbox.home().join("program.sh");
    let text = format!("touch '{}'\necho '{printed}'\n", trace.display());
    std::fs::write(&script, text).expect("the home is ours");
    (format!("sh {}", script.display()), trace)
}

fn aws_profile(command: &str) -> String {
    format!(
        "[default]\nregion = us-east-1\n[profile ci]\ncredential_process = {command}\n[profile \
         up]\nrole_arn = {ROLE}\nsource_profile = ci\n"
    )
}

fn oss_profile(command: &str) -> String {
    format!(
        r#"{{"current":"ci","profiles":[{{"name":"ci","mode":"External","process_command":"{command}"}},
        {{"name":"up","mode":"ChainableRamRoleArn","source_profile":"ci","ram_role_arn":"acs:ram::1:role/r"}}]}}"#
    )
}

/// Writes a directory whose files set `keys`, in the given way.
fn write(sandbox: &Sandbox, way: &str, backend: &str, keys: &str) {
    let block = format!("backend \"{backend}\" {{\n{keys}}}\n");
    match way {
        "block" => drop(sandbox.write("main.tf", format!("terraform {{\n{block}}}\n"))),
        "own file" => drop(sandbox.write("remote-state.hcl", block)),
        "option" => drop((
            sandbox.write("main.tf", format!("terraform {{\nbackend \"{backend}\" {{}}\n}}\n")),
            sandbox.write("ci.hcl", keys),
        )),
        "record" => {
            let value = |value: &str| value.replace(" = ", "\": ");
            let members: Vec<_> = keys.lines().map(|line| format!("\"{}", value(line))).collect();
            let record = format!(
                r#"{{"version":3,"backend":{{"type":"{backend}","config":{{{}}},"hash":1}}}}"#,
                members.join(",")
            );
            drop(sandbox.write(".terraform/terraform.tfstate", record));
        }
        other => panic!("{other}"),
    }
}

const WAYS: [&str; 4] = ["block", "own file", "option", "record"];

fn command(sandbox: &Sandbox, way: &str, words: &str) -> Cmd {
    let cmd = sandbox.remote_state().words(words);
    if way == "option" { cmd.arg("--backend-config=ci.hcl") } else { cmd }
}

fn programs() {
    for (backend, is_oss) in [("s3", false), ("oss", true)] {
        for way in WAYS {
            for profile in ["ci", "up"] {
                let sandbox = Sandbox::new();
                let (line, trace) = program(&sandbox, is_oss);
                let keys = if is_oss {
                    drop(sandbox.write("conf/p", oss_profile(&line)));
                    format!(
                        "{OSS}endpoint = \"{NOWHERE}\"\nsts_endpoint = \
                         \"{NOWHERE}\"\nshared_credentials_file = \"conf/p\"\nprofile = \
                         \"{profile}\"\n"
                    )
                } else {
                    drop(sandbox.write("conf/p", aws_profile(&line)));
                    format!(
                        "{S3}use_lockfile = true\nendpoint = \"{NOWHERE}\"\nsts_endpoint = \
                         \"{NOWHERE}\"\nshared_config_files = [\"conf/p\"]\nprofile = \
                         \"{profile}\"\n"
                    )
                };
                write(&sandbox, way, backend, &keys);
                let refused = command(&sandbox, way, "whoami").run().code(1);
                refused.says("was not run: a file of the directory names").says("conf/p").says(
                    "hint: if you trust the author of the directory, pass \
                     `--allow-directory-programs`",
                );
                for words in [
                    "output",
                    "locks",
                    "lock",
                    "serve --no-auth --listen 127.0.0.1:0",
                    "exec -- true",
                ] {
                    if profile == "ci" && way == "block" {
                        command(&sandbox, way, words).run().code(1).says("was not run");
                    }
                }
                assert!(!trace.exists(), "{backend} {way} {profile}: the program ran");
                for allowed in [
                    command(&sandbox, way, "whoami --allow-directory-programs"),
                    command(&sandbox, way, "whoami")
                        .env("REMOTE_STATE_ALLOW_DIRECTORY_PROGRAMS", "1"),
                ] {
                    drop(allowed.run());
                    assert!(trace.exists(), "{backend} {way} {profile}: the program was allowed");
                    std::fs::remove_file(&trace).expect("it is there");
                }
            }
        }
    }
}

/// A file of the directory names the profile, or the file by its absolute path; a variable names
/// the file.
fn own_programs() {
    let sandbox = Sandbox::new();
    let (line, trace) = program(&sandbox, false);
    let own = sandbox.home().join(".aws/config");
    std::fs::create_dir_all(own.parent().expect("it has one")).expect("the home is ours");
    std::fs::write(&own, aws_profile(&line)).expect("the home is ours");
    let elsewhere = sandbox.write("conf", aws_profile(&line));
    let keys = format!("{S3}endpoint = \"{NOWHERE}\"\nprofile = \"ci\"\n");
    let named = format!("{keys}shared_config_files = [\"{}\"]\n", own.display());
    let found = |keys: &str, variable: Option<&Path>| {
        write(&sandbox, "block", "s3", keys);
        let cmd = sandbox.remote_state().words("whoami --json");
        let cmd = variable.iter().fold(cmd, |cmd, path| cmd.env("AWS_CONFIG_FILE", path));
        let id = cmd.run().success().json()["credentials"]["access_key_id"].clone();
        assert_eq!(id, "given");
        std::fs::remove_file(&trace).expect("the program ran");
    };
    found(&keys, None);
    found(&named, None);
    found(&keys, Some(&elsewhere));
}

fn tokens() {
    for way in WAYS.into_iter().filter(|way| *way != "record") {
        let sandbox = Sandbox::new();
        let service = sts();
        let key = sandbox.home().join("id_rsa");
        let identity = |file: &Path| {
            format!(
                "{S3}endpoint = \"{NOWHERE}\"\nsts_endpoint = \
                 \"{}\"\nassume_role_with_web_identity = {{ role_arn = \"{ROLE}\", \
                 web_identity_token_file = \"{}\" }}\n",
                service.url,
                file.display()
            )
        };
        for text in [PRIVATE_KEY, "hunter2", "{\"private_key\":\"hunter2\"}", "a.b.hunter2=\n"] {
            std::fs::write(&key, text).expect("the home is ours");
            write(&sandbox, way, "s3", &identity(&key));
            let output = command(&sandbox, way, "whoami").run().code(1);
            let output =
                output.says("was not sent: a file of the directory names it").says("id_rsa");
            assert!(!output.stderr().contains("hunter2"), "{output}");
            assert!(service.heard().is_empty(), "{way}: {text} was sent");
        }
        std::fs::write(&key, format!("{TOKEN}\n")).expect("the home is ours");
        command(&sandbox, way, "whoami").run().success();
        assert_eq!(service.heard().iter().filter(|heard| heard.body.contains(TOKEN)).count(), 1);
    }
    of_profiles();
    by_a_person();
}

/// A profile of the directory names the token's file.
fn of_profiles() {
    let sandbox = Sandbox::new();
    let service = sts();
    let key = sandbox.home().join("id_rsa");
    let profile =
        format!("[profile ci]\nrole_arn = {ROLE}\nweb_identity_token_file = {}\n", key.display());
    sandbox.write("conf", profile);
    let keys = format!(
        "{S3}endpoint = \"{NOWHERE}\"\nshared_config_files = [\"conf\"]\nprofile = \"ci\"\n"
    );
    write(&sandbox, "block", "s3", &keys);
    let whoami =
        || sandbox.remote_state().words("whoami").env("AWS_ENDPOINT_URL_STS", &service.url);
    std::fs::write(&key, PRIVATE_KEY).expect("the home is ours");
    whoami().run().code(1).says("was not sent: a file of the directory names it").says("conf:3");
    assert!(service.heard().is_empty());
    std::fs::write(&key, TOKEN).expect("the home is ours");
    drop(whoami().run());
    assert!(service.heard().iter().any(|heard| heard.body.contains(TOKEN)), "a token is sent");
}

/// A token from a flag or a variable is sent unchanged: some providers have tokens of another form.
fn by_a_person() {
    let sandbox = Sandbox::new();
    let service = sts();
    let file = sandbox.write("token", "opaque-token");
    let block = format!("{S3}endpoint = \"{NOWHERE}\"\nsts_endpoint = \"{}\"\n", service.url);
    write(&sandbox, "block", "s3", &block);
    let named = format!(
        "--backend-config=assume_role_with_web_identity={{ role_arn = \"{ROLE}\", \
         web_identity_token_file = \"token\" }}"
    );
    let by_variable = sandbox.remote_state().words("whoami").env("AWS_ROLE_ARN", ROLE);
    for cmd in [
        sandbox.remote_state().words("whoami").arg(named),
        by_variable.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file),
    ] {
        cmd.run().success();
        assert!(service.heard().iter().any(|heard| heard.body.contains("opaque-token")));
    }
}

fn oss_sts() -> Service {
    Service::start(|_| {
        let credentials = r#"{"AccessKeyId":"STS.a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
        (200, format!("{{\"RequestId\":\"r\",\"AccountId\":\"1\",\"Credentials\":{credentials}}}"))
    })
}

fn oss_tokens() {
    let sandbox = Sandbox::new();
    let service = oss_sts();
    let key = sandbox.home().join("id_rsa");
    let of_config = format!(
        "{OSS}endpoint = \"{NOWHERE}\"\nsts_endpoint = \"{}\"\noidc_provider_arn = \
         \"acs:ram::1:oidc-provider/p\"\noidc_token_file = \"{}\"\nassume_role_role_arn = \
         \"acs:ram::1:role/r\"\n",
        service.url,
        key.display()
    );
    sandbox.write(
        "p.json",
        format!(
            r#"{{"current":"ci","profiles":[{{"name":"ci","mode":"OIDC","oidc_provider_arn":"acs:ram::1:oidc-provider/p","oidc_token_file":"{}","ram_role_arn":"acs:ram::1:role/r"}}]}}"#,
            key.display()
        ),
    );
    let of_profile = format!(
        "{OSS}endpoint = \"{NOWHERE}\"\nsts_endpoint = \"{}\"\nshared_credentials_file = \
         \"p.json\"\nprofile = \"ci\"\n",
        service.url
    );
    for keys in [of_config, of_profile] {
        write(&sandbox, "own file", "oss", &keys);
        let whoami = || {
            sandbox
                .remote_state()
                .words("whoami")
                .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
        };
        std::fs::write(&key, PRIVATE_KEY).expect("the home is ours");
        whoami().run().code(1).says("was not sent: a file of the directory names it");
        assert!(service.heard().is_empty(), "the key was sent");
        std::fs::write(&key, TOKEN).expect("the home is ours");
        whoami().run().success();
        assert!(service.heard().iter().any(|heard| heard.body.contains(TOKEN)));
    }
}

/// The hosts do not exist: the refusal comes before a name is resolved.
fn plain_http() {
    let sandbox = Sandbox::new();
    let token = sandbox.home().join("token");
    std::fs::write(&token, TOKEN).expect("the home is ours");
    let ours = |backend: &str, keys: &str| {
        write(&sandbox, "own file", backend, keys);
        let cmd = sandbox.remote_state().words("whoami").env("AWS_ROLE_ARN", ROLE);
        let cmd = cmd.env("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r");
        let cmd = cmd.env("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p");
        cmd.env("AWS_WEB_IDENTITY_TOKEN_FILE", &token).env("ALIBABA_CLOUD_OIDC_TOKEN_FILE", &token)
    };
    for sts in ["http://sts.invalid", "http://169.254.1.1:80/x", "http://[2001:db8::1]"] {
        let s3 = format!("{S3}endpoint = \"{NOWHERE}\"\nendpoints = {{ sts = \"{sts}\" }}\n")
            .replace(
                &format!("endpoint = \"{NOWHERE}\"\nendpoints = {{"),
                &format!("endpoints = {{ s3 = \"{NOWHERE}\","),
            );
        ours("s3", &s3).run().code(2).says("not sent over plain `http`").says("remote-state.hcl:5");
        let oss = format!("{OSS}endpoint = \"{NOWHERE}\"\nsts_endpoint = \"{sts}\"\n");
        let refused = ours("oss", &oss).env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
        refused.run().code(1).says("sends it over plain `http`");
    }
    let service = sts();
    let s3 = format!("{S3}endpoints = {{ s3 = \"{NOWHERE}\", sts = \"{}\" }}\n", service.url);
    ours("s3", &s3).run().success();
    assert_eq!(service.heard().iter().filter(|heard| heard.body.contains(TOKEN)).count(), 1);
}

const LINE: &str = "sends requests with your credentials to `http://127.0.0.1:1`, which is not";

fn endpoints() {
    let s3 = format!("{S3}endpoints = {{ s3 = \"{NOWHERE}\" }}\nmax_retries = 1\n");
    let oss = format!("{OSS}endpoint = \"{NOWHERE}\"\nmax_retries = 0\n");
    let spaces =
        format!("bucket = \"b\"\nkey = \"k\"\nregion = \"nyc3\"\nendpoint = \"{NOWHERE}\"\n");
    let told = |way: &str, backend: &str, keys: &str, id: &str, words: &str| {
        let sandbox = Sandbox::new();
        write(&sandbox, way, backend, keys);
        let names = [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "ALICLOUD_ACCESS_KEY",
            "ALICLOUD_SECRET_KEY",
        ];
        let cmd = command(&sandbox, way, words);
        let output = names.iter().fold(cmd, |cmd, name| cmd.env(name, id)).run();
        output.stderr().lines().find(|line| line.contains(LINE)).map(str::to_owned)
    };
    for (backend, keys, id) in [
        ("s3", &s3, "AKIAX"),
        ("s3", &s3, "ASIAX"),
        ("oss", &oss, "LTAIX"),
        ("spaces", &spaces, "DO00X"),
    ] {
        for (way, file) in [
            ("block", "main.tf:"),
            ("own file", "remote-state.hcl:"),
            ("option", "ci.hcl:"),
            ("record", "terraform.tfstate"),
        ] {
            // A record holds no objects in this form.
            if way == "record" && backend == "s3" {
                continue;
            }
            let line = told(way, backend, keys, id, "whoami").unwrap_or_default();
            assert!(
                line.starts_with("warning: ") && line.contains(file),
                "{backend} {way} {id}: {line}"
            );
        }
        for words in ["exec -- true", "config show", "locks"] {
            let line = told("block", backend, keys, id, words);
            assert!(line.is_some(), "{backend} {words}");
        }
        assert_eq!(told("block", backend, keys, "minio", "whoami"), None, "{backend}");
        for words in ["whoami -v", "config show"] {
            let line = told("block", backend, keys, "minio", words);
            assert!(line.is_some_and(|line| !line.starts_with("warning: ")), "{backend} {words}");
        }
    }
    by_flag_and_variable();
}

/// No note about an endpoint that the user named, or about Amazon's own.
fn by_flag_and_variable() {
    let sandbox = Sandbox::new();
    write(&sandbox, "block", "s3", S3);
    let keys = |cmd: Cmd| cmd.env("AWS_ACCESS_KEY_ID", "AKIAX").env("AWS_SECRET_ACCESS_KEY", "s");
    let flag = format!("--backend-config=endpoint={NOWHERE}");
    for cmd in [
        keys(sandbox.remote_state().words("whoami -v")).arg(&flag),
        keys(sandbox.remote_state().words("whoami -v")).env("AWS_ENDPOINT_URL_S3", NOWHERE),
    ] {
        let output = cmd.run().success();
        assert!(!output.stderr().contains("with your credentials"), "{output}");
    }
    let own = format!("{S3}endpoint = \"https://s3.eu-west-1.amazonaws.com\"\n");
    write(&sandbox, "block", "s3", &own);
    let output = keys(sandbox.remote_state().words("config show")).run().success();
    assert!(!output.stderr().contains("with your credentials"), "{output}");
}
