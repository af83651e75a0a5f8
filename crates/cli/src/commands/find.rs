//! `find`: says which states hold a resource, an output or a value.

use std::collections::BTreeMap;
use std::io::Read as _;

use futures_util::TryStreamExt as _;
use remote_state::{Error, ErrorKind, Workspace};
use remote_state_operations::find::{Kind, Match, Query, Searched, find, objects, workspaces};
use remote_state_operations::masking::Shown;
use remote_state_operations::{AttributePath, Pattern};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::args::Find;
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::{Ui, json_line};

/// The longest value that is read from standard input, in bytes.
const LONGEST_VALUE: u64 = 1 << 20;

/// What was found so far.
#[derive(Default)]
struct Tally {
    states: u64,
    unreadable: u64,
    skipped: u64,
    matches: u64,
}

pub(super) async fn run(session: &Session, args: &Find) -> Result<(), Failure> {
    let query = query(args)?;
    query.check().map_err(|error| {
        error.with_hint("name a PATTERN, or a condition such as `--type` or `--value-stdin`")
    })?;
    session.may_read();
    let places = if args.here {
        workspaces(&session.store)
    } else {
        objects(&session.store, args.prefix.as_deref().unwrap_or_default()).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "find",
                "this store cannot list the states of a bucket",
            )
            .with_hint("to search the workspaces of the configured state, pass `--here`")
        })?
    };
    let mut searched = find(places, query, usize::from(args.jobs));
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    // What was found before a listing broke off is worth as much.
    let mut broken_off = None;
    loop {
        match searched.try_next().await {
            Ok(Some(one)) => tally.take(session, args, one, &mut rows)?,
            Ok(None) => break,
            Err(error) => {
                let note = format!("the search broke off after {} states", tally.states);
                broken_off = Some(error.with_context("note", note));
                break;
            }
        }
    }
    if session.ui.is_json {
        let Tally { states, unreadable, skipped, matches } = tally;
        session.ui.json_piece(&format!(
            "{}\n",
            json!({"version": 1, "type": "summary", "states": states, "matches": matches,
                "unreadable": unreadable, "not_states": skipped})
        ))?;
    } else if !rows.is_empty() {
        session.ui.table(&heads(args), rows)?;
    }
    match broken_off {
        Some(error) => Err(error.into()),
        None => tally.outcome(session),
    }
}

fn query(args: &Find) -> Result<Query, Failure> {
    let pattern = |text: &Option<String>| text.as_deref().map(Pattern::new);
    let mut query = Query::default();
    query.patterns = args.patterns.iter().map(|text| Pattern::new(text)).collect();
    query.kind = pattern(&args.kind);
    query.provider = pattern(&args.provider);
    query.module = pattern(&args.module);
    query.id = pattern(&args.id);
    let attributes = args.attribute.iter();
    query.attributes = attributes.map(|(path, text)| (path.clone(), Pattern::new(text))).collect();
    query.output = pattern(&args.output);
    query.show.clone_from(&args.show);
    if args.value_stdin {
        query.value = Some(value()?);
    }
    Ok(query)
}

/// Reads the value from standard input, without the end of its line.
fn value() -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_VALUE).read_to_string(&mut text);
    let _: usize = read.map_err(|source| {
        let message = format!("cannot read the value from standard input: {source}");
        Error::new(ErrorKind::Local, "find", message).with_source(source)
    })?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text.into())
}

fn heads(args: &Find) -> Vec<&str> {
    let mut heads = vec!["state", "workspace", "address", "id"];
    heads.extend(args.show.iter().map(AttributePath::as_str));
    if args.value_stdin {
        heads.push("found at");
    }
    heads
}

impl Tally {
    /// Prints what was found in a state, or keeps it for the table.
    fn take(
        &mut self,
        session: &Session,
        args: &Find,
        searched: Searched,
        rows: &mut Vec<Vec<String>>,
    ) -> Result<(), Failure> {
        let Searched { place, found, .. } = searched;
        let workspace = place.workspace.as_ref().map(Workspace::as_str);
        let found = match found {
            Ok(Some(found)) => found,
            // The workspace `default` exists also without a state.
            Ok(None) => {
                self.skipped += u64::from(place.workspace.is_none());
                return Ok(());
            }
            Err(error) => {
                self.states += 1;
                self.unreadable += 1;
                return unreadable(&session.ui, &place.state, workspace, &error);
            }
        };
        self.states += 1;
        self.matches += found.len() as u64;
        for found in found {
            if session.ui.is_json {
                let line = json_line(&line(&place.state, workspace, &found))?;
                session.ui.json_piece(&format!("{line}\n"))?;
            } else {
                rows.push(row(args, &place.state, workspace, &found));
            }
        }
        Ok(())
    }

