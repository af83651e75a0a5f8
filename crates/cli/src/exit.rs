//! The exit codes, and the formatting of errors.

use remote_state::{Error, ErrorKind, LockContent, LockInfo};

use crate::ui::Ui;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Invalid command line or configuration.
    Usage = 2,
    /// Another client holds the lock.
    LockHeld = 3,
    /// The requested object does not exist.
    NotFound = 4,
    /// The stored state is not the expected one.
    Unexpected = 5,
    /// A bug in this program.
    Bug = 70,
}

impl ExitCode {
    /// All of them with their meanings, for `--help`, the manual and the book.
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Usage, "usage or configuration"),
        (Self::LockHeld, "lock held by someone else"),
        (Self::NotFound, "not found"),
        (Self::Unexpected, "not the expected state"),
        (Self::Bug, "a bug"),
    ];
}

/// The signal by which a user or a supervisor asked this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// Ctrl-C.
    Interrupt,
    /// The terminal was closed.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no such signal"))]
    Hangup,
    /// A supervisor's request to end.
    Terminate,
}

impl Interruption {
    /// Returns 128 plus the number of the signal, as shells do.
    fn code(self) -> u8 {
        128 + match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of standard output has closed it, which is not an error.
    BrokenPipe,
    /// The answer itself says why.
    Answered(ExitCode),
    /// The child command ended with this code, and has reported why.
    Child(u8),
    /// An error to report.
    Error(Error),
    /// The user interrupted; the messages are printed already.
    Interrupted(Interruption),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::BrokenPipe => ExitCode::Done as u8,
            Self::Answered(code) => *code as u8,
            Self::Child(code) => *code,
            Self::Interrupted(interruption) => interruption.code(),
            Self::Error(error) => code_of(error.kind()) as u8,
        }
    }

    /// Prints what failed.
    pub(crate) fn report(&self, ui: &Ui) {
        if let Self::Error(error) = self {
            Self::report_error(ui, error);
        }
    }

    /// Prints an error, which may be one of several.
    pub(crate) fn report_error(ui: &Ui, error: &Error) {
        let hints = ui.commands().hints(error);
        ui.error(error.message(), &lines(error), &hints, &causes(error));
    }
}

fn code_of(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::ConfigInvalid => ExitCode::Usage,
        ErrorKind::LockHeld => ExitCode::LockHeld,
        ErrorKind::NotFound => ExitCode::NotFound,
        ErrorKind::PreconditionFailed | ErrorKind::DigestMismatch => ExitCode::Unexpected,
        _ => ExitCode::Failed,
    }
}

/// Returns the lines below an error: the holder of a lock first, then the library's facts.
pub(crate) fn lines(error: &Error) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Some(holder) = error.holder() {
        match &holder.content {
            LockContent::Record(info) => {
                if holder.is_being_released() {
                    lines.push(("note".to_owned(), "it is being released".to_owned()));
                }
                lines.push(("held by".to_owned(), holder_words(info)));
                lines.push(("since".to_owned(), since(info)));
                if !info.info.is_empty() {
                    lines.push(("info".to_owned(), info.info.clone()));
                }
            }
            LockContent::Unreadable(reason) => {
                lines.push((
                    "held by".to_owned(),
                    format!("unknown: the lock cannot be read ({reason})"),
                ));
            }
        }
        lines.push(("lock".to_owned(), holder.object.clone()));
        if let Some(id) = holder.id() {
            lines.push(("lock id".to_owned(), id.to_string()));
        }
    }
    lines.extend(error.context().iter().map(|(label, value)| ((*label).to_owned(), value.clone())));
    lines
}

fn causes(error: &Error) -> Vec<String> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .map(ToString::to_string)
        .collect()
}

/// `alice@build-17 for apply, version 1.14.2`
pub(crate) fn holder_words(info: &LockInfo) -> String {
    let who = if info.who.is_empty() { "someone" } else { &info.who };
    let mut words = who.to_owned();
    if !info.operation.is_empty() {
        words.push_str(&format!(" for `{}`", operation_words(&info.operation)));
    }
    if !info.version.is_empty() {
        words.push_str(&format!(", version {}", info.version));
    }
    words
}

/// Shortens Go's name `OperationTypeApply` to `apply`.
pub(crate) fn operation_words(operation: &str) -> String {
    match operation.strip_prefix("OperationType") {
        Some("Invalid") | None => operation.to_owned(),
        Some(name) => name.to_ascii_lowercase(),
    }
}

/// `2026-05-04 09:12:31 UTC (41 min ago)`
fn since(info: &LockInfo) -> String {
    if info.created == LockInfo::NO_TIME {
        return "unknown".to_owned();
    }
    format!("{} ({})", info.created.strftime("%Y-%m-%d %H:%M:%S UTC"), age(info))
}

/// Returns how long ago a lock was taken, by this machine's clock.
pub(crate) fn age(info: &LockInfo) -> String {
    if info.created == LockInfo::NO_TIME {
        return "unknown".to_owned();
    }
    let seconds = jiff::Timestamp::now().duration_since(info.created).as_secs();
    match seconds {
        ..0 => "in the future, by this machine's clock".to_owned(),
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_operation_names_are_shown_as_people_say_them() {
        assert_eq!(operation_words("OperationTypeApply"), "apply");
        assert_eq!(operation_words("state-push"), "state-push");
        assert_eq!(operation_words("OperationTypeInvalid"), "OperationTypeInvalid");
    }
}
