//! A migration is killed at each of its requests, before the server gets the request and before the
//! answer arrives. Whatever is left, one place at most accepts a client that locks, and `--resume`
//! and `--rollback` both bring the state into one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use remote_state_tests::{Place, Proxy, Running, S3Server, Suite, TABLE, block_on};

use crate::migrate_journal::{Recorded, is_sealed};
use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_emulator("a_way_back_killed_before_any_request_goes_on", &[], |server| {
        each_request_back(server, Kill::Before);
    });
    suite.on_emulator("a_way_back_killed_before_any_answer_goes_on", &[], |server| {
        each_request_back(server, Kill::After);
    });
    for (name, kill, recovery) in [
        ("a_migration_killed_before_any_request_is_resumed", Kill::Before, Recovery::Resume),
        ("a_migration_killed_before_any_request_is_taken_back", Kill::Before, Recovery::Rollback),
        ("a_migration_killed_before_any_answer_is_resumed", Kill::After, Recovery::Resume),
        ("a_migration_killed_before_any_answer_is_taken_back", Kill::After, Recovery::Rollback),
    ] {
        suite.on_each_server(name, &[], move |server| {
            each_request(server, kill, recovery, || plain(server));
        });
        suite.on_emulator(&format!("{name}_with_a_table"), &[], move |server| {
            each_request(server, kill, recovery, || with_table(server));
        });
        suite.on_emulator(&format!("{name}_by_the_version_list"), &[], move |server| {
            each_request(server, kill, recovery, || versioned(server));
        });
    }
}

#[derive(Clone, Copy)]
enum Kill {
    /// The request does not reach the server.
    Before,
    /// The server has answered, and the answer does not arrive.
    After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    Resume,
    Rollback,
}

fn plain(server: &S3Server) -> Recorded<'_> {
    Recorded::new(server)
}

fn with_table(server: &S3Server) -> Recorded<'_> {
    let place = || server.place().with("dialect", "minio").with("dynamodb_table", TABLE);
    recorded(server, place(), place())
}

/// The dialect checks no conditions, so that the version list has to show what happened.
fn versioned(server: &S3Server) -> Recorded<'_> {
    let bucket = block_on(server.make_versioned_bucket());
    recorded(server, server.place_in(&bucket), server.place_in(&bucket))
}

fn recorded<'a>(server: &'a S3Server, old: Place<'a>, new: Place<'a>) -> Recorded<'a> {
    let mut case = Case::new(server);
    case.place = old;
    case.sandbox.write("state.json", state(3));
    case.run(case.remote_state("push state.json")).code(0);
    Recorded { case, new }
}

/// Kills the migration at its first request, at its second, and so on, until it ends before.
fn each_request<'a>(
    server: &S3Server,
    kill: Kill,
    recovery: Recovery,
    make: impl Fn() -> Recorded<'a>,
) {
    for number in 1.. {
        assert!(number < 200, "the migration ends");
        let moved = make();
        let start = |proxy: &Proxy| moved.through(proxy, moved.migrate("")).start();
        if !killed_at(server, &moved, kill, number, start) {
            assert!(number > 10, "it had {number} requests");
            return;
        }
        let context = format!("at request {number}");
        assert!(!(accepts(&moved.case.place) && accepts(&moved.new)), "two places {context}");
        if !is_begun(&moved) {
            // It was planning, and nothing was begun.
            assert_eq!(moved.case.place.state("default").unwrap(), state(3), "{context}");
            assert!(moved.new.state("default").is_none(), "{context}");
            continue;
        }
        let (words, here, there) = match recovery {
            Recovery::Resume => ("--resume j", &moved.new, &moved.case.place),
            Recovery::Rollback => ("--rollback j", &moved.case.place, &moved.new),
        };
        let output = moved.case.run(moved.earlier(words).timeout(Duration::from_secs(60)));
        assert_eq!(output.status.code(), Some(0), "{context}: {output}");
        assert_eq!(here.state("default").unwrap(), state(3), "{context}: {output}");
        assert!(accepts(here) && !accepts(there), "{context}: {output}");
        let is_closed = is_sealed(there, "default") || there.state("default").is_none();
        assert!(is_closed && there.holder("default").is_none(), "{context}: {output}");
        let pull = moved.case.bare("pull").args(here.flags());
        assert_eq!(moved.case.run(pull).code(0).stdout(), state(3), "{context}");
    }
}

