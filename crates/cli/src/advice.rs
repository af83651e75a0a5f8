//! Hints: commands and flags that the user can type next.

use std::sync::Arc;

use remote_state::advice::{Advice, KeyValue, LeftLock, listed};
use remote_state::{Error, LockId, Workspace};

use crate::args::{Global, flag, operand, quoted};
use crate::terminal::harmless;

/// The commands in hints. A hint concerns the same state as the command that failed, so it repeats
/// the flags that select the state.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    selection: Arc<str>,
}

impl Commands {
    pub(crate) fn new(global: &Global) -> Self {
        Self { selection: global.selection().into() }
    }

    /// Returns a command in backticks: `` `remote-state -C infra pull` `` for `pull`.
    pub(crate) fn named(&self, words: &str) -> String {
        format!("`remote-state{} {words}`", self.selection)
    }

    /// Words the advice of an error; how to release the lock that is in the way comes last.
    pub(crate) fn hints(&self, error: &Error) -> Vec<String> {
        let advised = error.advice().iter().map(|advice| self.hint(advice));
        let about_holder = error.holder().map(|holder| match holder.id().map(LockId::as_str) {
            // Another client chose the id, and the user passes it to a shell.
            Some(id) if harmless(id) == id => {
                format!("if that run has ended, release it with {}", self.unlock(id))
            }
            Some(_) => format!(
                "if that run has ended, release it by its id, which cannot be shown as it is: \
                 see {}",
                self.named("locks --json")
            ),
            None => format!(
                "if no client is at work, remove it with {}",
                self.named("unlock --unreadable")
            ),
        });
        advised.chain(about_holder).collect()
    }

    fn unlock(&self, id: &str) -> String {
        self.named(&format!("unlock {}", operand(id)))
    }

    fn hint(&self, advice: &Advice) -> String {
        let config_show = || self.named("config show");
        let repair = || self.named("push --repair-digest FILE");
        match advice {
            Advice::SetKey(key) => format!(
                "set {} in the `backend` block, or pass `{}`",
                key.as_setting(),
                backend_config(key)
            ),
            Advice::OverrideKey(key) => {
                format!("to set `{}` for this run, pass `{}`", key.key, backend_config(key))
            }
            Advice::NameDialect(name) => format!("to name the dialect, pass `--dialect {name}`"),
            Advice::NameBackend => {
                "name the backend with `--backend TYPE` and `--backend-config key=value`".to_owned()
            }
            Advice::ListKeys(scheme) => {
                format!("see all keys with `remote-state config keys {scheme}`")
            }
            Advice::CheckKeys(keys) => format!("check {} with {}", listed(keys), config_show()),
            Advice::CheckNetwork(keys) => {
                format!("check the network, and {} with {}", listed(keys), config_show())
            }
            Advice::CheckConfiguration => format!("see what is set with {}", config_show()),
            Advice::CheckCredentials => {
                format!("see which credentials are used with {}", config_show())
            }
            Advice::GiveCredentials(variables) => format!(
                "set {}, or name a `profile` with `--backend-config profile=…`",
                listed(variables)
            ),
            Advice::AllowDirectoryPrograms(_) => {
                "if you trust the author of the directory, pass `--allow-directory-programs`"
                    .to_owned()
            }
            Advice::WaitForLock => "to wait for it, pass `--lock-timeout 5m`".to_owned(),
            Advice::ListLocks => format!(
                "see whether it is held with {} when the store answers again",
                self.named("locks")
            ),
            Advice::ReleaseLock(id, lock) => {
                let unlock = self.unlock(id.as_str());
                match lock {
                    LeftLock::MayBeHeld => {
                        format!("if it is held with this id, release it with {unlock}")
                    }
                    LeftLock::MayBeOlder => format!(
                        "that lock may be older than this attempt: if no client works under it, \
                         release it with {unlock}"
                    ),
                    LeftLock::MayArrive => format!(
                        "the answer to this attempt was lost: if a lock with its id appears later, \
                         release it with {unlock}"
                    ),
                    LeftLock::LeftBehind => {
                        format!("remove what was left behind with {unlock}")
                    }
                    _ => format!("release it with {unlock}"),
                }
            }
            Advice::ReleaseListedLock => format!(
                "if no client works on that state, see its lock id with {}, and release it with {}",
                self.named("locks"),
                self.named("unlock LOCK_ID")
            ),
            Advice::CompareStored => {
                format!("read it again with {}, and compare before you write", self.named("pull"))
            }
            Advice::KeepAndCompare => format!(
                "keep your copy, and compare it with {} when the store answers again",
                self.named("pull")
            ),
            Advice::RepairDigest => {
                format!("store the right state again with {}, which records its digest", repair())
            }
            Advice::StreamState => {
                format!("stream it into a file with {}", self.named("pull -o FILE"))
            }
            // What is stored chose the name, and the user passes it to a shell.
            Advice::SelectWorkspace(name) if Workspace::new(&**name).is_ok() => format!(
                "go on there with `terraform workspace select {}`, or here with `{}`",
                operand(name),
                flag("-w", name).trim_start()
            ),
            Advice::Unseal => format!(
                "to use this place again, restore the version before with {}",
                self.named("restore @1 --unseal")
            ),
            Advice::Force => "to do it all the same, pass `--force`".to_owned(),
            Advice::Verbatim => {
                "to write the bytes as they were, with the old serial, pass `--verbatim`".to_owned()
            }
            Advice::LoseCurrent => {
                format!("copy it with {}, and then pass `--no-copy`", self.named("pull -o FILE"))
            }
            Advice::AcceptUnfenced => {
                "if every client of this state takes locks, pass `--accept-unfenced`".to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// Formats the flag that sets a key, with `…` for an unknown value.
fn backend_config(KeyValue { key, value, .. }: &KeyValue) -> String {
    match value {
        Some(value) => format!("--backend-config {}", quoted(&format!("{key}={value}"))),
        None => format!("--backend-config {key}=…"),
    }
}
