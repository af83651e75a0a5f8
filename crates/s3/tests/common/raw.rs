//! The vendor's own client, for changes and checks that bypass the code under test.

use remote_state_emulator::Emulator;

/// Returns a client that names buckets in the path.
pub(crate) fn client(emulator: &Emulator) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .endpoint_url(emulator.endpoint())
        .credentials_provider(aws_credential_types::Credentials::new(
            "test", "testtest", None, None, "test",
        ))
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
