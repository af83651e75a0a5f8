//! A command to run, and its result.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;

use crate::process::Running;
use crate::server::S3Server;

/// The default time limit of a command. Long enough for a busy machine: only a hang takes so long.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A command with the environment that [`Sandbox::command`](crate::Sandbox::command) sets, and no
/// other.
#[derive(Debug)]
#[must_use = "nothing runs until `run` or `start`"]
pub struct Cmd {
    pub(crate) command: Command,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
}

impl Cmd {
    pub(crate) fn new(program: &OsStr) -> Self {
        let mut command = Command::new(program);
        command.env_clear();
        Self { command, stdin: None, timeout: TIMEOUT }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds the words of a command line without quotes.
    pub fn words(self, words: &str) -> Self {
        self.args(words.split_whitespace())
    }

    /// Adds another command with its arguments, which this one runs. The other's environment is
    /// dropped.
    pub fn words_of(self, other: &Self) -> Self {
        self.arg(other.command.get_program()).args(other.command.get_args())
    }

    /// Adds `--` and another command, like [`words_of`](Self::words_of).
    pub fn then(self, other: &Self) -> Self {
        self.arg("--").words_of(other)
    }

    /// Returns its program and its arguments as text.
    pub fn line(&self) -> Vec<String> {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the variables that hold the keys to a server, as native clients read them.
    pub fn server(self, server: &S3Server) -> Self {
        self.env("AWS_ACCESS_KEY_ID", &server.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &server.secret_key)
    }

    /// Sets the folder to run in.
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets standard input, which is empty by default.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Sets its time limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be run, takes too long, or leaves a process behind that holds its output.
    #[track_caller]
    pub fn run(self) -> Output {
        self.start().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be run.
    #[track_caller]
    pub fn start(self) -> Running {
        Running::start(self)
    }
}

/// The output and exit status of a command.
#[derive(Clone)]
pub struct Output {
    pub(crate) description: String,
    /// The exit status.
    pub status: ExitStatus,
    /// Standard output, the answer.
    pub stdout: Vec<u8>,
    /// Standard error, the messages.
    pub stderr: Vec<u8>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Output {
    /// Expects exit code 0.
    ///
    /// # Panics
    /// If the exit code is another, with the output.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Expects an exit code.
    ///
    /// # Panics
    /// If the exit code is another, with the output.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Expects a text on standard error.
    ///
    /// # Panics
    /// If the text is missing, with the output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr().contains(text), "standard error should contain `{text}`: {self}");
        self
    }

    /// Expects a text anywhere in the output, regardless of line breaks and frames.
    ///
    /// # Panics
    /// If the text is missing, with the output.
    #[track_caller]
    pub fn mentions(self, text: &str) -> Self {
        let words = |text: &str| {
            text.split(|c: char| c.is_whitespace() || c == '│')
                .filter(|w| !w.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let all = words(&format!("{} {}", self.stdout(), self.stderr()));
        assert!(all.contains(&words(text)), "the output should contain `{text}`: {self}");
        self
    }

    /// Returns standard output as text.
    ///
    /// # Panics
    /// If it is not text.
    #[track_caller]
    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout)
            .unwrap_or_else(|_| panic!("standard output should be text: {self}"))
    }

    /// Returns standard error as text.
    ///
    /// # Panics
    /// If it is not text.
    #[track_caller]
    pub fn stderr(&self) -> &str {
        std::str::from_utf8(&self.stderr)
            .unwrap_or_else(|_| panic!("standard error should be text: {self}"))
    }

    /// Returns standard output as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output should be JSON: {error}: {self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr));
        write!(
            f,
            "`{}` ended with {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---",
            self.description, self.status
        )
    }
}