/// Returns whether the run had planned and recorded everything.
fn is_begun(moved: &Recorded<'_>) -> bool {
    let journal = std::fs::read_to_string(moved.case.sandbox.path().join("j"));
    journal.is_ok_and(|journal| journal.contains("\"event\":\"planned\""))
}

/// Returns whether a client that takes locks can work with a state there.
fn accepts(place: &Place<'_>) -> bool {
    let has_state = place.state("default").is_some_and(|_| !is_sealed(place, "default"));
    let is_locked_in_table =
        || place.server.dynamodb_endpoint.is_some() && place.item_holder("default").is_some();
    has_state && place.holder("default").is_none() && !is_locked_in_table()
}

/// Kills the way back at each of its requests, and goes on.
fn each_request_back(server: &S3Server, kill: Kill) {
    for number in 1.. {
        assert!(number < 200, "the way back ends");
        let moved = plain(server);
        moved.case.run(moved.migrate("")).code(0);
        let start = |proxy: &Proxy| {
            rewritten(&moved, &server.endpoint, &proxy.url);
            moved.earlier("--rollback j").start()
        };
        if !killed_at(server, &moved, kill, number, start) {
            assert!(number > 10, "it had {number} requests");
            return;
        }
        let (old, new) = (&moved.case.place, &moved.new);
        assert!(!(accepts(old) && accepts(new)), "two places at request {number}");
        let again = moved.earlier("--rollback j").timeout(Duration::from_secs(60));
        let output = moved.case.run(again);
        assert_eq!(output.status.code(), Some(0), "at request {number}: {output}");
        assert_eq!(old.state("default").unwrap(), state(3), "at request {number}: {output}");
        assert!(accepts(old) && is_sealed(new, "default"), "at request {number}: {output}");
        assert!(new.holder("default").is_none(), "at request {number}: {output}");
    }
}

/// Runs a migration and kills it at a request. Returns whether it came so far.
fn killed_at(
    server: &S3Server,
    moved: &Recorded<'_>,
    kill: Kill,
    number: usize,
    start: impl FnOnce(&Proxy) -> Running,
) -> bool {
    let count = Arc::new(AtomicUsize::new(0));
    let is_meant = move |_: &str| count.fetch_add(1, Ordering::SeqCst) + 1 == number;
    let (reached, stopped) = mpsc::channel();
    let stop = move || {
        // The test may have ended.
        let _ = reached.send(());
        loop {
            std::thread::park();
        }
    };
    let proxy = match kill {
        Kill::Before => Proxy::before(&server.endpoint, is_meant, stop),
        Kill::After => Proxy::instead_of_answer(&server.endpoint, is_meant, stop),
    };
    let mut running = start(&proxy);
    loop {
        match stopped.recv_timeout(Duration::from_millis(20)) {
            Ok(()) => {
                drop(running.kill());
                // The rest of the run reaches the server without the proxy.
                rewritten(moved, &proxy.url, &server.endpoint);
                return true;
            }
            Err(mpsc::RecvTimeoutError::Timeout) if running.is_running() => {}
            Err(_) => {
                running.wait().success();
                return false;
            }
        }
    }
}

/// Replaces a URL in the journal.
fn rewritten(moved: &Recorded<'_>, from: &str, to: &str) {
    let path = moved.case.sandbox.path().join("j");
    if let Ok(journal) = std::fs::read_to_string(&path) {
        std::fs::write(&path, journal.replace(from, to)).expect("the journal is a file");
    }
}
