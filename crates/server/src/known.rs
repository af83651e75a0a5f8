//! What this server has read or written last. The store decides whether that is still stored: a
//! write that relies on it is conditional.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remote_state_core::push::{KnownState, NewState};
use remote_state_core::{HeaderReader, Progress, Seal, StateHeader, StateMeta, StateSource};

/// How many states are remembered. Beyond that, all are forgotten: the next write of each costs one
/// request more.
const MOST_STATES: usize = 4096;

/// The entity tags and headers of states, by their names.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<String, KnownState>>);

impl Known {
    pub(crate) fn get(&self, name: &str) -> Option<KnownState> {
        self.lock().get(name).cloned()
    }

    /// Remembers a state that was read.
    pub(crate) fn note_read(&self, name: &str, meta: &StateMeta, bytes: &[u8]) {
        let mut reader = HeaderReader::new();
        let header = match reader.feed(bytes) {
            Ok(Progress::Done | Progress::NeedsMore) if !is_sealed(bytes) => reader.finish().ok(),
            _ => None,
        };
        self.note(name, meta, header);
    }

    /// Remembers a state that was written.
    pub(crate) fn note_written(&self, name: &str, meta: &StateMeta, new: &NewState) {
        let is_sealed = match &new.source {
            StateSource::Bytes(bytes) => is_sealed(bytes),
            // Only a long state is in a file.
            StateSource::File(_) => false,
        };
        self.note(name, meta, (!is_sealed).then(|| new.header.clone()));
    }

    pub(crate) fn forget(&self, name: &str) {
        let _before = self.lock().remove(name);
    }

    fn note(&self, name: &str, meta: &StateMeta, header: Option<StateHeader>) {
        let Some((header, etag)) = header.zip(meta.etag.clone()) else {
            return self.forget(name);
        };
        let mut known = self.lock();
        if known.len() >= MOST_STATES && !known.contains_key(name) {
            known.clear();
        }
        let _before = known.insert(name.to_owned(), KnownState { etag, header });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KnownState>> {
        // A panic cannot leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a state is sealed: it may not be replaced, and its header does not show that.
fn is_sealed(bytes: &[u8]) -> bool {
    Seal::of(bytes).is_some()
}

#[cfg(test)]
mod tests {
    use remote_state_core::ETag;

    use super::*;

    fn note(known: &Known, name: &str, text: &str, etag: Option<&str>) {
        let meta = StateMeta::new(text.len() as u64).with_etag(etag.map(ETag::new));
        known.note_read(name, &meta, text.as_bytes());
    }

    #[test]
    fn only_what_has_an_entity_tag_and_a_header_is_remembered() {
        let known = Known::default();
        let text = r#"{"version":4,"serial":7,"lineage":"l","outputs":{},"resources":[]}"#;
        note(&known, "a", text, Some("\"1\""));
        let found = known.get("a").unwrap();
        assert_eq!((found.etag.as_str(), found.header.serial.0), ("\"1\"", 7));
        note(&known, "a", "no state", Some("\"2\""));
        assert_eq!(known.get("a"), None);
        note(&known, "a", text, None);
        assert_eq!(known.get("a"), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let known = Known::default();
        let text = r#"{"version":4,"serial":7,"lineage":"l"}"#;
        for number in 0..2 * MOST_STATES {
            note(&known, &number.to_string(), text, Some("\"1\""));
        }
        assert!(known.lock().len() <= MOST_STATES);
    }
}
