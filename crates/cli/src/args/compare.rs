//! What the commands that compare and search states can be told.

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use remote_state_operations::AttributePath;
use remote_state_operations::reference::{Reference, StateReference};

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The first state, `@1` if none is named
    #[arg(value_name = "A", value_parser = reference)]
    pub(crate) a: Option<StateReference>,
    /// The second state, `@0` if none is named
    #[arg(value_name = "B", value_parser = reference)]
    pub(crate) b: Option<StateReference>,
    /// Take the version that was current at this time, such as `2026-11-27 02:56` (UTC), as the
    /// first state, and A as the second
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

#[derive(Args, Debug)]
pub(crate) struct Find {
    /// What is in the address, the type, the name, or in `id`, `arn`, `self_link` or `identity`;
    /// with `*` or `?`, what is all of one of them
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// The type, such as `aws_vpc` or `aws_*`
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// A part of the provider's address
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: Option<String>,
    /// A module and all below it
    #[arg(long, value_name = "MODULE")]
    pub(crate) module: Option<String>,
    /// The id
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// An attribute whose value matches, such as `tags.Team=core`; repeatable
    #[arg(long, value_name = "PATH=PATTERN", value_parser = attribute)]
    pub(crate) attribute: Vec<(AttributePath, String)>,
    /// Read a value from standard input and find whatever holds it: resources, outputs and results
    /// of checks
    #[arg(long)]
    pub(crate) value_stdin: bool,
    /// Find outputs by their name
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    /// Look only at objects whose keys begin with this
    #[arg(long, value_name = "KEYS", conflicts_with = "here")]
    pub(crate) prefix: Option<String>,
    /// Look only at the workspaces of the configured state
    #[arg(long)]
    pub(crate) here: bool,
    /// Show these attributes too, separated by commas; repeatable
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_parser = path)]
    pub(crate) show: Vec<AttributePath>,
    /// Read so many states at the same time
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = jobs())]
    pub(crate) jobs: u16,
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

fn jobs() -> impl TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(1..=256)
}

fn reference(text: &str) -> Result<StateReference, String> {
    StateReference::parse(text).map_err(|error| with_hints(&error))
}

pub(super) fn time(text: &str) -> Result<Reference, String> {
    Reference::at(text).map_err(|error| with_hints(&error))
}

fn path(text: &str) -> Result<AttributePath, String> {
    AttributePath::parse(text).map_err(|error| with_hints(&error))
}

fn attribute(text: &str) -> Result<(AttributePath, String), String> {
    let (before, pattern) = text
        .split_once('=')
        .ok_or_else(|| "expected a path and a pattern, such as `tags.Team=core`".to_owned())?;
    Ok((path(before)?, pattern.to_owned()))
}

pub(super) fn with_hints(error: &remote_state::Error) -> String {
    let hints = error.hints().join("; ");
    if hints.is_empty() { error.message().to_owned() } else { hints }
}
