//! Makes the SDK's clients.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;

use crate::client::{ClockWarning, NeededHeaders};
use crate::config::S3Config;
use crate::credentials::chain::Found;
use crate::credentials::sts::{Admitted, AssumeRole};
use crate::dialect::{Addressing, Dialect, SigningRegion};
use crate::transport;

/// How long to wait for a connection before the next attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the first byte of a reply to a small request. A store that takes longer is
/// as good as gone, and others may be waiting for the lock.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest link on which a state can still be written, in bytes per second: sending counts
/// towards the wait for the reply.
const SLOWEST_LINK: u64 = 64 * 1024;

/// How long to wait for credentials, repetitions included.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns how long to wait for a connection, and for the reply to a request with a body of this
/// size.
pub(crate) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let sending = Duration::from_secs(body_bytes / SLOWEST_LINK);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ANSWER_TIMEOUT + sending)
        .build()
}

/// Returns what the clients of all services share: one search for credentials, and one pool of
/// connections.
pub(crate) fn shared(config: &S3Config) -> SdkConfig {
    access(config).shared
}

/// The SDK's configurations for the services.
#[derive(Debug)]
pub(crate) struct Access {
    /// With the credentials of the configuration.
    pub(crate) shared: SdkConfig,
    /// For STS, without credentials.
    pub(crate) sts: SdkConfig,
    /// The source that has given the credentials, if there are several to choose from.
    pub(crate) found: Found,
}

pub(crate) fn access(config: &S3Config) -> Access {
    let connection = &config.connection;
    let region = Region::new(config.region.clone());
    let http = transport::client(&connection.trust, &connection.proxies, CONNECT_TIMEOUT);
    let settings = || {
        ProviderConfig::default()
            .with_http_client(http.clone())
            .with_region(Some(region.clone()))
            .with_use_fips(connection.has_fips.then_some(true))
            .with_use_dual_stack(connection.has_dual_stack.then_some(true))
    };
    let plain = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.clone())
        .timeout_config(timeouts(0))
        .use_fips(connection.has_fips)
        .use_dual_stack(connection.has_dual_stack)
        .build();
    let sts = || sts(&plain, config);

    let found = Found::default();
    let mut credentials = config.credentials.provider(&config.machine, settings, sts, &found);
    if let Some(role) = &config.role {
        let source = sts().into_builder().credentials_provider(credentials).build();
        credentials = SharedCredentialsProvider::new(AssumeRole::new(&source, role));
    }
    if let Some(accounts) = &config.accounts {
        credentials = SharedCredentialsProvider::new(Admitted::new(&sts(), credentials, accounts));
    }
    let retry =
        if connection.is_adaptive { RetryConfig::adaptive() } else { RetryConfig::standard() };
    let cache = IdentityCache::lazy();
    // The SDK allows five seconds for all sources together, and after that the answers of the
    // sources are lost.
    let cache = cache.load_timeout(CREDENTIALS_TIMEOUT);
    let sts = sts();
    let shared = plain
        .clone()
        .into_builder()
        .region(region.clone())
        .credentials_provider(credentials)
        .identity_cache(cache.build())
        .retry_config(retry.with_max_attempts(config.max_attempts))
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(20)).build(),
        )
        .build();
    Access { shared, sts, found }
}

/// Returns the configuration for STS, without credentials. It has retries of its own, as in native
/// clients.
fn sts(plain: &SdkConfig, config: &S3Config) -> SdkConfig {
    let connection = &config.connection;
    let region = connection.sts_region.as_ref().unwrap_or(&config.region);
    let mut builder = plain
        .clone()
        .into_builder()
        .region(Region::new(region.clone()))
        .retry_config(RetryConfig::standard())
        .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build());
    if let Some(endpoint) = &connection.sts_endpoint {
        builder = builder.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    builder.build()
}

pub(crate) fn bucket(
    shared: &SdkConfig,
    config: &S3Config,
    dialect: Dialect,
) -> aws_sdk_s3::Client {
    let is_path_style = config.use_path_style || dialect.addressing == Addressing::Path;
    let mut builder = aws_sdk_s3::config::Builder::from(shared)
        .force_path_style(is_path_style)
        .interceptor(NeededHeaders)
        .interceptor(ClockWarning)
        // Checksums are sent in headers, see `write.rs`. The SDK by itself would add a trailer,
        // which most other stores refuse.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        // Received bytes are verified here, see `checksum.rs`.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let SigningRegion::Always(region) = dialect.region {
        builder = builder.region(Region::from_static(region));
    }
    if let Some(endpoint) = &config.endpoint {
        let base = endpoint.as_str().trim_end_matches('/');
        // The SDK appends the bucket's name to the path directly, and adds a `/` only if there is
        // no path.
        let has_path = is_path_style && !matches!(endpoint.path(), "" | "/");
        builder = builder.endpoint_url(if has_path { format!("{base}/") } else { base.to_owned() });
    }
    aws_sdk_s3::Client::from_conf(builder.build())
}

pub(crate) fn table(shared: &SdkConfig, config: &S3Config) -> aws_sdk_dynamodb::Client {
    let mut builder = aws_sdk_dynamodb::config::Builder::from(shared).interceptor(ClockWarning);
    if let Some(endpoint) = &config.dynamodb_endpoint {
        builder = builder.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    aws_sdk_dynamodb::Client::from_conf(builder.build())
}
