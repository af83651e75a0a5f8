//! The sources of credentials, their order, and the errors if there are none.

use std::path::Path;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use self::fake::{Asked, Fake};
use super::*;
use crate::config::{OssConfig, PROVIDER};

mod fake;

fn provider(keys: &[(&str, &str)]) -> Result<Provider> {
    // Nothing of the machine that runs the tests.
    let nothing = [
        ("shared_credentials_file", "/nonexistent/config.json"),
        ("ecs_metadata_disabled", "true"),
    ];
    let mut all = std::collections::BTreeMap::from([("bucket", "bkt"), ("region", "cn-beijing")]);
    all.extend(nothing);
    all.extend(keys.iter().copied());
    let config = OssConfig::from_resolved(&ResolvedConfig::from_pairs(&PROVIDER, all)?)?;
    let surroundings = Surroundings { http: Http::default(), clock: Clock::default() };
    Ok(Provider::new(choose(&config.credentials)?, surroundings))
}

async fn found(keys: &[(&str, &str)]) -> Result<[String; 3]> {
    let found = provider(keys)?.credentials().await?;
    let token = found.security_token.map(|token| token.expose_secret().to_owned());
    Ok([found.access_key, found.secret_key.expose_secret().to_owned(), token.unwrap_or_default()])
}

fn profiles(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, text).unwrap();
    (folder, path.to_string_lossy().into_owned())
}

