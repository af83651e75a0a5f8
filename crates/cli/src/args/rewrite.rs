//! What is done to the words before they are parsed.

use std::ffi::OsString;

use clap::CommandFactory as _;

use crate::args::Cli;

/// Gives long flags with one dash, as Terraform writes them, their second one. What follows `--`
/// belongs to someone else.
pub(crate) fn with_terraforms_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut known = Vec::new();
    collect_flags(&Cli::command(), &mut known);
    let mut is_ours = true;
    let double = |arg: OsString| {
        is_ours &= arg != "--";
        let is_long = arg.to_str().and_then(|text| text.strip_prefix('-')).is_some_and(|name| {
            let name = name.split('=').next().unwrap_or_default();
            name.len() > 1 && known.iter().any(|flag| flag == name)
        });
        if is_ours && is_long {
            let mut doubled = OsString::from("-");
            doubled.push(arg);
            doubled
        } else {
            arg
        }
    };
    args.into_iter().map(double).collect()
}

/// Moves every `--backend-config` to the front, in order: those behind the subcommand would
/// otherwise hide those before it.
pub(crate) fn with_backend_configs_first(
    args: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    const FLAG: &str = "--backend-config";
    let mut args = args.into_iter().peekable();
    let mut first: Vec<OsString> = args.next().into_iter().collect();
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.push(arg);
            rest.extend(args.by_ref());
        } else if arg.to_str().is_some_and(|text| text.starts_with("--backend-config=")) {
            first.push(arg);
        } else if arg == FLAG
            && let Some(value) = args.next_if(|value| !value.to_string_lossy().starts_with('-'))
        {
            first.extend([arg, value]);
        } else {
            rest.push(arg);
        }
    }
    first.append(&mut rest);
    first
}

fn collect_flags(command: &clap::Command, known: &mut Vec<String>) {
    known.extend(command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)));
    for command in command.get_subcommands() {
        collect_flags(command, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backend_configs_before_and_behind_the_subcommand_add_up() {
        let args = [
            "x",
            "--backend-config",
            "a=1",
            "pull",
            "--backend-config=b=2",
            "--",
            "--backend-config",
            "c",
        ];
        let moved = with_backend_configs_first(args.map(OsString::from));
        assert_eq!(
            moved,
            [
                "x",
                "--backend-config",
                "a=1",
                "--backend-config=b=2",
                "pull",
                "--",
                "--backend-config",
                "c"
            ]
        );
        // What is incomplete stays where its error is best understood.
        let args = ["x", "pull", "--backend-config"].map(OsString::from);
        assert_eq!(with_backend_configs_first(args.clone()), args);
    }

    #[test]
    fn terraforms_flags_are_understood_with_one_dash_but_not_behind_two() {
        let args = [
            "x",
            "-json",
            "-lock-timeout=5m",
            "-w",
            "dev",
            "-vv",
            "exec",
            "--",
            "terraform",
            "-json",
        ];
        let doubled = with_terraforms_dashes(args.map(OsString::from));
        assert_eq!(
            doubled[1..],
            ["--json", "--lock-timeout=5m", "-w", "dev", "-vv", "exec", "--", "terraform", "-json"]
        );
    }
}
