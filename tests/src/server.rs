//! S3 servers to run against, and places on them that no other test has.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, LazyLock};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use remote_state_core::StateStore;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_emulator::{Emulator, EmulatorBuilder, Faults, Recorder};
use remote_state_s3::{PROVIDER, S3Config, S3Store};
use tokio::runtime::Runtime;

const REGION: &str = "us-east-1";

/// The lock table that the emulator and moto have.
pub const TABLE: &str = "tflock";

/// An S3 server, and what it takes to use it.
#[derive(Debug)]
pub struct S3Server {
    /// Its name in the names of tests.
    pub name: &'static str,
    /// Such as `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// A bucket that is there. It has no versioning.
    pub bucket: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    client: aws_sdk_s3::Client,
    tables: aws_sdk_dynamodb::Client,
    emulator: Option<Emulator>,
}

impl S3Server {
    /// Starts an emulator with a bucket `tfstate`, a versioned one `tfstate-versioned`, and the table [`TABLE`]. It stops with this value.
    pub fn emulator() -> Self {
        Self::emulator_with(|builder| builder)
    }

    /// Starts an emulator that is set up further.
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
        Self::new("emulator", endpoint, "tfstate".to_owned(), access_key, secret_key, Some(emulator))
    }

    /// The MinIO that the environment names.
    ///
    /// # Panics
    /// If it names none: the test should require it.
    pub fn minio() -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("the test requires MinIO, but `{name}` is not set"))
        };
        Self::new(
            "minio",
            variable("REMOTE_STATE_TEST_MINIO"),
            variable("REMOTE_STATE_TEST_MINIO_BUCKET"),
            variable("REMOTE_STATE_TEST_MINIO_ACCESS_KEY"),
            variable("REMOTE_STATE_TEST_MINIO_SECRET_KEY"),
            None,
        )
    }

    /// The moto that the environment names: somebody else's S3 and DynamoDB, with the bucket and the table that were made there.
    ///
    /// # Panics
    /// If it names none: the test should require it.
    pub fn moto() -> Self {
        let endpoint = std::env::var("REMOTE_STATE_TEST_MOTO")
            .expect("the test requires moto, but `REMOTE_STATE_TEST_MOTO` is not set");
        // It takes any keys.
        Self::new("moto", endpoint, "tfstate".to_owned(), "test".to_owned(), "testtest".to_owned(), None)
    }

    fn new(
        name: &'static str,
        endpoint: String,
        bucket: String,
        access_key: String,
        secret_key: String,
        emulator: Option<Emulator>,
    ) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(REGION))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(&access_key, &secret_key, None, None, "test"))
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(REGION))
            .endpoint_url(&endpoint)
            .credentials_provider(Credentials::new(&access_key, &secret_key, None, None, "test"))
            .build();
        let tables = aws_sdk_dynamodb::Client::from_conf(config);
        Self { name, endpoint, bucket, access_key, secret_key, client, tables, emulator }
    }

    /// The vendor's own client for tables.
    pub(crate) fn tables(&self) -> &aws_sdk_dynamodb::Client {
        &self.tables
    }

    /// The vendor's own client, to look behind the back of what is under test.
    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        &self.client
    }

    /// The access key's id.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret that belongs to the access key.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// What makes the emulator misbehave.
    ///
    /// # Panics
    /// If this is no emulator.
    pub fn faults(&self) -> &Faults {
        self.running_emulator().faults()
    }

    /// What the emulator was asked.
    ///
    /// # Panics
    /// If this is no emulator.
    pub fn requests(&self) -> &Recorder {
        self.running_emulator().requests()
    }

    fn running_emulator(&self) -> &Emulator {
        self.emulator.as_ref().expect("only the emulator does this")
    }

    /// A key in the bucket that no other test has.
    pub fn place(&self) -> Place<'_> {
        self.place_in(&self.bucket)
    }

    /// A key in another bucket that no other test has.
    pub fn place_in(&self, bucket: &str) -> Place<'_> {
        Place {
            server: self,
            bucket: bucket.to_owned(),
            key: format!("{}/terraform.tfstate", unique("test")),
            arguments: Vec::new(),
        }
    }
}

/// Where a state is kept: a bucket and a key on a server.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The server.
    pub server: &'a S3Server,
    /// The bucket.
    pub bucket: String,
    /// The key of the default workspace's state.
    pub key: String,
    arguments: Vec<(String, String)>,
}

