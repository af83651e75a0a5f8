//! The locks of both places.

use std::ops::ControlFlow;
use std::time::Duration;

use async_trait::async_trait;
use remote_state_core::{
    Error, ErrorKind, LockId, LockInfo, LockRecord, LockTarget, LockWaiting, Released, Result,
    StateStoreExt as _,
};

use super::types::{Event, MigrateOptions, Move, Run, Side, SourceMode, Watch};
use crate::transfer::{AtTarget, Stopped};

/// What the record of a frozen lock says to those who find it.
const WAY_ON: &str = "set the new backend, then terraform init -reconfigure";

/// The locks that are held, in the order in which they were taken. A place without a configured
/// lock has none.
pub(super) struct Locks<'a> {
    item: &'a Move,
    watch: &'a dyn Watch,
    is_freezing: bool,
    held: Vec<Held>,
}

/// One of them.
struct Held {
    side: Side,
    id: LockId,
    /// It may have been held since an earlier run, which may have left the state in both places.
    is_inherited: bool,
}

impl<'a> Locks<'a> {
    /// Takes both, in the order of the bytes of the states' URLs: two runs in opposite directions
    /// then cannot wait for each other.
    pub(super) async fn take(
        item: &'a Move,
        options: &MigrateOptions,
        run: &Run,
        watch: &'a dyn Watch,
        waiting: &dyn LockWaiting,
    ) -> Result<Self> {
        let is_freezing = options.source == SourceMode::Freeze;
        let mut locks = Self { item, watch, is_freezing, held: Vec::new() };
        let mut sides = [Side::Source, Side::Target];
        sides.sort_by_key(|side| item.side(*side).url());
        for side in sides {
            if let Err(error) = locks.take_one(side, options, run, waiting).await {
                let error = locks.explained(error);
                return locks.settle(Err(Stopped::from(error))).await;
            }
        }
        Ok(locks)
    }

    async fn take_one(
        &mut self,
        side: Side,
        options: &MigrateOptions,
        run: &Run,
        waiting: &dyn LockWaiting,
    ) -> Result<()> {
        let place = self.item.side(side);
        if !place.store.capabilities().has_locks() {
            return Ok(());
        }
        let info = self.info(side, options, run)?;
        let is_inherited = self.is_inherited(side).await;
        self.watch.event(&Event::Locking { side, id: &info.id })?;
        let own = self.held.iter().map(|held| held.id.clone()).chain([info.id.clone()]).collect();
        let waiting = NotForOneself { own, inner: waiting };
        let lock = || place.store.lock(&place.workspace, &info, options.lock_wait, &waiting);
        let guard = match lock().await {
            // The earlier run was stopped while it released this lock.
            Err(error) if is_release_of(&error, &info.id) => {
                let target = LockTarget::Id(info.id.clone());
                drop(place.store.release(&place.workspace, &target).await?);
                lock().await?
            }
            guard => guard?,
        };
        let id = guard.keep().id;
        self.held.push(Held { side, id: id.clone(), is_inherited });
        self.watch.event(&Event::Locked { side, id: &id })
    }

    fn info(&self, side: Side, options: &MigrateOptions, run: &Run) -> Result<LockInfo> {
        let is_frozen = side == Side::Source && options.source == SourceMode::Freeze;
        let (operation, info) = if is_frozen {
            (format!("moved to {}", self.item.to.url()), WAY_ON)
        } else {
            (format!("migration {}", side.as_str()), &*run.info)
        };
        let (who, version) = (run.author.who.clone(), run.version.clone());
        let mut record = LockInfo::new(operation, who, version, run.now)?.with_info(info);
        if let Some(id) = self.recorded(side) {
            record.id = id.clone();
        }
        Ok(record)
    }

    /// Returns the id under which an earlier run may hold the lock.
    fn recorded(&self, side: Side) -> Option<&LockId> {
        let [source, target] = &self.item.locks;
        match side {
            Side::Source => source.as_ref(),
            Side::Target => target.as_ref(),
        }
    }

    /// Returns whether an earlier run holds the lock, and may have left the state in both places.
    async fn is_inherited(&self, side: Side) -> bool {
        let Some(id) = self.recorded(side) else { return false };
        let expected = self.item.expected.as_ref().is_some_and(|hashes| !hashes.is_empty());
        if expected || !self.item.earlier.is_empty() {
            return true;
        }
        // The earlier run has read nothing, as far as that is recorded, and may have failed to take
        // this lock.
        let place = self.item.side(side);
        match place.store.inspect(&place.workspace).await {
            Ok(holder) => holder.is_some_and(|holder| holder.id() == Some(id)),
            Err(_) => true,
        }
    }

