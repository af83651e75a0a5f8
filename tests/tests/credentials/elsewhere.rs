//! Destinations that files of the directory choose for the user's secrets: tokens of a login, keys,
//! and everything that others on the network can read.
//!
//! Covers the endpoint of a profile, a region that completes a host name, a proxy together with
//! certificates, and hosts under a vendor's domain that anybody can rent.

use remote_state_tests::services::{Service, sts};
use remote_state_tests::{Cmd, Sandbox, Suite};

const NOWHERE: &str = "http://127.0.0.1:1";
const ROLE: &str = "arn:aws:iam::123456789012:role/ci";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.c2ln";

pub(crate) fn tests(suite: &mut Suite) {
    let mut test = |name: &'static str, run: fn()| suite.test(name, &[], run);
    test("elsewhere::the_login_of_a_profile_is_sent_to_no_endpoint_of_the_directory", login);
    test("elsewhere::a_program_beside_a_submodule_is_of_the_repository_too", submodule);
    test("elsewhere::a_region_does_not_end_the_name_of_a_host", region);
    test("elsewhere::a_token_is_not_sent_where_the_directory_lets_it_be_read", read_on_the_way);
    test(
        "elsewhere::a_proxy_that_the_directory_lets_read_on_the_way_is_warned_of",
        keys_on_the_way,
    );
    test("elsewhere::hosts_that_anybody_can_rent_are_not_the_vendors", rented);
}

fn block(sandbox: &Sandbox, keys: &str) -> Cmd {
    sandbox.write(
        "main.tf",
        format!(
            "terraform {{\nbackend \"s3\" {{\nbucket = \"b\"\nkey = \"k\"\nmax_retries = \
             1\n{keys}}}\n}}\n"
        ),
    );
    sandbox.remote_state().words("whoami")
}

fn login() {
    let service = Service::start(|_| (200, "{}".to_owned()));
    let sandbox = Sandbox::new();
    // The SHA-1 of the session's name, which the vendor's tool uses as the name of a login's file.
    let cache = sandbox.home().join(".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json");
    std::fs::create_dir_all(cache.parent().expect("it has one")).expect("the home is ours");
    for expires in ["2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"] {
        let login = format!(
            r#"{{"accessToken":"hunter2","expiresAt":"{expires}","refreshToken":"hunter2","clientId":"c","clientSecret":"hunter2","registrationExpiresAt":"2099-01-01T00:00:00Z","region":"us-east-1","startUrl":"https://x.example"}}"#
        );
        std::fs::write(&cache, &login).expect("the home is ours");
        for profile in ["x", "up"] {
            sandbox.write(
                "aws.conf",
                format!(
                    "[profile x]\nsso_session = corp\nsso_account_id = 123456789012\n\
                     sso_role_name = r\nregion = us-east-1\n\
                     endpoint_url = {0}\n[profile up]\nrole_arn = {ROLE}\nsource_profile = x\n\
                     endpoint_url = {0}\n\
                     [sso-session corp]\nsso_region = us-east-1\n\
                     sso_start_url = https://x.example\n",
                    service.url
                ),
            );
            let keys = format!(
                "region = \"us-east-1\"\nprofile = \"{profile}\"\nshared_config_files = \
                 [\"aws.conf\"]\nendpoints = {{ s3 = \"{NOWHERE}\" }}\n"
            );
            // No request reaches Amazon: this proxy cannot be reached.
            drop(block(&sandbox, &keys).env("HTTPS_PROXY", NOWHERE).run());
            assert!(service.heard().is_empty(), "{expires} {profile}: {:?}", service.heard());
        }
    }
}

fn submodule() {
    for inner in ["file", "folder", "none"] {
        let sandbox = Sandbox::new();
        let trace = sandbox.home().join("ran");
        sandbox.folder("repository/.git");
        let profile = format!("[profile x]\ncredential_process = touch '{}'\n", trace.display());
        sandbox.write("repository/aws.conf", profile);
        match inner {
            "file" => drop(sandbox.write("repository/a/b/.git", "gitdir: ../../.git/modules/b\n")),
            "folder" => drop(sandbox.folder("repository/a/b/.git")),
            _ => {}
        }
        sandbox.write(
            "repository/a/b/main.tf",
            format!(
                "terraform {{\nbackend \"s3\" {{\nbucket = \"b\"\nkey = \"k\"\nregion = \
                 \"r\"\nprofile = \"x\"\nshared_config_files = [\"../../aws.conf\"]\nendpoints = \
                 {{ s3 = \"{NOWHERE}\" }}\n}}\n}}\n"
            ),
        );
        let whoami =
            sandbox.remote_state().words("whoami").dir(sandbox.path().join("repository/a/b"));
        whoami.run().code(1).says("was not run: a file of the directory names");
        assert!(!trace.exists(), "{inner}: the program ran");
    }
}

