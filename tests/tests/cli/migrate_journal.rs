//! The journal of `migrate`: finishing a run, taking it back, looking at it again.

use remote_state_tests::{Cmd, Place, Proxy, S3Server, Signal, Suite, block_on};
use serde_json::Value;

use crate::migrate::as_side;
use crate::support::{Case, SECRET, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("a_migration_is_taken_back_by_its_journal", &[], rollback);
    suite.on_each_server("a_migration_is_resumed_by_its_journal", &[], resume);
    suite.on_each_server("a_migration_is_verified_by_its_journal", &[], verify);
    suite.on_each_server("a_frozen_migration_is_taken_back", &[], frozen);
    suite.on_each_server("a_journal_of_something_else_is_refused", &[], refused);
    suite.on_each_server("an_interrupted_migration_is_resumed", &[], interrupted);
    suite.on_emulator(
        "the_lock_of_an_unfinished_migration_is_not_released_by_mistake",
        &[],
        unlock,
    );
}

/// A migration with a journal in the folder of the case.
pub(crate) struct Recorded<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) new: Place<'a>,
}

impl<'a> Recorded<'a> {
    /// The dialect is one that checks conditions of writes.
    pub(crate) fn new(server: &'a S3Server) -> Self {
        let mut case = Case::new(server);
        case.place = case.place.with("dialect", "minio");
        case.place.put_state("default", state(3));
        Self { case, new: server.place().with("dialect", "minio") }
    }

    pub(crate) fn migrate(&self, words: &str) -> Cmd {
        let sides = [as_side(&self.case.place, "from"), as_side(&self.new, "to")].concat();
        self.case.bare("migrate --yes --journal j").args(sides).words(words)
    }

    /// Returns a command that reaches the server through a proxy.
    pub(crate) fn through(&self, proxy: &Proxy, cmd: Cmd) -> Cmd {
        let words = cmd.line().into_iter().skip(1);
        let endpoint = &self.case.server.endpoint;
        let words: Vec<_> = words.map(|word| word.replace(endpoint, &proxy.url)).collect();
        self.case.bare("").args(words)
    }

    /// Returns a command about the run of the journal.
    pub(crate) fn earlier(&self, words: &str) -> Cmd {
        self.case.bare("migrate --yes").words(words)
    }

    #[track_caller]
    fn assert_free(&self) {
        for workspace in ["default", "dev"] {
            for place in [&self.case.place, &self.new] {
                assert!(place.holder(workspace).is_none(), "`{workspace}` is locked");
            }
        }
    }
}

pub(crate) fn is_sealed(place: &Place<'_>, workspace: &str) -> bool {
    let Some(bytes) = place.state(workspace) else { return false };
    serde_json::from_slice::<Value>(&bytes).unwrap()["remote_state"]["sealed"] == 1
}

fn rollback(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    case.place.put_state("dev", state(5));
    case.run(moved.migrate("")).code(0);
    let journal = String::from_utf8(case.sandbox.read("j")).unwrap();
    assert!(!journal.contains(SECRET) && !journal.contains(server.secret_key()), "{journal}");
    let config = case.run(moved.earlier("--config j")).code(0);
    assert!(config.stdout().contains(&format!("key = \"{}\"", moved.new.key)), "{config}");

    moved.new.put_state("dev", state(8));
    case.run(moved.earlier("--rollback j"))
        .code(5)
        .says("serial 8 was written to")
        .says("pass `--take-newer`");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert!(is_sealed(&moved.new, "default") && is_sealed(&case.place, "dev"));
    case.run(moved.earlier("--resume j")).code(2);
    let answer = case.run(moved.earlier("--rollback j --take-newer --json")).code(0).json();
    assert_eq!(
        (&answer["result"], &answer["items"][0]["workspace"]),
        (&"brought back".into(), &"dev".into())
    );
    assert_eq!(case.place.state("dev").unwrap(), state(8));
    assert!(is_sealed(&moved.new, "dev"));
    let url = format!("s3://{}/{}", case.place.bucket, case.place.key);
    assert_eq!(moved.new.state_json("default")["remote_state"]["to"], url);
    assert!(answer["backend"].as_str().unwrap().contains(&case.place.key), "{answer}");
    case.run(moved.earlier("--rollback j")).code(0).says("all 2 states are back already");
    assert!(is_sealed(&moved.new, "default"));
    case.run(moved.earlier("--rollback j --clean")).code(0).says("removed the seal at `s3://");
    assert!(moved.new.state("default").is_none() && moved.new.state("dev").is_none());
    assert_eq!(case.place.state("default").unwrap(), state(3));
    moved.assert_free();
}

fn resume(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    case.place.put_state("dev", state(5));
    let output = case.run(case.remote_state("lock -w dev")).code(0);
    let id = output.stdout().trim().to_owned();
    case.run(moved.migrate("")).code(3).says("finish it with `remote-state migrate --resume ");
    case.run(moved.earlier("--resume j")).code(3).says("1 of 2 states are left to move");
    case.run(case.remote_state(&format!("unlock -w dev {id}"))).code(0);
    case.run(moved.earlier("--resume j")).code(0).says("moved workspace `dev`");
    assert_eq!(moved.new.state("dev").unwrap(), state(5));
    case.run(moved.earlier("--resume j")).code(0).says("all 2 states were moved already");
    moved.assert_free();
}

