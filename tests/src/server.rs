//! S3 servers for the tests.

use std::future::Future;
use std::sync::LazyLock;

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use remote_state_emulator::{Emulator, EmulatorBuilder, Faults, Recorder};
use tokio::runtime::Runtime;

use crate::setup::{Bucket, Setup};

pub(crate) const REGION: &str = "us-east-1";

/// The lock table of the emulator and of moto.
pub const TABLE: &str = "tflock";

/// An S3 server, with its address and keys.
#[derive(Debug)]
pub struct S3Server {
    /// Its name in the names of tests.
    pub name: &'static str,
    /// Such as `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// An existing bucket. It has no versioning, unless its setup says so.
    pub bucket: String,
    /// The endpoint of its lock table, if it has one.
    pub dynamodb_endpoint: Option<String>,
    /// Its known dialect.
    pub dialect: Option<&'static str>,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// The authority of its certificate, if it uses TLS.
    pub(crate) ca_file: Option<&'static str>,
    client: aws_sdk_s3::Client,
    tables: aws_sdk_dynamodb::Client,
    emulator: Option<Emulator>,
}

/// The known facts about a server before the first request.
struct Access {
    name: &'static str,
    endpoint: String,
    bucket: String,
    dynamodb_endpoint: Option<String>,
    dialect: Option<&'static str>,
    access_key: String,
    secret_key: String,
    ca_file: Option<&'static str>,
}

impl S3Server {
    /// Starts an emulator with a bucket `tfstate`, a versioned one `tfstate-versioned`, and the
    /// table [`TABLE`]. It stops with this value.
    pub fn emulator() -> Self {
        Self::emulator_with(|builder| builder)
    }

