//! The command line: its words, their help, and nothing else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

/// Terraform and OpenTofu state in object stores: read, written, locked, listed and served.
///
/// Without options the backend comes from the Terraform directory itself: `remote-state.hcl`, what `init` recorded, or the `backend` block.
/// Terraform's own flags may be written with one dash, as Terraform does.
///
/// Exit status: 0 done, 1 failed, 2 usage or configuration, 3 lock held by someone else, 4 not found, 5 not the expected state, 70 a bug.
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
    /// Act in this directory instead of the current one
    #[arg(
        short = 'C',
        long = "chdir",
        value_name = "DIR",
        global = true,
        default_value = ".",
        hide_default_value = true
    )]
    pub(crate) directory: PathBuf,
    /// Use this kind of backend and read nothing of the directory
    #[arg(long, value_name = "TYPE", global = true)]
    pub(crate) backend: Option<String>,
    /// Set a backend key, or read keys from a file; repeatable, the last one wins
    #[arg(long, value_name = "KEY=VALUE|FILE", global = true)]
    pub(crate) backend_config: Vec<String>,
    /// Speak to the store as to this kind of S3: `aws`, `minio`, `ceph`, `spaces`, `r2`, `garage`, `generic`
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) dialect: Option<String>,
    /// Use this workspace instead of the selected one
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) workspace: Option<String>,
    /// Use the embedded store in `.remote-state/dev`, which needs no account; it speaks S3 unless told otherwise
    #[arg(
        long,
        value_name = "TYPE",
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "s3"
    )]
    pub(crate) dev: Option<Dev>,
    /// Wait this long for a lock that someone else holds, such as `30s` or `5m`
    #[arg(long, value_name = "DURATION", global = true, value_parser = duration, default_value = "0s", hide_default_value = true)]
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
    /// Returns the flags that say which state is meant, to be typed again, each after a space. No value of a secret key is in them.
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
        match self.dev {
            None => {}
            Some(Dev::S3) => flags.push_str(" --dev"),
            Some(dev) => flags.push_str(&format!(" --dev={}", dev.scheme())),
        }
        if let Some(workspace) = &self.workspace {
            flags.push_str(&flag("-w", workspace));
        }
        flags
    }
}

/// The kind of backend that the embedded store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dev {
    /// Alibaba Cloud OSS, with Tablestore
    Oss,
    /// Amazon S3, with DynamoDB
    S3,
    /// DigitalOcean Spaces, with the manners of its family
    Spaces,
}

impl Dev {
    /// The name of the backend.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Oss => "oss",
            Self::S3 => "s3",
            Self::Spaces => "spaces",
        }
    }
}

/// Whether the value of a backend key may be shown: nobody knows what stands behind a name that is not known.
fn is_showable(key: &str) -> bool {
    let mut rows = remote_state::providers().iter().flat_map(|provider| provider.keys).filter(|row| {
        let is_member = row.name.strip_prefix(key).is_some_and(|member| member.starts_with('.'));
        row.name == key || row.aliases.contains(&key) || is_member
    });
    let first = rows.next();
    first.is_some_and(|row| !row.secret) && rows.all(|row| !row.secret)
}

/// A flag and its value, after a space. A value that looks like a flag stands behind `=`.
pub(crate) fn flag(name: &str, value: &str) -> String {
    format!(" {name}{}{}", if value.starts_with('-') { '=' } else { ' ' }, quoted(value))
}

/// A word of someone else's as the last argument of a command, whatever it begins with.
pub(crate) fn operand(word: &str) -> String {
    format!("{}{}", if word.starts_with('-') { "-- " } else { "" }, quoted(word))
}

/// Quotes a word for a shell, if it needs it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@+,%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
    /// It follows if nothing is stored yet, or an empty state, or one of the same lineage with a lower serial. The same bytes again are
    /// nothing to write. Everything else is refused with exit status 5: a lower serial, the same serial with other bytes, another lineage.
    /// The file is stored as it is, its serial and lineage too. Where no lock is configured it is stored without one, with a warning.
    Push(Push),
    /// Print outputs
    Output(Output),
    /// List the addresses of the resources in the state
    List,
    /// Show one resource of the state
    Show(Show),
    /// List, make and delete workspaces
    #[command(subcommand)]
    Workspace(Workspace),
    /// Take the lock, leave it held and print its id
    Lock(Lock),
    /// Release a lock by its id, whoever holds it
    Unlock(Unlock),
    /// List the locks that are held
    Locks,
    /// Show the configuration, its keys, or a client's configuration
    #[command(subcommand)]
    Config(Config),
    /// Serve the state to Terraform's `http` backend
    Serve(Serve),
    /// Run a command whose Terraform keeps its state here through the `http` backend
    Exec(Exec),
    /// Say whom the store takes us for, which credentials are used, and how it is reached
    Whoami,
    /// Print a completion script for a shell
    Completions(Completions),
}

