//! The processes that a command has started.
//!
//! On Linux this process becomes the reaper of orphans, so everything that the command has started,
//! however far down and in whatever group, stays below it and appears in `/proc`. Elsewhere only
//! the command's group is known.

use remote_state::program::is_group_of_program;
use rustix::process::{Pid, WaitOptions, getpgrp, getpid, test_kill_process_group, waitpid};

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) group: Pid,
    pub(super) name: String,
}

/// The system's entry for a process.
#[derive(Clone, Debug)]
struct Entry {
    process: Process,
    parent: i32,
    is_dead: bool,
}

/// Makes this process adopt orphans, if the system allows it.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(getpid())) {
        tracing::debug!(%error, "processes that lose their parent will not be seen");
    }
}

/// Returns whether this process is alone in its process group.
pub(super) fn is_alone() -> bool {
    let (us, ours) = (getpid(), getpgrp());
    // If the system does not list processes, assume others.
    entries().is_some_and(|all| {
        all.iter().all(|Entry { process, is_dead, .. }| {
            process.group != ours || process.pid == us || *is_dead
        })
    })
}

/// Reaps adopted processes that have ended. The code that started a process itself waits for it.
pub(super) fn reap(leader: Pid) {
    let us = getpid().as_raw_nonzero().get();
    let adopted = entries().into_iter().flatten().filter(|entry| {
        let Process { pid, group, .. } = entry.process;
        entry.is_dead && entry.parent == us && !is_ours(group) && pid != leader
    });
    for entry in adopted {
        if let Err(error) = waitpid(Some(entry.process.pid), WaitOptions::NOHANG) {
            tracing::debug!(%error, "a process was waited for by someone else");
        }
    }
}

/// Returns the processes of the command that still run, without the helpers of this program.
///
/// Without `/proc` that is only the group, identified by its leader.
pub(super) fn living(leader: Pid) -> Vec<Process> {
    let Some(all) = entries() else {
        let is_there = test_kill_process_group(leader).is_ok();
        let group = Process { pid: leader, group: leader, name: "a process".to_owned() };
        return is_there.then_some(group).into_iter().collect();
    };
    let us = getpid().as_raw_nonzero().get();
    let mut found: Vec<&Entry> =
        all.iter().filter(|entry| entry.parent == us && !is_ours(entry.process.group)).collect();
    let mut next = 0;
    while let Some(entry) = found.get(next) {
        let parent = entry.process.pid.as_raw_nonzero().get();
        found.extend(all.iter().filter(|entry| entry.parent == parent));
        next += 1;
    }
    // Without a reaper, an orphan still belongs to the group.
    let of_group = all.iter().filter(|entry| entry.process.group == leader);
    let of_group: Vec<_> = of_group
        .filter(|entry| !found.iter().any(|known| known.process.pid == entry.process.pid))
        .collect();
    let lives = found.into_iter().chain(of_group).filter(|entry| !entry.is_dead);
    lives.map(|entry| entry.process.clone()).collect()
}

/// Returns whether a group belongs to this program: its own group, and those of programs that print
/// credentials.
fn is_ours(group: Pid) -> bool {
    group == getpgrp() || is_group_of_program(group.as_raw_nonzero().get().unsigned_abs())
}

/// Returns whether no process could resume this one if it stopped: no ancestor is in the same
/// session but another group.
pub(super) fn is_orphaned() -> bool {
    use rustix::process::{getpgid, getppid, getsid};
    let (Ok(session), ours) = (getsid(None), getpgrp()) else { return true };
    let mut above = getppid();
    while let Some(pid) = above {
        if getsid(Some(pid)) != Ok(session) {
            return true;
        }
        if getpgid(Some(pid)) != Ok(ours) {
            return false;
        }
        let Some(entry) = entry(pid.as_raw_nonzero().get()) else { return true };
        above = Pid::from_raw(entry.parent);
    }
    true
}

/// Returns the entries of `/proc`, or `None` without it.
fn entries() -> Option<Vec<Entry>> {
    let listed = std::fs::read_dir("/proc").ok()?;
    let found: Vec<_> = listed
        .filter_map(|listed| listed.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(entry)
        .collect();
    (!found.is_empty()).then_some(found)
}

fn entry(pid: i32) -> Option<Entry> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses a line of `/proc/PID/stat`. The name in brackets may contain anything.
fn parse(pid: i32, stat: &str) -> Option<Entry> {
    let (start, rest) = stat.rsplit_once(')')?;
    let (_, name) = start.split_once('(')?;
    let mut fields = rest.split_ascii_whitespace();
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
    // A process that is being removed has no group.
    let group = Some(group).filter(|group: &i32| *group > 0).and_then(Pid::from_raw)?;
    Some(Entry {
        process: Process { pid: Pid::from_raw(pid)?, group, name: name.to_owned() },
        parent: parent.parse().ok()?,
        is_dead: matches!(state, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_one_field() {
        let entry = parse(7, "7 (a) Z 1 2 (b)) S 3 4 5 0 -1\n").unwrap();
        assert_eq!(
            (entry.process.name.as_str(), entry.parent, entry.is_dead),
            ("a) Z 1 2 (b)", 3, false)
        );
        assert_eq!(entry.process.group.as_raw_nonzero().get(), 4);
        assert!(parse(7, "7 (sh) Z 3 4 5").unwrap().is_dead);
        for broken in
            ["", "7 sh S 3 4", "7 (sh) S", "7 (sh) S x 4", "7 (sh) X 0 -1 -1", "7 (sh) S 3 0 0"]
        {
            assert!(parse(7, broken).is_none(), "{broken}");
        }
    }
}
