//! OSS, through a client that shares no code with the emulator. Suites of the workspace run the
//! vendor's clients against it.

#[path = "common/oss.rs"]
mod common;

#[path = "common/mod.rs"]
mod s3;

use base64::Engine as _;
use common::{Oss, PLAIN, SUSPENDED, VERSIONED, builder};
use remote_state_emulator::{Fault, Misbehaviour, Storage};

const BUCKETS: [&str; 3] = [PLAIN, VERSIONED, SUSPENDED];

#[tokio::test]
async fn what_is_put_is_got_with_its_checksums() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for bucket in BUCKETS {
        let key = format!("{bucket}/env:/state");
        let put = oss.send("PUT", &key, &[("content-type", "application/json")], "{}\n").await;
        assert_eq!((put.status, put.header("x-oss-hash-crc64ecma")), (200, "4208899406445584739"));
        let got = oss.get(&key).await;
        assert_eq!((got.status, &*got.text), (200, "{}\n"));
        assert_eq!(got.header("etag"), "\"8A80554C91D9FCA8ACB82F023DE02F11\"");
        assert_eq!(got.header("etag"), put.header("etag"));
        assert_eq!(got.header("x-oss-hash-crc64ecma"), "4208899406445584739");
        assert_eq!(
            (got.header("content-type"), got.header("x-oss-object-type")),
            ("application/json", "Normal")
        );
        let head = oss.send("HEAD", &format!("{key}?objectMeta"), &[], "").await;
        assert_eq!(
            (head.status, head.header("content-length"), head.header("content-type")),
            (200, "3", "")
        );
        assert_eq!(oss.delete(&key).await.status, 204);
        assert_eq!(oss.get(&key).await.refusal(), (404, "NoSuchKey"));
        assert_eq!(oss.delete(&key).await.status, 204);
    }
}

#[tokio::test]
async fn forbid_overwrite_holds_on_buckets_that_never_had_versions_and_nowhere_else() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for (bucket, second) in [(PLAIN, 409), (VERSIONED, 200), (SUSPENDED, 200)] {
        let key = format!("{bucket}/lock");
        assert_eq!(oss.put_new(&key, "first").await.status, 200);
        let refused = oss.put_new(&key, "second").await;
        assert_eq!(refused.status, second, "{bucket}");
        if second == 409 {
            assert_eq!(refused.element("Code"), "FileAlreadyExists");
            assert_eq!(
                (refused.element("EC"), refused.header("x-oss-ec")),
                ("0026-00000002", "0026-00000002")
            );
            assert_eq!(oss.get(&key).await.text, "first");
        }
        assert_eq!(oss.put(&key, "third").await.status, 200);
        oss.delete(&key).await;
        assert_eq!(oss.put_new(&key, "fourth").await.status, 200);
    }
    let odd =
        oss.send("PUT", &format!("{PLAIN}/lock"), &[("x-oss-forbid-overwrite", "yes")], "").await;
    assert_eq!((odd.refusal(), odd.element("EC")), ((400, "InvalidArgument"), "0017-00000279"));
}

#[tokio::test]
async fn an_append_at_the_beginning_creates_once_on_every_kind_of_bucket() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for bucket in BUCKETS {
        let key = format!("{bucket}/lock");
        let created = oss.append(&key, 0, "1234").await;
        assert_eq!((created.status, created.header("x-oss-next-append-position")), (200, "4"));
        let refused = oss.append(&key, 0, "other").await;
        assert_eq!(refused.refusal(), (409, "PositionNotEqualToLength"));
        assert_eq!(refused.element("EC"), "0026-00000016");
        let head = oss.send("HEAD", &key, &[], "").await;
        assert_eq!(head.header("x-oss-object-type"), "Appendable");
        // Where both conditions hold, each sees the objects that the other has created.
        assert_eq!(oss.put_new(&key, "x").await.status == 409, bucket == PLAIN);
        oss.delete(&key).await;
        assert_eq!(oss.append(&key, 0, "again").await.status, 200);
        oss.delete(&key).await;
        oss.put(&key, "normal").await;
        let refused = oss.append(&key, 0, "x").await;
        assert_eq!(
            (refused.refusal(), refused.element("EC")),
            ((409, "ObjectNotAppendable"), "0026-00000017")
        );
        assert_eq!(oss.get(&key).await.text, "normal");
    }
}

