//! A migration: from which store to which, and how.

use std::path::Path;

use remote_state::{Author, LockWait, Provider as _};
use remote_state_operations::migrate::journal::{Begin, Purpose};
use remote_state_operations::migrate::{MigrateOptions, Run, SourceMode as Mode};
use serde_json::{Value, json};

use super::sides::{self, Side};
use crate::args::{Global, Migrate, SourceMode, operand};
use crate::local::Local;
use crate::session::Session;

/// What the lock record of a migration begins with, which has not ended.
pub(crate) const UNFINISHED: &str = "unfinished migration: ";

/// A migration: from which store to which, and how.
pub(super) struct Migration<'a> {
    pub(super) session: &'a Session,
    pub(super) target: Side,
    pub(super) options: MigrateOptions,
    pub(super) mode: SourceMode,
    pub(super) jobs: usize,
    pub(super) run: Run,
}

pub(super) fn options(mode: SourceMode, global: &Global) -> MigrateOptions {
    MigrateOptions::default()
        .with_source(mode.into())
        .with_lock_wait(LockWait::new(global.lock_timeout))
}

/// Returns whether the old place is files of this machine: what a write replaces is kept beside
/// them, so that nothing is lost there.
pub(super) fn is_local(session: &Session) -> bool {
    session.provider.spec().scheme == Local.spec().scheme
}

pub(super) fn run_of(session: &Session, id: &str, journal: &Path, reason: &str) -> Run {
    let author = Author::default()
        .with_who(session.who())
        .with_client(concat!("remote-state/", env!("CARGO_PKG_VERSION")))
        .with_reason(reason);
    let journal = operand(&journal.to_string_lossy());
    Run::new(id, jiff::Timestamp::now(), author).with_version(env!("CARGO_PKG_VERSION")).with_info(
        format!("{UNFINISHED}`remote-state migrate --resume {journal}`, or `--rollback`"),
    )
}

impl Migration<'_> {
    pub(super) fn begin_entry(&self, purpose: Purpose, args: &Migrate) -> Begin {
        let options: [(&str, Value); 5] = [
            ("source", Mode::from(self.mode).as_str().into()),
            ("ignore_digest", args.how.ignore_digest.into()),
            ("accept_unfenced", args.how.accept_unfenced.into()),
            ("force", args.how.force.into()),
            ("reason", json!(args.how.reason)),
        ];
        Begin {
            purpose,
            from: sides::to_json(self.session.provider.spec().scheme, &self.session.config),
            to: sides::to_json(self.target.scheme, &self.target.config),
            options: options.map(|(name, value)| (name.to_owned(), value)).into(),
            tool: concat!("remote-state/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
