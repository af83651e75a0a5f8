//! The running server.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SecretKey;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::database::Storage;
use crate::dynamodb::Tables;
use crate::endpoint::Endpoint;
use crate::faults::Faults;
use crate::keyring::Keyring;
use crate::link::SlowStream;
use crate::oss::Oss;
use crate::quirks::Quirks;
use crate::recorder::Recorder;
use crate::s3::{Keys, Localhost, S3, Service, SignedOnly};
use crate::store::{self, Versioning, buckets, rows, tables};
use crate::sts::{self, InstanceRole, MetadataMode, Sts};
use crate::tablestore::Tablestore;

/// An endpoint for S3, DynamoDB, OSS and Tablestore inside this process, on a loopback address.
/// Dropping it stops it at once.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    faults: Faults,
    requests: Recorder,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Emulator {
    /// Starts to describe an emulator.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// The endpoint, such as `http://127.0.0.1:40123`, without a slash at the end.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle that makes it misbehave.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The requests it answered.
    pub fn requests(&self) -> &Recorder {
        &self.requests
    }

    /// Accepts no more connections, finishes the requests in flight, and stops.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // Sending fails if the server has already ended.
            let _sent = stop.send(());
        }
        let _ended = (&mut self.server).await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Describes an [`Emulator`].
#[derive(Debug, Clone, Default)]
pub struct EmulatorBuilder {
    storage: Option<Storage>,
    credentials: Vec<(String, SecretKey)>,
    tokens: Vec<(String, String)>,
    region: Option<String>,
    buckets: Vec<(String, Versioning)>,
    tables: Vec<(String, String)>,
    row_tables: Vec<(String, String)>,
    roles: Vec<String>,
    providers: Vec<(String, String)>,
    instance_role: Option<InstanceRole>,
    session_lifetime: Option<Duration>,
    address: Option<String>,
    quirks: Quirks,
    link: Option<(Duration, u64)>,
}

impl EmulatorBuilder {
    /// Sets where buckets are kept. Default: memory.
    #[must_use]
    pub fn with_storage(mut self, storage: Storage) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Accepts an access key with its secret. May be called several times. Without any key, the
    /// emulator refuses every request.
    #[must_use]
    pub fn with_credentials(
        mut self,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Self {
        self.credentials.push((access_key.into(), SecretKey::from(secret_key.into())));
        self
    }

    /// Accepts an access key with its secret, on OSS and Tablestore only together with this
    /// security token, as STS gives them out.
    #[must_use]
    pub fn with_temporary_credentials(
        mut self,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        security_token: impl Into<String>,
    ) -> Self {
        let access_key = access_key.into();
        self.tokens.push((access_key.clone(), security_token.into()));
        self.with_credentials(access_key, secret_key)
    }

    /// Sets the region of every bucket. The emulator refuses requests that are signed for another.
    /// Default, and `None`: any region.
    #[must_use]
    pub fn with_region<'a>(mut self, region: impl Into<Option<&'a str>>) -> Self {
        self.region = region.into().map(str::to_owned);
        self
    }

