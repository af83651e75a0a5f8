//! `reference`: prints the tables of which the book's reference is made.

use clap::CommandFactory as _;
use serde_json::{Value, json};

use crate::args::Cli;
use crate::commands::config;
use crate::environment::VARIABLES;
use crate::exit::{ExitCode, Failure};
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui) -> Result<(), Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let providers: Vec<Value> = remote_state::providers()
        .iter()
        .map(|provider| {
            let spec = provider.spec();
            json!({
                "name": spec.scheme,
                "title": spec.title,
                "keys": spec.offered().map(config::key_json).collect::<Vec<_>>(),
                "refused": spec.keys.iter().filter_map(|key| {
                    Some(json!({"name": key.name, "reason": key.refused?}))
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    let named = |(name, meaning): (&str, &str)| json!({"name": name, "meaning": meaning});
    ui.json(&json!({
        "version": 1,
        "command": command_json(&command, "remote-state"),
        "exit_codes": ExitCode::ALL
            .map(|(code, meaning)| json!({"code": code as u8, "meaning": meaning})),
        "variables": VARIABLES.map(named),
        "providers": providers,
        "dialects": dialects(),
    }))
}

/// Returns the rows of the table of dialects, each a list of pairs of a column and its cell.
#[cfg(feature = "s3")]
fn dialects() -> Value {
    let cells = |(column, cell): (&str, String)| json!([column, cell]);
    let rows = remote_state::s3::dialects_in_words().into_iter();
    rows.map(|row| Value::from(row.map(cells).to_vec())).collect()
}

#[cfg(not(feature = "s3"))]
fn dialects() -> Value {
    json!([])
}

/// Describes a command. The options that every command has are described once, at the top.
fn command_json(command: &clap::Command, path: &str) -> Value {
    let is_top = !path.contains(' ');
    let is_listed = |argument: &&clap::Arg| {
        let is_standard = matches!(argument.get_id().as_str(), "help" | "version");
        !argument.is_hide_set() && !is_standard && (is_top || !argument.is_global_set())
    };
    let usage = command.clone().render_usage().to_string();
    json!({
        "path": path,
        "about": text(command.get_about()),
        "long_about": text(command.get_long_about()),
        "usage": usage.trim_start_matches("Usage: "),
        "arguments": command
            .get_arguments()
            .filter(is_listed)
            .map(argument_json)
            .collect::<Vec<_>>(),
        "commands": command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
            .map(|below| command_json(below, &format!("{path} {}", below.get_name())))
            .collect::<Vec<_>>(),
    })
}

fn argument_json(argument: &clap::Arg) -> Value {
    let takes_value = argument.get_num_args().is_none_or(|count| count.takes_values());
    let default = |value: &clap::builder::OsStr| value.to_string_lossy().into_owned();
    let possible = argument.get_possible_values().into_iter().filter(|_| takes_value);
    json!({
        "short": argument.get_short(),
        "long": argument.get_long(),
        "value": takes_value.then(|| argument.get_value_names()?.first().map(ToString::to_string)),
        "value_is_optional": argument.get_num_args().is_some_and(|count| count.min_values() == 0),
        "help": text(argument.get_long_help().or_else(|| argument.get_help())),
        "default": argument
            .get_default_values()
            .iter()
            .filter(|_| takes_value && !argument.is_hide_default_value_set())
            .map(default)
            .collect::<Vec<_>>(),
        "required": argument.is_required_set(),
        "values": possible
            .filter(|value| !value.is_hide_set())
            .map(|value| json!({"name": value.get_name(), "help": text(value.get_help())}))
            .collect::<Vec<_>>(),
    })
}

fn text(text: Option<&clap::builder::StyledStr>) -> Option<String> {
    text.map(ToString::to_string)
}
