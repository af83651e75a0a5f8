//! The search through one state, as its bytes arrive.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use remote_state_core::{
    Error, ErrorKind, InstanceKey, InstanceReader, ReadOptions, Result, StateFormat, StateHeader,
    StatePart, StateStore, Workspace, as_version_4,
};
use serde_json::value::RawValue;

use crate::find::{Kind, Match, Query, contains};
use crate::json::Json;
use crate::masking::{Marks, Masking, Shown, Values, attributes};
use crate::parsed::{key, parse};

/// Searches one state; `None` if what is stored is no state, and `must_be_a_state` is not set.
pub(crate) async fn search(
    store: &Arc<dyn StateStore>,
    workspace: &Workspace,
    query: &Query,
    must_be_a_state: bool,
) -> Result<Option<Vec<Match>>> {
    // A state that does not match its digest is searched as it is.
    let options = ReadOptions::default().ignoring_digest();
    let Some(mut read) = store.read(workspace, &options).await? else { return Ok(None) };
    let mut search = Search::new(query);
    let mut reader = InstanceReader::new();
    if query.asks_for_checks() {
        reader = reader.with_checks();
    }
    let mut beginning = if must_be_a_state { None } else { Some(Vec::new()) };
    while let Some(bytes) = read.body.try_next().await? {
        if let Some(seen) = &mut beginning {
            seen.extend_from_slice(&bytes);
            match is_state(seen) {
                Some(true) => beginning = None,
                Some(false) => return Ok(None),
                None => {}
            }
        }
        let fed = reader.feed(&bytes, &mut |part| search.take(part));
        match fed {
            Ok(()) => {}
            // It has not been said yet that this is a state.
            Err(_) if beginning.is_some() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    if beginning.is_some() {
        return Ok(None);
    }
    match reader.finish()? {
        StateHeader { format: StateFormat::Encrypted, .. } => {
            Err(Error::new(ErrorKind::Unsupported, "search", "the state is encrypted by OpenTofu"))
        }
        StateHeader { format: StateFormat::Plain { version: 4 }, .. } => Ok(Some(search.finish())),
        _ => older(store, workspace, query).await,
    }
}

/// Searches a state of an older format version, which is read into memory.
async fn older(
    store: &Arc<dyn StateStore>,
    workspace: &Workspace,
    query: &Query,
) -> Result<Option<Vec<Match>>> {
    let options = ReadOptions::default().ignoring_digest();
    let Some(read) = store.read(workspace, &options).await? else { return Ok(None) };
    let state = as_version_4(&read.collect().await?.bytes)?;
    let mut search = Search::new(query);
    let mut reader = InstanceReader::new();
    reader.feed(&state, &mut |part| search.take(part))?;
    drop(reader.finish()?);
    Ok(Some(search.finish()))
}

/// How many bytes at most decide whether an object is a state.
const DECIDING_BYTES: usize = 4096;

/// Returns whether bytes begin a state; `None` if that is not clear yet.
fn is_state(beginning: &[u8]) -> Option<bool> {
    let seen = beginning.get(..DECIDING_BYTES).unwrap_or(beginning);
    match seen.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        Some(_) => return Some(false),
        None if seen.len() < DECIDING_BYTES => return None,
        None => return Some(false),
    }
    let has = |name: &str| seen.windows(name.len()).any(|window| window == name.as_bytes());
    let is_plain = has("\"version\"") && (has("\"serial\"") || has("\"lineage\""));
    if is_plain || has("\"encryption_version\"") {
        return Some(true);
    }
    (seen.len() == DECIDING_BYTES).then_some(false)
}

/// An instance that matches as far as is known before its resource has ended.
struct Candidate {
    json: String,
    found_at: Vec<String>,
}

/// A match whose values are not yet compared with all that the state hides.
struct Found {
    kind: Kind,
    address: String,
    /// The text of the key, and the address without it.
    key: Option<(String, String)>,
    resource_type: Option<String>,
    provider: Option<String>,
    deposed: Option<String>,
    id: Option<Box<RawValue>>,
    values: Vec<(String, Vec<Shown>)>,
    found_at: Vec<String>,
}

struct Search<'q> {
    query: &'q Query,
    masking: Masking,
    candidates: Vec<Candidate>,
    /// The instances of a resource whose type is not known yet, which decides what is sensitive.
    unnamed: Vec<String>,
    resources: Vec<Found>,
    outputs: Vec<Found>,
    checks: Vec<Found>,
}

