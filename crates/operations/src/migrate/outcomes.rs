//! However a migration ends, at most one of the two places accepts writes from clients that lock.

use std::sync::{Arc, Mutex};

use remote_state_conformance::{Faults, FaultyStore, MemoryStore};
use remote_state_core::{
    ContentHash, Error, ErrorKind, LockId, LockInfo, Patience, Result, Seal, StateStore, Workspace,
    WriteConditions,
};

use super::testing::{STATE, Store, memory, stored, way, write};
use super::*;

/// A store that checks no condition of a write, and keeps versions.
fn loose(key: &str) -> Store {
    let store = MemoryStore::new();
    let capabilities = store.capabilities().with_conditions(WriteConditions::ReadFirst);
    store.with_capabilities(capabilities).with_state_key(key).unwrap()
}

fn serial(serial: u64) -> String {
    STATE.replace("42", &serial.to_string())
}

fn hash(text: &str) -> String {
    ContentHash::of(text.as_bytes()).to_string()
}

async fn is_sealed(store: &Store) -> bool {
    stored(store).await.is_some_and(|text| Seal::of(text.as_bytes()).is_some())
}

async fn holder(store: &Store) -> Option<LockId> {
    let record = store.inspect(&Workspace::default()).await.unwrap()?;
    record.id().cloned()
}

async fn take_lock(store: &Store) -> LockId {
    let info = LockInfo::new("apply", "you", "1", "2026-11-27T10:00:00Z".parse().unwrap());
    store.acquire(&Workspace::default(), &info.unwrap()).await.unwrap().id
}

/// Returns whether a client that takes locks can go on with a state that is there.
async fn accepts(store: &Store) -> bool {
    holder(store).await.is_none() && stored(store).await.is_some() && !is_sealed(store).await
}

fn run() -> Run {
    let now = "2026-11-27T10:00:00Z".parse().unwrap();
    Run::new("run", now, remote_state_core::Author::default())
}

/// What a journal would say.
#[derive(Default)]
struct Noted {
    locks: Mutex<[Option<LockId>; 2]>,
    read: Mutex<Vec<String>>,
    /// The step before which the disk is full.
    full: Option<&'static str>,
    is_full: Mutex<bool>,
    act: Mutex<Option<Act>>,
}

/// Something that happens when a step is done, once.
type Act = (&'static str, Box<dyn FnOnce() -> Result<()> + Send>);

impl Noted {
    fn full(step: &'static str) -> Self {
        Self { full: Some(step), ..Self::default() }
    }

    fn acting(step: &'static str, act: impl FnOnce() -> Result<()> + Send + 'static) -> Self {
        Self { act: Mutex::new(Some((step, Box::new(act)))), ..Self::default() }
    }

    /// Returns the way with what the journal says.
    fn resumed(&self, way: &Move) -> Move {
        let (locks, read) = (self.locks.lock().unwrap().clone(), self.read.lock().unwrap().clone());
        Move::new(way.from.clone(), way.to.clone()).with_locks(locks).with_earlier(read)
    }
}

impl Watch for Noted {
    fn event(&self, event: &Event<'_>) -> Result<()> {
        let slot = |side: &Side| usize::from(*side == Side::Target);
        let words = match event {
            Event::Doing { step } => format!("doing {}", step.as_str()),
            Event::Did { step, .. } => format!("did {}", step.as_str()),
            _ => String::new(),
        };
        let mut is_full = self.is_full.lock().unwrap();
        *is_full |= self.full.is_some_and(|full| full == words);
        if *is_full {
            return Err(Error::new(ErrorKind::Local, "record", "disk full"));
        }
        match event {
            Event::Locking { side, id } | Event::Locked { side, id } => {
                self.locks.lock().unwrap()[slot(side)] = Some((*id).clone());
            }
            Event::Released { side, .. } => self.locks.lock().unwrap()[slot(side)] = None,
            Event::Did { step, state: Some(state) } if step.as_str() == "read" => {
                self.read.lock().unwrap().push(state.sha256.to_string());
            }
            _ => {}
        }
        let mut act = self.act.lock().unwrap();
        if act.as_ref().is_some_and(|(step, _)| *step == words)
            && let Some((_, act)) = act.take()
        {
            return act();
        }
        Ok(())
    }
}

async fn go(way: &Move, options: &MigrateOptions, noted: &Noted) -> Result<Moved> {
    migrate(way, options, &run(), noted, &Patience).await
}

async fn kind_of(way: &Move, options: &MigrateOptions) -> ErrorKind {
    go(way, options, &Noted::default()).await.unwrap_err().kind()
}

fn mode(mode: SourceMode) -> MigrateOptions {
    MigrateOptions::default().with_source(mode)
}

#[track_caller]
fn says(error: &Error, words: &str) {
    let all = format!("{error} {:?}", error.context());
    assert!(all.contains(words), "{all}");
}

/// What a test makes of one request.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    One(ErrorKind),
    AllAfter(ErrorKind),
    LostReply,
}