#[tokio::test]
async fn an_append_at_the_end_makes_the_object_longer_and_its_checksum_that_of_all() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for bucket in BUCKETS {
        let key = format!("{bucket}/log");
        assert_eq!(oss.append(&key, 3, "x").await.refusal(), (409, "PositionNotEqualToLength"));
        let first = oss.append(&key, 0, "1234").await;
        let second = oss.append(&key, 4, "56789").await;
        assert_eq!(second.header("x-oss-next-append-position"), "9");
        assert_eq!(second.header("x-oss-hash-crc64ecma"), "11051210869376104954");
        assert_eq!(second.header("x-oss-version-id"), first.header("x-oss-version-id"));
        assert_eq!(oss.get(&key).await.text, "123456789");
        assert_eq!(oss.append(&key, 4, "x").await.status, 409);
        let wrong = oss.send("POST", &format!("{key}?append&position=x"), &[], "x").await;
        assert_eq!(wrong.refusal(), (400, "InvalidArgument"));
    }
}

#[tokio::test]
async fn of_many_simultaneous_creations_one_succeeds() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for (round, bucket) in [PLAIN, VERSIONED, SUSPENDED, PLAIN].into_iter().enumerate() {
        let attempts = (0..40).map(|racer| {
            let (oss, key) = (oss.clone(), format!("{bucket}/lock-{round}"));
            tokio::spawn(async move {
                if round == 0 {
                    oss.put_new(&key, &format!("{racer}")).await.status
                } else {
                    oss.append(&key, 0, &format!("{racer}")).await.status
                }
            })
        });
        let mut winners = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                200 => winners += 1,
                status => assert_eq!(status, 409),
            }
        }
        assert_eq!(winners, 1, "round {round}");
    }
}

#[tokio::test]
async fn objects_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        || builder().with_storage(Storage::file(folder.path().join("store")).unwrap()).start();
    let emulator = start().await.unwrap();
    Oss::new(&emulator).append("plain/lock", 0, "kept").await;
    emulator.shutdown().await;
    let emulator = start().await.unwrap();
    let oss = Oss::new(&emulator);
    assert_eq!(oss.append("plain/lock", 0, "new").await.status, 409);
    assert_eq!(oss.get("plain/lock").await.text, "kept");
}

#[tokio::test]
async fn a_failed_head_has_its_document_in_a_header() {
    let emulator = builder().start().await.unwrap();
    let head = Oss::new(&emulator).send("HEAD", "plain/missing", &[], "").await;
    assert_eq!((head.status, &*head.text, head.header("x-oss-ec")), (404, "", "0026-00000001"));
    let document =
        base64::engine::general_purpose::STANDARD.decode(head.header("x-oss-err")).unwrap();
    let document = String::from_utf8(document).unwrap();
    assert!(document.contains("<Code>NoSuchKey</Code>"), "{document}");
    assert!(
        document.contains(&format!("<RequestId>{}</RequestId>", head.header("x-oss-request-id")))
    );
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_object() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for target in
        ["missing/key", "missing", "missing?versioning", "missing?versions", "missing?bucketInfo"]
    {
        assert_eq!(oss.get(target).await.refusal(), (404, "NoSuchBucket"), "{target}");
    }
    assert_eq!(oss.put("missing/key", "x").await.refusal(), (404, "NoSuchBucket"));
    assert_eq!(oss.append("missing/key", 0, "x").await.refusal(), (404, "NoSuchBucket"));
    assert_eq!(oss.delete("missing/key").await.refusal(), (404, "NoSuchBucket"));
    assert_eq!(oss.get("No_Bucket/key").await.refusal(), (400, "InvalidBucketName"));
}

