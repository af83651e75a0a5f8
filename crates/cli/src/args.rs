//! The command line: its words, their help, and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use remote_state::{Embedded, Provider};

mod commands;
mod compare;
mod directory;
mod migrate;
mod rewrite;
mod versions;

pub(crate) use commands::{
    Completions, Config, Copy, Emptied, Exec, Lock, Man, Names, Output, OutputFormat, PolicyArgs,
    Pull, Push, Rename, RenameHow, Serve, Show, Unlock, Workspace, is_variable,
};
pub(crate) use compare::{Diff, DiffOnly, Find, ShownValues};
pub(crate) use migrate::{Migrate, SourceMode};
pub(crate) use remote_state::shell::{flag, operand, quoted};
pub(crate) use rewrite::{with_backend_configs_first, with_terraforms_dashes};
pub(crate) use versions::{History, Restore, RestoreHow, Undelete};

/// Terraform and OpenTofu state in object stores: read, written, locked, listed and served.
///
/// Without options the backend comes from the Terraform directory itself: `remote-state.hcl`, what
/// `init` recorded, or the `backend` block. Terraform's own flags may be written with one dash, as
/// Terraform does.
///
/// Exit status: 0 done, 1 failed, 2 usage or configuration, 3 lock held by someone else, 4 not
/// found, 5 not the expected state, 70 a bug.
#[derive(Debug, Parser)]
#[command(name = "remote-state", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Act in this directory instead of the current one, as if started there: relative paths and
    /// the command of `exec` are below it
    #[arg(
        short = 'C',
        long = "chdir",
        value_name = "DIR",
        global = true,
        default_value = ".",
        hide_default_value = true
    )]
    pub(crate) directory: PathBuf,
    #[arg(skip)]
    entered: Option<PathBuf>,
    /// Use this kind of backend and read nothing of the directory
    #[arg(long, value_name = "TYPE", global = true)]
    pub(crate) backend: Option<String>,
    /// Set a backend key, or read keys from a file; repeatable, the last one wins
    #[arg(long, value_name = "KEY=VALUE|FILE", global = true)]
    pub(crate) backend_config: Vec<String>,
    /// Speak to the store as to this kind of S3: `aws`, `minio`, `ceph`, `spaces`, `r2`, `garage`,
    /// `generic`
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) dialect: Option<String>,
    /// Run programs that a profile names whose file lies in the directory (`credential_process`,
    /// `External`)
    #[arg(long, global = true)]
    pub(crate) allow_directory_programs: bool,
    /// Use this workspace instead of the selected one
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) workspace: Option<String>,
    /// Use the embedded store in `.remote-state/dev`, which needs no account; it speaks S3 unless
    /// told otherwise
    #[arg(
        long,
        value_name = "TYPE",
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = Dev::DEFAULT,
        value_parser = Dev::parser()
    )]
    pub(crate) dev: Option<Dev>,
    /// Wait this long for a lock that someone else holds, such as `30s` or `5m`
    #[arg(
        long,
        value_name = "DURATION",
        global = true,
        value_parser = duration,
        default_value = "0s",
        hide_default_value = true
    )]
    pub(crate) lock_timeout: Duration,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colour the conversation on stderr and tables
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: Color,
    /// Say nothing but answers and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more: causes of errors, then requests; repeatable
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Global {
    /// Returns the flags that say which state is meant, to be typed again, each after a space. No
    /// value of a secret key is in them.
    pub(crate) fn selection(&self) -> String {
        let mut flags = String::new();
        if self.directory.as_os_str() != "." {
            flags.push_str(&flag("-C", &self.directory.to_string_lossy()));
        }
        if let Some(backend) = &self.backend {
            flags.push_str(&flag("--backend", backend));
        }
        for given in &self.backend_config {
            match given.split_once('=') {
                Some((key, _)) if !is_showable(key) => {
                    flags.push_str(&format!(" --backend-config {}=…", quoted(key)));
                }
                _ if given.is_empty() => {}
                _ => flags.push_str(&flag("--backend-config", given)),
            }
        }
        if let Some(dialect) = &self.dialect {
            flags.push_str(&flag("--dialect", dialect));
        }
        if self.allow_directory_programs {
            flags.push_str(" --allow-directory-programs");
        }
        match self.dev {
            None => {}
            Some(dev) if dev.scheme() == Dev::DEFAULT => flags.push_str(" --dev"),
            Some(dev) => flags.push_str(&format!(" --dev={}", dev.scheme())),
        }
        if let Some(workspace) = &self.workspace {
            flags.push_str(&flag("-w", workspace));
        }
        flags
    }
}