    /// Says how the search went, and what it was about.
    fn outcome(&self, session: &Session) -> Result<(), Failure> {
        let states = match self.states {
            1 => "1 state".to_owned(),
            states => format!("{states} states"),
        };
        if self.unreadable > 0 {
            let message = format!("{} of {states} could not be read", self.unreadable);
            return Err(Error::new(ErrorKind::InvalidState, "find", message).into());
        }
        if self.matches == 0 {
            let message = format!("nothing was found in {states}");
            return Err(Error::new(ErrorKind::NotFound, "find", message).into());
        }
        let noun = if self.matches == 1 { "match" } else { "matches" };
        session.ui.note(&format!("{} {noun} in {states}", self.matches));
        Ok(())
    }
}

fn unreadable(ui: &Ui, state: &str, workspace: Option<&str>, error: &Error) -> Result<(), Failure> {
    ui.warn(&format!("`{state}` could not be read: {}", error.message()));
    if !ui.is_json {
        return Ok(());
    }
    let line = json!({"version": 1, "type": "unreadable", "state": state,
        "workspace": workspace, "error": error.message()});
    ui.json_piece(&format!("{line}\n"))
}

/// Returns a value as text for the table.
fn cell(shown: &Shown) -> String {
    match shown {
        Shown::Hidden => "(sensitive)".to_owned(),
        Shown::Absent | Shown::Omitted => String::new(),
        Shown::Value(json) => text(json),
    }
}

/// Returns a string without its quotes, and other values as JSON.
fn text(json: &RawValue) -> String {
    serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().to_owned())
}

fn row(args: &Find, state: &str, workspace: Option<&str>, found: &Match) -> Vec<String> {
    let address = match found.kind {
        Kind::Output => format!("output {}", found.address),
        Kind::Checks => "(check results)".to_owned(),
        _ => match &found.deposed {
            Some(key) => format!("{} (deposed {key})", found.address),
            None => found.address.clone(),
        },
    };
    let mut row =
        vec![state.to_owned(), workspace.unwrap_or("-").to_owned(), address, cell(&found.id)];
    for path in &args.show {
        let values = found.values.iter().find(|(shown, _)| shown == path.as_str());
        let values = values.map(|(_, values)| values.iter().map(cell).collect::<Vec<_>>());
        row.push(values.unwrap_or_default().join(", "));
    }
    if args.value_stdin {
        // An output that is the value itself has no path.
        let places =
            found.found_at.iter().map(|place| if place.is_empty() { "value" } else { place });
        row.push(places.collect::<Vec<_>>().join(", "));
    }
    row
}

/// A line of the answer in JSON.
#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'a str,
    workspace: Option<&'a str>,
    #[serde(flatten)]
    resource: Option<Resource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<&'a str, Vec<Cell<'a>>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    found_at: &'a [String],
}

#[derive(Serialize)]
struct Resource<'a> {
    address: &'a str,
    resource_type: Option<&'a str>,
    provider: Option<&'a str>,
    deposed: Option<&'a str>,
    id: Cell<'a>,
}

/// A value, with numbers as they were written.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    Value(&'a RawValue),
    Sensitive { sensitive: bool },
    None,
}

impl<'a> Cell<'a> {
    fn of(shown: &'a Shown) -> Self {
        match shown {
            Shown::Value(json) => Self::Value(json),
            Shown::Hidden => Self::Sensitive { sensitive: true },
            Shown::Absent | Shown::Omitted => Self::None,
        }
    }
}

fn line<'a>(state: &'a str, workspace: Option<&'a str>, found: &'a Match) -> Line<'a> {
    let (kind, name, resource) = match found.kind {
        Kind::Output => ("output", Some(found.address.as_str()), None),
        Kind::Checks => ("checks", None, None),
        _ => {
            let resource = Resource {
                address: &found.address,
                resource_type: found.resource_type.as_deref(),
                provider: found.provider.as_deref(),
                deposed: found.deposed.as_deref(),
                id: Cell::of(&found.id),
            };
            ("resource", None, Some(resource))
        }
    };
    Line {
        version: 1,
        kind,
        state,
        workspace,
        resource,
        name,
        values: (found.values.iter())
            .map(|(path, values)| (path.as_str(), values.iter().map(Cell::of).collect()))
            .collect(),
        found_at: &found.found_at,
    }
}
