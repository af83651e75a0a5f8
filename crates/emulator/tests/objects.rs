//! Objects, conditions, checksums.

mod common;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ServerSideEncryption};
use common::{BUCKET, code, start};

fn body(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

#[tokio::test]
async fn an_object_comes_back_with_its_headers() {
    let (_emulator, client) = start().await;
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key("env:/a b/k+?#%25.tfstate")
        .content_type("application/json")
        .metadata("owner", "alice")
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .ssekms_key_id("my-key")
        .acl(aws_sdk_s3::types::ObjectCannedAcl::Private)
        .tagging("a=b")
        .body(body("hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(put.ssekms_key_id(), Some("my-key"));
    assert_eq!(put.version_id(), None);
    let got = client.get_object().bucket(BUCKET).key("env:/a b/k+?#%25.tfstate").send().await.unwrap();
    assert_eq!(got.content_type(), Some("application/json"));
    assert_eq!(got.metadata().unwrap()["owner"], "alice");
    assert_eq!(got.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    let head = client.head_object().bucket(BUCKET).key("env:/a b/k+?#%25.tfstate").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.ssekms_key_id(), Some("my-key"));
}
