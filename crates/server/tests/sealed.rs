//! A state that has moved is read as it is, and no client replaces it.

#[expect(dead_code, reason = "each file of tests uses a part")]
mod common;

use bytes::Bytes;
use remote_state_core::{StateStore as _, Workspace, WriteMode};
use remote_state_server::Policy;

use common::start;

const SEALED: &str = r#"{"version":4,"terraform_version":"moved to s3://new/k; set the new backend","serial":8,"lineage":"l","outputs":{},"resources":[],"remote_state":{"sealed":1,"kind":"moved","to":"s3://new/k"}}"#;

#[tokio::test]
async fn a_sealed_state_is_handed_out_and_a_write_over_it_is_refused_with_its_sentence() {
    for force_write in [false, true] {
        let policy = Policy::default().with_force_write(force_write);
        let server = start(|it| it.with_policy(policy)).await;
        let sealed = Bytes::from_static(SEALED.as_bytes());
        let write = WriteMode::Create.into();
        server.memory.write(&Workspace::default(), sealed.clone().into(), &write).await.unwrap();
        let read = server.target.send("GET", "/state/default", None).await;
        assert_eq!((read.status, &read.body), (200, &sealed));
        let next = SEALED.replace(":8,", ":9,");
        let next = &next[..next.find(",\"remote_state\"").unwrap()];
        let written = server
            .target
            .send("POST", "/state/default", Some(Bytes::from(format!("{next}}}"))))
            .await;
        assert_eq!(written.status, 409);
        let said = String::from_utf8_lossy(&written.body);
        assert!(said.contains("sealed: moved to s3://new/k; set the new backend"), "{said}");
        let read = server.target.send("GET", "/state/default", None).await;
        assert_eq!(read.body, sealed);
    }
}

/// Without the seal, clients would take the workspace for an empty one.
#[tokio::test]
async fn a_sealed_state_is_not_deleted() {
    let server = start(|it| it).await;
    let sealed = Bytes::from_static(SEALED.as_bytes());
    let write = WriteMode::Create.into();
    server.memory.write(&Workspace::default(), sealed.clone().into(), &write).await.unwrap();
    let deleted = server.target.send("DELETE", "/state/default", None).await;
    assert_eq!(deleted.status, 409);
    let said = String::from_utf8_lossy(&deleted.body);
    assert!(said.contains("was not deleted") && said.contains("s3://new/k"), "{said}");
    assert_eq!(server.target.send("GET", "/state/default", None).await.body, sealed);
}