    /// Starts an emulator with further settings.
    ///
    /// # Panics
    /// If it does not start.
    pub fn emulator_with(more: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> Self {
        let (access_key, secret_key) = (unique("key"), unique("secret"));
        let builder = Emulator::builder()
            .with_credentials(&access_key, &secret_key)
            .with_bucket("tfstate")
            .with_versioned_bucket("tfstate-versioned")
            .with_table(TABLE, "LockID");
        let emulator = block_on(more(builder).start()).expect("an emulator starts on a free port");
        let endpoint = emulator.endpoint();
        let access = Access {
            name: "emulator",
            dynamodb_endpoint: Some(endpoint.clone()),
            endpoint,
            bucket: "tfstate".to_owned(),
            dialect: None,
            access_key,
            secret_key,
            ca_file: None,
        };
        Self::new(access, Some(emulator))
    }

    /// Returns a running setup, with its bucket and, if it has one, its lock table.
    ///
    /// # Panics
    /// If it is not running: the test should require it.
    pub fn of(setup: &'static Setup) -> Self {
        let versioned = setup.shows.bucket == Bucket::Versioned;
        let bucket = match setup.fact("bucket") {
            Some(bucket) if !versioned => bucket,
            _ if versioned => "tfstate-versioned",
            _ => "tfstate",
        };
        let access = Access {
            name: &setup.name,
            endpoint: setup.told("endpoint").to_owned(),
            bucket: bucket.to_owned(),
            dynamodb_endpoint: setup.fact("dynamodb_endpoint").map(str::to_owned),
            dialect: setup.shows.dialect.as_deref(),
            access_key: setup.told("access_key").to_owned(),
            secret_key: setup.told("secret_key").to_owned(),
            ca_file: setup.fact("ca_file"),
        };
        let server = Self::new(access, None);
        server.make_ready(setup.shows.bucket);
        server
    }

    /// Returns the setup with a name; see [`of`](Self::of).
    ///
    /// # Panics
    /// If there is none, or it is not running: the test should require it.
    pub fn named(setup: &str) -> Self {
        Self::of(Setup::named(setup))
    }

    /// Returns the setup `s3/minio`.
    ///
    /// # Panics
    /// If it is not running: the test should require it.
    pub fn minio() -> Self {
        Self::named("s3/minio")
    }

    /// Returns the setup `s3/moto`: an S3 and DynamoDB from outside this project.
    ///
    /// # Panics
    /// If it is not running: the test should require it.
    pub fn moto() -> Self {
        Self::named("s3/moto")
    }

    /// Returns the same server with the lock table of another. Clients use one set of keys for
    /// both.
    #[must_use]
    pub fn with_table_of(&self, other: &Self) -> Self {
        Self::new(
            Access { dynamodb_endpoint: other.dynamodb_endpoint.clone(), ..self.access() },
            None,
        )
    }

    /// Returns the same server for another user.
    #[must_use]
    pub fn as_user(&self, access_key: &str, secret_key: &str) -> Self {
        let (access_key, secret_key) = (access_key.to_owned(), secret_key.to_owned());
        Self::new(Access { access_key, secret_key, ..self.access() }, None)
    }

    fn access(&self) -> Access {
        Access {
            name: self.name,
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            dynamodb_endpoint: self.dynamodb_endpoint.clone(),
            dialect: self.dialect,
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            ca_file: self.ca_file,
        }
    }

    fn new(access: Access, emulator: Option<Emulator>) -> Self {
        let Access {
            name,
            endpoint,
            bucket,
            dynamodb_endpoint,
            dialect,
            access_key,
            secret_key,
            ca_file,
        } = access;
        let http = http_client(ca_file);
        let credentials = Credentials::new(&access_key, &secret_key, None, None, "test");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.clone())
            .region(Region::new(REGION))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(credentials.clone())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(REGION))
            .endpoint_url(dynamodb_endpoint.as_deref().unwrap_or(&endpoint))
            .credentials_provider(credentials)
            .build();
        let tables = aws_sdk_dynamodb::Client::from_conf(config);
        Self {
            name,
            endpoint,
            bucket,
            dynamodb_endpoint,
            dialect,
            access_key,
            secret_key,
            ca_file,
            client,
            tables,
            emulator,
        }
    }

    /// Creates the bucket and the table unless they exist. Every test does so; the first one
    /// succeeds.
    fn make_ready(&self, bucket: Bucket) {
        block_on(async {
            let head = self.client.head_bucket().bucket(&self.bucket).send().await;
            if head.is_err() {
                let made = self.client.create_bucket().bucket(&self.bucket).send().await;
                if let Err(error) = made {
                    let code = error.as_service_error().and_then(|error| error.meta().code());
                    let is_there =
                        matches!(code, Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists"));
                    assert!(is_there, "{}: the bucket cannot be made: {error:?}", self.name);
                }
            }
            if bucket == Bucket::Versioned {
                self.enable_versioning(&self.bucket).await;
            }
            if self.dynamodb_endpoint.is_some() {
                self.make_table().await;
            }
        });
    }

    async fn make_table(&self) {
        let id = AttributeDefinition::builder()
            .attribute_name("LockID")
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("LockID").key_type(KeyType::Hash);
        let create = self
            .tables
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(id.build().expect("it has a name and a type"))
            .key_schema(key.build().expect("it has a name and a type"));
        if let Err(error) = create.send().await {
            let code = error.as_service_error().and_then(|error| error.code());
            assert_eq!(
                code,
                Some("ResourceInUseException"),
                "{}: the table cannot be made",
                self.name
            );
        }
    }

    /// Returns the vendor's own client for tables.
    pub(crate) fn tables(&self) -> &aws_sdk_dynamodb::Client {
        &self.tables
    }

    /// Returns the vendor's own client, which is independent of the program under test.
    pub fn client(&self) -> &aws_sdk_s3::Client {
        &self.client
    }

    /// Returns the access key's id.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Returns the secret of the access key.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Returns the faults to inject into the emulator.
    ///
    /// # Panics
    /// If this is no emulator.
    pub fn faults(&self) -> &Faults {
        self.running_emulator().faults()
    }

    /// Returns the requests that the emulator recorded.
    ///
    /// # Panics
    /// If this is no emulator.
    pub fn requests(&self) -> &Recorder {
        self.running_emulator().requests()
    }

    fn running_emulator(&self) -> &Emulator {
        self.emulator.as_ref().expect("only the emulator does this")
    }
}

/// Returns a client that trusts only this authority, or uses plain HTTP.
fn http_client(ca_file: Option<&str>) -> SharedHttpClient {
    let Some(file) = ca_file else {
        return aws_smithy_http_client::Builder::new().build_http();
    };
    let pem = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let roots = tls::TrustStore::empty().with_pem_certificate(pem.as_slice());
    let context = tls::TlsContext::builder().with_trust_store(roots).build();
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(context.expect("a trust store is all that it takes"))
        .build_https()
}

/// Returns the runtime of the emulators, and of everything else in this process that is
/// asynchronous.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Runtime::new().expect("the system grants threads"));
    &RUNTIME
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Returns a name that is unique, in this run and others.
///
/// # Panics
/// If the system has no randomness.
pub fn unique(stem: &str) -> String {
    let random = getrandom::u64().expect("the system has randomness");
    format!("{stem}-{random:016x}")
}