impl Trouble {
    const ALL: [Self; 5] = [
        Self::One(ErrorKind::PermissionDenied),
        Self::One(ErrorKind::Unavailable),
        Self::AllAfter(ErrorKind::PermissionDenied),
        Self::AllAfter(ErrorKind::Unavailable),
        Self::LostReply,
    ];

    fn happen(self, faults: &Faults, number: usize) {
        match self {
            Self::One(kind) => faults.fail_after(number, 1, kind),
            Self::AllAfter(kind) => faults.fail_after(number, 1000, kind),
            Self::LostReply => faults.lose_reply_after(number),
        }
    }
}

#[tokio::test]
async fn whatever_request_fails_one_place_at_most_accepts_writes_and_the_next_run_ends_it() {
    for source in [SourceMode::Seal, SourceMode::Freeze, SourceMode::Delete] {
        for (is_target, trouble) in [false, true]
            .into_iter()
            .flat_map(|is_target| Trouble::ALL.map(|trouble| (is_target, trouble)))
        {
            for number in 0..14 {
                let case = format!("{source:?}, {trouble:?} at {number}, target: {is_target}");
                let old = memory("old");
                write(&old, STATE);
                let (old, old_faults) = FaultyStore::wrap(old);
                let (new, new_faults) = FaultyStore::wrap(memory("new"));
                let faults = if is_target { &new_faults } else { &old_faults };
                trouble.happen(faults, number);
                let (way, options) = (way(&old, &new), mode(source).with_force(true));
                let noted = Noted::default();
                let first = go(&way, &options, &noted).await;
                faults.stop();
                assert!(!(accepts(&old).await && accepts(&new).await), "{case}: {first:?}");
                let again = go(&noted.resumed(&way), &options, &noted).await;
                let is_gone = first.is_ok() || source == SourceMode::Delete;
                assert!(again.is_ok() || is_gone, "{case}: {again:?} after {first:?}");
                assert!(!(accepts(&old).await && accepts(&new).await), "{case}: {again:?}");
                assert_eq!(stored(&new).await.as_deref(), Some(STATE), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_resume_that_fails_leaves_the_locks_of_the_stopped_run() {
    for trouble in Trouble::ALL {
        for (is_target, number) in (0..10).flat_map(|number| [(false, number), (true, number)]) {
            let (old, new) = (memory("old"), memory("new"));
            write(&old, STATE);
            write(&new, STATE);
            let (old, old_faults) = FaultyStore::wrap(old);
            let (new, new_faults) = FaultyStore::wrap(new);
            let locks = [Some(take_lock(&old).await), Some(take_lock(&new).await)];
            let way = way(&old, &new).with_locks(locks).with_earlier(vec![hash(STATE)]);
            trouble.happen(if is_target { &new_faults } else { &old_faults }, number);
            let done = go(&way, &MigrateOptions::default(), &Noted::default()).await;
            old_faults.stop();
            new_faults.stop();
            let is_open = accepts(&old).await && accepts(&new).await;
            assert!(!is_open, "{trouble:?} at {number}, target: {is_target}: {done:?}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_never_leaves_two_places_open() {
    for step in [
        "doing read",
        "did read",
        "doing look",
        "did look",
        "doing write",
        "did write",
        "doing prove",
        "did prove",
        "doing seal",
        "did seal",
        "doing check",
        "did check",
    ] {
        let (old, new) = (memory("old"), memory("new"));
        write(&old, STATE);
        let done = go(&way(&old, &new), &MigrateOptions::default(), &Noted::full(step)).await;
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Local, "{step}");
        assert!(accepts(&old).await != accepts(&new).await, "one is in use: {step}");
    }
}

#[tokio::test]
async fn a_lock_in_the_way_of_a_resume_leaves_the_lock_of_the_stopped_run() {
    for is_swapped in [false, true] {
        let (old, new) =
            if is_swapped { (memory("b"), memory("a")) } else { (memory("a"), memory("b")) };
        write(&old, STATE);
        write(&new, STATE);
        let (own, other) = (take_lock(&old).await, take_lock(&new).await);
        let ids = [Some(own.clone()), Some(LockId::new("was released"))];
        let way = way(&old, &new).with_locks(ids).with_earlier(vec![hash(STATE)]);
        assert_eq!(kind_of(&way, &MigrateOptions::default()).await, ErrorKind::LockHeld);
        assert_eq!((holder(&old).await, holder(&new).await), (Some(own), Some(other)));
    }
}

#[tokio::test]
async fn a_source_that_changes_during_a_resume_is_copied_over_the_earlier_copy() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    write(&new, STATE);
    let (newer, source) = (serial(43), old.clone());
    let text = newer.clone();
    let noted = Noted::acting("doing seal", move || {
        write(&source, &text);
        Ok(())
    });
    let way = way(&old, &new).with_earlier(vec![hash(STATE)]);
    drop(go(&way, &MigrateOptions::default(), &noted).await.unwrap());
    assert_eq!(stored(&new).await, Some(newer));
    assert!(is_sealed(&old).await);
}

#[tokio::test]
async fn a_frozen_place_stays_frozen_when_the_new_one_has_gone_on() {
    for is_swapped in [false, true] {
        let (old, new) =
            if is_swapped { (memory("b"), memory("a")) } else { (memory("a"), memory("b")) };
        write(&old, STATE);
        let noted = Noted::default();
        drop(go(&way(&old, &new), &mode(SourceMode::Freeze), &noted).await.unwrap());
        let frozen = holder(&old).await;
        assert!(frozen.is_some() && accepts(&new).await);
        // The journal does not say that the state was moved.
        let resumed = noted.resumed(&way(&old, &new));
        write(&new, &serial(43));
        let done = go(&resumed, &mode(SourceMode::Freeze), &Noted::default()).await.unwrap();
        assert_eq!(done.source, Left::Frozen(frozen.clone().unwrap()));
        assert_eq!((holder(&old).await, holder(&new).await), (frozen.clone(), None));
        let other = take_lock(&new).await;
        assert_eq!(kind_of(&resumed, &mode(SourceMode::Freeze)).await, ErrorKind::LockHeld);
        assert_eq!((holder(&old).await, holder(&new).await), (frozen, Some(other)));
        assert_eq!(stored(&new).await, Some(serial(43)));
    }
}

#[tokio::test]
async fn what_is_deleted_is_sealed_before_so_that_another_write_is_kept() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    let (newer, source) = (serial(43), old.clone());
    let text = newer.clone();
    let noted = Noted::acting("did prove", move || {
        write(&source, &text);
        Ok(())
    });
    let options = mode(SourceMode::Delete).with_force(true);
    assert_eq!(go(&way(&old, &new), &options, &noted).await.unwrap().source, Left::Deleted);
    assert_eq!((stored(&old).await, stored(&new).await), (None, Some(newer)));
}

#[tokio::test]
async fn a_deletion_that_was_stopped_after_the_seal_is_finished_and_another_seal_stays() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    let options = mode(SourceMode::Delete).with_force(true);
    let stopped = go(&way(&old, &new), &options, &Noted::full("doing delete")).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Local);
    assert!(is_sealed(&old).await && accepts(&new).await);
    let done = go(&way(&old, &new), &options, &Noted::default()).await.unwrap();
    assert_eq!((done.source, stored(&old).await), (Left::Deleted, None));

    write(&old, &serial(44));
    new.delete(&Workspace::default()).await.unwrap();
    drop(go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await.unwrap());
    let other = Run { id: "other".to_owned(), ..run() };
    for source in [SourceMode::Delete, SourceMode::Freeze] {
        let options = mode(source).with_force(true);
        let way = way(&old, &new);
        let done = migrate(&way, &options, &other, &Noted::default(), &Patience).await.unwrap();
        assert_eq!(done.source, Left::Sealed, "{source:?}");
        assert!(is_sealed(&old).await && holder(&old).await.is_none());
    }
}

#[tokio::test]
async fn a_destroyed_state_of_the_same_lineage_is_not_replaced() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    let destroyed = serial(50).replace("[{}]", "[]");
    write(&new, &destroyed);
    let error = go(&way(&old, &new), &mode(SourceMode::Keep), &Noted::default()).await;
    says(&error.unwrap_err(), "it has the same lineage");
    assert_eq!(stored(&new).await, Some(destroyed));
}

#[tokio::test]
async fn one_object_that_keeps_no_versions_is_found_out_before_it_is_sealed() {
    let bucket = MemoryStore::new();
    let capabilities = bucket
        .capabilities()
        .with_versions(remote_state_core::Versions::None)
        .with_locking(remote_state_core::Locking::None);
    let old: Store = Arc::new(bucket.with_capabilities(capabilities));
    write(&old, STATE);
    let new = FaultyStore::alias(old.clone(), "alias");
    for source in [SourceMode::Seal, SourceMode::Keep, SourceMode::Delete] {
        let options = mode(source).with_force(true);
        let error = go(&way(&old, &new), &options, &Noted::full("doing seal")).await.unwrap_err();
        says(&error, "are one object under two names");
        assert_eq!(stored(&old).await.as_deref(), Some(STATE));
    }
}

#[tokio::test]
async fn what_the_seal_of_a_stopped_run_covers_is_put_back_and_copied() {
    let (old, new) = (loose("old"), memory("new"));
    write(&old, STATE);
    let noted = Noted::default();
    drop(go(&way(&old, &new), &MigrateOptions::default(), &noted).await.unwrap());
    // The seal says which version it replaced; another client has written in between.
    let seal = stored(&old).await.unwrap();
    write(&old, &serial(43));
    write(&old, &seal);
    let done = go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await;
    assert!(done.unwrap().copy.is_some());
    assert_eq!(stored(&new).await, Some(serial(43)));
    assert!(is_sealed(&old).await);
}

#[tokio::test]
async fn what_a_seal_covers_stays_a_version_if_the_new_place_has_gone_on() {
    let (old, new) = (loose("old"), memory("new"));
    write(&old, STATE);
    drop(go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await.unwrap());
    let seal = stored(&old).await.unwrap();
    write(&old, &serial(43));
    write(&old, &seal);
    write(&new, &serial(44));
    let done = go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await;
    says(&done.unwrap_err(), "covers version `");
    assert!(is_sealed(&old).await && accepts(&new).await);
    assert_eq!(stored(&new).await, Some(serial(44)));
}

#[tokio::test]
async fn a_copy_that_covers_the_write_of_another_client_puts_it_back() {
    let foreign = serial(7).replace("\"l\"", "\"m\"");
    for is_empty in [true, false] {
        let (old, new) = (memory("old"), loose("new"));
        write(&old, STATE);
        if !is_empty {
            write(&new, &serial(1).replace("\"l\"", "\"n\"").replace("[{}]", "[]"));
        }
        // The store checks no condition, so that the write between look and copy goes unnoticed.
        let (text, writer) = (foreign.clone(), new.clone());
        let (new, faults) = FaultyStore::wrap(new);
        faults.ignore_conditions();
        faults.before_next_write(move || write(&writer, &text));
        let error = go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await;
        says(&error.unwrap_err(), "a client that takes no lock wrote to");
        assert_eq!(stored(&new).await.as_ref(), Some(&foreign), "empty: {is_empty}");
        assert_eq!((stored(&old).await.as_deref(), accepts(&old).await), (Some(STATE), true));
    }
}

#[tokio::test]
async fn a_place_that_another_lock_holds_is_not_frozen_and_one_of_a_stopped_run_not_finished() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    let done = go(&way(&old, &new), &mode(SourceMode::Freeze), &Noted::default()).await.unwrap();
    let Left::Frozen(id) = done.source else { panic!("it is frozen") };
    let (copied, lineage) = (hash(STATE), remote_state_core::Lineage::new("l"));
    let way = way(&old, &new);
    let look = async || {
        let of = (&lineage, remote_state_core::Serial(42));
        verify(&way, SourceMode::Freeze, &copied, of).await.unwrap()
    };
    assert!(look().await.is_good);
    let info =
        LockInfo::new("migration target", "me", "1", "2026-11-27T10:00:00Z".parse().unwrap());
    let unfinished = new.acquire(&Workspace::default(), &info.unwrap()).await.unwrap().id;
    let found = look().await;
    assert!(found.is_unfinished && !found.is_good);
    let release = async |store: &Store, id| {
        let target = remote_state_core::LockTarget::Id(id);
        drop(store.release(&Workspace::default(), &target).await.unwrap());
    };
    release(&new, unfinished).await;
    release(&old, id).await;
    drop(take_lock(&old).await);
    assert!(!look().await.is_good, "an apply runs there");
}

#[tokio::test]
async fn what_a_seal_covers_is_named_when_it_is_looked_at() {
    let (old, new) = (loose("old"), memory("new"));
    write(&old, STATE);
    drop(go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await.unwrap());
    let (copied, lineage) = (hash(STATE), remote_state_core::Lineage::new("l"));
    let way = way(&old, &new);
    let look = async || {
        let of = (&lineage, remote_state_core::Serial(42));
        verify(&way, SourceMode::Seal, &copied, of).await.unwrap()
    };
    assert!(look().await.is_good);
    let seal = stored(&old).await.unwrap();
    write(&old, &serial(43));
    write(&old, &seal);
    let found = look().await;
    assert!(found.under_seal.is_some() && !found.is_good);
}

#[tokio::test]
async fn a_seal_is_removed_only_while_the_state_is_in_use_where_it_points() {
    let (old, new) = (memory("old"), memory("new"));
    write(&old, STATE);
    drop(go(&way(&old, &new), &MigrateOptions::default(), &Noted::default()).await.unwrap());
    drop(go(&way(&new, &old), &MigrateOptions::default(), &Noted::default()).await.unwrap());
    old.delete(&Workspace::default()).await.unwrap();
    let (way, options) = (way(&old, &new), MigrateOptions::default());
    let removed = remove_seal(&way, &options, &run(), &Patience).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert!(is_sealed(&new).await && holder(&new).await.is_none());
    write(&old, STATE);
    assert!(remove_seal(&way, &options, &run(), &Patience).await.unwrap());
    assert_eq!(stored(&new).await, None);
}
