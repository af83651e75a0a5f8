use bytes::Bytes;
use remote_state_conformance::MemoryStore;
use remote_state_core::{
    LockInfo, Outgoing, SealKind, Serial, StateHeader, WriteMode, WriteOptions,
};

use super::*;

async fn write(store: &MemoryStore, text: &str, author: Option<&Author>) {
    let bytes = Bytes::from(text.to_owned());
    let mut options = WriteOptions::from(WriteMode::Overwrite);
    if let Some(author) = author {
        let header = StateHeader::parse(&bytes).unwrap();
        let content = remote_state_core::ContentHash::of(&bytes);
        options = options.with_annotations(author.annotations(&header, content));
    }
    store.write(&Workspace::default(), Outgoing::from(bytes), &options).await.unwrap();
}

fn state(serial: u64, lineage: &str) -> String {
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"{lineage}","outputs":{{}},"resources":[]}}"#
    )
}

async fn listed(store: &MemoryStore, options: HistoryOptions) -> History {
    history(store, &Workspace::default(), &options).await.unwrap()
}

fn notes(history: &History) -> Vec<&[Note]> {
    history.entries.iter().map(|entry| &*entry.notes).collect()
}

#[tokio::test]
async fn each_version_is_listed_with_its_header_and_what_is_remarkable() {
    let store = MemoryStore::new();
    write(&store, &state(1, "a"), None).await;
    write(&store, &state(2, "a"), None).await;
    write(&store, &state(1, "a"), None).await;
    store.delete(&Workspace::default()).await.unwrap();
    write(&store, &state(1, "b"), None).await;
    write(&store, "no state", None).await;
    write(
        &store,
        r#"{"serial":2,"lineage":"b","encrypted_data":"","encryption_version":"v0"}"#,
        None,
    )
    .await;
    let history = listed(&store, HistoryOptions::default()).await;
    assert_eq!(history.versioning, Versioning::Enabled);
    let serials: Vec<_> = history
        .entries
        .iter()
        .map(|entry| entry.header.as_ref().map(|header| header.serial.0))
        .collect();
    assert_eq!(serials, [Some(2), None, Some(1), None, Some(1), Some(2), Some(1)]);
    let found = notes(&history);
    assert_eq!(found[0], [Note::Current, Note::Encrypted]);
    assert!(matches!(found[1], [Note::Unreadable(_)]), "{:?}", found[1]);
    assert_eq!(found[2], [Note::OtherLineage]);
    assert_eq!(found[3], [Note::Deleted]);
    assert_eq!(found[4], [Note::SerialWentBack]);
    assert_eq!(found[5], []);
    assert!(!history.has_more);
}

#[tokio::test]
async fn the_newest_are_listed_and_the_rest_is_mentioned() {
    let store = MemoryStore::new();
    for serial in 1..=5 {
        write(&store, &state(serial, "a"), None).await;
    }
    let history = listed(&store, HistoryOptions::default().with_most(Some(2))).await;
    let serials: Vec<_> =
        history.entries.iter().map(|entry| entry.header.as_ref().unwrap().serial).collect();
    assert_eq!(serials, [Serial(5), Serial(4)]);
    assert!(history.has_more);
    assert!(!listed(&store, HistoryOptions::default().with_most(Some(5))).await.has_more);
    let since = history.entries[0].modified;
    let recent = listed(&store, HistoryOptions::default().with_since(since)).await;
    assert!(recent.entries.iter().all(|entry| entry.modified >= since));
}

#[tokio::test]
async fn a_state_with_annotations_names_its_writer() {
    let store = MemoryStore::new();
    let lock = LockInfo::new("OperationTypeApply", "ci@runner-7", "1.11.4", Timestamp::UNIX_EPOCH);
    let author = Author::under(&lock.unwrap());
    write(&store, &state(1, "a"), Some(&author)).await;
    write(&store, &state(2, "a"), None).await;
    let history = listed(&store, HistoryOptions::default().with_reads_locks(true)).await;
    assert_eq!(history.entries[0].writer, None);
    let writer = history.entries[1].writer.as_ref().unwrap();
    assert_eq!((&writer.author, writer.source), (&author, WriterSource::Annotations));
}

/// The members of a state can have any order.
#[tokio::test]
async fn a_header_at_the_end_is_found_only_if_the_whole_may_be_read() {
    let store = MemoryStore::new();
    let long = "x".repeat(100_000);
    let text = format!(r#"{{"lineage":"a","outputs":{{"o":"{long}"}},"serial":9,"version":4}}"#);
    write(&store, &text, None).await;
    let history = listed(&store, HistoryOptions::default()).await;
    assert!(history.entries[0].header.is_none() && history.entries[0].error.is_none());
    let history = listed(&store, HistoryOptions::default().with_reads_whole(true)).await;
    assert_eq!(history.entries[0].header.as_ref().unwrap().serial, Serial(9));
}

#[tokio::test]
async fn a_store_without_versions_shows_the_current_state() {
    let capabilities = MemoryStore::new().capabilities();
    let capabilities = capabilities.with_versions(remote_state_core::Versions::None);
    let store = MemoryStore::new().with_capabilities(capabilities);
    let history = listed(&store, HistoryOptions::default()).await;
    assert_eq!((history.versioning, history.entries.len()), (Versioning::NotOffered, 0));
    write(&store, &state(3, "a"), None).await;
    let history = listed(&store, HistoryOptions::default()).await;
    let [entry] = &*history.entries else { panic!("{history:?}") };
    assert_eq!(entry.header.as_ref().unwrap().serial, Serial(3));
    assert_eq!(entry.notes, [Note::Current]);
}

#[tokio::test]
async fn a_sealed_version_is_marked() {
    let store = MemoryStore::new();
    write(&store, &state(1, "a"), None).await;
    let sealed = r#"{"version":4,"terraform_version":"moved","serial":2,"lineage":"a","outputs":{},"resources":[],"remote_state":{"sealed":1,"kind":"moved","to":"s3://b/k"}}"#;
    write(&store, sealed, None).await;
    let history = listed(&store, HistoryOptions::default()).await;
    assert_eq!(notes(&history), [&[Note::Current, Note::Sealed(SealKind::Moved)][..], &[]]);
    assert_eq!(history.entries[0].seal.as_ref().unwrap().to, "s3://b/k");
}
