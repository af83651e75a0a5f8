//! The setups of one run: those that run, and why the others do not.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Result;
use crate::servers::{self, Facts, Kind, Server, Started};
use crate::setups::Setup;
use crate::tools::{node, python};
use crate::workspace::Workspace;

/// Why a setup is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Absence {
    /// The server that is not available; `None` if the setup was not requested.
    pub(crate) kind: Option<Kind>,
    pub(crate) reason: String,
}

impl Absence {
    /// Returns the reason as one line, which test binaries repeat; the end of a log may follow it
    /// in the full text.
    pub(crate) fn summary(&self) -> &str {
        self.reason.lines().next().unwrap_or_default()
    }
}

/// Running servers, which end with this value, and their facts for the tests.
#[derive(Debug, Default)]
pub(crate) struct Running {
    setups: BTreeMap<String, std::result::Result<Facts, Absence>>,
    servers: Vec<Started>,
}

impl Running {
    /// Starts the servers of setups, each once and all at the same time.
    pub(crate) fn start<'a>(
        workspace: &Workspace,
        setups: impl IntoIterator<Item = &'a Setup>,
    ) -> Self {
        let setups: Vec<&Setup> = setups.into_iter().collect();
        let mut wanted: Vec<Server> = setups.iter().flat_map(|setup| setup.servers()).collect();
        wanted.sort();
        wanted.dedup();
        let started: BTreeMap<Server, Result<Started>> = std::thread::scope(|scope| {
            let starting: Vec<_> = wanted
                .iter()
                .map(|server| (*server, scope.spawn(move || servers::start(workspace, server))))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Started>>| {
                thread.join().unwrap_or_else(|_| Err("its start panicked, see above".into()))
            };
            starting.into_iter().map(|(server, thread)| (server, join(thread))).collect()
        });
        let facts = |setup: &Setup| facts_of(workspace, setup, &started);
        let told = setups.iter().map(|setup| (setup.name.clone(), facts(setup))).collect();
        Self { setups: told, servers: started.into_values().filter_map(Result::ok).collect() }
    }

    /// Records that a setup was not requested.
    pub(crate) fn leave_out(&mut self, setup: &Setup, reason: &str) {
        let absence = Absence { kind: None, reason: reason.to_owned() };
        self.setups.entry(setup.name.clone()).or_insert(Err(absence));
    }

    pub(crate) fn why_absent(&self, name: &str) -> Option<&Absence> {
        self.setups.get(name)?.as_ref().err()
    }

    pub(crate) fn facts(&self, name: &str) -> Option<&Facts> {
        self.setups.get(name)?.as_ref().ok()
    }

    /// Returns the setups that are not available, with their names.
    pub(crate) fn absent(&self) -> impl Iterator<Item = (&str, &Absence)> {
        self.setups.iter().filter_map(|(name, facts)| Some((name.as_str(), facts.as_ref().err()?)))
    }

    /// Returns the JSON for test binaries: for each setup an object with its facts, or with
    /// `absent` and the reason.
    pub(crate) fn json(&self) -> Value {
        let object = |facts: &std::result::Result<Facts, Absence>| -> Map<String, Value> {
            match facts {
                Ok(facts) => {
                    facts.iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
                }
                Err(absence) => Map::from_iter([("absent".to_owned(), absence.summary().into())]),
            }
        };
        self.setups
            .iter()
            .map(|(name, facts)| (name.clone(), Value::Object(object(facts))))
            .collect()
    }

    /// Saves the logs from the servers' folders.
    pub(crate) fn keep_logs(&self) {
        for kept in self.servers.iter().filter_map(Started::keep_logs) {
            match kept {
                Ok(path) => eprintln!("logs of a server: {}", path.display()),
                Err(error) => eprintln!("cannot keep the logs of a server: {error}"),
            }
        }
    }

    /// Waits until a server ends by itself or by a signal, and says how; `None` if none is a
    /// separate program.
    pub(crate) fn wait(&mut self) -> Option<Result<String>> {
        self.servers.iter_mut().find_map(Started::wait)
    }
}

fn facts_of(
    workspace: &Workspace,
    setup: &Setup,
    started: &BTreeMap<Server, Result<Started>>,
) -> std::result::Result<Facts, Absence> {
    let mut all = Facts::default();
    // The table's server comes last, so that its facts about the table win.
    for server in setup.servers() {
        let kind = server.kind;
        let absence =
            |reason: String| Absence { kind: Some(kind), reason: format!("{kind}: {reason}") };
        match started.get(&server) {
            Some(Ok(server)) => server.facts.iter().for_each(|(name, value)| all.set(name, value)),
            Some(Err(error)) => return Err(absence(error.to_string())),
            None => return Err(absence("was not started".to_owned())),
        }
    }
    clients(workspace, setup, &mut all).map_err(|error| {
        let kind = Some(setup.description.server.kind);
        Absence { kind, reason: format!("the clients that judge it: {error}") }
    })?;
    Ok(all)
}

/// Installs the clients: the fact `python` is an interpreter with the packages, `node` is the
/// program, and `node_modules` the folder.
fn clients(workspace: &Workspace, setup: &Setup, facts: &mut Facts) -> Result<()> {
    let clients = &setup.description.clients;
    let folder = |ecosystem: &str, packages: &[String]| {
        // Each list has a folder of its own, so that an older checkout keeps its packages.
        format!("{}-{ecosystem}-{:08x}", setup.name.replace('/', "-"), fingerprint(packages))
    };
    let list =
        |packages: &'_ [String]| packages.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    if !clients.python.is_empty() {
        let packages: Vec<&str> = clients.python.iter().map(String::as_str).collect();
        let name = folder("python", &clients.python);
        let python = python::environment(workspace.target_dir(), &name, &packages)
            .map_err(|error| format!("{}: {error}", list(&clients.python)))?;
        facts.set("python", python.display().to_string());
    }
    if !clients.node.is_empty() {
        let packages: Vec<&str> = clients.node.iter().map(String::as_str).collect();
        let name = folder("node", &clients.node);
        let node = node::packages(workspace.target_dir(), &name, &packages)
            .map_err(|error| format!("{}: {error}", list(&clients.node)))?;
        facts.set("node", node.program.display().to_string());
        facts.set("node_modules", node.folder.display().to_string());
    }
    Ok(())
}

/// FNV-1a of a list: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>. It must be the
/// same in every build.
fn fingerprint(list: &[String]) -> u32 {
    list.join("\n")
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_binaries_are_told_a_reason_on_one_line() {
        let reason = "ceph: it ended\nits logs are in /x".to_owned();
        let absence = Absence { kind: Some(Kind::Ceph), reason };
        let setups = BTreeMap::from([("s3/ceph".to_owned(), Err(absence))]);
        let running = Running { setups, servers: Vec::new() };
        assert_eq!(running.json()["s3/ceph"]["absent"], "ceph: it ended");
    }
}
