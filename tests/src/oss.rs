//! OSS and Tablestore for tests: the emulator, since there is no other.

use std::fmt::Write as _;

use bytes::Bytes;
use remote_state_emulator::{EmulatorBuilder, Faults, Recorder};

use crate::command::Cmd;
use crate::server::{S3Server, block_on};

/// An emulator with buckets of each kind and a lock table. It stops with this value.
///
/// The same port also serves the same buckets over S3, so a test can check objects independently
/// with the client of [`S3Server`].
#[derive(Debug)]
pub struct OssServer {
    s3: S3Server,
}

impl OssServer {
    /// A bucket that never had versions.
    pub const PLAIN: &str = "plain-bucket";
    /// A bucket whose versioning is enabled.
    pub const VERSIONED: &str = "versioned-bucket";
    /// A bucket whose versioning is suspended.
    pub const SUSPENDED: &str = "suspended-bucket";
    /// The region that clients name.
    pub const REGION: &str = "cn-beijing";
    /// A Tablestore table whose primary key is the string `LockID`.
    pub const TABLE: &str = "statelock";

    /// Starts one.
    ///
    /// # Panics
    /// If it does not start.
    pub fn emulator() -> Self {
        Self::emulator_with(|builder| builder)
    }

    /// Starts one with further settings.
    ///
    /// # Panics
    /// If it does not start.
    pub fn emulator_with(more: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> Self {
        let s3 = S3Server::emulator_with(|builder| {
            let builder = builder
                .with_bucket(Self::PLAIN)
                .with_versioned_bucket(Self::VERSIONED)
                .with_suspended_bucket(Self::SUSPENDED)
                .with_tablestore_table(Self::TABLE, "LockID");
            more(builder)
        });
        Self { s3 }
    }

    /// Returns the same server as an S3 server, over the same buckets.
    pub fn as_s3(&self) -> &S3Server {
        &self.s3
    }

    /// Returns a URL such as `http://127.0.0.1:40123`, for OSS and for Tablestore.
    pub fn endpoint(&self) -> &str {
        &self.s3.endpoint
    }

    /// Returns the access key's id.
    pub fn access_key(&self) -> &str {
        self.s3.access_key()
    }

    /// Returns the secret of the access key.
    pub fn secret_key(&self) -> &str {
        self.s3.secret_key()
    }

    /// Returns the faults to inject.
    pub fn faults(&self) -> &Faults {
        self.s3.faults()
    }

    /// Returns the recorded requests.
    pub fn requests(&self) -> &Recorder {
        self.s3.requests()
    }

    /// Reads an object; `None` if there is none.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        block_on(self.s3.get_object(bucket, key))
    }

    /// Writes an object.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        block_on(self.s3.put_object(bucket, key, bytes.into()));
    }

    /// Returns `terraform { backend "oss" { … } }` with a bucket, the region, the endpoint and
    /// further strings. It does not contain the keys to the server, see [`Cmd::oss_server`].
    pub fn backend_block(&self, bucket: &str, more: &[(&str, &str)]) -> String {
        let common = [("bucket", bucket), ("region", Self::REGION), ("endpoint", self.endpoint())];
        let mut block = "terraform {\n  backend \"oss\" {\n".to_owned();
        for (name, value) in common.iter().chain(more) {
            writeln!(block, "    {name} = {value:?}").expect("a string takes everything");
        }
        block + "  }\n}\n"
    }

    /// Returns the further strings for locks in Tablestore.
    pub fn tablestore(&self) -> [(&str, &str); 2] {
        [("tablestore_endpoint", self.endpoint()), ("tablestore_table", Self::TABLE)]
    }
}

impl Cmd {
    /// Sets the variables that hold the keys to a server, as native clients read them.
    pub fn oss_server(self, server: &OssServer) -> Self {
        self.env("ALICLOUD_ACCESS_KEY", server.access_key())
            .env("ALICLOUD_SECRET_KEY", server.secret_key())
    }
}