fn region() {
    let sandbox = Sandbox::new();
    for region in ["evil.example/", "x.evil.example#", "evil.example", "a@evil", "a:80/", "a b"] {
        let refused = block(&sandbox, &format!("region = {region:?}\n"));
        let refused =
            refused.env("AWS_ACCESS_KEY_ID", "ASIAX").env("AWS_SECRET_ACCESS_KEY", "s").run();
        refused.code(2).says("expected a name such as `eu-west-1`").says("main.tf:");
    }
    for region in ["us-east-1", "RegionOne", "my_zone", "auto"] {
        let taken = block(
            &sandbox,
            &format!("region = {region:?}\nendpoints = {{ s3 = \"{NOWHERE}\" }}\n"),
        );
        taken.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s").run().success();
    }
}

fn read_on_the_way() {
    let service = sts();
    let sandbox = Sandbox::new();
    let token = sandbox.home().join("token");
    std::fs::write(&token, TOKEN).expect("the home is ours");
    let bundle = sandbox.write("c.pem", certificate());
    let ways = [
        "insecure = true\n".to_owned(),
        format!("https_proxy = \"{}\"\ncustom_ca_bundle = \"c.pem\"\n", service.url),
        format!("http_proxy = \"{}\"\ninsecure = true\n", service.url),
    ];
    for way in &ways {
        let keys = format!("region = \"us-east-1\"\nendpoints = {{ s3 = \"{NOWHERE}\" }}\n{way}");
        let cmd = block(&sandbox, &keys)
            .env("AWS_ROLE_ARN", ROLE)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
        cmd.run().code(2).says("have what is sent read on the way").says("main.tf:");
        assert!(service.heard().is_empty(), "{way}");
    }
    // Users may name any destination themselves.
    let keys = format!(
        "region = \"us-east-1\"\nendpoints = {{ s3 = \"{NOWHERE}\", sts = \"{}\" }}\n",
        service.url
    );
    let cmd =
        block(&sandbox, &keys).env("AWS_ROLE_ARN", ROLE).env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    cmd.env("AWS_CA_BUNDLE", &bundle).env("HTTPS_PROXY", NOWHERE).run().success();
}

fn keys_on_the_way() {
    let sandbox = Sandbox::new();
    let bundle = sandbox.write("c.pem", certificate());
    let warning = "that proxy can read and change states and session tokens";
    let run = |keys: &str, env: &[(&str, &str)]| {
        let keys = format!("region = \"us-east-1\"\nendpoints = {{ s3 = \"{NOWHERE}\" }}\n{keys}");
        let cmd = block(&sandbox, &keys).env("AWS_ACCESS_KEY_ID", "AKIAX");
        let cmd = cmd.env("AWS_SECRET_ACCESS_KEY", "s");
        env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value)).run().success()
    };
    for key in ["https_proxy", "http_proxy"] {
        let both = format!("{key} = \"{NOWHERE}\"\ncustom_ca_bundle = \"c.pem\"\n");
        let told = run(&both, &[]);
        let told = told.says(&format!("warning: `{key}` in main.tf:")).says(warning);
        assert_eq!(told.stderr().matches(warning).count(), 1, "{told}");
    }
    let bundle = bundle.to_str().expect("it is text");
    for (keys, env) in [
        (format!("https_proxy = \"{NOWHERE}\"\n"), ("AWS_CA_BUNDLE", bundle)),
        ("custom_ca_bundle = \"c.pem\"\n".to_owned(), ("HTTPS_PROXY", NOWHERE)),
        (String::new(), ("HTTPS_PROXY", NOWHERE)),
    ] {
        let told = run(&keys, &[env]);
        assert!(!told.stderr().contains(warning), "{keys}: {told}");
    }
}

/// Returns the certificate of an unknown authority.
fn certificate() -> &'static str {
    include_str!("authority.pem")
}

fn rented() {
    let sandbox = Sandbox::new();
    let is_told = |url: &str| {
        let keys = format!("region = \"us-east-1\"\nendpoints = {{ s3 = \"{url}\" }}\n");
        let cmd = block(&sandbox, &keys)
            .env("AWS_ACCESS_KEY_ID", "AKIAX")
            .env("AWS_SECRET_ACCESS_KEY", "s");
        cmd.env("HTTPS_PROXY", NOWHERE)
            .env("HTTP_PROXY", NOWHERE)
            .run()
            .stderr()
            .contains("which is not Amazon's")
    };
    for url in [
        "https://x.execute-api.us-east-1.amazonaws.com",
        "https://ec2-1-2-3-4.compute-1.amazonaws.com",
        "http://my-elb.elb.us-east-1.amazonaws.com",
        "http://s3.us-east-1.amazonaws.com",
        "https://s3.amazonaws.com.evil.example",
    ] {
        assert!(is_told(url), "{url}");
    }
    for url in [
        "https://s3.us-east-1.amazonaws.com",
        "https://s3-fips.dualstack.us-west-2.amazonaws.com",
        "https://bucket.vpce-1a2b-x.s3.us-east-1.vpce.amazonaws.com",
        "https://s3.cn-north-1.amazonaws.com.cn",
    ] {
        assert!(!is_told(url), "{url}");
    }
}