    /// Creates a bucket at the start, if it is missing. May be called several times.
    #[must_use]
    pub fn with_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Never));
        self
    }

    /// Creates a bucket with versioning enabled at the start, if it is missing. May be called
    /// several times.
    #[must_use]
    pub fn with_versioned_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Enabled));
        self
    }

    /// Creates a bucket whose versioning is suspended at the start, if it is missing. May be called
    /// several times.
    #[must_use]
    pub fn with_suspended_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Suspended));
        self
    }

    /// Creates a DynamoDB table at the start, if it is missing, with this partition key of type
    /// string. May be called several times.
    #[must_use]
    pub fn with_table(mut self, name: impl Into<String>, partition_key: impl Into<String>) -> Self {
        self.tables.push((name.into(), partition_key.into()));
        self
    }

    /// Creates a Tablestore table at the start, if it is missing, with this one primary key column
    /// of type string. May be called several times.
    #[must_use]
    pub fn with_tablestore_table(
        mut self,
        name: impl Into<String>,
        primary_key: impl Into<String>,
    ) -> Self {
        self.row_tables.push((name.into(), primary_key.into()));
        self
    }

    /// Sets how the emulator's S3 differs from Amazon's. Default: it does not.
    #[must_use]
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Slows the link down from the start: `latency` delays each request, and `bytes_per_second`
    /// limits each connection in each direction. [`Faults`] changes it while it runs. Default: as
    /// fast as this machine.
    #[must_use]
    pub fn with_slow_link(mut self, latency: Duration, bytes_per_second: u64) -> Self {
        self.link = Some((latency, bytes_per_second));
        self
    }

    /// Lets clients with an access key assume this role of Alibaba Cloud, such as
    /// `acs:ram::1234567890123456:role/tf`, by `AssumeRole` of STS. May be called several times.
    #[must_use]
    pub fn with_role(mut self, arn: impl Into<String>) -> Self {
        self.roles.push(arn.into());
        self
    }

    /// Lets clients with this token of an identity provider assume the [roles](Self::with_role), by
    /// `AssumeRoleWithOIDC` of STS. May be called several times.
    #[must_use]
    pub fn with_identity_token(
        mut self,
        provider_arn: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.providers.push((provider_arn.into(), token.into()));
        self
    }

    /// Adds the metadata service of an ECS instance with this role, at `/latest/meta-data/`.
    /// Default: none.
    #[must_use]
    pub fn with_instance_role(mut self, name: impl Into<String>, mode: MetadataMode) -> Self {
        self.instance_role = Some(InstanceRole { name: name.into(), mode });
        self
    }

    /// Sets how long the keys of the instance last, and those of a role at most. Default: an hour.
    #[must_use]
    pub fn with_session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = Some(lifetime);
        self
    }

    /// Sets the address to listen on, an IP address with a port. Default: `127.0.0.1:0`, where 0
    /// lets the system choose.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Starts the emulator on the current tokio runtime, which has to have its I/O and time drivers
    /// enabled.
    ///
    /// # Errors
    /// `InvalidInput` if the address is no IP address with a port or not a loopback one: the
    /// emulator does not encrypt, and states hold secrets. Otherwise if the address cannot be bound
    /// or the storage fails.
    pub async fn start(self) -> io::Result<Emulator> {
        let address = parse_loopback(self.address.as_deref().unwrap_or("127.0.0.1:0"))?;
        let storage = self.storage.unwrap_or_else(Storage::memory);
        storage.prepare().await.map_err(io::Error::other)?;
        let (wanted, wanted_tables, wanted_rows) = (self.buckets, self.tables, self.row_tables);
        let create = move |txn: &_| -> store::Result<()> {
            wanted.iter().try_for_each(|(name, versioning)| {
                buckets::create(txn, name, *versioning).map(drop)
            })?;
            wanted_tables
                .iter()
                .try_for_each(|(name, key)| tables::create(txn, name, key).map(drop))?;
            wanted_rows.iter().try_for_each(|(name, key)| {
                let table = rows::Table { primary_key: vec![(key.clone(), rows::KeyKind::String)] };
                rows::create(txn, name, &table).map(drop)
            })
        };
        if !storage.is_read_only() {
            match storage.write(create).await {
                // What is there can be read.
                Err(error) if error.is_full() => {}
                made => made.map_err(io::Error::other)?,
            }
        }

        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let keys: Arc<BTreeMap<_, _>> = Arc::new(self.credentials.into_iter().collect());
        let region: Option<Arc<str>> = self.region.clone().map(Arc::from);
        let faults = Faults::default();
        let clock = faults.clock();
        let ring = Keyring::new(Arc::clone(&keys), self.tokens);
        let oss = Oss {
            storage: storage.clone(),
            keys: ring.clone(),
            region: region.clone(),
            clock: clock.clone(),
        };
        let tablestore =
            Tablestore { storage: storage.clone(), keys: ring.clone(), clock: clock.clone() };
        let sts = Sts {
            keys: ring,
            roles: Arc::new(self.roles),
            providers: Arc::new(self.providers),
            instance_role: self.instance_role,
            lifetime: self.session_lifetime.unwrap_or(sts::DEFAULT_LIFETIME),
            address,
            clock: clock.clone(),
        };
        let tables = Tables {
            storage: storage.clone(),
            keys: Arc::clone(&keys),
            region: region.clone(),
            clock: clock.clone(),
        };
        let mut s3 = S3ServiceBuilder::new(Service::new(storage, self.region));
        s3.set_auth(Keys(keys));
        s3.set_access(SignedOnly);
        s3.set_host(Localhost);
        // The emulator checks the time of a request with its own clock.
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = u32::MAX;
        s3.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        if let Some((latency, bytes_per_second)) = self.link {
            faults.set_latency(latency);
            faults.set_bytes_per_second(Some(bytes_per_second));
        }
        let requests = Recorder::default();
        let endpoint = Endpoint {
            s3: S3 { service: s3.build(), region, quirks: self.quirks, clock },
            faults: faults.clone(),
            recorder: requests.clone(),
            tables,
            oss,
            tablestore,
            sts,
        };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, endpoint, stopped));
        Ok(Emulator { address, faults, requests, stop: Some(stop), server })
    }
}

fn parse_loopback(address: &str) -> io::Result<SocketAddr> {
    let invalid = |reason: &str| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("cannot listen on `{address}`: {reason}"),
        )
    };
    let parsed: SocketAddr = address
        .parse()
        .map_err(|_| invalid("expected an IP address with a port, such as `127.0.0.1:9000`"))?;
    if parsed.ip().is_loopback() {
        Ok(parsed)
    } else {
        Err(invalid("it is not a loopback address"))
    }
}

/// Accepts connections until `stopped` resolves, then waits for the open ones. Aborting the task
/// ends them.
async fn serve(listener: TcpListener, endpoint: Endpoint, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The process is out of file descriptors, or the client has hung up. Go on with the
                // others.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot send small packets at once");
        }
        let stream = SlowStream::new(stream, endpoint.faults.link());
        let endpoint = endpoint.clone();
        let service = service_fn(move |request| endpoint.clone().answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}
