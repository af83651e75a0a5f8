use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use remote_state_core::{
    Author, Capabilities, Error, ErrorKind, LockId, LockInfo, LockRecord, LockTarget, Locking,
    Outgoing, Patience, ReadOptions, Released, Result, Seal, SealKind, Serial, StateLocation,
    StateMeta, StateRead, StateStore, StateVersion, Workspace, WriteConditions, WriteMode,
    WriteOptions,
};

use super::testing::{STATE, Store, memory, stored, way, write};
use super::*;
use crate::transfer::{MovePlan, Step};

const EMPTY: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"m","outputs":{},"resources":[]}"#;

fn pair() -> (Store, Store) {
    (memory("old"), memory("new"))
}

async fn seal_of(store: &Store) -> Option<Seal> {
    Seal::of(stored(store).await?.as_bytes())
}

async fn holder(store: &Store) -> Option<LockInfo> {
    let record = store.inspect(&Workspace::default()).await.unwrap()?;
    record.info().cloned()
}

fn run() -> Run {
    let now = "2026-11-27T10:00:00Z".parse().unwrap();
    let author = Author::default().with_who("me@here").with_client("test/1");
    Run::new("run", now, author).with_info("unfinished migration")
}

/// What to do when an event happens.
type Act = Box<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// What happened, in order, and what to do when it happens.
#[derive(Default)]
struct Seen {
    events: Mutex<Vec<String>>,
    act: Option<Act>,
}

impl Seen {
    fn acting(act: impl Fn(&str) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { act: Some(Box::new(act)), ..Self::default() }
    }
}

impl Watch for Seen {
    fn event(&self, event: &Event<'_>) -> Result<()> {
        let words = match event {
            Event::Locking { side, .. } => format!("locking {}", side.as_str()),
            Event::Locked { side, .. } => format!("locked {}", side.as_str()),
            Event::Doing { step } => format!("doing {}", step.as_str()),
            Event::Did { step, .. } => format!("did {}", step.as_str()),
            Event::Changed { attempt } => format!("changed {attempt}"),
            Event::Released { side, .. } => format!("released {}", side.as_str()),
        };
        self.events.lock().unwrap().push(words.clone());
        self.act.as_ref().map_or(Ok(()), |act| act(&words))
    }
}

async fn moved_with(from: &Store, to: &Store, options: MigrateOptions) -> Result<Moved> {
    migrate(&way(from, to), &options, &run(), &Seen::default(), &Patience).await
}

async fn moved(from: &Store, to: &Store) -> Result<Moved> {
    moved_with(from, to, MigrateOptions::default()).await
}

fn kind<T: fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[track_caller]
fn says(error: &Error, words: &str) {
    let all = format!("{error} {:?}", error.context());
    assert!(all.contains(words), "{all}");
}

async fn assert_free(stores: [&Store; 2]) {
    for store in stores {
        assert_eq!(holder(store).await, None, "{store}");
    }
}

#[tokio::test]
async fn a_moved_state_keeps_every_byte_and_leaves_a_seal_that_names_its_place() {
    let (old, new) = pair();
    write(&old, STATE);
    let seen = Seen::default();
    let way = way(&old, &new);
    let done = migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await.unwrap();
    assert_eq!(done.source, Left::Sealed);
    assert_eq!(stored(&new).await.as_deref(), Some(STATE));
    let seal = seal_of(&old).await.unwrap();
    assert_eq!((seal.kind, seal.to, &*seal.run), (SealKind::Moved, way.to.url(), "run"));
    assert_eq!(seal.before.serial, Serial(42));
    assert_free([&old, &new]).await;
    let seen = seen.events.into_inner().unwrap();
    assert_eq!(
        seen,
        [
            "locking target",
            "locked target",
            "locking source",
            "locked source",
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
            "released source",
            "released target",
        ]
    );
    let read = new.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
    assert_eq!(Author::of(&read.meta.annotations).unwrap().operation, "migrate");
}

#[tokio::test]
async fn a_migration_that_was_done_is_nothing_to_do() {
    let (old, new) = pair();
    write(&old, STATE);
    drop(moved(&old, &new).await.unwrap());
    write(&new, &STATE.replace("42", "43"));
    let again = moved(&old, &new).await.unwrap();
    assert!(again.copy.is_none() && matches!(again.plan, Some(MovePlan::Done { .. })));
    assert_eq!(stored(&new).await.unwrap(), STATE.replace("42", "43"));
    let elsewhere = moved(&old, &memory("third")).await.unwrap_err();
    says(&elsewhere, "is sealed: moved to `memory://new/default`");
    new.delete(&Workspace::default()).await.unwrap();
    says(&moved(&old, &new).await.unwrap_err(), "has no later state of it");
}

