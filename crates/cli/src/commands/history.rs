//! `history`: lists the stored versions of the state, and who wrote them.

use indicatif::DecimalBytes;
use jiff::Timestamp;
use remote_state::{Error, SealKind, StateFormat};
use remote_state_operations::history::{
    History, HistoryEntry, HistoryOptions, Note, Versioning, Writer, history,
};
use serde_json::{Value, json};

use crate::args;
use crate::commands::common::{no_state, seal_json};
use crate::exit::{Failure, operation_words};
use crate::session::Session;

/// What a column shows of something unknown.
const UNKNOWN: &str = "?";

/// What a column shows where there is nothing to know.
const NOTHING: &str = "–";

/// The most characters in a cell of the table. Anyone who may write a lock file chooses its text.
const LONGEST_CELL: usize = 60;

pub(crate) async fn run(session: &Session, args: &args::History) -> Result<(), Failure> {
    session.may_read();
    let options = HistoryOptions::default()
        .with_most((!args.all).then_some(args.most))
        .with_since(args.since)
        .with_reads_locks(args.who)
        .with_reads_whole(args.full);
    let found = history(&*session.store, &session.workspace, &options).await?;
    if found.entries.is_empty() && !found.has_more {
        return Err(no_state(session, &session.workspace));
    }
    if session.ui.is_json {
        return session.ui.json(&json(session, &found));
    }
    session.ui.table(
        &["ref", "version", "serial", "saved", "size", "terraform", "by", "note"],
        found.entries.iter().map(row).collect(),
    )?;
    tell_what_is_missing(session, &found, args);
    Ok(())
}

fn tell_what_is_missing(session: &Session, found: &History, args: &args::History) {
    let ui = &session.ui;
    match found.versioning {
        Versioning::Off => {
            ui.note(
                "no older version is kept: unless versioning was turned on since the last write, \
                 the state that a write replaces is lost",
            );
        }
        Versioning::Suspended => {
            ui.note("the bucket keeps no versions any more: what a write replaces now is lost");
        }
        Versioning::NotOffered => ui.note("this store keeps no versions"),
        _ => {}
    }
    if let Some(error) = &found.locks_error {
        ui.warn("who held the lock is not known");
        ui.warn_error(error);
    }
    if found.has_more && args.since.is_none() {
        ui.note(&format!("there are older versions: {}", ui.command("history --all")));
    }
    let is_unknown = |entry: &HistoryEntry| !entry.is_deletion && entry.writer.is_none();
    if !args.who && found.versioning == Versioning::Enabled && found.entries.iter().any(is_unknown)
    {
        ui.note(&format!(
            "the lock file may tell who wrote the others: {}",
            ui.command("history --who")
        ));
    }
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let of_state = |text: Option<String>| match text {
        _ if entry.is_deletion => NOTHING.to_owned(),
        Some(text) => text,
        None => UNKNOWN.to_owned(),
    };
    let header = entry.header.as_ref();
    vec![
        format!("@{}", entry.number),
        entry.version.as_ref().map_or_else(|| NOTHING.to_owned(), |id| shortened(id.as_str())),
        of_state(header.map(|header| header.serial.to_string())),
        entry.modified.map_or_else(|| UNKNOWN.to_owned(), moment),
        of_state(Some(DecimalBytes(entry.size_bytes).to_string())),
        of_state(header.map(|header| {
            // An encrypted state does not say it, and a sealed one says something else there.
            let version = header.terraform_version.as_deref().filter(|_| entry.seal.is_none());
            version.map_or_else(|| NOTHING.to_owned(), shortened)
        })),
        of_state(entry.writer.as_ref().map(|it| shortened(&writer(it)))),
        entry.notes.iter().map(note).collect::<Vec<_>>().join("; "),
    ]
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn writer(Writer { author, .. }: &Writer) -> String {
    let parts = [author.who.clone(), operation_words(&author.operation), author.reason.clone()];
    let known: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if known.is_empty() { UNKNOWN.to_owned() } else { known.join(", ") }
}

fn note(note: &Note) -> String {
    match note {
        Note::Current => "current".to_owned(),
        Note::Deleted => "deleted".to_owned(),
        Note::SameBytes(number) => format!("same bytes as @{number}"),
        Note::OtherLineage => "other lineage".to_owned(),
        Note::SerialWentBack => "serial went back".to_owned(),
        Note::Sealed(SealKind::Unknown) => "sealed".to_owned(),
        Note::Sealed(kind) => kind.as_str().to_owned(),
        Note::Encrypted => "encrypted by OpenTofu".to_owned(),
        Note::Unreadable(reason) => format!("not readable: {}", shortened(reason)),
        _ => UNKNOWN.to_owned(),
    }
}

fn json(session: &Session, found: &History) -> Value {
    let versions: Vec<_> = found.entries.iter().map(entry_json).collect();
    json!({
        "version": 1,
        "state": session.store.location(&session.workspace).state,
        "workspace": session.workspace.as_str(),
        "versioning": found.versioning.as_str(),
        "more": found.has_more,
        "versions": versions,
    })
}

fn entry_json(entry: &HistoryEntry) -> Value {
    let header = entry.header.as_ref();
    let format = header.and_then(|header| match header.format {
        StateFormat::Plain { version } => Some(version),
        _ => None,
    });
    let lineage = header.map(|header| header.lineage.as_str());
    json!({
        "ref": format!("@{}", entry.number),
        "id": entry.version.as_ref().map(|id| id.as_str()),
        "kind": match &entry.seal {
            _ if entry.is_deletion => "deletion",
            Some(_) => "sealed",
            None => "state",
        },
        "source": "versions",
        "latest": entry.is_latest,
        "modified": entry.modified.map(|time| time.to_string()),
        "size": (!entry.is_deletion).then_some(entry.size_bytes),
        "etag": entry.etag.as_ref().map(|etag| etag.as_str()),
        "format": format,
        "encrypted": header.map(|header| header.format == StateFormat::Encrypted),
        "serial": header.map(|header| header.serial),
        "lineage": lineage,
        "terraform_version": header.and_then(|header| header.terraform_version.as_deref()),
        "sealed": entry.seal.as_ref().map(seal_json),
        "writer": entry.writer.as_ref().map(writer_json),
        "notes": entry.notes.iter().map(note).collect::<Vec<_>>(),
        "error": entry.error.as_ref().map(Error::message),
    })
}

fn writer_json(Writer { author, source, .. }: &Writer) -> Value {
    json!({
        "who": author.who,
        "operation": operation_words(&author.operation),
        "lock_id": author.lock_id.as_ref().map(|id| id.as_str()),
        "client": author.client,
        "reason": author.reason,
        "from": source.as_str(),
    })
}
