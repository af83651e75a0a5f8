//! What the commands that compare and search states can be told.

use clap::{Args, ValueEnum};
use remote_state_operations::reference::{Reference, StateReference};

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The first state, `@1` if none is named
    #[arg(value_name = "A", value_parser = reference)]
    pub(crate) a: Option<StateReference>,
    /// The second state, `@0` if none is named
    #[arg(value_name = "B", value_parser = reference)]
    pub(crate) b: Option<StateReference>,
    /// Take the version that was current at this time as A, such as `2026-11-27 02:56`, UTC
    #[arg(long, value_name = "TIME", conflicts_with = "b", value_parser = time)]
    pub(crate) at: Option<Reference>,
    /// Compare only these
    #[arg(long, value_name = "WHAT")]
    pub(crate) only: Option<DiffOnly>,
    /// Compare only resources whose address matches: all of a module or a resource, or a pattern
    /// with `*` and `?`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) address: Option<String>,
    /// Compare data sources too
    #[arg(long)]
    pub(crate) data: bool,
    /// Which values to show
    #[arg(long, value_name = "WHICH", default_value = "masked")]
    pub(crate) values: ShownValues,
    /// Tell another order of the elements of a list too
    #[arg(long)]
    pub(crate) order: bool,
    /// Exit with 5 if the states differ
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Show all values also where standard output is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffOnly {
    Resources,
    Outputs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShownValues {
    /// All but sensitive ones
    Masked,
    /// Sensitive ones too
    All,
    /// None: paths alone
    None,
}

fn reference(text: &str) -> Result<StateReference, String> {
    StateReference::parse(text).map_err(|error| with_hints(&error))
}

pub(super) fn time(text: &str) -> Result<Reference, String> {
    Reference::at(text).map_err(|error| with_hints(&error))
}

pub(super) fn with_hints(error: &remote_state::Error) -> String {
    let hints = error.hints().join("; ");
    if hints.is_empty() { error.message().to_owned() } else { hints }
}
