//! What the commands about stored versions can be told.

use clap::Args;
use jiff::Timestamp;
use remote_state_operations::reference::Reference;

use crate::args::compare::time;

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

fn since(text: &str) -> Result<Timestamp, String> {
    match time(text)? {
        Reference::At(time) => Ok(time),
        _ => Err("expected a time".to_owned()),
    }
}
