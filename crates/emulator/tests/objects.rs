//! Objects and the checks on their bodies.

mod common;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectCannedAcl, ServerSideEncryption};
use common::{BUCKET, code, start};

fn body(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

#[tokio::test]
async fn an_object_comes_back_with_its_headers_from_under_an_odd_key() {
    let (_emulator, client) = start().await;
    for key in ["env:/a b/k+?#%25.tfstate", "a//b", "/lead", "ünï\"'<&>", "a/./b/../c"] {
        let put = client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .content_type("application/json")
            .metadata("owner", "alice")
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id("my-key")
            .acl(ObjectCannedAcl::Private)
            .tagging("a=b")
            .body(body("hello"))
            .send()
            .await
            .unwrap();
        assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
        assert_eq!(put.ssekms_key_id(), Some("my-key"));
        assert_eq!(put.version_id(), None);
        let got = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(got.content_type(), Some("application/json"));
        assert_eq!(got.metadata().unwrap()["owner"], "alice");
        assert_eq!(got.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
        let head = client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(head.content_length(), Some(5));
        assert_eq!(head.ssekms_key_id(), Some("my-key"));
        let listed = client.list_objects_v2().bucket(BUCKET).prefix(key).send().await.unwrap();
        assert_eq!(listed.contents()[0].key(), Some(key));
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (_emulator, client) = start().await;
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    assert_eq!(code(client.get_object().bucket("nowhere").key("k").send().await), "NoSuchBucket");
    assert_eq!(code(client.put_object().bucket("nowhere").key("k").send().await), "NoSuchBucket");
    assert_eq!(code(client.list_objects_v2().bucket("nowhere").send().await), "NoSuchBucket");
    assert_eq!(
        code(client.get_object().bucket(BUCKET).key("k").version_id("0").send().await),
        "NoSuchVersion"
    );
    let head = client.head_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 404);
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
}

#[tokio::test]
async fn conditions_of_writes_hold() {
    let (_emulator, client) = start().await;
    let put = || client.put_object().bucket(BUCKET).key("k");
    assert_eq!(code(put().if_match("abc").send().await), "NoSuchKey");
    let etag = put().if_none_match("*").body(body("1")).send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(put().if_none_match("*").body(body("2")).send().await), "PreconditionFailed");
    assert_eq!(code(put().if_match("\"00\"").body(body("2")).send().await), "PreconditionFailed");
    let etag = put().if_match(etag).body(body("3")).send().await.unwrap().e_tag.unwrap();
    let bare = etag.trim_matches('"').to_owned();
    put().if_match(&bare).body(body("3")).send().await.unwrap();
    let delete = || client.delete_object().bucket(BUCKET).key("k");
    assert_eq!(code(delete().if_match("\"00\"").send().await), "PreconditionFailed");
    delete().if_match(&bare).send().await.unwrap();
    assert_eq!(code(delete().if_match(&bare).send().await), "NoSuchKey");
}

#[tokio::test]
async fn conditions_of_reads_hold() {
    let (_emulator, client) = start().await;
    let etag = client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body("1"))
        .send()
        .await
        .unwrap()
        .e_tag
        .unwrap();
    let get = || client.get_object().bucket(BUCKET).key("k");
    let known = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(known.raw_response().unwrap().status().as_u16(), 304);
    get().if_none_match("\"00\"").send().await.unwrap();
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(code(get().if_match("\"00\"").send().await), "PreconditionFailed");
    let head =
        client.head_object().bucket(BUCKET).key("k").if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn ranges_cross_the_rows_a_body_is_stored_in() {
    let (_emulator, client) = start().await;
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    client.put_object().bucket(BUCKET).key("k").body(bytes.clone().into()).send().await.unwrap();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-3999999", 1_000_000, 4_000_000),
        ("bytes=-10", 4_999_990, 5_000_000),
        ("bytes=4999999-9999999", 4_999_999, 5_000_000),
    ] {
        let got = client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(format!("bytes {from}-{}/5000000", to - 1).as_str()));
        assert!(got.body.collect().await.unwrap().to_vec() == bytes[from..to], "{range}");
    }
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == bytes);
    let beyond = client.get_object().bucket(BUCKET).key("k").range("bytes=5000000-").send().await;
    assert_eq!(code(beyond), "InvalidRange");
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let (_emulator, client) = start().await;
    client.put_object().bucket(BUCKET).key("k").send().await.unwrap();
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.content_length(), Some(0));
    assert!(got.body.collect().await.unwrap().to_vec().is_empty());
}

#[tokio::test]
async fn a_reader_keeps_its_body_while_the_object_is_replaced() {
    let (_emulator, client) = start().await;
    let bytes = vec![7_u8; 20_000_000];
    client.put_object().bucket(BUCKET).key("k").body(bytes.clone().into()).send().await.unwrap();
    let mut got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    let first = got.body.next().await.unwrap().unwrap();
    client.put_object().bucket(BUCKET).key("k").body(body("new")).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    let rest = got.body.collect().await.unwrap().to_vec();
    assert_eq!(first.len() + rest.len(), bytes.len());
    assert!(rest.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn every_checksum_algorithm_is_checked_stored_and_returned() {
    let (_emulator, client) = start().await;
    // The client computes no checksum of its own: it sends a given value as it is.
    let put = || client.put_object().bucket(BUCKET).key("k").body(body("hello"));
    put().checksum_crc32("NhCmhg==").send().await.unwrap();
    put().checksum_crc32_c("mnG7TA==").send().await.unwrap();
    put().checksum_sha1("qvTGHdzF6KLavt4PO0gs2a6pQ00=").send().await.unwrap();
    put().checksum_sha256("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=").send().await.unwrap();
    let get = || client.get_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled);
    let got = get().send().await.unwrap();
    assert_eq!(got.checksum_sha256(), Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    for wrong in [
        put().checksum_crc32("AAAAAA==").send().await,
        put().checksum_crc32_c("AAAAAA==").send().await,
        put().checksum_crc64_nvme("AAAAAAAAAAA=").send().await,
        put().checksum_sha1("AAAAAAAAAAAAAAAAAAAAAAAAAAA=").send().await,
        put().checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").send().await,
        put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await,
    ] {
        assert_eq!(code(wrong), "BadDigest");
    }
    assert_eq!(code(put().content_md5("nonsense").send().await), "InvalidDigest");
    let asked = put().checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    assert!(asked.checksum_crc64_nvme().is_some());
}

#[tokio::test]
async fn a_refused_body_leaves_the_object_as_it_was() {
    let (_emulator, client) = start().await;
    let put = || client.put_object().bucket(BUCKET).key("k");
    put().body(body("old")).send().await.unwrap();
    assert_eq!(code(put().body(body("new")).checksum_crc32("AAAAAA==").send().await), "BadDigest");
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"old");
}

#[tokio::test]
async fn a_copy_has_the_body_and_the_headers_of_its_source() {
    let (_emulator, client) = start().await;
    client
        .put_object()
        .bucket(BUCKET)
        .key("a b")
        .content_type("x/y")
        .body(body("1"))
        .send()
        .await
        .unwrap();
    client.copy_object().bucket(BUCKET).key("c").copy_source("tfstate/a%20b").send().await.unwrap();
    let got = client.get_object().bucket(BUCKET).key("c").send().await.unwrap();
    assert_eq!(got.content_type(), Some("x/y"));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"1");
    let missing =
        client.copy_object().bucket(BUCKET).key("c").copy_source("tfstate/none").send().await;
    assert_eq!(code(missing), "NoSuchKey");
}
