use std::sync::Arc;

use remote_state_conformance::MemoryStore;
use remote_state_core::push::{HeldLock, NewState, PushError, PushRefusal, PushRules};
use remote_state_core::{Serial, StateStoreExt as _};

use super::*;

const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":42,"lineage":"l","outputs":{},"resources":[{}]}"#;

fn now() -> Timestamp {
    "2026-11-27T10:00:00Z".parse().unwrap()
}

async fn write(store: &MemoryStore, text: &str) {
    let outgoing = Outgoing::from(Bytes::from(text.to_owned()));
    store.write(&Workspace::default(), outgoing, &WriteMode::Overwrite.into()).await.unwrap();
}

async fn read(store: &MemoryStore) -> StateBytes {
    let read = store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
    read.collect().await.unwrap()
}

async fn seal(store: &MemoryStore) -> Sealing {
    let stored = read(store).await;
    let header = StateHeader::parse(&stored.bytes).unwrap();
    let to = Destination::Place("s3://new/net.tfstate");
    let sealing = Sealing::of(&stored, &header, to, "run", now()).unwrap();
    let author = Author::default().with_who("me");
    sealing.carry_out(store, &Workspace::default(), &stored.meta, &author).await.unwrap();
    sealing
}

#[tokio::test]
async fn a_sealed_state_follows_the_state_that_it_replaces() {
    let store = MemoryStore::new();
    write(&store, STATE).await;
    let version = read(&store).await.meta.version;
    let sealing = seal(&store).await;
    let stored = read(&store).await;
    assert_eq!(Seal::of(&stored.bytes), Some(sealing.seal.clone()));
    let header = StateHeader::parse(&stored.bytes).unwrap();
    assert_eq!((header.serial, header.lineage.as_str()), (Serial(43), "l"));
    assert_eq!(
        header.terraform_version.unwrap(),
        "moved to s3://new/net.tfstate on 2026-11-27; set the new backend, then terraform init \
         -reconfigure"
    );
    let before = sealing.seal.before;
    assert_eq!((before.serial, before.size_bytes), (Serial(42), STATE.len() as u64));
    assert_eq!(before.sha256, ContentHash::of(STATE.as_bytes()).to_string());
    assert_eq!(before.version, version);
    assert_eq!(stored.meta.annotations.get("who"), Some("me"));
}

#[tokio::test]
async fn no_rule_lets_a_push_replace_a_sealed_state() {
    let memory = MemoryStore::new();
    write(&memory, STATE).await;
    drop(seal(&memory).await);
    let sealed = read(&memory).await.bytes;
    let store: Arc<dyn StateStore> = Arc::new(memory.clone());
    for text in [STATE.to_owned(), STATE.replace("42", "44"), STATE.replace("\"l\"", "\"m\"")] {
        for rules in [
            PushRules::PUSH,
            PushRules::CLIENT,
            PushRules::PUSH.with_force(true).with_repair_digest(true),
            PushRules::CLIENT.with_force(true),
        ] {
            let new = NewState::parse(Bytes::from(text.clone())).unwrap();
            let pushed = store.push(&Workspace::default(), &new, &rules, &HeldLock::Own).await;
            assert!(
                matches!(&pushed, Err(PushError::Refused(PushRefusal::Sealed(_)))),
                "{pushed:?}"
            );
            let said = pushed.unwrap_err().to_string();
            assert!(said.contains("sealed: moved to s3://new/net.tfstate"), "{said}");
        }
    }
    assert_eq!(read(&memory).await.bytes, sealed);
}

#[tokio::test]
async fn a_state_that_was_written_meanwhile_is_not_sealed() {
    let store = MemoryStore::new();
    write(&store, STATE).await;
    let stored = read(&store).await;
    let header = StateHeader::parse(&stored.bytes).unwrap();
    let to = Workspace::new("b").unwrap();
    let sealing = Sealing::of(&stored, &header, Destination::Workspace(&to), "run", now()).unwrap();
    write(&store, &STATE.replace("42", "43")).await;
    let sealed =
        sealing.carry_out(&store, &Workspace::default(), &stored.meta, &Author::default()).await;
    assert_eq!(sealed.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert_eq!(Seal::of(&read(&store).await.bytes), None);
}

#[test]
fn a_state_without_a_lineage_or_a_next_serial_is_not_sealed() {
    for text in [
        r#"{"version":4,"serial":1}"#.to_owned(),
        format!(r#"{{"version":4,"serial":{},"lineage":"l"}}"#, u64::MAX),
    ] {
        let state = StateBytes::new(StateMeta::new(1), Bytes::from(text.clone()));
        let header = StateHeader::parse(&state.bytes).unwrap();
        let sealing = Sealing::of(&state, &header, Destination::Place("x"), "run", now());
        assert_eq!(sealing.unwrap_err().kind(), ErrorKind::PreconditionFailed, "{text}");
    }
}

#[test]
fn the_way_on_is_in_every_sentence() {
    let url = format!("s3://bucket/{}", "ü".repeat(300));
    let said = sentence(Destination::Place(&url), now());
    assert_eq!(said.chars().count(), LONGEST_SENTENCE);
    assert!(said.contains("ü… on 2026-11-27;"), "{said}");
    assert!(said.ends_with("terraform init -reconfigure"), "{said}");
    let name = Workspace::new("b").unwrap();
    assert_eq!(
        sentence(Destination::Workspace(&name), now()),
        "renamed to b on 2026-11-27; terraform workspace select b"
    );
    let name = Workspace::new("b".repeat(300)).unwrap();
    let said = sentence(Destination::Workspace(&name), now());
    assert_eq!(said.chars().count(), LONGEST_SENTENCE);
    assert!(said.ends_with("b… on 2026-11-27; select that workspace"), "{said}");
}
