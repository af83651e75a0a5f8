//! A running process, with its output at hand, that never outlives its test.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

use crate::command::{Cmd, Output};

const POLL: Duration = Duration::from_millis(5);

/// A running command, in a process group of its own. Dropping this value kills the whole group.
#[derive(Debug)]
pub struct Running {
    description: String,
    child: Child,
    pid: Pid,
    stdout: Stream,
    stderr: Stream,
    deadline: Instant,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(cmd: Cmd) -> Self {
        let Cmd { mut command, stdin, timeout } = cmd;
        command.process_group(0);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let (running, input) = Self::spawn(command, timeout);
        if let (Some(mut pipe), Some(bytes)) = (input, stdin) {
            // The command may end without having read everything; its own output explains that.
            drop(std::thread::spawn(move || drop(pipe.write_all(&bytes))));
        }
        running
    }

    /// Starts a command with standard input already set.
    #[track_caller]
    pub(crate) fn spawn(
        mut command: std::process::Command,
        timeout: Duration,
    ) -> (Self, Option<std::process::ChildStdin>) {
        let description = describe(&command);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot run `{description}`: {error}"));
        let pid =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id fits");
        let stdout = Stream::collect(child.stdout.take().expect("it is piped"));
        let stderr = Stream::collect(child.stderr.take().expect("it is piped"));
        let stdin = child.stdin.take();
        (
            Self { description, child, pid, stdout, stderr, deadline: Instant::now() + timeout },
            stdin,
        )
    }

    /// Waits until either stream contains this text.
    ///
    /// # Panics
    /// If the command ends before, or the time is up.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.stdout.contains(text) && !self.stderr.contains(text) {
            let ended = self.child.try_wait().expect("our own child can be waited for");
            if let Some(status) = ended {
                // The last output may still be in the pipe.
                self.stdout.join(self.deadline);
                self.stderr.join(self.deadline);
                if self.stdout.contains(text) || self.stderr.contains(text) {
                    return;
                }
                panic!("the command should say `{text}` before it ends: {}", self.so_far(status));
            }
            self.check_deadline(&format!("the command should say `{text}`"));
            std::thread::sleep(POLL);
        }
    }

    /// Waits until standard output contains this text this many times.
    ///
    /// # Panics
    /// If the time is up.
    #[track_caller]
    pub fn wait_for_times(&mut self, text: &str, times: usize) {
        while self.stdout_so_far().matches(text).count() < times {
            self.check_deadline(&format!("the command should say `{text}` {times} times"));
            std::thread::sleep(POLL);
        }
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// If the command ends before, or the time is up.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                panic!("{what} before the command ends: {}", self.so_far(status));
            }
            self.check_deadline(what);
            std::thread::sleep(4 * POLL);
        }
    }

    /// Returns standard output so far.
    pub fn stdout_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stdout.bytes()).into_owned()
    }

    /// Returns whether it still runs.
    ///
    /// # Panics
    /// If the system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child can be waited for").is_none()
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process alone, as `kill` does. Does nothing if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            let _gone = kill_process(self.pid, signal);
        }
    }

    /// Sends a signal to the whole process group, as `timeout` and CI runners do.
    pub fn signal_group(&mut self, signal: Signal) {
        if self.is_running() {
            let _gone = kill_process_group(self.pid, signal);
        }
    }

    /// Signals everything that the process has started, also in process groups of their own.
    fn signal_all(&self, signal: Signal) {
        let groups = descendants(self.pid);
        let _gone = kill_process_group(self.pid, signal);
        for pid in groups {
            let _gone = kill_process(pid, signal);
        }
    }

    /// Kills the process and all that it has started, and returns its output.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn kill(mut self) -> Output {
        self.signal_all(Signal::KILL);
        self.finish()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If the time is up, or a process that it started holds its output after its end.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        self.finish()
    }

    /// Waits for its end, and for the end of all processes that still hold its output.
    ///
    /// # Panics
    /// If the time is up.
    #[track_caller]
    pub fn wait_for_all(mut self) -> Output {
        self.finish_until(self.deadline)
    }

    #[track_caller]
    fn finish(&mut self) -> Output {
        self.finish_until(Instant::now())
    }

    #[track_caller]
    fn finish_until(&mut self, at_least: Instant) -> Output {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                break status;
            }
            self.check_deadline("the command should end");
            std::thread::sleep(POLL);
        };
        let grace = at_least.max(Instant::now() + Duration::from_secs(5));
        let is_complete = self.stdout.join(grace) & self.stderr.join(grace);
        let output = self.so_far(status);
        assert!(is_complete, "the command should leave no process behind: {output}");
        output
    }

    #[track_caller]
    fn check_deadline(&mut self, what: &str) {
        if Instant::now() < self.deadline {
            return;
        }
        self.signal_all(Signal::KILL);
        let status = self.child.wait().expect("our own child can be waited for");
        panic!("{what} in time: {}", self.so_far(status));
    }

    fn so_far(&self, status: ExitStatus) -> Output {
        let (stdout, stderr) = (self.stdout.bytes().clone(), self.stderr.bytes().clone());
        Output { description: self.description.clone(), status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Until this process has waited for a child, the system does not reuse its id.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal_all(Signal::KILL);
            drop(self.child.wait());
        }
    }
}

/// Returns the descendants of a process, if there is a `/proc`.
fn descendants(root: Pid) -> Vec<Pid> {
    let parent_of = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may contain anything; the parent is the second field after it.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all: Vec<(i32, i32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// Bytes that a thread collects from a pipe.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                lock(&collected).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        lock(&self.bytes)
    }

    fn contains(&self, text: &str) -> bool {
        let bytes = self.bytes();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Waits for the end of the stream; returns false at the deadline.
    fn join(&mut self, deadline: Instant) -> bool {
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.reader = None;
        true
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(command: &std::process::Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
