//! The arguments of each command.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// Write to this file, completely or not at all; only its owner may read it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Return the state even if it does not match its recorded digest; the exit status is 5 then
    #[arg(long)]
    pub(crate) ignore_digest: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The file to store, or `-` for standard input
    pub(crate) file: PathBuf,
    /// Store the state even if it does not follow the stored one
    #[arg(long)]
    pub(crate) force: bool,
    /// Store the state even if the stored one does not match its recorded digest, and record the
    /// new digest
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
    /// Print in this form instead
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<OutputFormat>,
    /// Begin the names of variables with this, so that no output sets a variable that has a meaning
    /// of its own, such as `PATH`
    #[arg(long, value_name = "NAME_", requires = "format", value_parser = prefix)]
    pub(crate) prefix: Option<String>,
    /// Print sensitive values in the table too
    #[arg(long)]
    pub(crate) show_sensitive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// `name='value'` lines for a shell, with `_` for `-` in names; variables that have a meaning
    /// of their own are left out
    Env,
    /// `name = value` lines for a `.tfvars` file
    Tfvars,
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
    /// List the workspaces, and mark the selected one
    List {
        /// List those whose state was deleted and can be brought back
        #[arg(long)]
        deleted: bool,
    },
    /// Create a workspace by storing an empty state
    New {
        /// The workspace's name
        name: String,
    },
    /// Delete a workspace's state
    Delete {
        /// The workspace's name
        name: String,
        /// Delete the workspace even if its state has resources or cannot be read
        #[arg(long)]
        force: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Give a workspace's state another name
    ///
    /// The state keeps every byte, its lineage and its serial. Under the old name it leaves a
    /// sealed state: whoever still has that name selected is told the new one by every client,
    /// native ones included, instead of finding no state and planning to create everything. Lists
    /// show the old name until `workspace delete` removes it. Both workspaces are locked, and the
    /// copy is read back before the old one is sealed. The same command again goes on where an
    /// earlier run was stopped; the other way round, the state comes back over its seal.
    Rename(Rename),
    /// Copy a workspace's state to another workspace
    ///
    /// Two states then track the same resources, and an apply in either changes them for both. The
    /// copy gets a lineage of its own, so that no client takes the two for one state. No other byte
    /// changes.
    Copy(Copy),
}

#[derive(Args, Debug)]
pub(crate) struct Rename {
    /// The workspace
    pub(crate) from: String,
    /// Its new name
    pub(crate) to: String,
    /// Leave the state under its old name as it is, so that it exists twice
    #[arg(long)]
    pub(crate) no_seal: bool,
    /// Rename where the store neither checks conditions of writes nor keeps versions: what a client
    /// without a lock writes in that moment is lost
    #[arg(long)]
    pub(crate) accept_unfenced: bool,
    /// Select the new name in the Terraform directory, as `terraform workspace select` does
    #[arg(long)]
    pub(crate) select: bool,
    #[command(flatten)]
    pub(crate) how: RenameHow,
}

#[derive(Args, Debug)]
pub(crate) struct Copy {
    /// The workspace
    pub(crate) from: String,
    /// The workspace of the copy, which has no state yet
    pub(crate) to: String,
    /// Keep the lineage, as an encrypted state needs
    #[arg(long)]
    pub(crate) keep_lineage: bool,
    #[command(flatten)]
    pub(crate) how: RenameHow,
}

#[derive(Args, Debug)]
pub(crate) struct RenameHow {
    /// The reason, for the locks and for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lock {
    /// The operation in the lock record, which other clients show
    #[arg(long, value_name = "TEXT", default_value = "lock")]
    pub(crate) operation: String,
    /// The further information in the lock record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) info: String,
}

#[derive(Args, Debug)]
pub(crate) struct Unlock {
    /// The id of the lock
    #[arg(required_unless_present = "unreadable")]
    pub(crate) id: Option<String>,
    /// Release the lock of an unfinished migration, which the run that resumes it needs
    #[arg(long)]
    pub(crate) force: bool,
    /// Delete a lock file whose record cannot be read, so that it has no id
    #[arg(long, conflicts_with = "id")]
    pub(crate) unreadable: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show each value and where it was set
    Show,
    /// List the keys that can be set
    Keys {
        /// List only the keys of this provider
        provider: Option<String>,
    },
    /// Print the variables with which Terraform uses a running `remote-state serve`
    Client {
        /// The address of the state at the server
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8321/state/default")]
        address: String,
        /// Lock by POST and DELETE, for proxies that refuse the methods LOCK and UNLOCK
        #[arg(long)]
        plain_methods: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Listen on this host and port; a port without a host is one of 127.0.0.1
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8321", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// What the name in the address of a state stands for
    #[arg(long, value_name = "WHAT", default_value = "workspaces")]
    pub(crate) names: Names,
    /// Read the token that clients must present from this file, instead of from
    /// `REMOTE_STATE_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Require no token; allowed only on a loopback address
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_auth: bool,
    /// Refuse states that are longer than this
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub(crate) max_state: usize,
    /// Hold at most this much of states in memory at once, but at least one of the longest; the
    /// server answers further requests with 503, and their clients repeat them
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size)]
    pub(crate) max_memory: usize,
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
    /// Accept states with a lower serial or another lineage, as `terraform state push -force`
    /// writes them
    #[arg(long)]
    pub(crate) force_write: bool,
    /// What to do if a client replaces a state that has resources by one that has none, other than
    /// with an apply, destroy, rm or push; `deny` also refuses to delete a state that has resources
    /// or cannot be read
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
    /// The shell that completes the command's words
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The folder, which is made if it is missing; each command has a page of its own there
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// Parses an address to listen on. A host stands for its first IPv4 address, which every client can
/// use, or else for its first address.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let full = match text.strip_prefix(':').unwrap_or(text) {
        port if is_port(port) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    if !full.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port)) {
        return Err(
            "expected a host and a port, such as `127.0.0.1:8321`, or a port alone".to_owned()
        );
    }
    let found: Vec<_> = full
        .to_socket_addrs()
        .map_err(|error| {
            format!("the host has no address: {error}; `127.0.0.1:8321` needs no look-up")
        })?
        .collect();
    let chosen = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    chosen.copied().ok_or_else(|| "the host has no address".to_owned())
}

/// Parses a number of bytes, with or without a unit.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => 64,
    };
    let bytes = number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1_usize.checked_shl(shift)?));
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "expected a size such as `64MiB` or `1GiB`".to_owned())
}

fn prefix(text: &str) -> Result<String, String> {
    if is_variable(text) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits and `_`, such as `out_`".to_owned())
    }
}

/// Returns whether a shell can have a variable of this name.
pub(crate) fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, address) in [
            ("8321", "127.0.0.1:8321"),
            (":8321", "127.0.0.1:8321"),
            ("localhost:8321", "127.0.0.1:8321"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(
                listen(text).map(|address| address.to_string()),
                Ok(address.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            ":",
            "localhost",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:70000",
            "a b:1",
            "http://localhost:1",
        ] {
            let error = listen(text).unwrap_err();
            assert!(error.contains("`127.0.0.1:8321`"), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("1", 1), ("64MiB", 64 << 20), ("1g", 1 << 30), ("10 kb", 10 << 10), ("2M", 2 << 20)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "1.5G", "MiB", "1T", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