/// A provider that the embedded store stands in for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dev {
    pub(crate) provider: &'static dyn Provider,
    #[cfg_attr(
        not(feature = "dev"),
        expect(dead_code, reason = "only the embedded store reads it")
    )]
    pub(crate) embedded: &'static Embedded,
}

impl Dev {
    /// The one that is meant without a name.
    const DEFAULT: &'static str = "s3";

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let with_store = |provider: &&'static dyn Provider| {
            Some(Self { provider: *provider, embedded: provider.embedded()? })
        };
        remote_state::providers().iter().filter_map(with_store)
    }

    /// The name of the backend.
    pub(crate) fn scheme(self) -> &'static str {
        self.provider.spec().scheme
    }

    fn parser() -> impl TypedValueParser<Value = Self> {
        let value = |dev: Self| PossibleValue::new(dev.scheme()).help(dev.provider.spec().title);
        PossibleValuesParser::new(Self::all().map(value)).try_map(|name| {
            let found = Self::all().find(|dev| dev.scheme() == name);
            found.ok_or("there is no embedded store for it")
        })
    }
}

/// Returns whether the value of a backend key may be shown. A key that no provider has may hold a
/// secret.
fn is_showable(key: &str) -> bool {
    let mut rows =
        remote_state::providers().iter().flat_map(|provider| provider.spec().keys).filter(|row| {
            let is_member =
                row.name.strip_prefix(key).is_some_and(|member| member.starts_with('.'));
            row.name == key || row.aliases.contains(&key) || is_member
        });
    let first = rows.next();
    first.is_some_and(|row| !row.secret) && rows.all(|row| !row.secret)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy the state to standard output or to a file, byte for byte
    Pull(Pull),
    /// Store a state, under the lock and only if it follows the stored one
    ///
    /// It follows if nothing is stored yet, or an empty state, or one of the same lineage with a
    /// lower serial. The same bytes again are nothing to write. Everything else is refused with
    /// exit status 5: a lower serial, the same serial with other bytes, another lineage. A sealed
    /// state, which tells where the state has moved, is never replaced.
    /// The file is stored as it is, its serial and lineage too. Where no lock is configured it is
    /// stored without one, with a warning.
    Push(Push),
    /// Print outputs
    Output(Output),
    /// List the addresses of the resources in the state
    List,
    /// Show one resource of the state
    Show(Show),
    /// List the stored versions of the state, the newest first
    ///
    /// Each has a name by which other commands take it: `@0` is the newest, `@1` the one before. A
    /// deletion is a version too. This tool stores with each state who wrote it; for what native
    /// clients wrote, `--who` looks into the versions of the lock file, which show who held the
    /// lock at that time. What is not known is shown as `?`.
    History(History),
    /// Say what two versions of the state differ in
    ///
    /// Without arguments these are the version before the newest one, and the newest one. A and B
    /// are `@N`, counted from the newest (`@0`), `id:VERSION`, `serial:N`, `workspace:NAME`,
    /// `workspace:NAME/@N`, `file:PATH`, or `-` for standard input.
    ///
    /// Values that the state marks as sensitive are not shown, nor are copies of them, nor what has
    /// a name of secrets, such as `password` or `token`. Elements of lists count as equal in any
    /// order, since a state does not tell sets from lists.
    Diff(Diff),
    /// Make an older version of the state the current one again
    ///
    /// REF is `@N` as `history` counts, `id:VERSION` or `serial:N`. The version is written as a new
    /// state under the lock, with a serial that this state never had: with the old one, a plan that
    /// was saved for another state of that serial would pass for current. No other byte changes.
    /// What it describes does not change: `terraform plan` shows what Terraform makes of it.
    ///
    /// A sealed state, which tells where the state has moved, is replaced only with `--unseal`.
    Restore(Restore),
    /// Bring a deleted state back from its versions
    ///
    /// Works only where no state is stored. The serial stays as it was, unless an older version has
    /// a higher one.
    Undelete(Undelete),
    /// Find the states that hold a resource, an output or a value
    ///
    /// All states of the bucket are searched, or those of `--prefix` or `--here`. All conditions
    /// have to hold for one resource. Patterns match in upper and lower case alike, and `*` and `?`
    /// stand for any text and any character.
    ///
    /// The exit status is 0 if something was found, 4 if nothing was and all states could be read,
    /// and 1 if some could not. MinIO lists no object below a key that is itself an object, so what
    /// is there is not found.
    Find(Find),
    /// Move states to another key, bucket or provider, with proof
    ///
    /// Both places are locked. The exact bytes are copied, with lineage and serial, and read back;
    /// then a sealed state replaces the source, if that still is what was copied. From that moment
    /// the target is the truth, and every client of the old place, native ones included, is told
    /// the new one. `terraform init -migrate-state` leaves the old place live instead: a plan that
    /// was saved before writes there, and nobody notices.
    ///
    /// The source is the backend of the directory, unless `--from` names one. The plan is shown
    /// first. At the end the new backend block is printed.
    ///
    /// Exit status: 0 all done, 1 some failed, 3 only locks were in the way, 4 no state to move, 5
    /// a target has another state, or a proof failed.
    Migrate(Migrate),
    /// List, make, rename, copy and delete workspaces
    #[command(subcommand)]
    Workspace(Workspace),
    /// Take the lock, leave it held and print its id
    Lock(Lock),
    /// Release a lock by its id, also one of another client
    Unlock(Unlock),
    /// List the locks that are held
    Locks,
    /// Show the configuration, its keys, or a client's configuration
    #[command(subcommand)]
    Config(Config),
    /// Serve the state to Terraform's `http` backend
    Serve(Serve),
    /// Run a command whose Terraform keeps its state here through the `http` backend
    ///
    /// The configuration says `backend "http" {}` and nothing more; Terraform since 0.13.2 and
    /// every OpenTofu read the rest from variables, and `serve` is for older ones. The command
    /// runs in the directory of `-C`. A `terraform` or `tofu` whose `-chdir` leads to another
    /// directory with that backend is refused, unless the backend is named by `--backend`;
    /// inside scripts and `make` it cannot be seen.
    ///
    /// `TF_HTTP_*` is set or removed for the command, but for the user name and the password, which
    /// are for other servers. `TF_WORKSPACE` is `default`, and `REMOTE_STATE_WORKSPACE` the
    /// workspace that is served, which our own commands mean inside.
    ///
    /// Signals are passed on to the command, each once, and a closed terminal as a request to end.
    /// The state is served until everything that the command has started has ended; a second
    /// signal ends the wait. With `--lock-timeout` the server waits that long for a lock that
    /// someone else holds, which also clients do that would give up at once. The exit status is
    /// the command's.
    Exec(Exec),
    /// Say whom the store takes us for, which credentials are used, and how it is reached
    Whoami,
    /// Print a completion script for a shell
    Completions(Completions),
    /// Write the manual pages into a folder
    Man(Man),
    /// Print as JSON what the reference is made from: commands, keys, variables, exit codes and
    /// dialects
    #[command(hide = true)]
    Reference,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as `30s` or `5m`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        let help: Vec<_> = help.split_whitespace().collect();
        let help = help.join(" ");
        for (code, meaning) in crate::exit::ExitCode::ALL {
            let expected = format!("{} {meaning}", code as u8);
            assert!(help.contains(&expected), "{expected}: {help}");
        }
    }

    #[test]
    fn a_selection_names_the_same_state_and_no_secret() {
        let words = [
            "x",
            "-C",
            "a b",
            "--backend",
            "s3",
            "--backend-config",
            "bucket=b;c",
            "--backend-config",
            "secret_key=hunter2",
            "--backend-config",
            "unknown=hunter2",
            "--backend-config",
            "",
            "--backend-config",
            "./e.hcl",
            "--dialect",
            "ceph",
            "--dev",
            "-w=-x",
            "pull",
        ];
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(
            cli.global.selection(),
            " -C 'a b' --backend s3 --backend-config 'bucket=b;c' --backend-config secret_key=… \
             --backend-config unknown=… --backend-config ./e.hcl --dialect ceph --dev -w=-x"
        );
    }

    #[test]
    fn the_embedded_store_is_s3_unless_told_otherwise() {
        let dev = |words: &[&str]| Cli::try_parse_from(words).map(|cli| cli.global.selection());
        assert_eq!(dev(&["x", "--dev", "pull"]).unwrap(), " --dev");
        assert_eq!(dev(&["x", "--dev=s3", "pull"]).unwrap(), " --dev");
        assert_eq!(dev(&["x", "pull", "--dev=oss"]).unwrap(), " --dev=oss");
        assert!(dev(&["x", "--dev=gcs", "pull"]).is_err());
    }
}