impl<'q> Search<'q> {
    fn new(query: &'q Query) -> Self {
        let mut masking = Masking::new(Values::Masked);
        if let Some(value) = query.value() {
            // Whoever looks for a leaked secret does not want it in an answer.
            masking.learn_text(value);
        }
        Self {
            query,
            masking,
            candidates: Vec::new(),
            unnamed: Vec::new(),
            resources: Vec::new(),
            outputs: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn take(&mut self, part: StatePart<'_>) -> Result<()> {
        match part {
            StatePart::Output(name, json, _) => {
                let output = parse(json)?;
                self.masking.learn_output(name, &output);
                if self.query.asks_for_outputs()
                    && let Some(found_at) = self.query.matches_output(name, &output)
                {
                    self.outputs
                        .push(Found { found_at, ..Found::new(Kind::Output, name.to_owned()) });
                }
            }
            StatePart::ResourcesBegin => {
                self.candidates.clear();
                self.resources.clear();
            }
            StatePart::InstancesBegin => {
                self.candidates.clear();
                self.unnamed.clear();
            }
            StatePart::Instance(json, _, head) => {
                let instance = parse(json)?;
                self.masking.learn_instance(&head.kind, &instance);
                if head.kind.is_empty() {
                    self.unnamed.push(json.to_owned());
                }
                if self.query.asks_for_instances()
                    && let Some(found_at) = self.query.matches_instance(&instance)
                {
                    self.candidates.push(Candidate { json: json.to_owned(), found_at });
                }
            }
            StatePart::Resource(head) => {
                for instance in std::mem::take(&mut self.unnamed) {
                    self.masking.learn_instance(&head.kind, &parse(&instance)?);
                }
                for candidate in std::mem::take(&mut self.candidates) {
                    let instance = parse(&candidate.json)?;
                    let address = head.address(key(&instance)).to_string();
                    if !self.query.matches_head(head, &address, &instance) {
                        continue;
                    }
                    let mut found = Found::new(Kind::Resource, address);
                    if let Some(key) = instance.text("index_key") {
                        let shown = InstanceKey::Text("(sensitive)".to_owned());
                        let shown = head.address(shown).to_string();
                        found.key = Some((key.to_owned(), shown));
                    }
                    found.resource_type = Some(head.kind.clone());
                    found.provider = Some(head.provider.clone());
                    found.deposed = instance.text("deposed").map(ToOwned::to_owned);
                    found.found_at = candidate.found_at;
                    found.add_values(self.query, &head.kind, &instance);
                    self.resources.push(found);
                }
            }
            StatePart::Checks(json) => {
                let found_at = match self.query.value() {
                    Some(value) => contains::in_output(&parse(json)?, value),
                    None => Vec::new(),
                };
                if !found_at.is_empty() {
                    self.checks.push(Found { found_at, ..Found::new(Kind::Checks, String::new()) });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Vec<Match> {
        let Self { masking, resources, outputs, checks, query, .. } = self;
        let all = resources.into_iter().chain(outputs).chain(checks);
        all.map(|found| found.shown(&masking, query.value())).collect()
    }
}

impl Found {
    fn new(kind: Kind, address: String) -> Self {
        Self {
            kind,
            address,
            key: None,
            resource_type: None,
            provider: None,
            deposed: None,
            id: None,
            values: Vec::new(),
            found_at: Vec::new(),
        }
    }

    /// Adds the id and the values that are asked for, without those whose place is sensitive.
    fn add_values(&mut self, query: &Query, kind: &str, instance: &Json<'_>) {
        let Some(attributes) = attributes(instance) else { return };
        let marks = Marks::of_instance(kind, instance);
        let by_place = Masking::new(Values::Masked);
        let id = attributes.get("id").filter(|id| !id.is_null());
        self.id = id.and_then(|id| {
            let (shown, _) = by_place.show(&marks.root().member("id"), id);
            shown.json().map(ToOwned::to_owned)
        });
        for path in &query.show {
            let mut values = Vec::new();
            path.visit(&marks.root(), attributes, &mut |place, value| {
                values.push(by_place.show(place, value).0);
            });
            self.values.push((path.as_str().to_owned(), values));
        }
    }

    /// Hides copies of what the whole state hides.
    fn shown(self, masking: &Masking, value: Option<&str>) -> Match {
        let is_secret =
            |key: &str| masking.hides_text(key) || value.is_some_and(|value| key.contains(value));
        let address = match self.key {
            Some((key, shown)) if is_secret(&key) => shown,
            _ => self.address,
        };
        let unmarked = Marks::default();
        let hide = |shown: Shown| match shown.json() {
            Some(json) => match Json::parse(json.get()) {
                Ok(value) => masking.show(&unmarked.root().inside(), &value).0,
                Err(_) => Shown::Hidden,
            },
            None => shown,
        };
        let id = self.id.map(Shown::Value);
        Match {
            kind: self.kind,
            address,
            resource_type: self.resource_type,
            provider: self.provider,
            deposed: self.deposed,
            id: id.map_or(Shown::Absent, hide),
            values: (self.values.into_iter())
                .map(|(path, values)| (path, values.into_iter().map(hide).collect()))
                .collect(),
            found_at: self.found_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_object_decides_whether_it_is_a_state() {
        let long = format!("{{\"a\":\"{}\",\"version\":4,\"serial\":1}}", "x".repeat(5000));
        for (bytes, expected) in [
            (" {\"version\": 4, \"serial\"", Some(true)),
            ("{\"lineage\":\"\",\"version\":3", Some(true)),
            ("{\"encryption_version\":\"v0\"", Some(true)),
            ("{\"version\":4", None),
            ("  ", None),
            ("[]", Some(false)),
            ("PK\u{3}", Some(false)),
            (&long, Some(false)),
        ] {
            assert_eq!(is_state(bytes.as_bytes()), expected, "{bytes:.40}");
        }
    }
}
