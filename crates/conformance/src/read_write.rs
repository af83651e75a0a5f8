//! States: reads return what was written, and no write is lost.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, TryStreamExt as _};
use remote_state_core::{
    Annotations, ETag, Error, ErrorKind, Outgoing, ReadOptions, Result, StateFile, StateMeta,
    StateStore, Workspace, WriteMode, WriteOptions,
};

use tokio::sync::oneshot;

use crate::fixtures::{
    assert_same_bytes, assert_stored, concat, delicate_states, read, state, state_of_size,
    state_with, unique, workspace,
};
use crate::setup::{Outcome, Setup};

const NO_CONDITIONS: Outcome = Outcome::Skipped("the setup declares no conditional writes");

/// The store can do at least what the setup declares.
pub async fn declared_capabilities_are_there(setup: &Setup) -> Outcome {
    let (has, declared) = (setup.store.capabilities(), setup.declares);
    assert!(has.has_locks() || !declared.has_locks(), "locks are declared");
    assert!(
        has.writes_conditionally() || !declared.writes_conditionally(),
        "conditional writes are declared"
    );
    assert!(has.has_digests() || !declared.has_digests(), "digests are declared");
    assert!(has.has_versions() || !declared.has_versions(), "versions are declared");
    assert!(has.has_annotations() || !declared.has_annotations(), "annotations are declared");
    Outcome::Kept
}

/// Reading where no state was written returns `None`, and is no error.
pub async fn read_of_nothing_is_none(setup: &Setup) -> Outcome {
    for ws in [Workspace::default(), workspace("dev")] {
        assert!(read(&*setup.store, &ws).await.is_none(), "nothing has been written to `{ws}`");
    }
    Outcome::Kept
}

/// An object of no bytes is no state.
pub async fn empty_object_is_none(setup: &Setup) -> Outcome {
    let ws = Workspace::default();
    if setup.store.write(&ws, Bytes::new().into(), &WriteMode::Overwrite.into()).await.is_err() {
        return Outcome::Skipped("the store refuses to write an empty state");
    }
    assert!(read(&*setup.store, &ws).await.is_none(), "an object of no bytes is no state");
    overwrite(&setup.store, &ws, state(1, "l")).await;
    assert_stored(&*setup.store, &ws, &state(1, "l"), "a state over an empty object").await;
    Outcome::Kept
}

/// A write makes nothing visible before its decision, and never if the decision is no.
pub async fn write_waits_for_its_decision(setup: &Setup) -> Outcome {
    let (store, ws) = (&setup.store, Workspace::default());
    let undecided = |bytes: Bytes| {
        let (decide, decided) = oneshot::channel::<Result<()>>();
        let decision = decided.map(|decision| decision.expect("the decision is sent"));
        (decide, Outgoing::new(bytes).with_decision(decision))
    };
    for options in [WriteMode::Create, WriteMode::Overwrite].map(WriteOptions::from) {
        let before = read(&**store, &ws).await;
        let refused = || Error::new(ErrorKind::PreconditionFailed, "decide", "the writer says no");
        let (decide, outgoing) = undecided(state(2, "l"));
        let looked = async {
            // A store that does not wait has written after this time.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let seen = read(&**store, &ws).await;
            assert!(seen == before, "a write without a decision is visible");
            decide.send(Err(refused())).expect("the store waits for the decision");
        };
        let (written, ()) = tokio::join!(store.write(&ws, outgoing, &options), looked);
        let error = written.expect_err("the decision is no");
        assert_eq!(error.message(), refused().message());
        assert!(read(&**store, &ws).await == before, "the decision was no, and nothing is written");

        let (decide, outgoing) = undecided(state(1, "l"));
        decide.send(Ok(())).expect("the store waits for the decision");
        drop(store.write(&ws, outgoing, &options).await.expect("the decision is yes"));
        assert_stored(&**store, &ws, &state(1, "l"), "a write whose decision is yes").await;
    }
    Outcome::Kept
}

/// Reads return the same bytes.
pub async fn bytes_round_trip_exactly(setup: &Setup) -> Outcome {
    for (name, bytes) in delicate_states() {
        for ws in [Workspace::default(), workspace("dev")] {
            overwrite(&setup.store, &ws, bytes.clone()).await;
            assert_stored(&*setup.store, &ws, &bytes, name).await;
        }
    }
    Outcome::Kept
}

/// Reads return the same bytes of a state of several megabytes.
pub async fn large_state_round_trips(setup: &Setup) -> Outcome {
    round_trip(setup, setup.scale.large_bytes).await
}

