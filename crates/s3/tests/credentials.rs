//! Where credentials are found, and the errors if there are none.

#[path = "common/wire.rs"]
mod wire;

use std::path::Path;

use remote_state_core::Backend as _;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_core::{ErrorKind, ReadOptions, Result, StateRead, Workspace};
use remote_state_emulator::Emulator;
use remote_state_s3::{PROVIDER, S3Config};
use wire::read_request;

const KEYS: &str = "aws_access_key_id = test\naws_secret_access_key = testtest\n";

async fn emulator() -> Emulator {
    let builder = Emulator::builder().with_credentials("test", "testtest").with_bucket("tfstate");
    builder.start().await.expect("the emulator starts")
}

async fn read(emulator: &Emulator, keys: &[(&str, Setting)]) -> Result<Option<StateRead>> {
    let endpoint = emulator.endpoint();
    let always = [
        ("bucket", "tfstate"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("endpoint", &endpoint),
        ("use_path_style", "true"),
        ("skip_metadata_api_check", "true"),
    ];
    let all = always
        .map(|(name, value)| (name, Setting::from(value)))
        .into_iter()
        .chain(keys.iter().cloned());
    let store = S3Config::from_resolved(&ResolvedConfig::from_pairs(&PROVIDER, all)?)?.open()?;
    store.read(&Workspace::default(), &ReadOptions::default()).await
}

fn file(folder: &Path, name: &str, content: &str) -> Setting {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().into()
}

fn list(items: &[&Setting]) -> Setting {
    Setting::List(items.iter().copied().cloned().collect())
}

#[tokio::test]
async fn profiles_are_read_from_the_files_of_the_configuration() {
    let emulator = emulator().await;
    let folder = tempfile::tempdir().unwrap();
    let credentials = file(folder.path(), "credentials", &format!("[ci]\n{KEYS}"));
    let config = file(folder.path(), "config", &format!("[profile ci]\n{KEYS}"));
    let wrong = file(
        folder.path(),
        "wrong",
        "[ci]\naws_access_key_id = test\naws_secret_access_key = wrong\n",
    );
    let empty = file(folder.path(), "empty", "");
    let profile = ("profile", Setting::from("ci"));

    for keys in [
        vec![
            ("shared_credentials_file", credentials.clone()),
            ("shared_config_files", list(&[&empty])),
        ],
        vec![("shared_credentials_files", list(&[&wrong, &credentials]))],
        vec![
            ("shared_credentials_files", list(&[&empty])),
            ("shared_config_files", list(&[&config])),
        ],
    ] {
        let keys: Vec<_> = keys.into_iter().chain([profile.clone()]).collect();
        assert!(read(&emulator, &keys).await.unwrap().is_none());
    }
    let keys = [profile, ("shared_credentials_files", list(&[&credentials, &wrong]))];
    assert_eq!(read(&emulator, &keys).await.err().unwrap().kind(), ErrorKind::CredentialInvalid);
}

#[tokio::test]
async fn files_and_profiles_that_are_missing_are_no_credentials() {
    let emulator = emulator().await;
    let folder = tempfile::tempdir().unwrap();
    let credentials = file(folder.path(), "credentials", &format!("[ci]\n{KEYS}"));
    let missing: Setting = folder.path().join("missing").to_str().unwrap().into();
    for keys in [
        [("profile", "ci".into()), ("shared_credentials_files", list(&[&missing]))],
        [("profile", "other".into()), ("shared_credentials_files", list(&[&credentials]))],
    ] {
        assert_eq!(
            read(&emulator, &keys).await.err().unwrap().kind(),
            ErrorKind::CredentialInvalid
        );
        assert!(emulator.requests().take().is_empty());
    }
}

#[tokio::test]
async fn sts_that_cannot_be_reached_is_named_and_the_store_is_not_asked() {
    let emulator = emulator().await;
    let keys = |more: (&'static str, Setting)| {
        let keys = [
            ("access_key", "test"),
            ("secret_key", "testtest"),
            ("sts_endpoint", "http://127.0.0.1:1"),
        ];
        keys.map(|(name, value)| (name, Setting::from(value)))
            .into_iter()
            .chain([more])
            .collect::<Vec<_>>()
    };
    for (more, what) in [
        (("role_arn", "arn:aws:iam::123456789012:role/ci".into()), "assume the role `arn:aws"),
        (("allowed_account_ids", vec!["123456789012"].into()), "whose the credentials are"),
    ] {
        let error = read(&emulator, &keys(more)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.message().contains(what), "{error}");
        assert!(emulator.requests().take().is_empty());
    }
}

/// Replies to every request as STS does when it gives out a session, and returns the requests.
async fn session_service() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::AsyncWriteExt as _;
    const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <AssumeRoleResult><Credentials>\
        <AccessKeyId>test</AccessKeyId><SecretAccessKey>testtest</SecretAccessKey>\
        <SessionToken>session</SessionToken>\
        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
        </AssumeRoleResponse>";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (asked, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await.expect("the request does not end early");
            let answer = ANSWER.replace(
                "AssumeRoleRes",
                if request.contains("WebIdentityToken") {
                    "AssumeRoleWithWebIdentityRes"
                } else {
                    "AssumeRoleRes"
                },
            );
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: \
                 close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + &answer).as_bytes()).await.unwrap();
            asked.send(request).unwrap();
        }
    });
    (endpoint, receiver)
}