fn verify(server: &S3Server) {
    let mut moved = Recorded::new(server);
    moved.case.place = server.place_in(&block_on(server.make_versioned_bucket()));
    moved.case.place.put_state("default", state(3));
    let case = &moved.case;
    case.run(moved.migrate("")).code(0);
    let good = case.run(moved.earlier("--verify j")).code(0);
    good.mentions("default the copied state sealed good");
    moved.new.put_state("default", state(4));
    case.run(moved.earlier("--verify j")).code(0).mentions("serial 4");
    // A client without a lock has written what it had in memory.
    case.place.put_state("default", state(5));
    let bad = case.run(moved.earlier("--verify j --json")).code(5).json();
    assert_eq!((&bad["result"], &bad["items"][0]["good"]), (&"bad".into(), &false.into()));
    assert_eq!(bad["items"][0]["over_seal"].as_array().unwrap().len(), 1);
    case.run(moved.earlier("--verify j")).code(5).mentions("was written over the seal");
}

fn frozen(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    case.run(moved.migrate("--source freeze")).code(0);
    assert!(case.place.holder("default").is_some());
    case.run(moved.earlier("--verify j")).code(0);
    case.run(moved.earlier("--rollback j")).code(0);
    moved.assert_free();
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert!(is_sealed(&moved.new, "default"));
}

fn refused(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    for words in ["--resume", "--rollback", "--verify", "--config"] {
        case.run(moved.earlier(&format!("{words} nothing"))).code(4);
        case.sandbox.write("no", "no journal\n");
        case.run(moved.earlier(&format!("{words} no")))
            .code(2)
            .says("is no journal of a migration");
    }
    case.run(moved.earlier("--resume j --to s3")).code(2);
    case.run(moved.earlier("--resume j --rollback j")).code(2);
    case.sandbox.write("j", "taken");
    case.run(moved.migrate("")).code(1).says("exists already");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert!(moved.new.state("default").is_none());
    std::fs::remove_file(case.sandbox.path().join("j")).unwrap();
    case.run(moved.migrate("")).code(0);
    let journal = String::from_utf8(case.sandbox.read("j")).unwrap();
    case.sandbox.write("j", journal.replace(&moved.new.key, "other.tfstate"));
    case.run(moved.earlier("--verify j --to-config key=third.tfstate"))
        .code(2)
        .says("the journal is of other places");
    let begun: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    case.sandbox.write("begun", begun);
    case.run(moved.earlier("--resume begun")).code(2).says("before it did anything");
    moved.assert_free();
}

/// An interruption ends the wait for a lock, and leaves no other one.
fn interrupted(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    case.place.put_state("dev", state(5));
    let output = case.run(case.remote_state("lock -w dev")).code(0);
    let id = output.stdout().trim().to_owned();
    let mut waiting = moved.migrate("--lock-timeout 600s --jobs 1").start();
    waiting.wait_for("waiting");
    waiting.signal(Signal::INT);
    let output = waiting.wait();
    output.clone().code(3).says("finishing the states that are under way").says(&id);
    assert_eq!(moved.new.state("default").unwrap(), state(3), "{output}");
    assert!(moved.new.holder("dev").is_none() && moved.new.state("dev").is_none());
    case.run(case.remote_state(&format!("unlock -w dev {id}"))).code(0);
    case.run(moved.earlier("--resume j")).code(0);
    moved.assert_free();
}

/// Returns a proxy that stops at a request for good, and where it says so.
fn stopping(
    server: &S3Server,
    is_meant: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> (Proxy, std::sync::mpsc::Receiver<()>) {
    let (reached, stopped) = std::sync::mpsc::channel();
    let stop = move || {
        // The test may have ended.
        let _ = reached.send(());
        loop {
            std::thread::park();
        }
    };
    (Proxy::before(&server.endpoint, is_meant, stop), stopped)
}

/// Kills a migration while it holds both locks.
fn unlock(server: &S3Server) {
    let moved = Recorded::new(server);
    let case = &moved.case;
    let key = moved.new.key.clone();
    let is_write = move |line: &str| line.starts_with("PUT") && line.contains(&format!("{key}?"));
    let (proxy, stopped) = stopping(server, is_write);
    let running = moved.through(&proxy, moved.migrate("")).start();
    stopped.recv().expect("the migration writes");
    running.kill();
    let lock = case.place.holder("default").expect("it is held");
    assert!(lock.info.starts_with("unfinished migration: `remote-state migrate --resume "));
    let unlock = |more: &str| case.run(case.remote_state(&format!("unlock {} {more}", lock.id)));
    unlock("").code(5).says("migration that has not ended").says("pass `--force`");
    assert!(case.place.holder("default").is_some());
    case.run(moved.earlier("--resume j")).code(0);
    moved.assert_free();
    assert_eq!(moved.new.state("default").unwrap(), state(3));
    assert!(is_sealed(&case.place, "default"));
}