#[tokio::test]
async fn a_state_comes_back_over_its_seal_and_over_no_other() {
    let (old, new) = pair();
    write(&old, STATE);
    drop(moved(&old, &new).await.unwrap());
    let other = memory("third");
    write(&other, &STATE.replace("\"l\"", "\"m\""));
    says(&moved(&other, &old).await.unwrap_err(), "it is sealed: moved to");
    drop(moved(&new, &old).await.unwrap());
    assert_eq!(stored(&old).await.as_deref(), Some(STATE));
    assert_eq!(seal_of(&new).await.unwrap().to, "memory://old/default");
}

#[tokio::test]
async fn a_target_with_another_state_is_refused_and_one_without_resources_is_replaced() {
    let (old, new) = pair();
    assert_eq!(kind(moved(&old, &new).await), ErrorKind::NotFound);
    write(&old, STATE);
    write(&new, &STATE.replace("42", "7").replace("\"l\"", "\"m\""));
    let refused = moved(&old, &new).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PreconditionFailed);
    says(&refused, "the target `memory://new/default` has a state already");
    assert!(refused.context().contains(&("serial", "7".to_owned())), "{refused:?}");
    write(&new, EMPTY);
    drop(moved(&old, &new).await.unwrap());
    assert_eq!(stored(&new).await.as_deref(), Some(STATE));
    assert_free([&old, &new]).await;
}

#[tokio::test]
async fn a_source_that_changes_meanwhile_is_copied_again() {
    let (old, new) = pair();
    write(&old, STATE);
    let (newer, source) = (STATE.replace("42", "43"), old.clone());
    let once = Mutex::new(Some(newer.clone()));
    let seen = Seen::acting(move |event| {
        if event == "doing seal"
            && let Some(newer) = once.lock().unwrap().take()
        {
            write(&source, &newer);
        }
        Ok(())
    });
    let way = way(&old, &new);
    drop(migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await.unwrap());
    assert_eq!(stored(&new).await, Some(newer));
    assert_eq!(seal_of(&old).await.unwrap().before.serial, Serial(43));
    assert!(seen.events.lock().unwrap().contains(&"changed 1".to_owned()));
}