    /// Says it if the lock in the way is the other one of this run: then both names mean one
    /// object.
    fn explained(&self, error: Error) -> Error {
        let holder = error.holder().and_then(LockRecord::id);
        let Some(Held { id: own, .. }) = self.held.first().filter(|held| Some(&held.id) == holder)
        else {
            return error;
        };
        let (from, to) = (self.item.from.url(), self.item.to.url());
        let message = format!("`{from}` and `{to}` are one object under two names");
        Error::new(ErrorKind::PreconditionFailed, "migrate", message)
            .because(format!("the lock `{own}` of the one is that of the other too"))
    }

    /// Returns the id of the lock of the source.
    pub(super) fn of_source(&self) -> Option<&LockId> {
        self.held.iter().find(|held| held.side == Side::Source).map(|held| &held.id)
    }

    /// Returns the id of the lock under which the target is written.
    pub(super) fn of_target(&self) -> Option<&LockId> {
        self.held.iter().find(|held| held.side == Side::Target).map(|held| &held.id)
    }

    /// Leaves the lock of the source held for good.
    pub(super) fn freeze(&mut self) {
        self.held.retain(|held| held.side != Side::Source);
    }

    /// Returns whether a lock has to stay held after an error, so that at most one of the two
    /// places accepts writes.
    fn stays(&self, held: &Held, at: AtTarget) -> bool {
        let is_frozen = self.is_freezing && held.side == Side::Source;
        match at {
            AtTarget::Untouched => held.is_inherited,
            AtTarget::TakenBack => held.is_inherited && is_frozen,
            AtTarget::MayBeThere => held.side == Side::Target || held.is_inherited || is_frozen,
            AtTarget::Later => held.side == Side::Source || held.is_inherited,
            AtTarget::Unclear => true,
            AtTarget::Moved => false,
        }
    }

    /// Releases what is held after the work under it, but for the locks that have to stay.
    pub(super) async fn settle<T>(mut self, worked: Result<T, Stopped>) -> Result<T> {
        let mut notes = Vec::new();
        if let Err(stopped) = &worked {
            let held = std::mem::take(&mut self.held);
            let (stay, held) = held.into_iter().partition(|held| self.stays(held, stopped.at));
            let stay: Vec<Held> = stay;
            self.held = held;
            notes.extend(stay.iter().map(|held| {
                let url = self.item.side(held.side).url();
                format!("the lock `{}` of `{url}` is still held", held.id)
            }));
        }
        let was_broken = self.release(&mut notes).await;
        match worked {
            Ok(value) if notes.is_empty() && !was_broken => Ok(value),
            Ok(_) => {
                let (kind, message) = if was_broken {
                    let message = "another client released a lock before the work was done";
                    (ErrorKind::PreconditionFailed, message)
                } else {
                    (ErrorKind::Unknown, "a lock could not be released")
                };
                let error = Error::new(kind, "release", message)
                    .with_context("note", "the state was moved all the same");
                Err(with_notes(error, notes))
            }
            Err(stopped) => Err(with_notes(stopped.error, notes)),
        }
    }

    /// Releases the locks, the last one first, and notes those that may still be held. Returns
    /// whether one was not held any more.
    async fn release(&mut self, notes: &mut Vec<String>) -> bool {
        let mut was_broken = false;
        while let Some(Held { side, id, .. }) = self.held.pop() {
            let place = self.item.side(side);
            let target = LockTarget::Id(id.clone());
            match place.store.release(&place.workspace, &target).await {
                Ok(released) => {
                    was_broken |= released == Released::AlreadyFree;
                    // What is not recorded here is found out from the store.
                    drop(self.watch.event(&Event::Released { side, id: &id }));
                }
                Err(error) if error.kind() == ErrorKind::LockHeld => was_broken = true,
                Err(error) => notes.push(format!(
                    "the lock `{id}` of `{}` may still be held: {}",
                    place.url(),
                    error.message()
                )),
            }
        }
        was_broken
    }
}

/// Returns whether a lock is in the way that this run itself is about to release.
fn is_release_of(error: &Error, id: &LockId) -> bool {
    error.holder().is_some_and(|holder| holder.is_being_released() && holder.id() == Some(id))
}

fn with_notes(error: Error, notes: Vec<String>) -> Error {
    notes.into_iter().fold(error, |error, note| error.with_context("note", note))
}

/// Waits for locks of others, and not for the one that this run holds under another name.
struct NotForOneself<'a> {
    own: Vec<LockId>,
    inner: &'a dyn LockWaiting,
}

#[async_trait]
impl LockWaiting for NotForOneself<'_> {
    async fn pause(&self, holder: &LockRecord, pause: Duration) -> ControlFlow<()> {
        if holder.id().is_some_and(|id| self.own.contains(id)) {
            return ControlFlow::Break(());
        }
        self.inner.pause(holder, pause).await
    }
}
