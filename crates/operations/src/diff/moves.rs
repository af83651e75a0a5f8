//! Which instances of the second state are instances of the first with another address.

use std::collections::HashMap;

use remote_state_core::Result;

use crate::diff::index::Entry;
use crate::diff::names::Name;
use crate::diff::scan::{Scanned, Shared};
use crate::json::Json;
use crate::masking::attributes;
use crate::parsed::parse;

/// By what two instances are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Identity,
    Id,
    Attributes,
}

/// What an instance is recognised by, in the order of [`By`].
type Signs = [Option<u128>; 3];

/// A candidate: its number, its type, and its signs.
type Candidate = (u32, Name, Signs);

/// Pairs removed and added instances of one type that are one: by their identity, else by their id,
/// else by all attributes. A sign counts only if one instance on each side has it.
pub(crate) fn find(
    shared: &Shared,
    (a, removed): (&Scanned<'_>, &[u32]),
    (b, added): (&Scanned<'_>, &[u32]),
) -> Result<HashMap<u32, (u32, By)>> {
    let mut removed = candidates(shared, a, removed, &b.entries, added)?;
    let mut added = candidates(shared, b, added, &a.entries, &removed_numbers(&removed))?;
    let mut moves = HashMap::new();
    for (sign, by) in [By::Identity, By::Id, By::Attributes].into_iter().enumerate() {
        let (before, after) = (unique(&removed, sign), unique(&added, sign));
        for (sign, number) in &after {
            if let (Some(number), Some(Some(from))) = (number, before.get(sign)) {
                let _: Option<_> = moves.insert(*number, (*from, by));
            }
        }
        let gone: Vec<u32> = moves.values().map(|(from, _)| *from).collect();
        let gone: std::collections::HashSet<u32> = gone.into_iter().collect();
        removed.retain(|(number, ..)| !gone.contains(number));
        added.retain(|(number, ..)| !moves.contains_key(number));
    }
    Ok(moves)
}

fn removed_numbers(removed: &[Candidate]) -> Vec<u32> {
    removed.iter().map(|(number, ..)| *number).collect()
}

/// Reads the signs of the instances whose type occurs on the other side too.
fn candidates(
    shared: &Shared,
    state: &Scanned<'_>,
    numbers: &[u32],
    others: &[Entry],
    other_numbers: &[u32],
) -> Result<Vec<Candidate>> {
    let entry = |entries: &[Entry], number: u32| entries.get(number as usize).copied();
    let kinds: std::collections::HashSet<Name> = other_numbers
        .iter()
        .filter_map(|number| Some(entry(others, *number)?.group(&shared.names).kind))
        .collect();
    let mut found = Vec::new();
    for number in numbers {
        let Some(entry) = entry(&state.entries, *number) else { continue };
        let kind = entry.group(&shared.names).kind;
        // A deposed object stays where it is until it is destroyed.
        if kinds.contains(&kind) && !entry.is_deposed() {
            let text = state.read(entry.span())?;
            found.push((*number, kind, signs(shared, &parse(&text)?)));
        }
    }
    Ok(found)
}

fn signs(shared: &Shared, instance: &Json<'_>) -> Signs {
    let hash = |value: Option<&Json<'_>>| {
        value.filter(|value| !value.is_null()).map(|value| shared.hasher.hash(value))
    };
    let attributes = attributes(instance);
    let id = attributes.and_then(|all| all.get("id"));
    let is_empty = matches!(id, Some(Json::Text(text)) if text.is_empty());
    [hash(instance.get("identity")), hash(id.filter(|_| !is_empty)), hash(attributes)]
}

/// Returns who has each sign; `None` if several have it.
fn unique(candidates: &[Candidate], sign: usize) -> HashMap<(Name, u128), Option<u32>> {
    let mut owners: HashMap<_, Option<u32>> = HashMap::new();
    for (number, kind, signs) in candidates {
        if let Some(Some(sign)) = signs.get(sign) {
            let _ = owners
                .entry((*kind, *sign))
                .and_modify(|owner| *owner = None)
                .or_insert(Some(*number));
        }
    }
    owners
}