#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// Write to this file, whole or not at all, readable by you alone
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The file to store, or `-` for standard input
    pub(crate) file: PathBuf,
    /// Store it even if it does not follow the stored state
    #[arg(long)]
    pub(crate) force: bool,
    /// Store it even if the stored state does not match its recorded digest, and record the new one
    #[arg(long)]
    pub(crate) repair_digest: bool,
    /// Write under a lock that is held already, and leave it held
    #[arg(long, value_name = "ID")]
    pub(crate) lock_id: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Output {
    /// Print this output alone
    pub(crate) name: Option<String>,
    /// Print a string, number or bool as it is, without quotes and without a newline
    #[arg(long, requires = "name", conflicts_with = "format")]
    pub(crate) raw: bool,
    /// Print in another form
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<OutputFormat>,
    /// Begin the names of variables with this, so that no output can set one that means something, such as `PATH`
    #[arg(long, value_name = "NAME_", requires = "format", value_parser = prefix)]
    pub(crate) prefix: Option<String>,
    /// Print sensitive values in the table too
    #[arg(long)]
    pub(crate) show_sensitive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// `name='value'` lines for a shell, with `-` in names as `_`, and without names that mean something to shells and programs
    Env,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The resource's address, such as `module.net.aws_vpc.main[0]`
    pub(crate) address: String,
    /// Print sensitive values in the table too
    #[arg(long)]
    pub(crate) show_sensitive: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Workspace {
    /// List the workspaces, the selected one marked
    List,
    /// Make a workspace by storing an empty state
    New {
        /// The workspace's name
        name: String,
    },
    /// Delete a workspace's state
    Delete {
        /// The workspace's name
        name: String,
        /// Delete it even if its state holds resources
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Lock {
    /// What the lock is for, as others will read it
    #[arg(long, value_name = "TEXT", default_value = "lock")]
    pub(crate) operation: String,
    /// More words for others
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) info: String,
}

#[derive(Args, Debug)]
pub(crate) struct Unlock {
    /// The id of the lock
    #[arg(required_unless_present = "unreadable")]
    pub(crate) id: Option<String>,
    /// Remove a lock file that cannot be read and so has no id
    #[arg(long, conflicts_with = "id")]
    pub(crate) unreadable: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show each value and where it was set
    Show,
    /// List the keys that can be set
    Keys {
        /// Only the keys of this provider
        provider: Option<String>,
    },
    /// Print what a Terraform needs to use a running `remote-state serve`
    Client {
        /// The state's address at the server
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8321/state/default")]
        address: String,
        /// Lock by POST and DELETE, for proxies that refuse the methods LOCK and UNLOCK
        #[arg(long)]
        plain_methods: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Listen here
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8321")]
    pub(crate) listen: std::net::SocketAddr,
    /// What a name in an address stands for
    #[arg(long, value_name = "WHAT", default_value = "workspaces")]
    pub(crate) names: Names,
    /// Read the token that clients must present from this file; without it, from `REMOTE_STATE_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Ask for no token; only on a loopback address
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_auth: bool,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    /// Workspaces of the configured state key
    Workspaces,
    /// State keys in the configured bucket
    Keys,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// Refuse writes by clients that do not lock
    #[arg(long)]
    pub(crate) require_lock: bool,
    /// Accept states with a lower serial or another lineage, as `terraform state push -force` writes them
    #[arg(long)]
    pub(crate) force_write: bool,
    /// What to do when a state with resources is replaced by one without, other than by an apply, destroy, rm or push; `deny` also refuses to
    /// delete a state that has resources or cannot be read
    #[arg(long, value_name = "WHAT", default_value = "warn")]
    pub(crate) emptied: Emptied,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emptied {
    Allow,
    Warn,
    Deny,
}

#[derive(Args, Debug)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as `30s` or `5m`".to_owned())
}

fn prefix(text: &str) -> Result<String, String> {
    if is_variable(text) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits and `_`, such as `out_`".to_owned())
    }
}

/// Whether a shell can have a variable of this name.
pub(crate) fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Gives long flags with one dash, as Terraform writes them, their second one. What follows `--` belongs to someone else.
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

/// Moves every `--backend-config` to the front, in order: those behind the subcommand would otherwise hide those before it.
pub(crate) fn with_backend_configs_first(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
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
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_word_of_someone_elses_is_one_word_to_a_shell() {
        let words = ["9db590f1-b6fe", "-x", "q; touch /tmp/pwned #", "it's", "$(id)", "~", "", "-$(id)"];
        let quoted = [
            "9db590f1-b6fe",
            "-- -x",
            "'q; touch /tmp/pwned #'",
            r"'it'\''s'",
            "'$(id)'",
            "'~'",
            "''",
            "-- '-$(id)'",
        ];
        assert_eq!(words.map(operand), quoted);
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
            " -C 'a b' --backend s3 --backend-config 'bucket=b;c' --backend-config secret_key=… --backend-config unknown=… \
             --backend-config ./e.hcl --dialect ceph --dev -w=-x"
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

    #[test]
    fn backend_configs_before_and_behind_the_subcommand_add_up() {
        let args =
            ["x", "--backend-config", "a=1", "pull", "--backend-config=b=2", "--", "--backend-config", "c"];
        let moved = with_backend_configs_first(args.map(OsString::from));
        assert_eq!(
            moved,
            ["x", "--backend-config", "a=1", "--backend-config=b=2", "pull", "--", "--backend-config", "c"]
        );
        // What is incomplete stays where its error is best understood.
        let args = ["x", "pull", "--backend-config"].map(OsString::from);
        assert_eq!(with_backend_configs_first(args.clone()), args);
    }

    #[test]
    fn terraforms_flags_are_understood_with_one_dash_but_not_behind_two() {
        let args = ["x", "-json", "-lock-timeout=5m", "-w", "dev", "-vv", "exec", "--", "terraform", "-json"];
        let doubled = with_terraforms_dashes(args.map(OsString::from));
        assert_eq!(
            doubled[1..],
            ["--json", "--lock-timeout=5m", "-w", "dev", "-vv", "exec", "--", "terraform", "-json"]
        );
    }
}
