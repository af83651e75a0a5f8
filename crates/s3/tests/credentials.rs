//! Where credentials are found, and what is said when they are not.

use std::path::Path;

use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_core::{ErrorKind, ReadOptions, Result, StateRead, StateStore as _, Workspace};
use remote_state_emulator::Emulator;
use remote_state_s3::{PROVIDER, S3Config, S3Store};

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
    let all =
        always.map(|(name, value)| (name, Setting::from(value))).into_iter().chain(keys.iter().cloned());
    let store = S3Store::new(&S3Config::from_resolved(&ResolvedConfig::from_pairs(&PROVIDER, all)?)?);
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
    let wrong =
        file(folder.path(), "wrong", "[ci]\naws_access_key_id = test\naws_secret_access_key = wrong\n");
    let empty = file(folder.path(), "empty", "");
    let profile = ("profile", Setting::from("ci"));

    for keys in [
        vec![("shared_credentials_file", credentials.clone()), ("shared_config_files", list(&[&empty]))],
        vec![("shared_credentials_files", list(&[&wrong, &credentials]))],
        vec![("shared_credentials_files", list(&[&empty])), ("shared_config_files", list(&[&config]))],
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
        assert_eq!(read(&emulator, &keys).await.err().unwrap().kind(), ErrorKind::CredentialInvalid);
        assert!(emulator.requests().take().is_empty());
    }
}

#[tokio::test]
async fn sts_that_cannot_be_reached_is_named_and_the_store_is_not_asked() {
    let emulator = emulator().await;
    let keys = |more: (&'static str, Setting)| {
        let keys =
            [("access_key", "test"), ("secret_key", "testtest"), ("sts_endpoint", "http://127.0.0.1:1")];
        keys.map(|(name, value)| (name, Setting::from(value))).into_iter().chain([more]).collect::<Vec<_>>()
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
