//! What the tests share: a started emulator and the vendor's own client for it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use remote_state_emulator::{Emulator, EmulatorBuilder};

pub(crate) const BUCKET: &str = "tfstate";

pub(crate) fn builder() -> EmulatorBuilder {
    Emulator::builder().with_credentials("test", "testtest").with_bucket(BUCKET)
}

pub(crate) async fn start() -> (Emulator, Client) {
    let emulator = builder().start().await.unwrap();
    let client = client(&emulator);
    (emulator, client)
}

pub(crate) async fn start_versioned() -> (Emulator, Client) {
    let emulator = Emulator::builder()
        .with_credentials("test", "testtest")
        .with_versioned_bucket(BUCKET)
        .start()
        .await
        .unwrap();
    let client = client(&emulator);
    (emulator, client)
}

/// A client that does not retry: tests count requests.
pub(crate) fn config(
    endpoint: &str,
    access_key: &str,
    secret_key: &str,
    region: &str,
) -> aws_sdk_s3::config::Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .force_path_style(true)
}

pub(crate) fn client_of(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint, "test", "testtest", "us-east-1").build())
}

pub(crate) fn client(emulator: &Emulator) -> Client {
    client_of(&emulator.endpoint())
}

/// The S3 error code of a failed call, `""` if there was no answer to take one from.
pub(crate) fn code<T, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => panic!("the call was expected to fail"),
        Err(error) => error.code().unwrap_or_default().to_owned(),
    }
}
