//! Races, and misbehaviour on request.

mod common;

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;
use common::{BUCKET, code, start, start_versioned};
use remote_state_emulator::{Fault, Misbehaviour};

async fn race(client: &Client, runners: usize) -> usize {
    let runs: Vec<_> = (0..runners)
        .map(|number| {
            let body = number.to_string().into_bytes().into();
            let create =
                client.put_object().bucket(BUCKET).key("k.tflock").if_none_match("*").body(body);
            tokio::spawn(create.send())
        })
        .collect();
    let mut winners = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(_) => winners += 1,
            refused => assert_eq!(code(refused), "PreconditionFailed"),
        }
    }
    winners
}

async fn text(client: &Client, key: &str) -> String {
    let got = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_creations_one_succeeds() {
    let (_emulator, client) = start().await;
    assert_eq!(race(&client, 100).await, 1);
    let (_emulator, client) = start_versioned().await;
    assert_eq!(race(&client, 100).await, 1);
}

#[tokio::test]
async fn ignored_conditions_let_every_creation_succeed() {
    let (emulator, client) = start().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    assert_eq!(race(&client, 10).await, 10);
}

#[tokio::test]
async fn conditions_can_be_ignored_on_versioned_buckets_only() {
    let (emulator, client) = start().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditionsOnVersionedBuckets));
    assert_eq!(race(&client, 10).await, 1);
    let (emulator, client) = start_versioned().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditionsOnVersionedBuckets));
    assert_eq!(race(&client, 10).await, 10);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_work_done() {
    let (emulator, client) = start().await;
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_times(1).with_method("PUT"));
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(ByteStream::from_static(b"done"))
        .send()
        .await;
    assert!(put.unwrap_err().raw_response().is_none());
    assert_eq!(text(&client, "k").await, "done");
    let requests = emulator.requests().take();
    let statuses: Vec<_> =
        requests.iter().map(|request| (request.operation.as_deref(), request.status)).collect();
    assert_eq!(statuses, [(Some("PutObject"), None), (Some("GetObject"), Some(200))]);
    assert!(!requests[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_lost_request_leaves_nothing_done() {
    let (emulator, client) = start().await;
    emulator.faults().inject(Fault::new(Misbehaviour::LoseRequest).with_times(1));
    assert!(
        client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .is_none()
    );
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
}

#[tokio::test]
async fn errors_come_as_often_as_requested_before_or_after_the_work() {
    let (emulator, client) = start().await;
    let put = |key: &str| {
        client.put_object().bucket(BUCKET).key(key).body(vec![0; 3_000_000].into()).send()
    };
    emulator.faults().inject(Fault::new(Misbehaviour::internal_error()).with_times(2));
    assert_eq!(code(put("k").await), "InternalError");
    assert_eq!(code(put("k").await), "InternalError");
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    emulator
        .faults()
        .inject(Fault::new(Misbehaviour::internal_error_after_work()).with_key_containing("a"));
    assert_eq!(code(put("a").await), "InternalError");
    put("b").await.unwrap();
    emulator.faults().clear();
    client.get_object().bucket(BUCKET).key("a").send().await.unwrap();
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let (emulator, client) = start().await;
    for size in [1000, 5_000_000] {
        client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(vec![1; size].into())
            .send()
            .await
            .unwrap();
        emulator
            .faults()
            .inject(Fault::new(Misbehaviour::TruncateBody { after_bytes: 600 }).with_times(1));
        let mut got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
        assert_eq!(got.content_length(), Some(size as i64));
        let mut received = 0;
        let error = loop {
            match got.body.next().await {
                Some(Ok(piece)) => received += piece.len(),
                other => break other,
            }
        };
        assert!(matches!(error, Some(Err(_))), "{error:?}");
        assert_eq!(received, 600);
    }
}

#[tokio::test]
async fn a_slow_link_is_slow_in_both_directions() {
    let (emulator, client) = start().await;
    emulator.faults().set_bytes_per_second(Some(10_000_000));
    let begun = Instant::now();
    client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(vec![1; 3_000_000].into())
        .send()
        .await
        .unwrap();
    assert!((0.25..2.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec().len(), 3_000_000);
    assert!((0.25..2.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    emulator.faults().clear();
    emulator.faults().set_latency(Duration::from_millis(100));
    let begun = Instant::now();
    client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn trailing_checksums_are_checked_and_refused_on_request() {
    let (emulator, client) = start().await;
    // A body of unknown content makes the client compute the checksum while it sends, and append
    // it.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![5; 300_000]).unwrap();
    let put = || async {
        let body = ByteStream::from_path(file.path()).await.unwrap();
        client.put_object().bucket(BUCKET).key("k").body(body).content_encoding("gzip").send().await
    };
    let stored = put().await.unwrap();
    assert!(stored.checksum_crc32().is_some());
    let request = emulator.requests().take().pop().unwrap();
    assert_eq!(request.headers["x-amz-trailer"], "x-amz-checksum-crc32");
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), vec![5; 300_000]);
    emulator.faults().inject(Fault::new(Misbehaviour::RefuseTrailers));
    assert_eq!(code(put().await), "XAmzContentSHA256Mismatch");
    let plain = common::config(&emulator.endpoint(), "test", "testtest", "us-east-1")
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let plain = Client::from_conf(plain.build());
    plain.put_object().bucket(BUCKET).key("k").body(vec![1].into()).send().await.unwrap();
}
