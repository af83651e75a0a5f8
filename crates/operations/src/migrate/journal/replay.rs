//! What a journal says.

use remote_state_core::LockId;

use super::line::{Begin, Entry, Fact, Place, Purpose};
use crate::transfer::Step;

/// What a journal says of its run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// The run.
    pub run: String,
    /// What it began with.
    pub begin: Begin,
    /// The states, by their numbers.
    pub items: Vec<Item>,
    /// Whether the run recorded all its states; if not, it did nothing.
    pub is_whole: bool,
    /// What the last run that wrote into the journal was for.
    pub last: Purpose,
    /// The number of the next line.
    pub(super) next: u64,
}

/// What a journal says of one state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Its number.
    pub number: u64,
    /// The URL of the source.
    pub source: String,
    /// The URL of the target.
    pub target: String,
    /// The workspace.
    pub workspace: String,
    /// The length in bytes.
    pub size_bytes: u64,
    /// The locks of the source and of the target that may be held.
    pub locks: [Option<LockId>; 2],
    /// What was read at the source, the last one last: one of them is at the target, if anything of
    /// the run is. So are the states that were brought back, which may be in both places.
    pub copies: Vec<Fact>,
    /// What was read to be brought back, and is not written yet.
    coming_back: Option<Fact>,
    /// The copy that was read back last.
    pub proven: Option<Fact>,
    /// What was at the target before; `None` if nothing was, or if no run has looked.
    pub found: Option<Fact>,
    has_looked: bool,
    /// The sealed state at the source.
    pub seal: Option<Fact>,
    /// Whether it was moved.
    pub is_moved: bool,
    /// Whether it was brought back afterwards.
    pub is_back: bool,
    /// Why it was not moved.
    pub failed: Option<String>,
}

impl Recorded {
    pub(super) fn new(run: String, begin: Begin) -> Self {
        let last = begin.purpose;
        Self { run, begin, items: Vec::new(), is_whole: false, last, next: 1 }
    }

    /// Returns whether a line can follow: each state has one number.
    pub(super) fn admits(&self, entry: &Entry) -> bool {
        let Entry::Item { n, .. } = entry else { return true };
        self.items.iter().all(|item| item.number != *n)
    }

    /// Takes in a line. What is of no state that is known is of a later version.
    pub(super) fn add(&mut self, entry: Entry, seq: u64) {
        self.next = self.next.max(seq.saturating_add(1));
        let is_back = self.last == Purpose::Rollback;
        let number = match &entry {
            Entry::Begin(begin) => {
                self.last = begin.purpose;
                return;
            }
            Entry::Item { n, source, target, workspace, size } => {
                self.items.push(Item {
                    number: *n,
                    source: source.clone(),
                    target: target.clone(),
                    workspace: workspace.clone(),
                    size_bytes: *size,
                    ..Item::default()
                });
                return;
            }
            Entry::Locking { n, .. }
            | Entry::Locked { n, .. }
            | Entry::Released { n, .. }
            | Entry::Doing { n, .. }
            | Entry::Did { n, .. }
            | Entry::Changed { n, .. }
            | Entry::Failed { n, .. }
            | Entry::Moved { n } => *n,
            Entry::Planned { items } => {
                self.is_whole = *items == self.items.len() as u64;
                return;
            }
            Entry::End { .. } => return,
        };
        let Some(item) = self.items.iter_mut().find(|item| item.number == number) else { return };
        item.add(entry, is_back);
    }
}

impl Item {
    fn add(&mut self, entry: Entry, is_back: bool) {
        match entry {
            Entry::Locking { side, id, .. } | Entry::Locked { side, id, .. } => {
                *self.lock(side, is_back) = Some(LockId::new(id));
            }
            Entry::Released { side, .. } => *self.lock(side, is_back) = None,
            // The steps of the way back are about the same states the other way round.
            Entry::Did { step, state, .. } if !is_back => self.did(&step, state),
            Entry::Did { step, state, .. } if step == Step::Read.as_str() => {
                self.coming_back = state.map(|state| *state);
            }
            // What is refused before it is written does not count.
            Entry::Doing { step, .. } if is_back && step == Step::Write.as_str() => {
                self.copies.extend(self.coming_back.take());
            }
            Entry::Moved { .. } => {
                self.failed = None;
                if is_back { self.is_back = true } else { self.is_moved = true }
            }
            Entry::Failed { message, .. } => self.failed = Some(message),
            _ => {}
        }
    }

    fn lock(&mut self, side: Place, is_back: bool) -> &mut Option<LockId> {
        match (side, is_back) {
            (Place::Source, false) | (Place::Target, true) => &mut self.locks[0],
            (Place::Target, false) | (Place::Source, true) => &mut self.locks[1],
        }
    }

    fn did(&mut self, step: &str, state: Option<Box<Fact>>) {
        let state = state.map(|state| *state);
        if step == Step::Read.as_str() {
            self.copies.extend(state.filter(|state| Some(state) != self.seal.as_ref()));
        } else if step == Step::Prove.as_str() {
            self.proven = state;
        } else if step == Step::Look.as_str() {
            // Later looks find the copy of an earlier one.
            if !self.has_looked {
                self.found = state;
                self.has_looked = true;
            }
        } else if step == Step::Seal.as_str() {
            self.seal = state;
        }
    }
}