#[tokio::test]
async fn it_misbehaves_as_its_faults_say() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    let once = |misbehaviour, operation: &str| {
        emulator.faults().inject(Fault::new(misbehaviour).with_operation(operation).with_times(1));
    };
    // The emulator takes the lock, and the client gets no answer.
    once(Misbehaviour::LoseReply, "AppendObject");
    assert!(oss.try_send("POST", "versioned/lock?append&position=0", &[], "mine").await.is_err());
    assert_eq!(oss.get("versioned/lock").await.text, "mine");
    once(Misbehaviour::LoseRequest, "PutObject");
    assert!(oss.try_send("PUT", "plain/lock", &[], "x").await.is_err());
    assert_eq!(oss.get("plain/lock").await.refusal(), (404, "NoSuchKey"));
    once(
        Misbehaviour::AnswerWithoutWork { status: 503, code: "ServiceUnavailable".to_owned() },
        "PutObject",
    );
    assert_eq!(oss.put_new("plain/lock", "x").await.refusal(), (503, "ServiceUnavailable"));
    once(Misbehaviour::internal_error_after_work(), "PutObject");
    assert_eq!(oss.put_new("plain/lock", "x").await.refusal(), (500, "InternalError"));
    assert_eq!(oss.put_new("plain/lock", "y").await.refusal(), (409, "FileAlreadyExists"));

    once(Misbehaviour::IgnoreConditions, "PutObject");
    assert_eq!(oss.put_new("plain/lock", "theirs").await.status, 200);
    assert_eq!(oss.get("plain/lock").await.text, "theirs");
    for bucket in BUCKETS {
        oss.put(&format!("{bucket}/other"), "x").await;
        once(Misbehaviour::IgnoreConditions, "AppendObject");
        assert_eq!(oss.append(&format!("{bucket}/other"), 0, "theirs").await.status, 200);
        assert_eq!(oss.get(&format!("{bucket}/other")).await.text, "theirs");
    }
    oss.append("versioned/third", 0, "x").await;
    emulator
        .faults()
        .inject(Fault::new(Misbehaviour::IgnoreConditionsOnVersionedBuckets).with_times(1));
    assert_eq!(oss.append("versioned/third", 0, "theirs").await.status, 200);

    once(Misbehaviour::MisstateChecksum, "GetObject");
    let right = oss.put("plain/k", "123456789").await.header("x-oss-hash-crc64ecma").to_owned();
    assert_ne!(oss.get("plain/k").await.header("x-oss-hash-crc64ecma"), right);
    assert_eq!(oss.get("plain/k").await.header("x-oss-hash-crc64ecma"), right);
    once(Misbehaviour::TruncateBody { after_bytes: 4 }, "GetObject");
    assert!(oss.try_send("GET", "plain/k", &[], "").await.is_err());
    assert_eq!(emulator.faults().count(), 0);

    let asked = emulator.requests().take();
    let first = &asked[0];
    assert_eq!(first.operation.as_deref(), Some("AppendObject"));
    assert_eq!((first.bucket.as_deref(), first.key.as_deref()), (Some("versioned"), Some("lock")));
    assert_eq!((first.status, &*first.query), (None, "append&position=0"));
    assert!(asked.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_bucket_may_be_in_the_name_of_the_host() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    oss.put("plain/env:/state", "x").await;
    for host in ["plain.localhost", "plain.oss-cn-beijing.aliyuncs.com"] {
        let got = oss.send_to_host(host, "GET", "plain/env:/state").await;
        assert_eq!((got.status, &*got.text), (200, "x"), "{host}");
        assert!(
            oss.send_to_host(host, "GET", "plain").await.text.contains("<Key>env:/state</Key>")
        );
    }
}

