//! Reads and writes objects on a server without the program under test.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ServerSideEncryption, VersioningConfiguration};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use remote_state_core::LockInfo;
use serde_json::Value;

use crate::place::Place;
use crate::server::{S3Server, TABLE, block_on};

impl S3Server {
    /// Reads an object; `None` if there is none.
    ///
    /// # Panics
    /// If it cannot be read.
    pub async fn get_object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        match self.client().get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => {
                Some(answer.body.collect().await.expect("the object can be read").into_bytes())
            }
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetObjectError::NoSuchKey(_)) =>
            {
                None
            }
            Err(error) => panic!("{key}: {error:?}"),
        }
    }

    /// Writes an object.
    ///
    /// # Panics
    /// If it cannot be written.
    pub async fn put_object(&self, bucket: &str, key: &str, bytes: Bytes) {
        let body = ByteStream::from(bytes);
        let sent = self.client().put_object().bucket(bucket).key(key).body(body).send().await;
        sent.unwrap_or_else(|error| panic!("{key}: {error:?}"));
    }

    /// Deletes an object.
    ///
    /// # Panics
    /// If it cannot be deleted.
    pub async fn delete_object(&self, bucket: &str, key: &str) {
        let sent = self.client().delete_object().bucket(bucket).key(key).send().await;
        sent.unwrap_or_else(|error| panic!("{key}: {error:?}"));
    }

    /// Returns how an object is encrypted, from its headers; the key is the customer's, in base64.
    ///
    /// # Errors
    /// The status with which the store refuses.
    ///
    /// # Panics
    /// If the store does not answer, or the key is not base64.
    pub async fn encryption(
        &self,
        bucket: &str,
        key: &str,
        customer_key: Option<&str>,
    ) -> Result<Option<ServerSideEncryption>, u16> {
        let mut head = self.client().head_object().bucket(bucket).key(key);
        if let Some(customer_key) = customer_key {
            let bytes = BASE64.decode(customer_key).expect("the key is base64");
            let sum = BASE64.encode(Md5::digest(bytes));
            head = head
                .sse_customer_algorithm("AES256")
                .sse_customer_key(customer_key)
                .sse_customer_key_md5(sum);
        }
        match head.send().await {
            Ok(answer) => Ok(answer.server_side_encryption),
            Err(SdkError::ServiceError(error)) => Err(error.raw().status().as_u16()),
            Err(error) => panic!("{key}: {error:?}"),
        }
    }

    /// Creates a bucket with versioning and returns its name.
    ///
    /// # Panics
    /// If it cannot be created.
    pub async fn make_versioned_bucket(&self) -> String {
        let name = crate::unique("versioned");
        self.client().create_bucket().bucket(&name).send().await.expect("a bucket can be made");
        self.enable_versioning(&name).await;
        name
    }

    /// Lists the ids of a key's versions and delete markers, in no particular order.
    ///
    /// # Panics
    /// If they cannot be listed.
    pub async fn versions(&self, bucket: &str, key: &str) -> Vec<String> {
        let listed = self.client().list_object_versions().bucket(bucket).prefix(key).send().await;
        let listed = listed.expect("versions can be listed");
        let versions = listed.versions().iter().map(|version| version.version_id());
        let markers = listed.delete_markers().iter().map(|marker| marker.version_id());
        versions.chain(markers).map(|id| id.unwrap_or_default().to_owned()).collect()
    }

    pub(crate) async fn enable_versioning(&self, bucket: &str) {
        let enabled =
            VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let set =
            self.client().put_bucket_versioning().bucket(bucket).versioning_configuration(enabled);
        set.send().await.expect("a bucket can be versioned");
    }
}

impl S3Server {
    /// Reads an attribute of an item in the table; `None` if there is no such item.
    ///
    /// # Panics
    /// If the table cannot be read, or the item has no such attribute.
    pub async fn item(&self, id: &str, attribute: &str) -> Option<String> {
        let get = self
            .tables()
            .get_item()
            .table_name(TABLE)
            .key("LockID", AttributeValue::S(id.to_owned()));
        let item = get.consistent_read(true).send().await.expect("the table can be read").item?;
        assert_eq!(item.len(), 2, "an item has its id and one attribute: {:?}", item.keys());
        Some(item[attribute].as_s().expect("it is a string").clone())
    }
}

impl Place<'_> {
    /// Returns the recorded digest of a workspace's state.
    pub fn digest(&self, workspace: &str) -> Option<String> {
        let id = format!("{}/{}-md5", self.bucket, self.state_key(workspace));
        block_on(self.server.item(&id, "Digest"))
    }

    /// Returns the holder in a workspace's lock item; `None` if there is no item.
    ///
    /// # Panics
    /// If the item cannot be read.
    #[track_caller]
    pub fn item_holder(&self, workspace: &str) -> Option<LockInfo> {
        let id = format!("{}/{}", self.bucket, self.state_key(workspace));
        let info = block_on(self.server.item(&id, "Info"))?;
        let holder = LockInfo::parse(info.as_bytes()).expect("the item holds a record");
        assert_eq!(holder.to_json(), info, "a record is written in one way only");
        Some(holder)
    }

    /// Returns the bytes of a workspace's state; `None` if there is no object.
    pub fn state(&self, workspace: &str) -> Option<Bytes> {
        block_on(self.server.get_object(&self.bucket, &self.state_key(workspace)))
    }

    /// Returns a workspace's state as JSON.
    ///
    /// # Panics
    /// If there is none, or it is not JSON.
    #[track_caller]
    pub fn state_json(&self, workspace: &str) -> Value {
        let bytes = self
            .state(workspace)
            .unwrap_or_else(|| panic!("there should be a state of `{workspace}`"));
        serde_json::from_slice(&bytes).expect("a state is JSON")
    }

    /// Stores bytes as a workspace's state.
    pub fn put_state(&self, workspace: &str, bytes: impl Into<Bytes>) {
        block_on(self.server.put_object(&self.bucket, &self.state_key(workspace), bytes.into()));
    }

    /// Returns the holder in a workspace's lock file; `None` if there is no lock file.
    ///
    /// # Panics
    /// If the lock file cannot be read.
    #[track_caller]
    pub fn holder(&self, workspace: &str) -> Option<LockInfo> {
        let bytes = block_on(self.server.get_object(&self.bucket, &self.lock_key(workspace)))?;
        Some(LockInfo::parse(&bytes).expect("the lock file is a record"))
    }

    /// Expects that the default workspace is not locked.
    ///
    /// # Panics
    /// If it is locked, naming the holder.
    #[track_caller]
    pub fn assert_unlocked(&self) {
        let holder = self.holder("default");
        assert!(holder.is_none(), "no client should hold the lock: {holder:?}");
    }
}
