//! `diff`: says what two states differ in.

mod json;
mod lines;

use std::fs::File;
use std::io::{self, IsTerminal as _};

use remote_state::{Error, ErrorKind, StateFormat, StateHeader, Workspace};
use remote_state_operations::diff::{ArrayOrder, Comparison, DiffOptions, Only, Summary};
use remote_state_operations::masking::Values;
use remote_state_operations::reference::{Reference, StateReference, options, resolve};
use remote_state_operations::{Pattern, StateText};

use crate::args::{Diff, DiffOnly, ShownValues};
use crate::commands::common::no_state;
use crate::exit::{ExitCode, Failure};
use crate::session::Session;
use crate::ui::Ui;

/// One of the two states.
pub(super) struct Side {
    /// How it was named, and which version that was.
    reference: String,
    version: Option<String>,
    text: StateText,
}

/// Returns the states that are meant.
fn references(args: &Diff) -> (StateReference, StateReference) {
    let newest = StateReference::Stored(None, Reference::CURRENT);
    match &args.at {
        Some(at) => (StateReference::Stored(None, at.clone()), args.a.clone().unwrap_or(newest)),
        None => (
            args.a.clone().unwrap_or(StateReference::Stored(None, Reference::Nth(1))),
            args.b.clone().unwrap_or(newest),
        ),
    }
}

/// Returns whether both states come from files or from standard input.
pub(super) fn needs_no_store(args: &Diff) -> bool {
    let is_stored = |reference: &StateReference| matches!(reference, StateReference::Stored(..));
    let (a, b) = references(args);
    !is_stored(&a) && !is_stored(&b)
}

/// Compares two states that come from files or from standard input.
pub(super) fn of_files(ui: &Ui, args: &Diff) -> Result<(), Failure> {
    check(args)?;
    let (a, b) = references(args);
    compare(ui, args, &from_file(&a)?, &from_file(&b)?)
}

pub(super) async fn run(session: &Session, args: &Diff) -> Result<(), Failure> {
    check(args)?;
    session.may_read();
    let (a, b) = references(args);
    let (a, b) = read(session, &a, &b).await?;
    compare(&session.ui, args, &a, &b)
}

fn check(args: &Diff) -> Result<(), Failure> {
    if references(args) == (StateReference::Input, StateReference::Input) {
        return Err(Error::config("only one of the two states can come from standard input").into());
    }
    if args.values == ShownValues::All && !args.yes && !io::stdout().is_terminal() {
        return Err(Error::config(
            "sensitive values are shown only on a terminal, and standard output is none",
        )
        .with_hint("to write them all the same, pass `--yes`")
        .into());
    }
    Ok(())
}

/// Reads both states. Their versions are found in one listing, if they are of one workspace.
async fn read(
    session: &Session,
    a: &StateReference,
    b: &StateReference,
) -> Result<(Side, Side), Failure> {
    let stored = |side: &StateReference| match side {
        StateReference::Stored(workspace, reference) => {
            let workspace = workspace.clone().unwrap_or_else(|| session.workspace.clone());
            Some((workspace, reference.clone()))
        }
        _ => None,
    };
    let store = &*session.store;
    let (one, other) = match (stored(a), stored(b)) {
        (Some((workspace, one)), Some((second, other))) if workspace == second => {
            let found = resolve(store, &workspace, &[&one, &other]).await?;
            let [one, other] = &found[..] else { return Err(Failure::from(unresolved())) };
            (Some((workspace, one.clone())), Some((second, other.clone())))
        }
        (one, other) => {
            let mut found = Vec::new();
            for side in [one, other] {
                found.push(match side {
                    None => None,
                    Some((workspace, reference)) => {
                        let versions = resolve(store, &workspace, &[&reference]).await?;
                        let version = versions.into_iter().next().ok_or_else(unresolved)?;
                        Some((workspace, version))
                    }
                });
            }
            let other = found.pop().flatten();
            (found.pop().flatten(), other)
        }
    };
    Ok((side(session, a, one).await?, side(session, b, other).await?))
}

/// A listing gives as many answers as it got questions.
fn unresolved() -> Error {
    Error::new(ErrorKind::Unexpected, "find version", "a version was not looked for")
}

type Found = Option<(Workspace, Option<remote_state::VersionId>)>;

async fn side(
    session: &Session,
    reference: &StateReference,
    found: Found,
) -> Result<Side, Failure> {
    let Some((workspace, version)) = found else { return from_file(reference) };
    let read = session.store.read(&workspace, &options(version)).await?;
    let read = read.ok_or_else(|| no_state(session, &workspace))?;
    let version = read.meta.version.as_ref().map(ToString::to_string);
    let text = StateText::from_store(read).await?;
    Ok(Side { reference: reference.to_string(), version, text })
}

fn from_file(reference: &StateReference) -> Result<Side, Failure> {
    let text = match reference {
        StateReference::File(path) => {
            let file = File::open(path).map_err(|source| {
                let kind = match source.kind() {
                    io::ErrorKind::NotFound => ErrorKind::NotFound,
                    _ => ErrorKind::Local,
                };
                let message = format!("cannot read `{}`: {source}", path.display());
                Error::new(kind, "diff", message).with_source(source)
            })?;
            StateText::from_file(file)?
        }
        _ => StateText::from_pipe(io::stdin().lock())?,
    };
    Ok(Side { reference: reference.to_string(), version: None, text })
}

fn compare(ui: &Ui, args: &Diff, a: &Side, b: &Side) -> Result<(), Failure> {
    let options = DiffOptions::default()
        .with_values(match args.values {
            ShownValues::Masked => Values::Masked,
            ShownValues::All => Values::All,
            ShownValues::None => Values::None,
        })
        .with_only(args.only.map(|only| match only {
            DiffOnly::Resources => Only::Resources,
            DiffOnly::Outputs => Only::Outputs,
        }))
        .with_address(args.address.as_deref().map(Pattern::new))
        .with_data(args.data)
        .with_order(if args.order { ArrayOrder::Counts } else { ArrayOrder::Ignored });
    let comparison = Comparison::new(&a.text, &b.text, &options)?;
    let (before, after) = comparison.headers();
    let is_encrypted = comparison.is_encrypted();
    let may_differ = is_encrypted && before != after;
    let summary = if ui.is_json {
        let mut report = json::Json::begin(ui, (a, before), (b, after))?;
        let summary = comparison.run(&mut report)?;
        report.finish(&summary)?;
        summary
    } else {
        lines::head(ui, before, after)?;
        if is_encrypted {
            ui.note("encrypted by OpenTofu: only the headers can be compared");
            Summary::default()
        } else {
            let mut report = lines::Lines::new(ui);
            let summary = comparison.run(&mut report)?;
            lines::summary(ui, &summary)?;
            summary
        }
    };
    if args.exit_code && (may_differ || summary.has_differences()) {
        return Err(Failure::Answered(ExitCode::Unexpected));
    }
    Ok(())
}

/// Returns whether a state is encrypted.
fn is_encrypted(header: &StateHeader) -> bool {
    header.format == StateFormat::Encrypted
}
