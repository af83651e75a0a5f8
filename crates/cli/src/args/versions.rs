//! What the commands about stored versions can be told.

use clap::Args;
use jiff::Timestamp;
use remote_state_operations::reference::Reference;

use crate::args::compare::{time, with_hints};

#[derive(Args, Debug)]
pub(crate) struct History {
    /// How many versions to list
    #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 20)]
    pub(crate) most: usize,
    /// List all versions
    #[arg(long, conflicts_with = "most")]
    pub(crate) all: bool,
    /// List only what was stored at this time or later, such as `2026-11-27 02:56`, UTC
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Timestamp>,
    /// Find out from the versions of the lock file who wrote what native clients wrote
    #[arg(long)]
    pub(crate) who: bool,
    /// Read a whole state if its beginning does not have its serial
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The version: `@N`, `id:VERSION` or `serial:N`
    #[arg(value_name = "REF", value_parser = reference)]
    pub(crate) reference: Reference,
    /// Restore over a sealed state, so that this place is used again
    #[arg(long)]
    pub(crate) unseal: bool,
    /// Restore although the bucket may keep no version of the current state, which is lost then
    #[arg(long)]
    pub(crate) no_copy: bool,
    #[command(flatten)]
    pub(crate) how: RestoreHow,
}

#[derive(Args, Debug)]
pub(crate) struct Undelete {
    /// The version to bring back instead of the last one
    #[arg(long, value_name = "REF", value_parser = reference)]
    pub(crate) version: Option<Reference>,
    #[command(flatten)]
    pub(crate) how: RestoreHow,
}

#[derive(Args, Debug)]
pub(crate) struct RestoreHow {
    /// Work under this lock, which is held already, instead of taking one
    #[arg(long, value_name = "ID")]
    pub(crate) lock_id: Option<String>,
    /// The reason, for the lock and for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Write the bytes as they were, with the old serial
    #[arg(long)]
    pub(crate) verbatim: bool,
    /// Restore over a state of another lineage or what is no state, and where the serials of some
    /// versions cannot be read
    #[arg(long)]
    pub(crate) force: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Agree beforehand
    #[arg(long)]
    pub(crate) yes: bool,
}

fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).map_err(|error| with_hints(&error))
}

fn since(text: &str) -> Result<Timestamp, String> {
    match time(text)? {
        Reference::At(time) => Ok(time),
        _ => Err("expected a time".to_owned()),
    }
}
