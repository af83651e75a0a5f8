//! What each command can be told.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