/// Returns the form of a request, its fields in order.
fn form(request: &str) -> Vec<(String, String)> {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let mut fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    fields.sort();
    fields
}

#[tokio::test]
async fn role_is_assumed_once_and_with_everything_that_is_configured() {
    let emulator = emulator().await;
    let (sts, mut asked) = session_service().await;
    let tags = Setting::Object(vec![(
        "team".to_owned(),
        remote_state_core::config::Sourced::new(
            "net".into(),
            remote_state_core::config::Origin::Program,
        ),
    )]);
    let keys = [
        ("access_key", Setting::from("other")),
        ("secret_key", "unknown to the store".into()),
        ("sts_endpoint", sts.into()),
        ("sts_region", "eu-central-1".into()),
        ("assume_role.role_arn", "arn:aws:iam::123456789012:role/ci".into()),
        ("assume_role.duration", "1h".into()),
        ("assume_role.external_id", "ext:1".into()),
        ("assume_role.policy", "{}".into()),
        ("assume_role.policy_arns", vec!["arn:aws:iam::aws:policy/P"].into()),
        ("assume_role.session_name", "ci".into()),
        ("assume_role.source_identity", "me".into()),
        ("assume_role.tags", tags),
        ("assume_role.transitive_tag_keys", vec!["team"].into()),
    ];
    assert!(read(&emulator, &keys).await.unwrap().is_none());
    let request = asked.recv().await.unwrap();
    assert!(asked.try_recv().is_err());
    assert!(
        request.contains("Credential=other/") && request.contains("/eu-central-1/sts/"),
        "{request}"
    );
    let expected = [
        ("Action", "AssumeRole"),
        ("DurationSeconds", "3600"),
        ("ExternalId", "ext:1"),
        ("Policy", "{}"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/P"),
        ("RoleArn", "arn:aws:iam::123456789012:role/ci"),
        ("RoleSessionName", "ci"),
        ("SourceIdentity", "me"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "net"),
        ("TransitiveTagKeys.member.1", "team"),
        ("Version", "2011-06-15"),
    ];
    assert_eq!(form(&request), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn token_is_read_from_its_file_and_sent_without_a_signature() {
    let emulator = emulator().await;
    let (sts, mut asked) = session_service().await;
    let folder = tempfile::tempdir().unwrap();
    let arn = (
        "assume_role_with_web_identity.role_arn",
        Setting::from("arn:aws:iam::123456789012:role/ci"),
    );
    let token = |path| ("assume_role_with_web_identity.web_identity_token_file", path);
    let endpoint = ("sts_endpoint", Setting::from(sts));
    let keys = [arn.clone(), endpoint.clone(), token(file(folder.path(), "token", "the token\n"))];
    assert!(read(&emulator, &keys).await.unwrap().is_none());
    let request = asked.recv().await.unwrap();
    assert!(!request.to_ascii_lowercase().contains("authorization:"), "{request}");
    assert!(
        form(&request).contains(&("WebIdentityToken".to_owned(), "the token".to_owned())),
        "{request}"
    );

    let missing = folder.path().join("missing");
    let error = read(&emulator, &[arn, endpoint, token(missing.to_str().unwrap().into())])
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
    assert!(error.message().contains("cannot read the web identity token"), "{error}");
}
