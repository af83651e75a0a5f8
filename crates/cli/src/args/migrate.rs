//! What `migrate` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use remote_state_operations::migrate::SourceMode as Mode;

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// The kind of backend to move to
    #[arg(
        long,
        value_name = "TYPE",
        required_unless_present_any = ["resume", "rollback", "verify", "config"]
    )]
    pub(crate) to: Option<String>,
    /// Set a key of the new backend, or read keys from a file; repeatable, the last one wins
    #[arg(long, value_name = "KEY=VALUE|FILE")]
    pub(crate) to_config: Vec<String>,
    /// The kind of backend to move from, instead of that of the directory; `local` for files
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["backend", "backend_config", "dev"])]
    pub(crate) from: Option<String>,
    /// Set a key of the old backend, or read keys from a file; repeatable, the last one wins
    #[arg(long, value_name = "KEY=VALUE|FILE")]
    pub(crate) from_config: Vec<String>,
    /// Move only workspaces whose name matches, such as `prod-*`; repeatable
    #[arg(long, value_name = "GLOB", conflicts_with = "workspace")]
    pub(crate) workspaces: Vec<String>,
    /// What becomes of the old place
    #[arg(long, value_name = "WHAT", default_value = "seal")]
    pub(crate) source: SourceMode,
    /// How many states to move at once
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    pub(crate) jobs: u16,
    #[command(flatten)]
    pub(crate) how: MigrateHow,
    #[command(flatten)]
    pub(crate) earlier: EarlierRun,
}

/// What to do about an earlier run. Keys that the journal does not hold, such as secrets, come from
/// the environment, or are given again.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct EarlierRun {
    /// Finish the run of this journal
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = NEW_RUN)]
    pub(crate) resume: Option<PathBuf>,
    /// Bring the states of this journal back, and close the new place
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = NEW_RUN)]
    pub(crate) rollback: Option<PathBuf>,
    /// Look whether the states of this journal are where they should be, and the old place closed
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = NEW_RUN)]
    pub(crate) verify: Option<PathBuf>,
    /// Print the new backend block of this journal
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = NEW_RUN)]
    pub(crate) config: Option<PathBuf>,
}

/// The options that only a new run takes. What an earlier run moves is in its journal.
const NEW_RUN: [&str; 7] =
    ["to", "from", "workspace", "workspaces", "source", "journal", "dry_run"];

#[derive(Args, Debug)]
pub(crate) struct MigrateHow {
    /// Record the run in this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Move states that do not match their recorded digest
    #[arg(long)]
    pub(crate) ignore_digest: bool,
    /// Seal where the store neither checks conditions of writes nor keeps versions: what a client
    /// without a lock writes in that moment is lost
    #[arg(long)]
    pub(crate) accept_unfenced: bool,
    /// With `--source delete`, delete states that have resources
    #[arg(long)]
    pub(crate) force: bool,
    /// With `--rollback`, bring states back that were written in the new place since
    #[arg(long, requires = "rollback")]
    pub(crate) take_newer: bool,
    /// With `--rollback`, remove the seals in the new place: whoever still uses it then plans to
    /// create everything
    #[arg(long, requires = "rollback")]
    pub(crate) clean: bool,
    /// The reason, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceMode {
    /// A sealed state replaces each state, which stops every client and tells the new place
    Seal,
    /// The lock stays held, which stops clients that lock and lets readers go on
    Freeze,
    /// The old place stays in use, so that each state exists twice
    Keep,
    /// The states are deleted, and clients plan to create everything
    Delete,
}

impl From<SourceMode> for Mode {
    fn from(mode: SourceMode) -> Self {
        match mode {
            SourceMode::Seal => Self::Seal,
            SourceMode::Freeze => Self::Freeze,
            SourceMode::Keep => Self::Keep,
            SourceMode::Delete => Self::Delete,
        }
    }
}