/// What the writer noted beside a state comes back with it, whatever its size and characters, and
/// is gone with the next write.
pub async fn annotations_come_back_with_the_state_and_go_with_the_next_write(
    setup: &Setup,
) -> Outcome {
    if !setup.declares.has_annotations() {
        return Outcome::Skipped("the store keeps no annotations");
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let mut notes = Annotations::default();
    for (name, value) in [("who", "Jürgen@ci-7"), ("reason", " 100 %\n\"x\" "), ("lock-id", "")] {
        notes.set(name, value).expect("the annotation is short");
    }
    for size in [200, setup.scale.large_bytes] {
        let options = WriteOptions::from(WriteMode::Overwrite).with_annotations(notes.clone());
        let bytes = state_of_size(1, "l", size);
        let written = store.write(&ws, bytes.into(), &options).await;
        assert!(written.is_ok(), "{written:?}");
        assert_eq!(
            annotations(&**store, &ws).await,
            notes,
            "the annotations of a state of {size} bytes"
        );
        overwrite(store, &ws, state(2, "l")).await;
        assert_eq!(
            annotations(&**store, &ws).await,
            Annotations::default(),
            "the annotations of the next state"
        );
    }
    Outcome::Kept
}

async fn annotations(store: &dyn StateStore, ws: &Workspace) -> Annotations {
    let read = store.read(ws, &ReadOptions::default()).await.expect("the state can be read");
    read.expect("the state was written").meta.annotations
}

/// Reads return the same bytes of a state of many megabytes.
pub async fn huge_state_round_trips(setup: &Setup) -> Outcome {
    round_trip(setup, setup.scale.huge_bytes).await
}

async fn round_trip(setup: &Setup, size_bytes: usize) -> Outcome {
    let bytes = state_of_size(1, "l", size_bytes);
    let meta = overwrite(&setup.store, &Workspace::default(), bytes.clone()).await;
    assert_eq!(meta.size_bytes, size_bytes as u64);
    assert_stored(&*setup.store, &Workspace::default(), &bytes, "a long state").await;
    Outcome::Kept
}

/// A limited read yields the first bytes of a state, and the description of the whole: also if the
/// state is shorter than the limit, and of an older version.
pub async fn limited_read_yields_the_first_bytes_and_describes_the_whole(setup: &Setup) -> Outcome {
    const LIMIT: u64 = 4096;
    let ws = Workspace::default();
    let first = async |options: ReadOptions| {
        let read = setup.store.read(&ws, &options.with_limit(LIMIT)).await;
        let read = read.unwrap_or_else(|error| panic!("a limited read should work: {error:?}"))?;
        let read = read.collect().await;
        Some(read.unwrap_or_else(|error| panic!("the bytes should arrive: {error:?}")))
    };
    assert_eq!(first(ReadOptions::default()).await, None, "nothing was written");
    overwrite(&setup.store, &ws, Bytes::new()).await;
    assert_eq!(first(ReadOptions::default()).await, None, "an empty object is no state");
    let limit = usize::try_from(LIMIT).expect("4096 fits");
    for size in [limit - 1, limit, limit + 1, setup.scale.large_bytes] {
        let bytes = state_of_size(1, "l", size);
        let meta = overwrite(&setup.store, &ws, bytes.clone()).await;
        let mut reads = vec![ReadOptions::default()];
        if let (true, Some(version)) = (setup.declares.has_versions(), &meta.version) {
            reads.push(ReadOptions::default().with_version(version.clone()));
        }
        for options in reads {
            let read = first(options).await.expect("the state was just written");
            assert_same_bytes(&read.bytes, &bytes[..size.min(limit)], "the first bytes");
            assert_eq!(read.meta.size_bytes, size as u64);
            assert_eq!(read.meta.etag, meta.etag);
        }
    }
    Outcome::Kept
}

/// A state can be written from a file.
pub async fn file_is_written_as_it_is(setup: &Setup) -> Outcome {
    let bytes = state_of_size(1, "l", setup.scale.large_bytes);
    let path = std::env::temp_dir().join(unique("remote-state-conformance"));
    tokio::fs::write(&path, &bytes).await.expect("the temporary folder should be writable");
    let file = StateFile::read(&path, |_| Ok(())).expect("the file was just written");
    let result =
        setup.store.write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into()).await;
    tokio::fs::remove_file(&path).await.expect("the file should be removable");
    result.unwrap_or_else(|error| panic!("writing from a file should work: {error:?}"));
    assert_stored(&*setup.store, &Workspace::default(), &bytes, "a state from a file").await;
    Outcome::Kept
}

