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

#[test]
fn a_later_state_that_is_being_brought_back_may_be_brought_back_again() {
    let mut entries = vec![
        begin(Purpose::Migrate),
        item(0),
        did(0, Step::Read, "aa"),
        Entry::Moved { n: 0 },
        begin(Purpose::Rollback),
        did(0, Step::Read, "later"),
    ];
    let hashes = |entries: &[Entry]| {
        let (_folder, path) = written(entries);
        let copies = Journal::read(&path).unwrap().items.remove(0).copies;
        copies.into_iter().map(|fact| fact.sha256).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&entries), ["aa"], "it may have been refused");
    entries.push(Entry::Doing { n: 0, step: Step::Write.as_str().to_owned() });
    assert_eq!(hashes(&entries), ["aa", "later"]);
}

#[test]
fn lines_of_another_run_or_in_another_order_are_refused() {
    let (_folder, path) = written(&[begin(Purpose::Migrate), item(0), item(1)]);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let other = lines[2].replace("run-1", "run-2");
    let twice = lines[2].replace(r#""n":1"#, r#""n":0"#);
    let last = lines[2].replace(r#""seq":2"#, &format!(r#""seq":{}"#, u64::MAX));
    for changed in [
        format!("{text}{text}"),
        format!("{}\n{}\n", lines[0], lines[2]),
        format!("{}\n{}\n{other}\n", lines[0], lines[1]),
        format!("{}\n{}\n{twice}\n", lines[0], lines[1]),
        format!("{}\n{}\n{last}\n", lines[0], lines[1]),
    ] {
        std::fs::write(&path, &changed).unwrap();
        let error = Journal::read(&path).unwrap_err();
        assert!(error.message().contains("is not the journal of one run"), "{changed}");
    }
}

#[cfg(unix)]
#[test]
fn a_journal_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = written(&[begin(Purpose::Migrate)]);
    for mode in [0o620, 0o602] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for error in [Journal::read(&path).unwrap_err(), Journal::open(&path).unwrap_err()] {
            assert!(error.message().contains("may be written by other users"), "{error}");
        }
    }
}

#[test]
fn a_line_that_cannot_be_written_leaves_no_part_and_ends_the_journal() {
    let (_folder, path) = written(&[begin(Purpose::Migrate), item(0)]);
    let (journal, _) = Journal::open(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    // The file is open for reading only: nothing can be written.
    let readable = File::open(&path).unwrap();
    let writable = std::mem::replace(&mut journal.inner().file, readable);
    assert_eq!(journal.write(&Entry::Moved { n: 0 }).unwrap_err().kind(), ErrorKind::Local);
    journal.inner().file = writable;
    let again = journal.write(&Entry::Moved { n: 0 }).unwrap_err();
    assert!(again.message().contains("could not be written"), "{again}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

/// A disk that is full in the middle of a line.
#[cfg(target_os = "linux")]
#[test]
fn a_part_of_a_line_on_a_full_disk_is_removed() {
    let (_folder, path) = written(&[begin(Purpose::Migrate), item(0)]);
    let (journal, _) = Journal::open(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    journal.inner().file.write_all(b"{\"v\":1").unwrap();
    let reason = io::Error::from(io::ErrorKind::StorageFull);
    drop(journal.inner().broken(&path, reason));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
