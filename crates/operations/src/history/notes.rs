//! What is remarkable about a version.

use std::collections::HashMap;

use remote_state_core::{StateFormat, StateHeader};

use super::entry::{HistoryEntry, Note};

/// Adds the notes to all versions, of which each needs those before it.
pub(super) fn add(entries: &mut [HistoryEntry]) {
    // From the oldest to the newest.
    let mut before: Option<StateHeader> = None;
    let mut seen = HashMap::new();
    for entry in entries.iter_mut().rev() {
        if entry.is_latest {
            entry.notes.push(if entry.is_deletion { Note::Deleted } else { Note::Current });
        } else if entry.is_deletion {
            entry.notes.push(Note::Deleted);
        }
        if entry.is_deletion {
            continue;
        }
        if let Some(etag) = &entry.etag {
            // An entity tag says something about the bytes only together with their number.
            let bytes = (etag.clone(), entry.size_bytes);
            if let Some(number) = seen.insert(bytes, entry.number) {
                entry.notes.push(Note::SameBytes(number));
            }
        }
        if let Some(error) = &entry.error {
            let reason = error.reason().unwrap_or(error.message());
            entry.notes.push(Note::Unreadable(reason.to_owned()));
        }
        let Some(header) = &entry.header else { continue };
        if let Some(seal) = &entry.seal {
            entry.notes.push(Note::Sealed(seal.kind));
        }
        if header.format == StateFormat::Encrypted {
            entry.notes.push(Note::Encrypted);
        }
        if let Some(before) = before.replace(header.clone()) {
            if before.lineage != header.lineage {
                entry.notes.push(Note::OtherLineage);
            } else if header.serial < before.serial {
                entry.notes.push(Note::SerialWentBack);
            }
        }
    }
}