impl Place<'_> {
    /// Sets one more string of the backend's configuration.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.arguments.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The backend's configuration, without secrets: names and values as HCL writes them.
    fn configuration(&self) -> Vec<(String, String)> {
        let quoted = |text: &str| format!("{text:?}");
        let mut configuration: Vec<_> = [
            ("bucket", quoted(&self.bucket)),
            ("key", quoted(&self.key)),
            ("region", quoted(REGION)),
            ("use_path_style", "true".to_owned()),
            ("use_lockfile", "true".to_owned()),
            ("skip_credentials_validation", "true".to_owned()),
            ("skip_requesting_account_id", "true".to_owned()),
            ("skip_metadata_api_check", "true".to_owned()),
            ("skip_region_validation", "true".to_owned()),
            ("endpoints", self.endpoints()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in &self.arguments {
            // What is set once more takes the place of what was there.
            configuration.retain(|(known, _)| known != name);
            configuration.push((name.clone(), quoted(value)));
        }
        configuration
    }

    /// The server for each service that the configuration uses.
    fn endpoints(&self) -> String {
        let url = format!("{:?}", self.server.endpoint);
        if self.arguments.iter().any(|(name, _)| name == "dynamodb_table") {
            format!("{{ s3 = {url}, dynamodb = {url} }}")
        } else {
            format!("{{ s3 = {url} }}")
        }
    }

    /// `terraform { backend "s3" { … } }`. The keys to the server are not in it, see [`Cmd::server`](crate::Cmd::server).
    pub fn backend_block(&self) -> String {
        let mut block = "terraform {\n  backend \"s3\" {\n".to_owned();
        for (name, value) in self.configuration() {
            writeln!(block, "    {name} = {value}").expect("a string takes everything");
        }
        block + "  }\n}\n"
    }

    /// The flags that say the same to `remote-state`, for a folder without a backend block.
    pub fn flags(&self) -> Vec<String> {
        let plain = |value: &str| value.trim_matches('"').to_owned();
        let flag = |(name, value): &(String, String)| match name.as_str() {
            "endpoints" => format!("--backend-config=endpoints={}", self.endpoints()),
            _ => format!("--backend-config={name}={}", plain(value)),
        };
        std::iter::once("--backend=s3".to_owned()).chain(self.configuration().iter().map(flag)).collect()
    }

    /// The object key of a workspace's state.
    pub fn state_key(&self, workspace: &str) -> String {
        let prefix = self.arguments.iter().rev().find(|(name, _)| name == "workspace_key_prefix");
        let prefix = prefix.map_or("env:", |(_, value)| value.as_str());
        if workspace == "default" { self.key.clone() } else { format!("{prefix}/{workspace}/{}", self.key) }
    }

    /// The object key of a workspace's lock file.
    pub fn lock_key(&self, workspace: &str) -> String {
        self.state_key(workspace) + ".tflock"
    }

    /// A store at this place, as our library opens it, with more settings such as `("dialect", "minio")`.
    ///
    /// # Panics
    /// If the configuration does not do.
    pub fn store(&self, more: &[(&str, &str)]) -> Arc<dyn StateStore> {
        self.store_with(more.iter().map(|(name, value)| (*name, Setting::from(*value))))
    }

    /// A store at this place with one more setting, which is a list.
    ///
    /// # Panics
    /// If the configuration does not do.
    pub fn store_with_list(&self, name: &str, items: &[&str]) -> Arc<dyn StateStore> {
        self.store_with([(name, Setting::from(items.to_vec()))])
    }

    fn store_with<'a>(&'a self, more: impl IntoIterator<Item = (&'a str, Setting)>) -> Arc<dyn StateStore> {
        let endpoint = self.server.endpoint.as_str();
        let mut pairs = std::collections::BTreeMap::from([
            ("bucket", self.bucket.as_str()),
            ("key", &self.key),
            ("region", REGION),
            ("use_path_style", "true"),
            ("use_lockfile", "true"),
            ("endpoint", endpoint),
            ("dynamodb_endpoint", endpoint),
            ("access_key", &self.server.access_key),
            ("secret_key", &self.server.secret_key),
        ])
        .into_iter()
        .map(|(name, value)| (name, Setting::from(value)))
        .collect::<std::collections::BTreeMap<_, _>>();
        let arguments = self.arguments.iter();
        pairs.extend(arguments.map(|(name, value)| (name.as_str(), Setting::from(value.as_str()))));
        pairs.extend(more);
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).expect("the settings are good");
        Arc::new(S3Store::new(&S3Config::from_resolved(&config).expect("the settings are good")))
    }
}

/// The runtime that the emulators live on, and everything else in this process that is asynchronous.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("the system grants threads"));
    &RUNTIME
}

/// Runs something asynchronous to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// A name that nothing else has, in this run or another.
///
/// # Panics
/// If the system has no randomness.
pub fn unique(stem: &str) -> String {
    let random = getrandom::u64().expect("the system has randomness");
    format!("{stem}-{random:016x}")
}
