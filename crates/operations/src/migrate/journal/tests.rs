use std::io::Write as _;

use serde_json::json;

use super::line::Place;
use super::*;
use crate::transfer::Step;

fn begin(purpose: Purpose) -> Entry {
    Entry::Begin(Box::new(Begin {
        purpose,
        from: json!({"backend": "s3"}),
        to: json!({"backend": "oss"}),
        options: [("source".to_owned(), json!("seal"))].into(),
        tool: "test/1".to_owned(),
    }))
}

fn item(n: u64) -> Entry {
    let (source, target) = (format!("s3://a/{n}"), format!("s3://b/{n}"));
    Entry::Item { n, source, target, workspace: format!("w{n}"), size: 10 }
}

fn locking(n: u64, side: Place, id: &str) -> Entry {
    Entry::Locking { n, side, id: id.to_owned() }
}

fn released(n: u64, side: Place, id: &str) -> Entry {
    Entry::Released { n, side, id: id.to_owned() }
}

fn fact(sha256: &str) -> Fact {
    Fact {
        etag: Some("\"e\"".to_owned()),
        version: None,
        size: 10,
        sha256: sha256.to_owned(),
        md5: "m".to_owned(),
        serial: Some(3),
        lineage: Some("l".to_owned()),
    }
}

fn did(n: u64, step: Step, sha256: &str) -> Entry {
    Entry::Did { n, step: step.as_str().to_owned(), state: Some(Box::new(fact(sha256))) }
}

/// Writes entries into a new journal, and returns its folder and its path.
fn written(entries: &[Entry]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::create(&path, "run-1").unwrap();
    entries.iter().for_each(|entry| journal.write(entry).unwrap());
    (folder, path)
}

#[test]
fn a_journal_says_which_locks_may_be_held_and_what_was_copied() {
    let (_folder, path) = written(&[
        begin(Purpose::Migrate),
        item(0),
        item(1),
        Entry::Planned { items: 2 },
        locking(0, Place::Target, "t"),
        locking(0, Place::Source, "s"),
        did(0, Step::Read, "aa"),
        did(0, Step::Write, "aa"),
        did(0, Step::Prove, "aa"),
        Entry::Changed { n: 0, attempt: 1 },
        did(0, Step::Read, "bb"),
        locking(1, Place::Source, "x"),
        released(1, Place::Source, "x"),
        Entry::Failed { n: 1, kind: "LockHeld".to_owned(), message: "held".to_owned() },
    ]);
    let recorded = Journal::read(&path).unwrap();
    assert_eq!((&*recorded.run, recorded.begin.to), ("run-1", json!({"backend": "oss"})));
    assert!(recorded.is_whole);
    let [first, second] = &recorded.items[..] else { panic!("there are two") };
    assert_eq!(
        first.locks,
        [Some("s"), Some("t")].map(|id| id.map(remote_state_core::LockId::new))
    );
    let hashes: Vec<_> = first.copies.iter().map(|fact| &*fact.sha256).collect();
    assert_eq!(hashes, ["aa", "bb"]);
    assert_eq!(first.proven.as_ref().map(|fact| &*fact.sha256), Some("aa"));
    assert!(!first.is_moved);
    assert_eq!((&second.locks, second.failed.as_deref()), (&[None, None], Some("held")));
    assert_eq!(first.copies[0], fact("aa"), "a line keeps everything");
}

#[test]
fn the_way_back_has_its_locks_the_other_way_round() {
    let (_folder, path) = written(&[
        begin(Purpose::Migrate),
        item(0),
        did(0, Step::Read, "aa"),
        did(0, Step::Seal, "cc"),
        Entry::Moved { n: 0 },
        begin(Purpose::Rollback),
        locking(0, Place::Source, "of the new place"),
        did(0, Step::Read, "dd"),
    ]);
    let recorded = Journal::read(&path).unwrap();
    let item = &recorded.items[0];
    assert_eq!(item.locks[1].as_ref().map(|id| id.as_str()), Some("of the new place"));
    assert_eq!((item.locks[0].as_ref(), item.copies.len()), (None, 1));
    assert!(item.is_moved && !item.is_back && recorded.last == Purpose::Rollback);
}

#[test]
fn a_line_that_was_not_written_whole_is_dropped_and_the_next_run_goes_on_after_it() {
    let (_folder, path) = written(&[begin(Purpose::Migrate), item(0)]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"{"v":1,"run":"run-1","seq":2,"at":"2026-"#).unwrap();
    let (journal, recorded) = Journal::open(&path).unwrap();
    assert_eq!((recorded.items.len(), recorded.is_whole), (1, false));
    journal.write(&Entry::Moved { n: 0 }).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let numbers: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(Journal::read(&path).unwrap().items[0].is_moved);
}

#[test]
fn a_journal_is_of_one_run_and_one_run_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    assert_eq!(Journal::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let journal = Journal::create(&path, "run-1").unwrap();
    journal.write(&begin(Purpose::Migrate)).unwrap();
    assert_eq!(Journal::create(&path, "run-2").unwrap_err().kind(), ErrorKind::Local);
    let open = Journal::open(&path).unwrap_err();
    assert!(open.message().contains("another run writes"), "{open}");
    assert!(Journal::read(&path).is_ok());
    drop(journal);
    assert!(Journal::open(&path).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_is_no_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    for text in ["", "x\n", "{}\n", "{\"v\":2}\n", "{\"v\":1,\"run\":\"r\",\"seq\":0}\n"] {
        std::fs::write(&path, text).unwrap();
        let error = Journal::read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{text}");
    }
}
