//! Recognizes a command that is Terraform itself. Wrappers hide their commands.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use remote_state::config::Environment;
use remote_state::directory::declared_backend;
use remote_state::shell::quoted;
use remote_state::{Error, Result};

use crate::job::Audience;

/// Commands that never read a state.
const STATELESS: [&str; 12] = [
    "fmt",
    "get",
    "help",
    "login",
    "logout",
    "metadata",
    "modules",
    "providers",
    "test",
    "validate",
    "version",
    "rpcapi",
];

/// Returns whether a program's name is that of Terraform or OpenTofu, such as `terraform-1.5.7` or
/// `tofu.exe`.
pub(super) fn is_terraform(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    ["terraform", "tofu"].iter().any(|client| {
        name.strip_prefix(client).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()))
    })
}

/// Returns which processes of the command get a request to end.
///
/// Terraform takes a second signal for impatience, and any signal other than Ctrl-C kills its
/// providers in the middle of their work. `make` passes such a signal on to its children: to
/// Terraform, or to a shell that dies of it and leaves Terraform behind.
pub(super) fn audience(words: &[OsString]) -> Audience {
    let Some(program) = words.first() else { return Audience::Everybody };
    let name = Path::new(program).file_name().unwrap_or(program);
    match name.to_str() {
        _ if is_terraform(program) => Audience::Command,
        Some("make" | "gmake") => Audience::Terminal,
        _ => Audience::Everybody,
    }
}

/// Returns whether Terraform reads no state with these arguments.
pub(super) fn is_stateless(arguments: &[OsString]) -> bool {
    let is_asked = |word: &OsString| {
        ["-h", "-help", "--help", "-v", "-version", "--version"].iter().any(|flag| word == flag)
    };
    let command = arguments.iter().find(|word| !word.to_string_lossy().starts_with('-'));
    arguments.iter().any(is_asked)
        || command.is_none_or(|command| STATELESS.iter().any(|known| command == known))
}

/// Refuses a Terraform that would work in another directory than the one whose state is served: it
/// would plan the configuration there against this state, and destroy the resources in it.
///
/// # Errors
/// `ConfigInvalid` if it would.
pub(super) fn refuse_elsewhere(here: &Path, words: &[OsString], env: &Environment) -> Result<()> {
    let [program, arguments @ ..] = words else { return Ok(()) };
    if !is_terraform(program) {
        return Ok(());
    }
    if let Some(there) = chdir(arguments) {
        refuse(here, program, &there, None)?;
    }
    // Terraform refuses `-chdir` as an option of a command; the message here explains it better.
    for name in env.names().filter(|name| name.starts_with("TF_CLI_ARGS")) {
        let words = env.get(name).unwrap_or_default().split_whitespace();
        for word in words.map(|word| word.trim_matches(['"', '\''])) {
            if let Some(there) = option(word) {
                refuse(here, program, there, Some(name))?;
            }
        }
    }
    Ok(())
}

/// Returns the directory of `-chdir=DIR`, which Terraform accepts only before the subcommand; the
/// last one wins.
fn chdir(arguments: &[OsString]) -> Option<String> {
    let global = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .take_while(|word| word.starts_with('-'));
    global.filter_map(|word| option(&word).map(str::to_owned)).last()
}

fn option(word: &str) -> Option<&str> {
    word.strip_prefix("--chdir=").or_else(|| word.strip_prefix("-chdir="))
}

fn refuse(here: &Path, program: &OsStr, there: &str, variable: Option<&str>) -> Result<()> {
    // Terraform itself reports a directory that does not exist.
    let (Ok(served), Ok(other)) = (here.canonicalize(), here.join(there).canonicalize()) else {
        return Ok(());
    };
    // With another backend block there, Terraform does not use this server.
    let is_native = matches!(declared_backend(&other), Ok(Some(name)) if name != "http");
    if served == other || is_native {
        return Ok(());
    }
    let program = program.to_string_lossy();
    let error = Error::config(format!(
        "`-chdir={there}` leads away from the directory whose state is served"
    ))
    .with_context("served", served.display())
    .with_context("leads to", other.display());
    let error = match variable {
        Some(name) => error.with_context("set in", format!("the variable {name}")),
        None => error,
    };
    Err(error
        .with_hint(format!(
            "to work there and on the state there, use `remote-state -C {} exec -- {program} …` \
             without `-chdir`",
            quoted(there)
        ))
        .with_hint("if one state is meant for both, name its backend by flags: `--backend TYPE`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn terraform_is_known_by_its_name() {
        for name in [
            "terraform",
            "tofu",
            "/usr/bin/terraform",
            "./tofu",
            "terraform-1.5.7",
            "terraform0.12",
            "tofu.exe",
        ] {
            assert!(is_terraform(OsStr::new(name)), "{name}");
        }
        for name in ["make", "sh", "terraformer", "terragrunt", "my-terraform", ""] {
            assert!(!is_terraform(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn the_directory_is_an_option_before_the_subcommand() {
        for (line, there) in [
            ("-chdir=a plan", Some("a")),
            ("-chdir=a -chdir=b plan", Some("b")),
            ("-version -chdir=a", Some("a")),
            ("plan -chdir=a", None),
            ("plan", None),
            ("-chdir a", None),
        ] {
            assert_eq!(chdir(&words(line)).as_deref(), there, "{line}");
        }
    }

    #[test]
    fn commands_that_look_at_no_state_are_known() {
        for line in
            ["version", "-chdir=x fmt -check", "-help", "plan -help", "", "providers schema"]
        {
            assert!(is_stateless(&words(line)), "{line}");
        }
        for line in ["plan", "init", "state list", "-chdir=. apply"] {
            assert!(!is_stateless(&words(line)), "{line}");
        }
    }
}