#[tokio::test]
async fn a_source_that_changes_each_time_stays_and_leaves_no_copy() {
    for target in [None, Some(EMPTY)] {
        let (old, new) = pair();
        write(&old, STATE);
        target.inspect(|text| write(&new, text));
        let (source, serial) = (old.clone(), Mutex::new(42));
        let seen = Seen::acting(move |event| {
            if event == "doing seal" {
                let mut serial = serial.lock().unwrap();
                *serial += 1;
                write(&source, &STATE.replace("42", &serial.to_string()));
            }
            Ok(())
        });
        let way = way(&old, &new);
        let done = migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await;
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        says(&error, "the copy was removed");
        assert_eq!(stored(&old).await.unwrap(), STATE.replace("42", "45"), "three attempts");
        assert_eq!(stored(&new).await.as_deref(), target);
        assert_free([&old, &new]).await;
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_written_ends_the_migration_before_the_step() {
    for event in ["locking source", "doing read", "doing write", "doing seal"] {
        let (old, new) = pair();
        write(&old, STATE);
        let full = move |happening: &str| {
            if happening == event {
                Err(Error::new(ErrorKind::Local, "record", "disk full"))
            } else {
                Ok(())
            }
        };
        let way = way(&old, &new);
        let seen = Seen::acting(full);
        let done = migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await;
        assert_eq!(kind(done), ErrorKind::Local, "{event}");
        assert_eq!(stored(&old).await.as_deref(), Some(STATE));
        assert_eq!(stored(&new).await, None, "{event}");
        assert_free([&old, &new]).await;
    }
}

#[tokio::test]
async fn a_lock_in_the_way_leaves_the_other_free() {
    for (held, other) in [pair(), {
        let (old, new) = pair();
        (new, old)
    }] {
        write(&held, STATE);
        write(&other, STATE);
        let info = LockInfo::new("apply", "you", "1", "2026-11-27T10:00:00Z".parse().unwrap());
        let lock = held.acquire(&Workspace::default(), &info.unwrap()).await.unwrap();
        for (from, to) in [(&held, &other), (&other, &held)] {
            let error = moved(from, to).await.unwrap_err();
            assert_eq!(error.holder().and_then(LockRecord::id), Some(&lock.id));
            assert_eq!(holder(&other).await, None);
        }
    }
}

#[tokio::test]
async fn what_becomes_of_the_source_is_the_callers_choice() {
    let options = |mode| MigrateOptions::default().with_source(mode);
    let (old, new) = pair();
    write(&old, STATE);
    let kept = moved_with(&old, &new, options(SourceMode::Keep)).await.unwrap();
    assert_eq!(kept.source, Left::Kept);
    assert_eq!(stored(&old).await, stored(&new).await);
    assert_free([&old, &new]).await;

    let refused = moved_with(&old, &new, options(SourceMode::Delete)).await.unwrap_err();
    says(&refused, "may track resources");
    let forced = options(SourceMode::Delete).with_force(true);
    assert_eq!(moved_with(&old, &new, forced).await.unwrap().source, Left::Deleted);
    assert_eq!((stored(&old).await, stored(&new).await.as_deref()), (None, Some(STATE)));
    assert_free([&old, &new]).await;

    let (old, new) = pair();
    write(&old, STATE);
    let frozen = moved_with(&old, &new, options(SourceMode::Freeze)).await.unwrap();
    let lock = holder(&old).await.unwrap();
    assert_eq!(frozen.source, Left::Frozen(lock.id));
    assert_eq!(lock.operation, "moved to memory://new/default");
    assert!(lock.info.contains("terraform init -reconfigure"), "{}", lock.info);
    assert_eq!((stored(&old).await.as_deref(), holder(&new).await), (Some(STATE), None));
}

#[tokio::test]
async fn a_failed_freeze_leaves_no_lock() {
    let (old, new) = pair();
    write(&old, STATE);
    write(&new, "other");
    let options = MigrateOptions::default().with_source(SourceMode::Freeze);
    assert_eq!(kind(moved_with(&old, &new, options).await), ErrorKind::PreconditionFailed);
    assert_free([&old, &new]).await;
}

#[tokio::test]
async fn the_copy_of_an_earlier_run_is_replaced_if_its_hash_is_known() {
    let (old, new) = pair();
    write(&old, &STATE.replace("42", "43"));
    write(&new, STATE);
    assert_eq!(kind(moved(&old, &new).await), ErrorKind::PreconditionFailed);
    let hash = remote_state_core::ContentHash::of(STATE.as_bytes()).to_string();
    let ids = [Some(LockId::new("a")), Some(LockId::new("b"))];
    let way = way(&old, &new).with_earlier(vec![hash]).with_locks(ids);
    let seen = Seen::default();
    drop(migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await.unwrap());
    assert_eq!(stored(&new).await.unwrap(), STATE.replace("42", "43"));
    assert!(seal_of(&old).await.is_some());
}

/// What happens once.
type Once = Box<dyn FnOnce() + Send>;

/// A store under another name, which may have other capabilities, and in which something may happen
/// before each write.
#[derive(Clone)]
struct Alias {
    inner: Store,
    name: &'static str,
    capabilities: Capabilities,
    /// Ignores the conditions of writes over a state.
    is_loose: bool,
    before_write: Arc<Mutex<Option<Once>>>,
    /// What is stored instead of what is written.
    damage: Option<&'static str>,
    /// Whether nothing can be deleted.
    keeps_all: bool,
}

impl Alias {
    fn of(inner: &Store, name: &'static str) -> Self {
        let (inner, capabilities) = (inner.clone(), inner.capabilities());
        Self {
            inner,
            name,
            capabilities,
            is_loose: false,
            before_write: Arc::default(),
            damage: None,
            keeps_all: false,
        }
    }

    fn with(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    fn loose(mut self) -> Self {
        self.is_loose = true;
        self.capabilities = self.capabilities.with_conditions(WriteConditions::ReadFirst);
        self
    }

    fn before_write(self, act: impl FnOnce() + Send + 'static) -> Self {
        *self.before_write.lock().unwrap() = Some(Box::new(act));
        self
    }

    fn store(self) -> Store {
        Arc::new(self)
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl StateStore for Alias {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        let StateLocation { path, locks, .. } = self.inner.location(workspace);
        StateLocation::new(path, format!("alias://{}/{workspace}", self.name), locks)
    }

    fn with_state_key(&self, key: &str) -> Result<Store> {
        self.inner.with_state_key(key)
    }

    async fn read(&self, name: &Workspace, options: &ReadOptions) -> Result<Option<StateRead>> {
        self.inner.read(name, options).await
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        if let Some(act) = self.before_write.lock().unwrap().take() {
            act();
        }
        let mut options = options.clone();
        if self.is_loose {
            options.mode = WriteMode::Overwrite;
        }
        let outgoing = match self.damage {
            Some(damage) => Outgoing::from(Bytes::from(damage)),
            None => outgoing,
        };
        self.inner.write(workspace, outgoing, &options).await
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        if self.keeps_all {
            return Err(Error::new(ErrorKind::PermissionDenied, "delete", "no"));
        }
        self.inner.delete(workspace).await
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        self.inner.workspaces()
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        self.inner.acquire(workspace, info).await
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        self.inner.release(workspace, target).await
    }

    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        self.inner.inspect(workspace).await
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        self.inner.locks()
    }

    fn versions(&self, workspace: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        self.inner.versions(workspace)
    }
}

#[tokio::test]
async fn one_object_under_two_names_is_found_out_by_its_lock() {
    let old = memory("old");
    write(&old, STATE);
    let alias = Alias::of(&old, "b").store();
    for (from, to) in [(&old, &alias), (&alias, &old)] {
        let wait = remote_state_core::LockWait::new(std::time::Duration::from_secs(600));
        let options = MigrateOptions::default().with_lock_wait(wait);
        let error = moved_with(from, to, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        says(&error, "are one object under two names");
        assert_eq!(stored(&old).await.as_deref(), Some(STATE));
        assert_free([from, to]).await;
    }
    says(&moved(&old, &old).await.unwrap_err(), "is the source and the target");
}

#[tokio::test]
async fn one_object_without_locks_is_found_out_by_its_seal_and_put_back() {
    let old = memory("old");
    write(&old, STATE);
    let alias = Alias::of(&old, "b").with(old.capabilities().with_locking(Locking::None)).store();
    let error = moved(&old, &alias).await.unwrap_err();
    says(&error, "are one object under two names");
    says(&error, "its state was put back");
    assert_eq!(stored(&old).await.as_deref(), Some(STATE));
    assert_free([&old, &alias]).await;
}

#[tokio::test]
async fn without_conditions_and_versions_a_seal_needs_consent() {
    let inner = memory("old");
    write(&inner, STATE);
    let weak = inner.capabilities().with_versions(remote_state_core::Versions::None);
    let (old, new) = (Alias::of(&inner, "old").with(weak).loose().store(), memory("new"));
    let error = moved(&old, &new).await.unwrap_err();
    assert_eq!(error.advice(), [remote_state_core::Advice::AcceptUnfenced]);
    assert_eq!((stored(&inner).await.as_deref(), stored(&new).await), (Some(STATE), None));
    let accepting = MigrateOptions::default().with_unfenced_accepted(true);
    drop(moved_with(&old, &new, accepting).await.unwrap());
    assert!(seal_of(&inner).await.is_some());
}

#[tokio::test]
async fn what_a_seal_covers_is_put_back_and_copied_too() {
    let (inner, new) = pair();
    write(&inner, STATE);
    let (newer, writer) = (STATE.replace("42", "43"), inner.clone());
    let lost = newer.clone();
    let old = Alias::of(&inner, "old").loose().before_write(move || write(&writer, &lost)).store();
    drop(moved(&old, &new).await.unwrap());
    assert_eq!(stored(&new).await, Some(newer), "the state that was covered for a moment");
    assert_eq!(seal_of(&inner).await.unwrap().before.serial, Serial(43));
}

#[tokio::test]
async fn a_write_over_the_seal_is_seen_and_copied_too() {
    let (inner, new) = pair();
    write(&inner, STATE);
    let (newer, writer) = (STATE.replace("42", "43"), inner.clone());
    let after = Mutex::new(Some(newer.clone()));
    let seen = Seen::acting(move |event| {
        // The copy is proven, and the source was read before.
        if event == "did prove"
            && let Some(newer) = after.lock().unwrap().take()
        {
            write(&writer, &newer);
        }
        Ok(())
    });
    let old = Alias::of(&inner, "old").loose().store();
    let way = way(&old, &new);
    drop(migrate(&way, &MigrateOptions::default(), &run(), &seen, &Patience).await.unwrap());
    assert_eq!(stored(&new).await, Some(newer));
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_does_nothing() {
    let (old, new) = pair();
    write(&old, STATE);
    let planned = plan(&way(&old, &new), &MigrateOptions::default(), &run()).await.unwrap();
    let MovePlan::Copy { copy, sealing, .. } = planned else { panic!("it is not done") };
    assert_eq!(copy.header.serial, Serial(42));
    let seal = sealing.unwrap().seal;
    assert_eq!(
        seal.sentence,
        "moved to memory://new/default on 2026-11-27; set the new backend, then terraform init \
         -reconfigure"
    );
    assert_eq!((stored(&old).await.as_deref(), stored(&new).await), (Some(STATE), None));
    assert_eq!(Step::Seal.as_str(), "seal");
}

#[tokio::test]
async fn a_migration_is_verified_and_what_was_written_since_is_named() {
    let (old, new) = pair();
    write(&old, STATE);
    let way = way(&old, &new);
    let copied = remote_state_core::ContentHash::of(STATE.as_bytes()).to_string();
    let lineage = remote_state_core::Lineage::new("l");
    let look = async |mode| verify(&way, mode, &copied, (&lineage, Serial(42))).await.unwrap();
    assert!(!look(SourceMode::Seal).await.is_good);
    drop(moved(&old, &new).await.unwrap());
    let good = look(SourceMode::Seal).await;
    assert_eq!((&good.source, &good.target), (&Finding::Sealed, &Finding::Copied));
    assert!(good.is_good && good.over_seal.is_empty());
    write(&new, &STATE.replace("42", "43"));
    assert!(look(SourceMode::Seal).await.is_good, "the new place is in use");
    write(&old, &STATE.replace("42", "44"));
    let bad = look(SourceMode::Seal).await;
    assert_eq!((bad.is_good, bad.over_seal.len()), (false, 1));
    assert!(matches!(bad.source, Finding::State { serial: Serial(44), .. }));
}

#[tokio::test]
async fn a_state_comes_back_only_if_no_client_wrote_to_it_since() {
    let (old, new) = pair();
    write(&old, STATE);
    drop(moved(&old, &new).await.unwrap());
    let newer = STATE.replace("42", "43");
    write(&new, &newer);
    let hash = remote_state_core::ContentHash::of(STATE.as_bytes()).to_string();
    let back = way(&new, &old).with_expected(vec![hash]);
    let (options, seen) = (MigrateOptions::default(), Seen::default());
    let error = migrate(&back, &options, &run(), &seen, &Patience).await.unwrap_err();
    says(&error, "serial 43 was written to `memory://new/default` since");
    let back = Move { expected: None, ..back };
    drop(migrate(&back, &options, &run(), &seen, &Patience).await.unwrap());
    assert_eq!(stored(&old).await, Some(newer));
}

#[tokio::test]
async fn an_old_place_that_went_on_is_the_truth_when_a_copy_is_taken_back() {
    let (old, new) = pair();
    let newer = STATE.replace("42", "43");
    write(&old, &newer);
    write(&new, STATE);
    let options = MigrateOptions::default().with_newer_accepted(true);
    let back = way(&new, &old);
    drop(migrate(&back, &options, &run(), &Seen::default(), &Patience).await.unwrap());
    assert_eq!(stored(&old).await, Some(newer));
    assert_eq!(seal_of(&new).await.unwrap().to, "memory://old/default");
}

#[tokio::test]
async fn a_copy_that_reads_as_something_else_is_taken_back() {
    let (old, inner) = pair();
    write(&old, STATE);
    let new = Alias { damage: Some("damaged"), ..Alias::of(&inner, "new") }.store();
    let error = moved(&old, &new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    says(&error, "was written, and reads as something else");
    says(&error, "the copy was taken back");
    assert_eq!((stored(&old).await.as_deref(), stored(&inner).await), (Some(STATE), None));
    assert_free([&old, &new]).await;
}

#[tokio::test]
async fn a_wrong_copy_that_cannot_be_taken_back_stays_locked() {
    let (old, inner) = pair();
    write(&old, STATE);
    let damaging = Alias { damage: Some("damaged"), ..Alias::of(&inner, "new") };
    let new = Alias { keeps_all: true, ..damaging }.store();
    let error = moved(&old, &new).await.unwrap_err();
    let lock = holder(&new).await.expect("nobody may use it");
    says(&error, &format!("the lock `{}` of `alias://new/default` is still held", lock.id));
    assert_eq!(stored(&old).await.as_deref(), Some(STATE));
}
