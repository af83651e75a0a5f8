//! Runs programs, and captures or prints their output, or both.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::Result;

/// The output of a program.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) status: ExitStatus,
    /// The lines of both streams, in order.
    pub(crate) lines: Vec<String>,
    /// The lines of standard output alone; empty if the streams are joined.
    pub(crate) stdout: Vec<String>,
    pub(crate) elapsed: Duration,
    /// A child of the program still held its output after it had ended.
    pub(crate) left_behind: bool,
}

/// How to read a program's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// As one, in exact order.
    Joined,
    /// Separately; their order relative to each other is approximate.
    Separate,
}

/// How long the children of a finished program may hold its output before they count as left
/// behind.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a program to its end and collects its lines; `on_line` gets each as it arrives.
pub(crate) fn capture(
    mut command: Command,
    streams: Streams,
    mut on_line: impl FnMut(&str),
) -> Result<Captured> {
    let started = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let (sender, incoming) = channel();
    let (out_reader, out_writer) = std::io::pipe()?;
    match streams {
        Streams::Joined => {
            command.stderr(out_writer.try_clone()?);
        }
        Streams::Separate => {
            let (err_reader, err_writer) = std::io::pipe()?;
            command.stderr(err_writer);
            read_lines(err_reader, Origin::Other, sender.clone());
        }
    }
    read_lines(
        out_reader,
        if streams == Streams::Separate { Origin::Stdout } else { Origin::Other },
        sender,
    );
    command.stdin(Stdio::null()).stdout(out_writer);
    let mut child = command.spawn().map_err(|error| format!("cannot run `{program}`: {error}"))?;
    // The command owns the writing ends; until it is dropped, the readers never see the end.
    drop(command);

    let (mut lines, mut stdout) = (Vec::new(), Vec::new());
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let mut left_behind = false;
    loop {
        match incoming.recv_timeout(Duration::from_millis(50)) {
            Ok((origin, line)) => {
                on_line(&line);
                if origin == Origin::Stdout {
                    stdout.push(line.clone());
                }
                lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => match ended {
                Some((_, at)) if at.elapsed() > GRACE => {
                    left_behind = true;
                    break;
                }
                Some(_) => {}
                None => ended = child.try_wait()?.map(|status| (status, Instant::now())),
            },
        }
    }
    let status = match ended {
        Some((status, _)) => status,
        None => child.wait()?,
    };
    Ok(Captured { status, lines, stdout, elapsed: started.elapsed(), left_behind })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Standard output, for certain.
    Stdout,
    /// Standard error, or both streams joined.
    Other,
}

fn read_lines(reader: PipeReader, origin: Origin, sender: Sender<(Origin, String)>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes);
            if sender.send((origin, line.trim_end_matches(['\n', '\r']).to_owned())).is_err() {
                break;
            }
            bytes.clear();
        }
    });
}

/// Prints the elapsed time: in place on a terminal, as an occasional line elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    started: Instant,
    said: u64,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        use std::io::IsTerminal;
        let terminal = std::io::stderr().is_terminal();
        Self { what: what.into(), started: Instant::now(), said: 0, terminal }
    }

    /// Called often; prints each second on a terminal, each 30 seconds in a log.
    pub(crate) fn tick(&mut self) {
        let seconds = self.started.elapsed().as_secs();
        let every = if self.terminal { 1 } else { 30 };
        if seconds < self.said + every {
            return;
        }
        self.said = seconds;
        if self.terminal {
            eprint!("\r{} … {seconds} s", self.what);
            std::io::stderr().flush().unwrap_or_default();
        } else {
            eprintln!("{} … {seconds} s", self.what);
        }
    }

    pub(crate) fn done(self) {
        if self.terminal {
            eprint!("\r");
        }
        eprintln!("{}: {} s", self.what, self.started.elapsed().as_secs());
    }
}

/// Returns the last lines of a text.
pub(crate) fn tail(lines: &[String], count: usize) -> &[String] {
    &lines[lines.len().saturating_sub(count)..]
}

/// Waits a limited time for a program to end.
pub(crate) fn wait_for_exit(
    child: &mut std::process::Child,
    limit: Duration,
) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if started.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
