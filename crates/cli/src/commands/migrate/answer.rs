//! What a migration says at its end.

use remote_state::config::ResolvedConfig;
use remote_state::{Error, ErrorKind};
use remote_state_operations::migrate::journal::{Entry, Journal, Purpose};
use remote_state_operations::migrate::{Left, Moved};
use serde_json::{Value, json};

use super::block;
use super::migration::{Migration, is_local};
use super::work::Outcome;
use crate::args::operand;
use crate::exit::{ExitCode, Failure, Interruption};

impl Migration<'_> {
    /// Ends a run that moved states.
    pub(super) fn finish(
        &self,
        outcomes: &[Outcome],
        left: Option<(Interruption, usize)>,
        journal: &Journal,
    ) -> Result<(), Failure> {
        let is_whole = left.is_none() && outcomes.iter().all(|outcome| outcome.result.is_ok());
        if is_whole {
            self.tell_what_next(self.target.scheme, &self.target.config);
        } else {
            // In the new place a client would plan to create what is not there yet.
            self.session.ui.note("leave the backend of every directory as it is until all is done");
        }
        self.end(
            outcomes,
            left,
            journal,
            Purpose::Migrate,
            (self.target.scheme, &self.target.config),
        )
    }

    /// Ends a run: with the answer, and with the exit code.
    pub(super) fn end(
        &self,
        outcomes: &[Outcome],
        left: Option<(Interruption, usize)>,
        journal: &Journal,
        purpose: Purpose,
        (scheme, config): (&str, &ResolvedConfig),
    ) -> Result<(), Failure> {
        let ui = &self.session.ui;
        let done = if purpose == Purpose::Rollback { "brought back" } else { "moved" };
        let failed: Vec<_> =
            outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()).collect();
        let ended = journal.write(&Entry::End {
            done: (outcomes.len() - failed.len()) as u64,
            failed: failed.len() as u64,
        });
        if let Err(error) = ended {
            ui.warn_error(&error);
        }
        let not_done = left.map_or(0, |(_, left)| left) + failed.len();
        if ui.is_json {
            let mut items: Vec<_> = outcomes.iter().map(outcome_json).collect();
            items.sort_by(|a, b| a["workspace"].as_str().cmp(&b["workspace"].as_str()));
            ui.json(&json!({
                "version": 1,
                "result": if not_done == 0 { done } else { "incomplete" },
                "run": self.run.id,
                "journal": journal.path(),
                "items": items,
                "left": left.map_or(0, |(_, left)| left),
                "backend": block::lines(scheme, config).join("\n"),
            }))?;
        }
        if not_done > 0 {
            let all = outcomes.len() + left.map_or(0, |(_, left)| left);
            ui.warn(&format!("{not_done} of {all} states were not {done}"));
            self.tell_resume(journal, purpose);
        }
        match left {
            Some((signal, _)) => Err(Failure::Interrupted(signal)),
            None if failed.is_empty() => Ok(()),
            None => Err(Failure::Answered(code(&failed))),
        }
    }

    /// Says how to finish a run.
    pub(super) fn tell_resume(&self, journal: &Journal, purpose: Purpose) {
        let path = operand(&journal.path().to_string_lossy());
        let back = format!("`remote-state migrate --rollback {path}`");
        self.session.ui.note(&match purpose {
            Purpose::Rollback => format!("finish it with {back}"),
            _ => format!(
                "finish it with `remote-state migrate --resume {path}`, or take it back with {back}"
            ),
        });
    }

    /// Prints the block of the place that is used from now on, and what people have to do.
    pub(super) fn tell_what_next(&self, scheme: &str, config: &ResolvedConfig) {
        let ui = &self.session.ui;
        ui.note("set this backend in every directory that uses these states:");
        for line in block::lines(scheme, config) {
            ui.note(&line);
        }
        if is_local(self.session) && scheme != self.session.provider.spec().scheme {
            ui.note(
                "`terraform init` reads the state files in its directory whatever the backend is, \
                 and stops at sealed ones: once the block is there, move them away",
            );
            for path in crate::local::paths(&self.session.config).into_iter().flatten() {
                let path = operand(&path.to_string_lossy());
                ui.note(&format!("  mv {path} {path}.sealed"));
            }
        }
        ui.note(
            "then run `terraform init -reconfigure` there, not `-migrate-state`, and throw saved \
             plans away",
        );
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    let mut json = outcome.planned.json();
    let (result, source) = match &outcome.result {
        Ok(Moved { copy: None, source, .. }) => ("unchanged", words(source)),
        Ok(Moved { source: Left::Kept, .. }) => ("copied", "kept"),
        Ok(Moved { source, .. }) => {
            if let Left::Frozen(id) = source {
                json["lock_id"] = id.as_str().into();
            }
            ("moved", words(source))
        }
        Err(error) => {
            json["error"] = error.message().into();
            ("failed", "unknown")
        }
    };
    json["result"] = result.into();
    json["source"] = source.into();
    json
}

fn words(source: &Left) -> &'static str {
    match source {
        Left::Sealed => "sealed",
        Left::Frozen(_) => "frozen",
        Left::Deleted => "deleted",
        _ => "kept",
    }
}

/// Returns the exit code for states that were not moved.
fn code(failed: &[&Error]) -> ExitCode {
    let is_conflict = |error: &&Error| {
        matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::DigestMismatch)
    };
    if failed.iter().any(is_conflict) {
        ExitCode::Unexpected
    } else if failed.iter().all(|error| error.kind() == ErrorKind::LockHeld) {
        ExitCode::LockHeld
    } else {
        ExitCode::Failed
    }
}
