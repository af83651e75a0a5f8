//! Making the SDK's clients.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient,
};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use url::Url;

use crate::config::S3Config;
use crate::dialect::{Dialect, DialectName};

/// How long to wait for a connection before the next attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the first byte of an answer to a small request. A store that takes longer is as good as gone, and a lock may wait with us.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest link on which a state can still be written, in bytes per second: sending counts towards the wait for the answer.
const SLOWEST_LINK: u64 = 64 * 1024;

/// How long to wait for a connection, and for the answer to a request with a body of this size.
pub(crate) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let sending = Duration::from_secs(body_bytes / SLOWEST_LINK);
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(ANSWER_TIMEOUT + sending).build()
}

/// What the clients of all services share: credentials are looked for once, connections are kept in one pool.
pub(crate) fn shared(config: &S3Config) -> SdkConfig {
    let region = Region::new(config.region.clone());
    let is_http = |url: &Option<Url>| url.as_ref().is_some_and(|url| url.scheme() == "http");
    let is_plain =
        is_http(&config.endpoint) && (config.dynamodb_table.is_none() || is_http(&config.dynamodb_endpoint));
    // TLS means reading the system's certificates, a good part of a short command's time: only for those who need it.
    let http = if is_plain { Builder::new().build_http() } else { https() };
    let machine = || ProviderConfig::default().with_http_client(https()).with_region(Some(region.clone()));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(region.clone())
        .credentials_provider(config.credentials.provider(machine))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard().with_max_attempts(config.max_attempts))
        .timeout_config(timeouts(0))
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(20)).build(),
        )
        .build()
}

pub(crate) fn bucket(shared: &SdkConfig, config: &S3Config, dialect: Dialect) -> aws_sdk_s3::Client {
    let mut builder = aws_sdk_s3::config::Builder::from(shared)
        .force_path_style(config.use_path_style)
        // Checksums go into headers, see `write.rs`. What the SDK would add by itself is a trailer, which most other stores refuse.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(if dialect.name == DialectName::Aws && !config.skip_checksum {
            ResponseChecksumValidation::WhenSupported
        } else {
            ResponseChecksumValidation::WhenRequired
        });
    if let Some(endpoint) = &config.endpoint {
        builder = builder.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    aws_sdk_s3::Client::from_conf(builder.build())
}

pub(crate) fn table(shared: &SdkConfig, config: &S3Config) -> aws_sdk_dynamodb::Client {
    let mut builder = aws_sdk_dynamodb::config::Builder::from(shared);
    if let Some(endpoint) = &config.dynamodb_endpoint {
        builder = builder.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    aws_sdk_dynamodb::Client::from_conf(builder.build())
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
}
