//! Signatures, regions, addresses.

mod common;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use common::{BUCKET, builder, client, code, config, start};
use remote_state_emulator::Emulator;

#[tokio::test]
async fn wrong_credentials_are_told_apart() {
    let (emulator, _) = start().await;
    let with = |key: &str, secret: &str| {
        Client::from_conf(config(&emulator.endpoint(), key, secret, "eu-west-1").build())
    };
    let get = |client: Client| async move { client.list_objects_v2().bucket(BUCKET).send().await };
    assert_eq!(code(get(with("unknown", "testtest")).await), "InvalidAccessKeyId");
    assert_eq!(code(get(with("test", "wrong")).await), "SignatureDoesNotMatch");
    get(with("test", "testtest")).await.unwrap();
    let big = vec![0; 8_000_000];
    let put =
        with("test", "wrong").put_object().bucket(BUCKET).key("k").body(big.into()).send().await;
    assert_eq!(code(put), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn unsigned_and_tampered_requests_are_refused() {
    let (emulator, client) = start().await;
    let url = format!("{}/{BUCKET}/k", emulator.endpoint());
    // No TLS is used. But where another crate of the build turns it on, a client cannot be made
    // without a provider for it.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let unsigned = http.get(&url).send().await.unwrap();
    assert_eq!(unsigned.status(), 403);
    assert!(unsigned.text().await.unwrap().contains("<Code>AccessDenied</Code>"));

    let hour = PresigningConfig::expires_in(Duration::from_secs(3600)).unwrap();
    let put = client.put_object().bucket(BUCKET).key("k").presigned(hour.clone()).await.unwrap();
    let mut request = http.put(put.uri()).body("hello");
    for (name, value) in put.headers() {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let get = client.get_object().bucket(BUCKET).key("k").presigned(hour).await.unwrap();
    let read = |uri: String| http.get(uri).header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(read(get.uri().to_owned()).await.unwrap().text().await.unwrap(), "hello");
    let other = get.uri().replace("/k?", "/other?");
    let tampered = read(other).await.unwrap().text().await.unwrap();
    assert!(tampered.contains("<Code>SignatureDoesNotMatch</Code>"), "{tampered}");
}

#[tokio::test]
async fn a_body_other_than_the_signed_one_is_refused() {
    let (emulator, client) = start().await;
    // The signature covers the hash of `signed`; a proxy that replaces the body cannot repair that.
    let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = relay.local_addr().unwrap();
    let target = emulator.address();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut inbound, _) = relay.accept().await.unwrap();
        let mut outbound = tokio::net::TcpStream::connect(target).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"signed") {
            let mut buffer = [0; 4096];
            let read = inbound.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        let end = seen.len() - 6;
        seen[end..].copy_from_slice(b"forged");
        outbound.write_all(&seen).await.unwrap();
        let _ended = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
    });
    let conf = config(&format!("http://{address}"), "test", "testtest", "us-east-1")
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired);
    let through = Client::from_conf(conf.build());
    // The signature covers the address, so the `Host` header names the relay.
    let put = through
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body("signed".to_owned().into_bytes().into())
        .send()
        .await;
    assert_eq!(code(put), "XAmzContentSHA256Mismatch");
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
}

#[tokio::test]
async fn a_request_signed_for_another_region_learns_the_right_one() {
    let emulator = builder().with_region("eu-central-1").start().await.unwrap();
    let abroad = client(&emulator).list_objects_v2().bucket(BUCKET).send().await;
    let error = abroad.unwrap_err();
    let raw = error.raw_response().unwrap();
    assert_eq!(raw.status().as_u16(), 400);
    assert_eq!(raw.headers().get("x-amz-bucket-region"), Some("eu-central-1"));
    assert!(
        String::from_utf8_lossy(raw.body().bytes().unwrap())
            .contains("<Region>eu-central-1</Region>")
    );
    let home =
        Client::from_conf(config(&emulator.endpoint(), "test", "testtest", "eu-central-1").build());
    let head = home.head_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("eu-central-1"));
}

#[tokio::test]
async fn buckets_have_host_names_below_localhost() {
    let (emulator, client) = start().await;
    client.put_object().bucket(BUCKET).key("a/b").send().await.unwrap();
    drop(emulator.requests().take());
    let url = format!("http://localhost:{}", emulator.address().port());
    let conf = config(&url, "test", "testtest", "us-east-1").force_path_style(false).build();
    let by_host = Client::from_conf(conf).head_object().bucket(BUCKET).key("a/b").send().await;
    // Not every machine resolves names below localhost; where this one does, the bucket comes from
    // the name.
    if by_host.is_ok() {
        let request = emulator.requests().take().pop().unwrap();
        assert_eq!((request.path.as_str(), request.bucket.as_deref()), ("/a/b", Some(BUCKET)));
    }
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    for address in ["0.0.0.0:0", "192.0.2.1:80", "localhost:80", "nonsense"] {
        let refused = Emulator::builder().with_address(address).start().await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    }
    let six = Emulator::builder().with_address("[::1]:0").start().await;
    assert!(
        six.is_ok() || six.is_err_and(|error| error.kind() != std::io::ErrorKind::InvalidInput)
    );
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight() {
    let (emulator, client) = start().await;
    emulator.faults().set_latency(Duration::from_millis(300));
    let put = tokio::spawn(client.put_object().bucket(BUCKET).key("k").send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    emulator.shutdown().await;
    put.await.unwrap().unwrap();
}