/// A file that is sent while it is read arrives as it is. If the last look at it disagrees, the
/// writer decides against it, or the file changes meanwhile, the write stores nothing.
pub async fn file_that_is_read_on_the_way_is_stored_whole_or_not_at_all(setup: &Setup) -> Outcome {
    let (store, ws) = (&setup.store, Workspace::default());
    let path = std::env::temp_dir().join(unique("remote-state-conformance"));
    let bytes = state_of_size(1, "l", setup.scale.large_bytes);
    tokio::fs::write(&path, &bytes).await.expect("the temporary folder should be writable");
    let file = || StateFile::open(&path).expect("the file was just written");
    let no = || Error::new(ErrorKind::InvalidState, "look", "it is no state");
    for mode in [WriteMode::Create, WriteMode::Overwrite] {
        let before = read(&**store, &ws).await;
        let refused = file().with_look(move |incoming| {
            while incoming.next_piece()?.is_some() {}
            Err(no())
        });
        let changed = path.clone();
        let changing = file().with_look(move |incoming| {
            while incoming.next_piece()?.is_some() {}
            let file = std::fs::File::options().append(true).open(&changed);
            file.and_then(|mut file| std::io::Write::write_all(&mut file, b" ")).expect("ours");
            Ok(())
        });
        let undecided = Outgoing::new(file()).with_decision(async move {
            // A store that does not wait has written after this time.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(no())
        });
        for (outgoing, kind) in [
            (Outgoing::new(refused), ErrorKind::InvalidState),
            (undecided, ErrorKind::InvalidState),
            (Outgoing::new(changing), ErrorKind::Local),
        ] {
            let error = store.write(&ws, outgoing, &mode.clone().into()).await;
            let error = error.expect_err("the state may not be stored");
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(read(&**store, &ws).await == before, "nothing was written");
        }
        tokio::fs::write(&path, &bytes).await.expect("the file is ours");
        let outgoing = Outgoing::new(file()).with_decision(async { Ok(()) });
        let written = store.write(&ws, outgoing, &mode.into()).await;
        let written = written.unwrap_or_else(|error| panic!("writing should work: {error:?}"));
        assert_eq!(written.size_bytes, bytes.len() as u64);
        assert_stored(&**store, &ws, &bytes, "a state that was read on the way").await;
    }
    tokio::fs::remove_file(&path).await.expect("the file should be removable");
    Outcome::Kept
}

/// A write and a read describe a state alike.
pub async fn write_and_read_agree_about_the_state(setup: &Setup) -> Outcome {
    let (store, ws, bytes) = (&setup.store, Workspace::default(), state(1, "l"));
    let written = overwrite(store, &ws, bytes.clone()).await;
    let read = store
        .read(&ws, &ReadOptions::default())
        .await
        .unwrap_or_else(|error| panic!("reading should work: {error:?}"))
        .expect("a state was written");
    assert_eq!(read.meta.size_bytes, bytes.len() as u64);
    assert_eq!(written.size_bytes, bytes.len() as u64);
    if setup.declares.writes_conditionally() {
        assert!(read.meta.etag.is_some(), "conditions need an entity tag");
        assert_eq!(written.etag, read.meta.etag);
    }
    let chunks: Vec<Bytes> = read
        .body
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("reading to the end should work: {error:?}"));
    assert_same_bytes(&concat(chunks), &bytes, "a state read piece by piece");
    Outcome::Kept
}

/// Every read that starts after a write returns it, and after a deletion `None`.
pub async fn read_after_write_sees_it(setup: &Setup) -> Outcome {
    let ws = Workspace::default();
    for serial in 1..=20 {
        let bytes = state(serial, "l");
        overwrite(&setup.store, &ws, bytes.clone()).await;
        assert_stored(&*setup.store, &ws, &bytes, "the state that was just written").await;
        if serial % 5 == 0 {
            delete(&setup.store, &ws).await;
            assert!(read(&*setup.store, &ws).await.is_none(), "the state was just deleted");
        }
    }
    Outcome::Kept
}

