//! Conditional writes of a state.

use super::*;

#[tokio::test]
async fn updates_are_decided_with_bare_entity_tags_or_by_looking() {
    for bucket in [BUCKET, VERSIONED] {
        for knows in [true, false] {
            let emulator = ceph_emulator().await;
            let ours = on(&emulator, bucket, "ceph");
            if knows {
                ours.acquire(&here(), &info("me@here")).await.unwrap();
            }
            let first = write(&ours, WriteMode::Create).await.unwrap();
            let other = Bytes::from_static(
                br#"{"version":4,"serial":2,"lineage":"l","outputs":{},"resources":[]}"#,
            );
            let again = ours
                .write(&here(), other.clone().into(), &WriteMode::Create.into())
                .await
                .unwrap_err();
            assert_eq!(again.kind(), ErrorKind::PreconditionFailed, "{bucket}");
            let etag = first.etag.unwrap();
            ours.write(&here(), other.into(), &WriteMode::Update(etag.clone()).into())
                .await
                .unwrap();
            let stale = write(&ours, WriteMode::Update(etag)).await.unwrap_err();
            assert_eq!(stale.kind(), ErrorKind::PreconditionFailed, "{bucket}");
            let puts = emulator.requests().take();
            let puts =
                puts.iter().filter(|put| put.method == "PUT" && !put.path.ends_with(".tflock"));
            let statuses: Vec<_> = puts.filter_map(|put| put.status).collect();
            let expected: &[u16] =
                if bucket == BUCKET { &[200, 412, 200, 412] } else { &[200, 200] };
            assert_eq!(statuses, expected, "{bucket}");
        }
    }
}

#[tokio::test]
async fn versioning_that_is_enabled_meanwhile_does_not_make_every_update_fail() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let ours = on(&emulator, BUCKET, "ceph");
    let etag = write(&ours, WriteMode::Create).await.unwrap().etag.unwrap();
    native.set_versioning(BUCKET, BucketVersioningStatus::Enabled).await;
    let other = Bytes::from_static(
        br#"{"version":4,"serial":2,"lineage":"l","outputs":{},"resources":[]}"#,
    );
    ours.write(&here(), other.into(), &WriteMode::Update(etag.clone()).into()).await.unwrap();
    let stale = write(&ours, WriteMode::Update(etag)).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
}