fn handed(lasts: SignedDuration) -> String {
    let expiration = (Timestamp::now() + lasts).strftime("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "{{\"Code\":\"Success\",\"AccessKeyId\":\"STS.id\",\"AccessKeySecret\":\"s3cret\",\"\
         SecurityToken\":\"tok\",\"Expiration\":\"{expiration}\"}}"
    )
}

fn of_sts() -> String {
    format!("{{\"RequestId\":\"r\",\"Credentials\":{}}}", handed(SignedDuration::from_hours(1)))
}

fn whole_text(error: &Error) -> String {
    format!("{error} {:?} {:?}", error.context(), error.hints())
}

#[tokio::test]
async fn keys_that_are_set_are_used() {
    let keys = [("access_key", "a"), ("secret_key", "b"), ("security_token", "c")];
    assert_eq!(found(&keys).await.unwrap(), ["a", "b", "c"]);
    let half = found(&keys[..1]).await.unwrap_err();
    assert_eq!(half.kind(), ErrorKind::CredentialInvalid);
    assert!(half.message().contains("`secret_key` is not set"), "{half}");
}

#[tokio::test]
async fn profiles_of_every_mode_are_understood() {
    let sts = Fake::start(|_| (200, of_sts())).await;
    let uri = Fake::start(|_| (200, handed(SignedDuration::from_hours(1)))).await;
    let token_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token_file.path(), "a.b.c\n").unwrap();
    let (_folder, path) = profiles(&format!(
        r#"{{"current": "ak", "profiles": [
            {{"name": "ak", "mode": "AK", "access_key_id": "pa", "access_key_secret": "pb", "sts_token": "not for this mode"}},
            {{"name": "sts", "mode": "StsToken", "access_key_id": "pa", "access_key_secret": "pb", "sts_token": "pc"}},
            {{"name": "role", "mode": "RamRoleArn", "access_key_id": "pa", "access_key_secret": "pb", "ram_role_arn": "acs:ram::1:role/p",
              "ram_session_name": "sess", "expired_seconds": 1800}},
            {{"name": "oidc", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1:oidc-provider/p", "oidc_token_file": {:?}, "ram_role_arn": "acs:ram::1:role/o"}},
            {{"name": "program", "mode": "External",
              "process_command": "echo {{\"mode\":\"StsToken\",\"access_key_id\":\"xa\",\"access_key_secret\":\"xb\",\"sts_token\":\"xc\"}}"}},
            {{"name": "uri", "mode": "CredentialsURI", "credentials_uri": {:?}}},
            {{"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "ak", "ram_role_arn": "acs:ram::1:role/c"}},
            {{"name": "ring", "mode": "ChainableRamRoleArn", "source_profile": "ring", "ram_role_arn": "acs:ram::1:role/c"}},
            {{"name": "new", "mode": "CloudSSO"}},
            {{"name": "hollow", "mode": "External"}}]}}"#,
        token_file.path(),
        uri.url
    ));
    let of = async |name: &str| {
        found(&[("shared_credentials_file", &path), ("profile", name), ("sts_endpoint", &sts.url)])
            .await
    };
    let session = ["STS.id", "s3cret", "tok"];
    for (name, expected) in [
        ("ak", ["pa", "pb", ""]),
        ("sts", ["pa", "pb", "pc"]),
        ("role", session),
        ("oidc", session),
        ("program", ["xa", "xb", "xc"]),
        ("uri", session),
        ("chain", session),
    ] {
        assert_eq!(of(name).await.unwrap(), expected, "{name}");
    }
    let asked = sts.asked();
    let [of_role, of_oidc, of_chain] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(of_role.line, "POST /");
    for part in [
        "Action=AssumeRole&",
        "AccessKeyId=pa",
        "RoleSessionName=sess",
        "DurationSeconds=1800",
        "&Signature=",
    ] {
        assert!(of_role.body.contains(part), "{part}: {}", of_role.body);
    }
    for part in ["Action=AssumeRoleWithOIDC&", "OIDCToken=a.b.c", "OIDCProviderArn=acs%3Aram"] {
        assert!(of_oidc.body.contains(part), "{part}: {}", of_oidc.body);
    }
    assert!(!of_oidc.body.contains("Signature="), "the token is what counts: {}", of_oidc.body);
    assert!(of_chain.body.contains("RoleArn=acs%3Aram%3A%3A1%3Arole%2Fc"), "{}", of_chain.body);
    for (name, part) in [
        ("ring", "leads back to itself"),
        ("new", "`CloudSSO`"),
        ("hollow", "no `process_command`"),
        ("nobody", "there is no profile `nobody`"),
    ] {
        let error = of(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{name}");
        assert!(error.message().contains(part), "{name}: {error}");
    }
    // Each value that is set overrides the profile's.
    let mixed =
        [("shared_credentials_file", path.as_str()), ("profile", "sts"), ("access_key", "own")];
    assert_eq!(found(&mixed).await.unwrap(), ["own", "pb", "pc"]);
}

/// Native clients panic here.
#[tokio::test]
async fn a_malformed_file_of_profiles_is_told_and_nothing_of_it_is() {
    for text in [
        "",
        "{",
        "{}",
        r#"{"current":"x"}"#,
        r#"{"profiles":"hunter2"}"#,
        r#"{"profiles":[{"name":"p","access_key_secret":["hunter2"]}]}"#,
    ] {
        let (_folder, path) = profiles(text);
        let error =
            found(&[("shared_credentials_file", &path), ("profile", "p")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{text}");
        assert!(error.message().contains("is not a file of profiles"), "{text}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let error = found(&[("profile", "p")]).await.unwrap_err();
    assert!(error.message().starts_with("cannot read the profiles in `/nonexistent"), "{error}");
}

#[tokio::test]
async fn a_role_is_assumed_with_temporary_keys_too() {
    let sts = Fake::start(|_| (200, of_sts())).await;
    let role = [
        ("assume_role_role_arn", "acs:ram::123456:role/tf"),
        ("assume_role_policy", "{\"Version\":\"1\"}"),
        ("assume_role_session_expiration", "900"),
        ("sts_endpoint", sts.url.as_str()),
        ("access_key", "a"),
        ("secret_key", "b"),
        ("security_token", "BASETOK"),
    ];
    assert_eq!(found(&role).await.unwrap(), ["STS.id", "s3cret", "tok"]);
    let body = &sts.asked()[0].body;
    for part in [
        "SecurityToken=BASETOK",
        "Policy=%7B%22Version",
        "DurationSeconds=900",
        "RoleSessionName=terraform",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
}

#[tokio::test]
async fn what_sts_answers_is_told() {
    let sts = Fake::start(|_| {
        (403, "{\"Code\":\"NoPermission\",\"Message\":\"You are not authorized\"}".to_owned())
    })
    .await;
    let role = [
        ("assume_role_role_arn", "acs:ram::1:role/tf"),
        ("sts_endpoint", sts.url.as_str()),
        ("access_key", "a"),
        ("secret_key", "hunter2"),
    ];
    let error = found(&role).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
    assert!(whole_text(&error).contains("NoPermission: You are not authorized"), "{error:?}");
    let broken = Fake::start(|_| (200, "<html>".to_owned())).await;
    let error =
        found(&[role[0], ("sts_endpoint", &broken.url), role[2], role[3]]).await.unwrap_err();
    assert!(whole_text(&error).contains("nothing that was asked for"), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

fn metadata(is_hardened: bool, asked: &Asked) -> (u16, String) {
    let has_token = asked.headers.contains("x-aliyun-ecs-metadata-token: md-token");
    match asked.line.as_str() {
        "PUT /latest/api/token" if is_hardened => (200, "md-token".to_owned()),
        "PUT /latest/api/token" => (404, String::new()),
        _ if is_hardened && !has_token => (403, String::new()),
        "GET /latest/meta-data/ram/security-credentials/" => (200, "the-role\n".to_owned()),
        "GET /latest/meta-data/ram/security-credentials/the-role" => {
            (200, handed(SignedDuration::from_hours(1)))
        }
        _ => (404, String::new()),
    }
}

#[tokio::test]
async fn the_instance_is_asked_in_hardened_mode_and_in_the_older_one() {
    for is_hardened in [true, false] {
        let service = Fake::start(move |asked| metadata(is_hardened, asked)).await;
        let named =
            [("ecs_role_name", "the-role"), ("ecs_metadata_endpoint", service.url.as_str())];
        assert_eq!(found(&named).await.unwrap(), ["STS.id", "s3cret", "tok"], "{is_hardened}");
        assert_eq!(service.asked().len(), 2, "{:?}", service.asked());
        let discovered = [("ecs_metadata_disabled", "false"), named[1]];
        assert_eq!(found(&discovered).await.unwrap(), ["STS.id", "s3cret", "tok"], "{is_hardened}");
    }
}

/// Native clients panic here.
#[tokio::test]
async fn malformed_metadata_is_told() {
    for (body, part) in [
        ("<html>", "is not what the service's answers are"),
        ("7", "is not what the service's answers are"),
        ("{}", "it answered ``"),
        ("{\"Code\":\"Failed\"}", "it answered `Failed`"),
        ("{\"Code\":\"Success\"}", "lacks an access key"),
        (
            "{\"Code\":\"Success\",\"AccessKeyId\":1,\"AccessKeySecret\":\"hunter2\"}",
            "lacks an access key",
        ),
    ] {
        let service = Fake::start(move |_| (200, body.to_owned())).await;
        let keys = [("ecs_role_name", "r"), ("ecs_metadata_endpoint", service.url.as_str())];
        let error = found(&keys).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{body}");
        assert!(whole_text(&error).contains(part), "{body}: {error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_chain_that_ends_empty_says_what_each_source_answered_in_order() {
    let uri = Fake::start(|_| (500, String::new())).await;
    let instance = Fake::start(|_| (404, String::new())).await;
    let (_folder, path) = profiles(r#"{"current": "x", "profiles": []}"#);
    let error = found(&[
        ("shared_credentials_file", &path),
        ("credentials_uri", &uri.url),
        ("ecs_metadata_disabled", "false"),
        ("ecs_metadata_endpoint", &instance.url),
        ("assume_role_role_arn", "acs:ram::1:role/tf"),
        ("oidc_provider_arn", "acs:ram::1:oidc-provider/p"),
        ("oidc_token_file", "/nonexistent/token"),
    ])
    .await
    .unwrap_err();
    assert_eq!(error.message(), "no credentials were found");
    let answers: Vec<_> =
        error.context().iter().map(|(label, answer)| (*label, answer.as_str())).collect();
    let expected = [
        "cannot read the token",
        "it has no profile `x`",
        "answered with status 500",
        "this instance has no role",
    ];
    assert_eq!(answers.len(), expected.len(), "{answers:?}");
    for ((label, answer), part) in answers.into_iter().zip(expected) {
        assert_eq!(label, "asked");
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(error.hints()[0].contains("ALICLOUD_ACCESS_KEY"), "{error:?}");
}

#[tokio::test]
async fn the_current_profile_is_the_last_resort_and_a_token_goes_before_it() {
    let (_folder, path) = profiles(
        r#"{"current": "ak", "profiles": [{"name": "ak", "mode": "AK", "access_key_id": "pa", "access_key_secret": "pb"}]}"#,
    );
    assert_eq!(found(&[("shared_credentials_file", &path)]).await.unwrap(), ["pa", "pb", ""]);
    let sts = Fake::start(|_| (200, of_sts())).await;
    let token_file = tempfile::NamedTempFile::new().unwrap();
    let token_path = token_file.path().to_string_lossy().into_owned();
    let keys = [
        ("shared_credentials_file", path.as_str()),
        ("oidc_provider_arn", "acs:ram::1:oidc-provider/p"),
        ("oidc_token_file", token_path.as_str()),
        ("assume_role_role_arn", "acs:ram::1:role/tf"),
        ("sts_endpoint", sts.url.as_str()),
    ];
    assert_eq!(found(&keys).await.unwrap()[0], "STS.id");
    assert_eq!(sts.asked().len(), 1, "the role is not assumed once more with what it gave");
}

#[tokio::test]
async fn credentials_are_renewed_before_they_expire_and_not_sooner() {
    for (minutes, times) in [(60, 1), (4, 3)] {
        let lasts = SignedDuration::from_mins(minutes);
        let service = Fake::start(move |_| (200, handed(lasts))).await;
        let keys = [("credentials_uri", service.url.as_str())];
        let provider = provider(&keys).unwrap();
        for _ in 0..3 {
            drop(provider.credentials().await.unwrap());
        }
        assert_eq!(service.asked().len(), times, "{minutes} min");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_yet_are_used_while_they_are_good() {
    let answers = Arc::new(Mutex::new(0));
    let service = Fake::start(move |_| {
        let mut count = answers.lock().unwrap();
        *count += 1;
        if *count == 1 { (200, handed(SignedDuration::from_mins(4))) } else { (500, String::new()) }
    })
    .await;
    let provider = provider(&[("credentials_uri", service.url.as_str())]).unwrap();
    for _ in 0..2 {
        assert_eq!(provider.credentials().await.unwrap().access_key, "STS.id");
    }
    assert_eq!(service.asked().len(), 2);
}

#[test]
fn a_profile_that_is_not_needed_may_be_missing() {
    let file = Path::new("/nonexistent/config.json");
    assert!(Profile::read(file, "p").is_err());
    let env: remote_state_core::config::Environment =
        [("ALICLOUD_PROFILE", "p"), ("ALICLOUD_ACCESS_KEY", "a"), ("ALICLOUD_SECRET_KEY", "b")]
            .into_iter()
            .collect();
    let layer = [
        ("bucket", "bkt"),
        ("region", "r"),
        ("shared_credentials_file", "/nonexistent/config.json"),
    ]
    .map(|(name, value)| {
        let origin = remote_state_core::config::Origin::Program;
        (name.to_owned(), remote_state_core::config::Sourced::new(value.into(), origin))
    })
    .to_vec();
    let config = remote_state_core::config::resolve(&PROVIDER, &env, &[layer]).unwrap();
    assert!(OssConfig::from_resolved(&config).is_ok());
}