/// During a write, reads return one state or the other, never a mixture.
pub async fn readers_see_whole_writes(setup: &Setup) -> Outcome {
    let (store, ws) = (&setup.store, Workspace::default());
    let long = state_of_size(1, "l", 512 << 10);
    let short = state_of_size(2, "l", 300 << 10);
    overwrite(store, &ws, long.clone()).await;
    let writer = {
        let (store, ws, long, short) = (Arc::clone(store), ws.clone(), long.clone(), short.clone());
        tokio::spawn(async move {
            for _ in 0..10 {
                overwrite(&store, &ws, short.clone()).await;
                overwrite(&store, &ws, long.clone()).await;
            }
        })
    };
    while !writer.is_finished() {
        let got = read(&**store, &ws).await.expect("there is a state all the time");
        assert!(
            got == long || got == short,
            "a read of {} bytes is neither of the states written",
            got.len()
        );
    }
    writer.await.expect("the writer should not panic");
    Outcome::Kept
}

/// The store refuses a write that names another state than the stored one, and changes nothing.
pub async fn update_with_a_stale_etag_fails_and_writes_nothing(setup: &Setup) -> Outcome {
    if !setup.declares.writes_conditionally() {
        return NO_CONDITIONS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let first = etag(&overwrite(store, &ws, state(1, "l")).await);
    let second = etag(&put(store, &ws, state(2, "l"), WriteMode::Update(first.clone())).await);
    assert_ne!(first, second, "other bytes have another entity tag");
    for stale in [first, ETag::new("\"0123456789abcdef0123456789abcdef\"")] {
        let result = store.write(&ws, state(3, "l").into(), &WriteMode::Update(stale).into()).await;
        assert_precondition_failed(result);
        assert_stored(&**store, &ws, &state(2, "l"), "the state after a refused write").await;
    }
    put(store, &ws, state(3, "l"), WriteMode::Update(second)).await;
    assert_stored(&**store, &ws, &state(3, "l"), "the state after an accepted write").await;
    Outcome::Kept
}

/// A deleted state cannot be updated.
pub async fn update_of_a_deleted_state_fails(setup: &Setup) -> Outcome {
    if !setup.declares.writes_conditionally() {
        return NO_CONDITIONS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    let gone = etag(&overwrite(store, &ws, state(1, "l")).await);
    delete(store, &ws).await;
    assert_precondition_failed(
        store.write(&ws, state(2, "l").into(), &WriteMode::Update(gone).into()).await,
    );
    assert!(read(&**store, &ws).await.is_none(), "a refused write writes nothing");
    Outcome::Kept
}

/// The store refuses to create a state that exists, also a second time, and changes nothing.
pub async fn create_on_an_existing_state_fails_and_writes_nothing(setup: &Setup) -> Outcome {
    if !setup.declares.writes_conditionally() {
        return NO_CONDITIONS;
    }
    let (store, ws) = (&setup.store, Workspace::default());
    put(store, &ws, state(1, "l"), WriteMode::Create).await;
    for serial in 2..4 {
        assert_precondition_failed(
            store.write(&ws, state(serial, "l").into(), &WriteMode::Create.into()).await,
        );
        assert_stored(&**store, &ws, &state(1, "l"), "the state after a refused write").await;
    }
    Outcome::Kept
}

/// Of many tasks that create one state at the same time exactly one succeeds.
pub async fn race_of_creates_has_one_winner(setup: &Setup) -> Outcome {
    if !setup.declares.writes_conditionally() {
        return NO_CONDITIONS;
    }
    race(setup, WriteMode::Create).await;
    Outcome::Kept
}

/// Of many tasks that update the state they have read exactly one succeeds.
pub async fn race_of_updates_has_one_winner(setup: &Setup) -> Outcome {
    if !setup.declares.writes_conditionally() {
        return NO_CONDITIONS;
    }
    let base = etag(&overwrite(&setup.store, &Workspace::default(), state(0, "l")).await);
    race(setup, WriteMode::Update(base)).await;
    Outcome::Kept
}

async fn race(setup: &Setup, mode: WriteMode) {
    let (ws, options) = (Workspace::default(), WriteOptions::from(mode));
    let attempts = (1..=setup.scale.racers as u64).map(|serial| {
        let (store, ws, options) = (Arc::clone(&setup.store), ws.clone(), options.clone());
        tokio::spawn(async move {
            (serial, store.write(&ws, state(serial, "l").into(), &options).await)
        })
    });
    let mut winners = Vec::new();
    for attempt in join_all(attempts).await {
        match attempt.expect("a racer should not panic") {
            (serial, Ok(_)) => winners.push(serial),
            (_, lost) => assert_precondition_failed(lost),
        }
    }
    let [winner] = winners[..] else { panic!("exactly one racer wins, not {}", winners.len()) };
    assert_stored(&*setup.store, &ws, &state(winner, "l"), "the winner's state").await;
}

/// After a deletion a state can be created again.
pub async fn deleted_state_can_be_created_again(setup: &Setup) -> Outcome {
    let mode = if setup.declares.writes_conditionally() {
        WriteMode::Create
    } else {
        WriteMode::Overwrite
    };
    let (store, ws) = (&setup.store, Workspace::default());
    for serial in 1..3 {
        put(store, &ws, state(serial, "l"), mode.clone()).await;
        assert_stored(&**store, &ws, &state(serial, "l"), "a state that was created").await;
        delete(store, &ws).await;
        assert!(read(&**store, &ws).await.is_none(), "the state was deleted");
    }
    Outcome::Kept
}

/// Deleting a state that does not exist succeeds.
pub async fn delete_of_nothing_succeeds(setup: &Setup) -> Outcome {
    for ws in [Workspace::default(), workspace("dev")] {
        delete(&setup.store, &ws).await;
        delete(&setup.store, &ws).await;
        assert!(read(&*setup.store, &ws).await.is_none(), "nothing was ever written");
    }
    Outcome::Kept
}

/// A write or a deletion in one workspace does not change another.
pub async fn workspaces_do_not_see_each_other(setup: &Setup) -> Outcome {
    let names = ["default", "dev", "dev2", "env:", "terraform.tfstate"];
    for (serial, name) in (1..).zip(names) {
        overwrite(&setup.store, &workspace(name), state(serial, name)).await;
    }
    delete(&setup.store, &workspace("dev")).await;
    for (serial, name) in (1..).zip(names) {
        let ws = workspace(name);
        if name == "dev" {
            assert!(read(&*setup.store, &ws).await.is_none(), "`{name}` was deleted");
        } else {
            assert_stored(&*setup.store, &ws, &state(serial, name), name).await;
        }
    }
    Outcome::Kept
}

/// Two state keys of one bucket are two states, even if one is the beginning of the other.
pub async fn state_keys_do_not_see_each_other(setup: &Setup) -> Outcome {
    let stem = unique("keys");
    let keys = [format!("{stem}/a"), format!("{stem}/a.b"), format!("{stem}/a/b"), stem];
    let stores: Vec<_> = keys.iter().map(|key| with_key(&setup.store, key)).collect();
    for ws in [Workspace::default(), workspace("dev")] {
        for (key, store) in keys.iter().zip(&stores) {
            assert!(read(&**store, &ws).await.is_none(), "`{key}` is fresh");
            overwrite(store, &ws, state_with(1, ws.as_str(), key)).await;
        }
    }
    assert!(
        read(&*setup.store, &Workspace::default()).await.is_none(),
        "the store's own key is still fresh"
    );
    for ws in [Workspace::default(), workspace("dev")] {
        for (key, store) in keys.iter().zip(&stores) {
            assert_stored(&**store, &ws, &state_with(1, ws.as_str(), key), key).await;
            delete(store, &ws).await;
        }
    }
    Outcome::Kept
}

pub(crate) fn other_key(store: &Arc<dyn StateStore>, stem: &str) -> Arc<dyn StateStore> {
    with_key(store, &unique(stem))
}

fn with_key(store: &Arc<dyn StateStore>, key: &str) -> Arc<dyn StateStore> {
    store
        .with_state_key(key)
        .unwrap_or_else(|error| panic!("`{key}` should be a state key: {error:?}"))
}

pub(crate) async fn overwrite(
    store: &Arc<dyn StateStore>,
    ws: &Workspace,
    bytes: Bytes,
) -> StateMeta {
    put(store, ws, bytes, WriteMode::Overwrite).await
}

async fn put(
    store: &Arc<dyn StateStore>,
    ws: &Workspace,
    bytes: Bytes,
    mode: WriteMode,
) -> StateMeta {
    store
        .write(ws, bytes.into(), &mode.into())
        .await
        .unwrap_or_else(|error| panic!("writing to `{ws}` should work: {error:?}"))
}

pub(crate) async fn delete(store: &Arc<dyn StateStore>, ws: &Workspace) {
    store.delete(ws).await.unwrap_or_else(|error| panic!("deleting `{ws}` should work: {error:?}"));
}

fn etag(meta: &StateMeta) -> ETag {
    meta.etag.clone().expect("a store with conditional writes returns entity tags")
}

fn assert_precondition_failed(result: Result<StateMeta>) {
    let error = result.expect_err("the condition does not hold, so nothing may be written");
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}");
}