#[tokio::test]
async fn what_goes_in_through_one_protocol_comes_out_through_the_other() {
    let emulator = builder().start().await.unwrap();
    let (oss, s3) = (Oss::new(&emulator), s3::client_of(&emulator.endpoint()));
    oss.append("plain/a", 0, "from oss").await;
    let got = s3.get_object().bucket(PLAIN).key("a").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "from oss");
    s3.put_object().bucket(PLAIN).key("b").body(b"from s3".to_vec().into()).send().await.unwrap();
    let got = oss.get("plain/b").await;
    assert_eq!((&*got.text, got.header("x-oss-object-type")), ("from s3", "Normal"));
    assert_eq!(oss.append("plain/b", 0, "x").await.refusal(), (409, "ObjectNotAppendable"));
    // The object was written through S3, so it has none.
    assert_eq!(got.header("x-oss-hash-crc64ecma"), "");
}

#[tokio::test]
async fn pages_can_be_short_and_markers_lead_through_all_of_them() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    let keys = ["env:/a/state", "env:/b/state", "env:/state"];
    for key in keys {
        oss.put(&format!("{VERSIONED}/{key}"), "x").await;
        oss.delete(&format!("{VERSIONED}/{key}")).await;
        oss.put(&format!("{VERSIONED}/{key}"), "y").await;
    }
    emulator.faults().inject(Fault::new(Misbehaviour::ShortPages { entries: 1 }));
    let (mut marker, mut found) = (String::new(), Vec::new());
    loop {
        let page =
            oss.get(&format!("{VERSIONED}?prefix=env:/&max-keys=1000&marker={marker}")).await;
        assert_eq!(page.element("MaxKeys"), "1000");
        found.extend(page.elements("Key").into_iter().map(str::to_owned));
        if page.element("IsTruncated") == "false" {
            break;
        }
        marker = page.element("NextMarker").to_owned();
    }
    assert_eq!(found, keys);
    let (mut marker, mut versions) = (String::new(), 0);
    loop {
        let page = oss.get(&format!("{VERSIONED}?versions&prefix=env:/{marker}")).await;
        versions += page.elements("VersionId").len();
        if page.element("IsTruncated") == "false" {
            break;
        }
        let (key, id) = (page.element("NextKeyMarker"), page.element("NextVersionIdMarker"));
        marker = format!("&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!(versions, 9);
}

#[tokio::test]
async fn an_empty_appendable_object_does_not_prevent_an_append_at_position_0() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for bucket in BUCKETS {
        let key = format!("{bucket}/lock");
        assert_eq!(oss.append(&key, 0, "").await.status, 200);
        let got = oss.get(&key).await;
        assert_eq!((got.status, &*got.text, got.header("content-length")), (200, "", "0"));
        assert_eq!(got.header("x-oss-hash-crc64ecma"), "0");
        assert_eq!(oss.append(&key, 0, "mine").await.status, 200);
        assert_eq!(oss.append(&key, 0, "theirs").await.status, 409);
        assert_eq!(oss.get(&key).await.text, "mine");
    }
}

#[tokio::test]
async fn a_damaged_upload_is_refused_and_stores_nothing() {
    let emulator = builder().start().await.unwrap();
    let oss = Oss::new(&emulator);
    for digest in ["1B2M2Y8AsgTpgAmY7PhCfg==", "short", "not base64!"] {
        let headers = [("content-md5", digest)];
        let refused = oss.send("PUT", "plain/k", &headers, "x").await;
        assert_eq!(refused.refusal(), (400, "InvalidDigest"), "{digest}");
    }
    for (header, value, status, code) in [
        ("x-oss-object-acl", "everybody", 400, "InvalidArgument"),
        ("x-oss-server-side-encryption", "ROT13", 400, "InvalidEncryptionAlgorithmError"),
        ("if-none-match", "*", 501, "NotImplemented"),
        ("if-match", "\"x\"", 501, "NotImplemented"),
    ] {
        assert_eq!(
            oss.send("PUT", "plain/k", &[(header, value)], "x").await.refusal(),
            (status, code)
        );
    }
    assert_eq!(oss.get("plain/k").await.status, 404);
}
